package main

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

const (
	window = 30 * time.Minute // what the server shows at once
	// tries is how many polls in a row may fail where one answer is all that is
	// needed.
	tries = 3
	// patience is how long the last poll may take after an interrupt.
	patience = 3 * time.Second
)

var (
	errInterrupted = errors.New("interrupted")
	errOver        = errors.New("the time is over")
)

// gatherer makes a report.
type gatherer struct {
	site     *setting.Site
	trouble  *setting.Trouble
	progress *progress // nil: none is shown

	tally  *tally      // nil until the server has answered
	last   *umami.Diff // the newest one
	failed atomic.Int64
}

func newGatherer(site *setting.Site, stderr io.Writer, p *progress) *gatherer {
	return &gatherer{site: site, progress: p, trouble: setting.NewTrouble("report", stderr)}
}

// gather reports the last 30 minutes or, where length is not 0, what comes from
// now on. The report is nil where the server never answered, and the error says
// why; else an error says why the report ends before its time.
func (g *gatherer) gather(ctx context.Context, length time.Duration) (*Report, error) {
	o := umami.PollerOptions{} // all that the server has, also what its reply has no room for
	if length > 0 {
		o.Start = umami.SkipExisting
	}
	err := g.follow(ctx, o, length)
	interrupted := ctx.Err() != nil
	if g.last != nil && length > 0 && (err == nil || interrupted) {
		err = g.finish(ctx)
	}
	if interrupted {
		err = errInterrupted
	}
	if g.last == nil {
		return nil, err
	}
	r := g.tally.report(g.last.Time)
	r.Site, r.WebsiteID, r.FailedPolls = setting.Clean(g.site.Name), g.site.WebsiteID, int(g.failed.Load())
	if r.Site == "" {
		r.Site = "simulated traffic"
	}
	if err != nil {
		r.Ended = setting.OneLine(err)
	}
	return r, err
}

// finish polls once more. A diff comes only with a visit, so without this
// nobody knew whether there was none or the server had stopped answering; and
// what came since the last poll belongs to the report.
func (g *gatherer) finish(ctx context.Context) error {
	end := ctx
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		end, cancel = context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
	}
	checkpoint := g.last.Checkpoint()
	return g.follow(end, umami.PollerOptions{Resume: &checkpoint}, 0)
}

// follow takes the first diff, which comes with the first answer, and those of
// the time after it. It gives up where the first few polls fail, or a later one
// in a way that cannot heal.
func (g *gatherer) follow(ctx context.Context, o umami.PollerOptions, length time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var answered atomic.Bool
	o.Interval = g.site.Interval
	o.OnError = func(e *umami.PollError) {
		g.failed.Add(1)
		if e.Failures >= tries && !answered.Load() {
			cancel(e.Err)
			return
		}
		g.trouble.Failed(e)
	}
	poller, err := g.site.Client.NewPoller(g.site.WebsiteID, &o)
	if err != nil {
		return err
	}
	for diff, err := range poller.All(ctx) {
		switch {
		case errors.Is(context.Cause(ctx), errOver):
			return nil
		case err != nil && ctx.Err() != nil:
			return g.site.Explain(context.Cause(ctx))
		case err != nil:
			return g.site.Explain(err)
		}
		g.take(diff, length == 0)
		if length == 0 {
			return nil
		}
		if diff.Initial {
			answered.Store(true)
			defer g.progress.start(length)()
			defer time.AfterFunc(length, func() { cancel(errOver) }).Stop()
		}
	}
	return nil
}

// take counts a diff. The first one of a report on the last 30 minutes ends
// where that does; the first one of another is where that begins.
func (g *gatherer) take(diff umami.Diff, whole bool) {
	if g.tally == nil {
		from := diff.Time
		if whole {
			from = from.Add(-window)
		}
		g.tally = newTally(from)
	}
	g.tally.add(diff)
	diff.Snapshot = nil // not needed
	g.last = &diff
	g.trouble.Over()
	g.progress.show(g.tally.pageviews, len(g.tally.sessions))
}
