package diff

import (
	"math"
	"time"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// Span is a stretch of time, both ends included.
type Span struct{ From, To time.Time }

// Hidden says of what stretches of time a listing of rows is wanted. All of the
// time since open may be hidden, up to the reply's own time; it is zero where
// nothing is. In the closed spans, oldest first, more page views were counted
// than delivered. What is no longer remembered is left out: nobody could tell
// which rows are new. After Fill, the closed spans are those that it left.
func (b *Step) Hidden() (open time.Time, closed []Span) {
	const none = int64(math.MaxInt64)
	since, known := none, b.start
	if !b.first() {
		known = b.prev.newest - Late.Milliseconds()
	}
	for _, g := range b.foresee() {
		from, to := max(millis(g.From), b.next.horizon), millis(g.To)
		switch {
		case from >= to && to <= b.next.horizon:
		case to <= known && g.Missed > 0:
			closed = append(closed, Span{instant(from), g.To})
		default:
			since = min(since, from, known)
		}
	}
	if b.next.full && (b.next.order == oldestRows || b.next.order == unknown && b.newest < b.inTime()) {
		since = min(since, known)
		if !b.first() {
			since = min(since, b.prev.doubt)
		}
	}
	if since != none {
		since -= since % time.Second.Milliseconds()
		b.wanted = max(since, b.next.horizon)
		open = instant(b.wanted)
	}
	return open, closed
}

// Now is the server's clock, which is that of the reply or of a later one
// before.
func (b *Step) Now() time.Time { return instant(b.next.now) }

// Past is the part of the window that is over and remembered.
func (b *Step) Past() Span {
	to := (b.lastOver(b.next.now)+1)*minuteMillis - 1
	return Span{instant(min(b.next.horizon, to)), instant(to)}
}

// Delivered counts the rows of a span that were delivered and are remembered,
// or were said to be missing.
func (b *Step) Delivered(s Span) int {
	n, from, to := 0, millis(s.From), millis(s.To)
	for _, m := range b.next.minutes {
		if m.n < minuteOf(from) || m.n > minuteOf(to) {
			continue
		}
		for _, row := range m.seen {
			if row.at >= from && row.at <= to {
				n += int(row.count)
			}
		}
		if m.n*minuteMillis >= from && (m.n+1)*minuteMillis <= to+1 {
			n += m.missed
		}
	}
	return n
}

// foresee finds the gaps that Finish would tell of, and those that it would not
// yet where what is hidden may be shown again.
func (b *Step) foresee() []Gap {
	gaps := b.trial(b.next.unsteady)
	if b.next.unsteady {
		gaps = append(gaps, b.trial(false)...)
	}
	return gaps
}

func (b *Step) trial(unsteady bool) []Gap {
	trial := *b
	trial.next.unsteady = unsteady
	trial.copied, trial.ours, trial.change = false, nil, Change{}
	trial.forget()
	trial.findGaps()
	return trial.change.Gaps
}

// Add enters rows of a listing. Those that were delivered are not new.
func (b *Step) Add(rows []wire.Row) {
	b.takeRows(rows)
	b.added = true
}

// Fill is Add for all rows from an instant up to the reply's own time. What was
// hidden there is hidden no more, unless the listing lacks rows that the reply
// shows: then it is behind, or made in another way, and Fill says so.
//
// broken says that the listing broke off there, and that what is older will be
// asked for again. Of a server that shows the oldest rows, such a listing only
// brings rows early: nothing is concluded from it.
func (b *Step) Fill(from time.Time, rows []wire.Row, broken bool) (whole bool) {
	b.Add(rows)
	if b.lacks(millis(from), rows) {
		return false
	}
	if b.next.full && b.next.order == unknown {
		b.next.order = newestRows
		for i := range rows {
			if at := millis(rows[i].CreatedAt); at > b.newest && at <= b.inTime() {
				b.next.order = oldestRows
			}
		}
	}
	if b.next.hidesNewest() {
		if broken {
			b.next.shownTo = min(b.next.shownTo, b.next.doubt)
			return true
		}
		b.cut = b.next.now
	}
	b.filled, b.since = true, millis(from)
	b.next.shownTo = b.allShown()
	b.next.doubt = b.next.shownTo
	if millis(from) <= b.wanted { // else page views before are still to be counted
		b.next.judged = minuteOf(b.next.now)
	}
	return true
}

// lacks says whether a listing from an instant on has fewer of any rows than the
// reply, which is older, shows. Beacons, which not every version shows, don't
// count.
func (b *Step) lacks(from int64, rows []wire.Row) bool {
	listed := make(map[seen]int, len(rows))
	for i := range rows {
		listed[seen{at: millis(rows[i].CreatedAt), hash: hash(&rows[i])}]++
	}
	for _, shown := range [][]wire.Row{b.reply.Pageviews, b.reply.Events} {
		for i := range shown {
			row := seen{at: millis(shown[i].CreatedAt), hash: hash(&shown[i])}
			if shown[i].Performance || row.at < from || row.at > b.next.now {
				continue
			}
			if listed[row]--; listed[row] < 0 {
				return true
			}
		}
	}
	return false
}
