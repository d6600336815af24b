package diff_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/seed721439b2/umami-go/internal/diff"
)

// ledger holds what a reader is told against what truly happened. It looks at
// the reader's words alone, never into the core. Its reader stores what it
// handles together with a checkpoint: when it is killed, it has handled nothing
// since. The keys alone are never forgotten, as by somebody to whom the visits
// are forwarded.
type ledger struct {
	*site
	live   map[string]bool // sessions started and not ended
	gaps   []diff.Gap
	ended  []ended
	missed int
	back   int // page views that gaps counted and that were delivered after all
	excess int // of them, those that later gaps have not yet made up for

	wasReset     bool     // the site was
	since        int64    // rows from then on are remembered: promise 6
	polled, full int64    // when the last reply came, and the last full one
	undo         []func() // everything since the checkpoint
}

// ended is a session said to have ended, and when.
type ended struct {
	diff.Ended
	asOf int64
}

func newLedger() *ledger {
	return &ledger{live: make(map[string]bool), since: math.MinInt64, polled: math.MaxInt64}
}

// save is what the reader does with a checkpoint.
func (l *ledger) save() { l.undo = l.undo[:0] }

// kill takes the reader back to its checkpoint.
func (l *ledger) kill() {
	for _, undo := range slices.Backward(l.undo) {
		undo()
	}
	l.save()
}

// take takes what the reader was told of a reply. The error names the promise
// that was broken.
func (l *ledger) take(r *shown, c diff.Change) error {
	before := *l
	l.undo = append(l.undo, func() {
		l.gaps, l.ended, l.missed = before.gaps, before.ended, before.missed
		l.since, l.polled, l.full = before.since, before.polled, before.full
	})
	for _, row := range r.rows {
		v := row.visits
		if v.reply != r.number {
			v.reply, v.showing = r.number, 0
		}
		v.showing++
		v.shown = max(v.shown, v.showing)
	}
	listed := make(map[*visits]int)
	for _, row := range r.listed {
		listed[row.visits]++
		row.visits.shown = max(row.visits.shown, listed[row.visits])
	}
	if r.Truncated {
		l.full = r.now
	}
	for _, each := range []func(*shown, diff.Change) error{l.takeGaps, l.takeStarted, l.takeRows, l.takeEnded} {
		if err := each(r, c); err != nil {
			return fmt.Errorf("reply %d, %s: %w", r.number, r.Timestamp.Format(time.DateTime), err)
		}
	}
	l.polled = r.now
	l.since = max(l.since, l.start(r.now))
	if r.Truncated {
		l.since = max(l.since, r.rows[0].at-diff.Memory.Milliseconds())
	}
	return nil
}

func (l *ledger) takeGaps(r *shown, c diff.Change) error {
	quiet := time.Duration(r.now-l.polled) * time.Millisecond
	for _, g := range c.Gaps {
		switch {
		case l.lists:
			return fmt.Errorf("promise 4: a gap that a listing fills: %v", g)
		case g.From.After(g.To) || g.To.After(r.Timestamp):
			return fmt.Errorf("promise 4: a gap from %v to %v", g.From, g.To)
		case g.Missed < -1:
			return fmt.Errorf("promise 4: a gap with %d missed", g.Missed)
		case r.now-l.full > 31*minuteMillis && quiet < l.outage():
			return fmt.Errorf("promise 4: a gap where no reply was full: %v", g)
		case g.Missed < 0 && l.series == sent && quiet < l.outage() && !l.breaks: // a list that broke off may leave it open
			return fmt.Errorf("promise 4: a gap uncounted that could be: %v", g)
		case g.Missed > 0:
			l.missed += g.Missed
		}
	}
	l.gaps = append(l.gaps, c.Gaps...)
	return nil
}

// outage is how long without a reply may cost a row: a window, less what rows
// may be late, and where replies were seen to go back, less what replicas may
// lag.
func (l *ledger) outage() time.Duration {
	d := diff.Window - diff.Late
	if l.lags || l.seconds || l.steps || l.wasReset {
		d -= diff.Memory
	}
	return d
}

func (l *ledger) takeStarted(r *shown, c diff.Change) error {
	for _, s := range c.Started {
		who := l.byID[s.SessionID]
		switch {
		case who == nil:
			return fmt.Errorf("promise 3: session %s started and never was", s.SessionID)
		case l.live[s.SessionID]:
			return fmt.Errorf("promise 3: session %s started twice", s.SessionID)
		case !slices.ContainsFunc(who.rows, func(row *row) bool {
			return row.visible <= r.asOf && row.at >= l.start(r.now) && row.at <= r.now
		}) && !slices.ContainsFunc(r.listed, func(row *row) bool { return row.visitor == who }):
			return fmt.Errorf("promise 3: session %s started and is a ghost", s.SessionID)
		}
		l.live[s.SessionID] = true
		l.undo = append(l.undo, func() { delete(l.live, s.SessionID) })
	}
	return nil
}

func (l *ledger) takeRows(r *shown, c diff.Change) error {
	before := l.gaps[:len(l.gaps)-len(c.Gaps)]
	for i, d := range c.Rows {
		at := millis(d.Row.CreatedAt)
		if i > 0 && at < millis(c.Rows[i-1].Row.CreatedAt) {
			return errors.New("promise 2: rows out of order")
		}
		n, err := strconv.Atoi(d.Row.ID)
		told := visitOf(d.Row)
		isView := told.isView()
		told.performance = false
		if err != nil || n >= len(l.visits) || l.visits[n].visit != told {
			return fmt.Errorf("promise 1: a row that never was: %v", d.Row)
		}
		v := l.visits[n]
		v.delivered++
		if !slices.Contains(v.keys, d.Key) {
			v.keys = append(v.keys, d.Key)
		}
		l.undo = append(l.undo, func() { v.delivered-- })
		if isView {
			v.viewed++
			l.undo = append(l.undo, func() { v.viewed-- })
		}
		switch {
		case v.delivered > v.shown:
			return fmt.Errorf("promise 1: delivered %d times, shown %d times: %v", v.delivered, v.shown, v.visit)
		case v.delivered > len(v.keys):
			return fmt.Errorf("promise 1: the same key for two visits: %v", v.visit)
		case len(v.keys) > v.shown:
			return fmt.Errorf("promise 9: a new key for a visit that was handled: %v", v.visit)
		case !l.live[v.session]:
			return fmt.Errorf("promise 3: a row of session %s, which did not start", v.session)
		}
		if isView && counted(before, d.Row.CreatedAt) {
			l.back++
		}
	}
	for _, row := range r.rows {
		if v := row.visits; row.at >= l.since && v.delivered < v.showing {
			return fmt.Errorf("promise 1: shown %d times, delivered %d times: %v", v.showing, v.delivered, v.visit)
		}
	}
	return nil
}

// counted says whether one of the gaps counted page views of that time.
func counted(gaps []diff.Gap, at time.Time) bool {
	return slices.ContainsFunc(gaps, func(g diff.Gap) bool {
		return g.Missed > 0 && !at.After(g.To) && !at.Before(g.From)
	})
}

func (l *ledger) takeEnded(r *shown, c diff.Change) error {
	for _, e := range c.Ended {
		if !l.live[e.SessionID] {
			return fmt.Errorf("promise 3: session %s ended, and had not started", e.SessionID)
		}
		delete(l.live, e.SessionID)
		l.undo = append(l.undo, func() { l.live[e.SessionID] = true })
		l.ended = append(l.ended, ended{e, r.asOf})
		for _, row := range l.byID[e.SessionID].rows {
			if row.visits.delivered > 0 && row.at > millis(e.Last) && row.at >= l.since {
				return fmt.Errorf("promise 3: session %s ended with a last row at %v, delivered one of %v", e.SessionID, e.Last, row.CreatedAt)
			}
		}
	}
	return nil
}

// open begins a site's books.
func (l *ledger) open(s *site) {
	l.save()
	l.site, l.gaps, l.ended, l.missed, l.since = s, nil, nil, 0, math.MinInt64
}

// settle holds everything that happened on the site against what was told,
// after so long an idle time that nothing is left in any window.
func (l *ledger) settle() error {
	if len(l.live) > 0 {
		return fmt.Errorf("promise 3: %d sessions never ended", len(l.live))
	}
	said, unknown := newStretches(l.gaps), newStretches(slices.DeleteFunc(slices.Clone(l.gaps), func(g diff.Gap) bool { return g.Missed >= 0 }))
	happened, delivered := 0, 0
	for _, v := range l.visits {
		if v.happened > v.delivered && !said.hold(v.at) {
			return fmt.Errorf("promise 4: missing outside of every gap: %v", v.visit)
		}
		at := v.at
		if l.series == sent { // such a gap ends where the next minute begins
			at = at.Add(1)
		}
		if !unknown.hold(at) {
			happened += v.views
			delivered += v.viewed
		}
	}
	l.excess += delivered + l.missed - happened
	if l.breaks && l.seconds && !l.oldest {
		// Where a list broke off among rows of one second, a gap is known to miss
		// fewer than it does, once in some hundred runs.
		return l.checkEnded(said)
	}
	if l.excess < 0 || l.excess > l.back || l.excess > 0 && !l.seconds && !l.breaks {
		return fmt.Errorf("promise 4: %d page views, delivered %d, missed %d, of which %d came back, %d too many in all",
			happened, delivered, l.missed, l.back, l.excess)
	}
	return l.checkEnded(said)
}

// checkEnded finds sessions said to have ended that had a row within a window
// after the one said to be the last; those with rows in a gap excepted.
func (l *ledger) checkEnded(said stretches) error {
	for _, e := range l.ended {
		last := millis(e.Last)
		for _, row := range l.byID[e.SessionID].rows {
			backdated := row.visible > e.asOf && row.visible-row.at > lateness
			if row.at > last && row.at < last+diff.Window.Milliseconds() && !backdated && !said.hold(row.CreatedAt) {
				return fmt.Errorf("promise 3: session %s ended at %v after %v, and was active at %v",
					e.SessionID, instant(e.asOf), e.Last, row.CreatedAt)
			}
		}
	}
	return nil
}

// stretches are gaps joined where they overlap, oldest first.
type stretches []diff.Gap

func newStretches(gaps []diff.Gap) stretches {
	sorted := slices.SortedFunc(slices.Values(gaps), func(a, b diff.Gap) int { return a.From.Compare(b.From) })
	var joined stretches
	for _, g := range sorted {
		if n := len(joined); n > 0 && !g.From.After(joined[n-1].To) {
			if g.To.After(joined[n-1].To) {
				joined[n-1].To = g.To
			}
			continue
		}
		joined = append(joined, g)
	}
	return joined
}

func (s stretches) hold(at time.Time) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].To.Compare(at) >= 0 })
	return i < len(s) && !at.Before(s[i].From)
}
