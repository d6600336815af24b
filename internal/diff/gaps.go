package diff

import "time"

// Reason says why rows were not shown.
type Reason int

// The reasons.
const (
	Truncated Reason = iota + 1 // more rows came between two replies than one shows
	Outage                      // no reply for longer than the window
	Resumed                     // either of them, while no poller ran
)

// Gap is a stretch of time of which rows are missing.
type Gap struct {
	From, To time.Time
	Reason   Reason
	Missed   int // page views; -1: nobody can know
}

// classify finds out which end of the window a cut reply shows. Servers from
// 2.13 to 2.18.0 show the oldest rows; then minutes are counted after the
// newest row shown, and nothing is hidden before the oldest. A quiet site has
// no such minutes.
func (b *step) classify() {
	after, before := 0, 0
	for i, n := range b.next.series.counts {
		m := b.next.series.first + int64(i)
		switch {
		case !b.over(m):
		case m > minuteOf(b.newest):
			after += n
		case m <= minuteOf(b.oldest):
			before += max(0, n-b.shown.at(m))
		}
	}
	switch {
	case !b.reply.Truncated:
		b.next.hidesNewest = false
	case after > before:
		b.next.hidesNewest = true
	case before > 0:
		b.next.hidesNewest = false
	}
	b.next.shownTo = b.next.now
	if b.next.hidesNewest {
		b.next.shownTo = b.newest
		b.change.HidesNewest = true
		for i := len(b.next.series.counts) - 1; i >= 0; i-- {
			if b.next.series.counts[i] > 0 {
				counted := (b.next.series.first + int64(i)) * minuteMillis
				b.change.Stale = max(0, time.Duration(counted-b.newest)*time.Millisecond)
				break
			}
		}
		return
	}
	b.next.lags = b.next.lags || b.prev != nil && !b.prev.hidesNewest && b.newest < b.prev.newest && b.prev.newest >= b.start
}

// over says whether all rows of a minute have come: it is past, and so is the
// time by which a late row or a replica may lag.
func (b *step) over(m int64) bool {
	grace := Late
	if b.next.lags {
		grace = Memory
	}
	return (m+1)*minuteMillis+grace.Milliseconds() <= b.next.now
}

// findGaps says what was not shown and never will be.
func (b *step) findGaps() {
	reason, outage := Truncated, Outage
	if b.core.resumed {
		reason, outage = Resumed, Resumed
	}
	if b.first() && b.core.skip {
		b.excuse()
		return
	}
	lateness := Late.Milliseconds()
	switch {
	case b.first():
	case b.start > b.prev.now:
		b.say(b.prev.shownTo-lateness, b.start, outage, -1)
	case b.prev.hidesNewest && b.start > b.prev.shownTo:
		// What was hidden after the newest row shown has left the window.
		missed := -1
		if b.prev.series.counts != nil {
			missed = b.missing(b.prev.series, minuteOf(b.prev.shownTo), minuteOf(b.start)-1)
		}
		b.say(b.prev.shownTo, b.start, reason, missed)
	}
	if !b.reply.Truncated || b.next.hidesNewest {
		return // everything of the window is shown, or will be
	}

	// The newest rows are shown. What came before the oldest of them was seen
	// only if it is well before the newest row known until now.
	from, open := b.start, true
	if !b.first() {
		known := b.prev.newest
		if !b.next.lags {
			known = max(known, b.prev.shownTo)
		}
		from = known - lateness
		open = b.oldest > min(from, b.prev.newest)
		if b.oldest <= from { // they came later than rows should
			from = b.prev.newest - lateness
		}
		from = max(b.start, from)
	}
	if b.next.series.counts == nil {
		if open {
			b.say(from, b.oldest, reason, -1)
		}
		return
	}
	first, last := b.next.series.first, b.lastOver()
	if open {
		missed := b.missing(b.next.series, max(first, minuteOf(from)), min(last, minuteOf(b.oldest)))
		b.say(from, b.oldest, reason, missed)
	}
	for m := first; m <= last; m++ {
		if missed := b.missing(b.next.series, m, m); missed > 0 {
			b.say(m*minuteMillis, (m+1)*minuteMillis, reason, missed)
		}
	}
}

// say reports a gap, joined to the one before where they touch. Page views
// that were said to be missing before, and then were shown after all, are
// taken off.
func (b *step) say(from, to int64, reason Reason, missed int) {
	if missed > 0 {
		returned := min(missed, b.next.owed)
		missed -= returned
		b.next.owed -= returned
	}
	gap := Gap{instant(from), instant(to), reason, missed}
	if n := len(b.change.Gaps); n > 0 {
		last := &b.change.Gaps[n-1]
		if last.Missed >= 0 && missed >= 0 && !gap.From.After(last.To) && !gap.To.Before(last.From) {
			last.Missed += missed
			if gap.From.Before(last.From) {
				last.From = gap.From
			}
			if gap.To.After(last.To) {
				last.To = gap.To
			}
			return
		}
	}
	b.change.Gaps = append(b.change.Gaps, gap)
}

// missing counts the page views of some minutes that the series has beyond
// those delivered and those said to be missing, which it then says of them too.
func (b *step) missing(s series, from, to int64) int {
	total := 0
	for n := from; n <= to; n++ {
		delivered, said := 0, 0
		if m := b.next.find(n); m != nil {
			delivered, said = m.views, m.missed
		}
		missed := s.at(n) - delivered - said
		switch {
		case missed > 0:
			b.own(n).missed += missed
			total += missed
		case missed < 0 && said > 0 && s.at(n) >= delivered:
			// Some of what was missing has been shown after all.
			b.own(n).missed += missed
			b.next.owed -= missed
		}
	}
	return total
}

func (b *step) lastOver() int64 {
	m := minuteOf(b.next.now)
	for !b.over(m) {
		m--
	}
	return m
}

// excuse takes for known what the first reply hides.
func (b *step) excuse() {
	b.next.newest = b.next.now
	if b.next.hidesNewest { // what is hidden now will be shown later
		b.next.horizon = b.next.now
	}
	for i, n := range b.next.series.counts {
		m := b.next.series.first + int64(i)
		if missed := n - b.shown.at(m); missed > 0 {
			b.own(m).missed = missed
		}
	}
}
