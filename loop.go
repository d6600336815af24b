package umami

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/seed721439b2/umami-go/internal/diff"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// run is the poll loop; it returns why it ended. Each poll runs beside it, so
// that the reader is served and a cancel is heard meanwhile.
func (p *Poller) run(ctx context.Context, diffs chan<- Diff) error {
	defer p.client.pollers.Add(-1)
	var (
		pending  *Diff // not yet taken
		fatal    error // ends the polling once pending is taken
		outcomes = make(chan polled, 1)
		timer    = time.NewTimer(p.spread(p.client.pollers.Add(1)))
	)
	defer timer.Stop()
	for {
		if fatal != nil && pending == nil {
			return fatal
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		tick, out, next := timer.C, diffs, Diff{}
		if pending == nil {
			out = nil
		} else {
			next = *pending
			if p.opts.Overflow == Block || len(next.Pageviews)+len(next.Events) >= p.opts.MaxPending {
				tick = nil
			}
		}
		select {
		case <-ctx.Done(): // seen above
		case out <- next:
			pending = nil
			p.seq++
		case <-tick:
			go func() { outcomes <- p.poll(ctx) }()
		case o := <-outcomes:
			switch {
			case ctx.Err() != nil: // no failure of the server's
			case o.err != nil:
				fatal = p.pollFailed(ctx, o.err, timer)
			default:
				timer.Reset(p.pace(o)) // before advance: it needs the last reply's time
				pending = p.advance(pending, o)
			}
		}
	}
}

// spread is the wait before the first poll: none for a lone poller, up to the
// interval for one of many, so that they don't knock together.
func (p *Poller) spread(running int64) time.Duration {
	const many = 100
	return upTo(p.opts.Interval / many * time.Duration(min(running-1, many)))
}

// upTo is the jitter in every wait.
func upTo(d time.Duration) time.Duration {
	return rand.N(d + 1) //nolint:gosec // jitter needs no secrecy
}

// polled is the outcome of one poll.
type polled struct {
	reply  *wire.Reply
	body   []byte
	at     time.Time // when the reply came, by our own clock
	change diff.Change
	reason GapReason // why rows are missing that should have been fetched
	err    error
	took   time.Duration
}

// poll asks for a reply. The range is reckoned from the server's clock; if at
// the first poll ours turns out to be another, it asks once more.
func (p *Poller) poll(ctx context.Context) (o polled) {
	began := time.Now()
	now, known := began, !p.stamp.IsZero()
	if known {
		now = p.stamp.Add(began.Sub(p.stampAt))
	}
	for range 2 {
		o.err = p.client.fetchRealtime(ctx, p.websiteID, RealtimeOptions{Filters: p.opts.Filters}, inRange(now),
			func(body []byte, zone *time.Location) (err error) {
				o.body = body
				o.reply, err = wire.Decode(body, zone)
				return err
			})
		if known || o.err != nil || o.reply.Timestamp.Sub(now).Abs() <= clockMargin {
			break
		}
		now = o.reply.Timestamp
	}
	if o.err == nil {
		o.at = time.Now()
		o.change, o.reason = p.digest(ctx, o.reply)
	}
	o.took = time.Since(began)
	return o
}

// inRange keeps to what a request can ask for, whatever a clock says: 1970 to
// 2248.
func inRange(t time.Time) time.Time {
	return time.UnixMilli(min(max(t.UnixMilli(), 1<<32), 1<<43))
}

// pollFailed takes note of a failed poll. It returns the error if polling must
// end, and otherwise sets the timer.
func (p *Poller) pollFailed(ctx context.Context, err error, timer *time.Timer) error {
	p.failures++
	p.uncount.failures++
	e := &PollError{Err: fmt.Errorf("umami: poll: %w", err), Failures: p.failures}
	fatal := cannotHeal(err, p.failures == 1 && p.stampAt.IsZero())
	if !fatal {
		e.Next = p.pollBackoff(err)
		timer.Reset(e.Next)
	}
	p.client.sender.Log.LogAttrs(ctx, slog.LevelWarn, "umami: poll failed",
		slog.Any("error", err), slog.Int("failures", e.Failures), slog.Duration("next", e.Next))
	if p.opts.OnError != nil {
		p.opts.OnError(e)
	}
	if fatal {
		return e.Err
	}
	return nil
}

// pollBackoff is the wait after a failed poll: at first the interval, with each
// failure in a row twice as long up to a minute, of which up to a half is taken
// off; and what the server asks for, up to a minute too.
func (p *Poller) pollBackoff(err error) time.Duration {
	bound, longest := p.opts.Interval, max(p.opts.Interval, time.Minute)
	for i := 1; i < p.failures && bound < longest; i++ {
		bound *= 2
	}
	bound = min(bound, longest)
	wait := bound - upTo(bound/2)
	if e, ok := errors.AsType[*APIError](err); ok {
		wait = max(wait, min(e.RetryAfter, longest))
	}
	return wait
}

// cannotHeal says whether a later poll is bound to fail in the same way.
func cannotHeal(err error, first bool) bool {
	if errors.Is(err, ErrInvalidArgument) || errors.Is(err, ErrTwoFactorRequired) {
		return true
	}
	e, ok := errors.AsType[*APIError](err)
	if !ok {
		return false
	}
	switch e.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized:
		return true
	case http.StatusForbidden, http.StatusNotFound:
		// A proxy answers so, too, while the server behind it is replaced.
		var own struct {
			Error json.RawMessage `json:"error"`
		}
		return first || json.Unmarshal(e.Body, &own) == nil && own.Error != nil
	}
	return false
}

// advance adds what a poll brought to the diff that is not yet taken. Where
// nothing changed there is nothing to take, and only the polls are remembered.
func (p *Poller) advance(pending *Diff, o polled) *Diff {
	initial := p.stampAt.IsZero()
	p.stamp, p.stampAt, p.failures = o.reply.Timestamp, o.at, 0
	p.uncount.polls++
	if pending == nil && !initial && p.unchanged(o) {
		return nil
	}
	d := p.newDiff(o, initial)
	if pending != nil {
		d = pending.merge(d)
	}
	if d.Empty() && !d.Initial {
		p.uncount.polls, p.uncount.failures = d.Polls, d.Failures
		return nil
	}
	return &d
}

// pace is the wait before the next poll: the interval, or less where by the
// rate seen, in rows a second, more than half of the next reply would be new.
func (p *Poller) pace(o polled) time.Duration {
	wait := p.opts.Interval
	if rate := o.change.Rate(o.reply, p.stamp); rate > 0 && o.reply.Limit > 0 && !o.change.HidesNewest {
		// A poll takes its time, too, and jitter may add a tenth.
		half := float64(o.reply.Limit) / 2 / rate
		soon := max(half-o.took.Seconds(), 0) / 1.1
		wait = time.Duration(min(soon, wait.Seconds()) * float64(time.Second))
	}
	wait = max(wait, p.opts.MinInterval)
	return max(wait-wait/10+upTo(wait/5), p.opts.MinInterval)
}
