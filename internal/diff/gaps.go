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

// classify finds out what the reply covers.
func (b *Step) classify() {
	told := b.next.full && b.findOrder()
	hides := b.next.hidesNewest()
	if p := b.prev; p != nil && !hides && !p.hidesNewest() && b.newest < p.newest && p.newest >= b.showsFrom(b.next.now) {
		b.next.unsteady = true // the reply is older than the one before
	}
	inTime := b.inTime()
	switch {
	case hides:
		b.next.shownTo = max(b.next.doubt, min(b.newest, inTime))
		b.change.HidesNewest = true
		b.change.Stale = max(0, time.Duration(b.next.series.last()-b.newest)*time.Millisecond)
	default:
		b.next.shownTo = b.allShown()
	}
	if b.next.full && !told {
		b.next.doubt = max(b.next.doubt, min(b.newest, inTime))
	} else {
		b.next.doubt = b.next.shownTo
	}
}

// inTime is until when all rows had come by the time of the reply, by the clock
// of the server that answered.
func (b *Step) inTime() int64 { return millis(b.reply.Timestamp) - Late.Milliseconds() }

// allShown is shownTo where none of the newest rows are hidden.
func (b *Step) allShown() int64 {
	if b.next.unsteady {
		return min(b.next.surely(), b.inTime())
	}
	return b.inTime()
}

// surely is until when everything was shown even by a replica that lags.
func (s *State) surely() int64 {
	return max(s.newest, s.now-Memory.Milliseconds()) - Late.Milliseconds()
}

// findOrder finds out which end of the window a cut reply shows. Servers from
// 2.13 to 2.18.0 show the oldest rows: from the minute of the newest row on,
// more page views are counted than shown. Others hide some up to the minute of
// the oldest row. Rows that are all of one minute tell nothing, nor does a site
// where exactly as many came as a reply shows.
func (b *Step) findOrder() (found bool) {
	first, last := minuteOf(b.oldest), minuteOf(b.newest)
	before, after := 0, 0
	for i, n := range b.next.series.counts {
		m := b.next.series.first + int64(i)
		hidden := max(0, n-b.shown.at(m))
		switch {
		case m > b.lastOver(b.next.now) || m == first && m == last:
		case m <= first:
			before += hidden
		case m >= last:
			after += hidden
		}
	}
	switch {
	case before > after:
		b.next.order = newestRows
	case after > before:
		b.next.order = oldestRows
	}
	return before != after
}

// lastOver is the last minute of which all rows had come by the time of a
// reply.
func (b *Step) lastOver(now int64) int64 {
	if b.next.unsteady {
		return lastOver(now, Late+Memory)
	}
	return lastOver(now, Late)
}

// findGaps says what was not shown and never will be.
func (b *Step) findGaps() {
	reason, outage := Truncated, Outage
	if b.core.resumed {
		reason, outage = Resumed, Resumed
	}
	if !b.first() {
		b.leave(reason, outage)
	}
	if b.passed > 0 && b.passed < b.next.horizon {
		b.say(b.passed, b.next.horizon, outage, -1)
	}
	switch {
	case b.Skipped():
		b.excuse()
	case b.next.full && (b.filled || !b.next.hidesNewest()):
		b.cutOff(reason)
		hiddenTo := b.cut
		if b.filled {
			hiddenTo = min(hiddenTo, b.inTime())
		}
		b.next.hiddenTo = max(b.next.hiddenTo, hiddenTo)
	}
	b.next.judged = max(b.next.judged, minuteOf(b.start)-1)
}

// leave says what has left the window since the reply before and was never
// shown.
func (b *Step) leave(reason, outage Reason) {
	p := b.prev
	hides, shown, last := p.hidesNewest(), p.shownTo, minuteOf(p.hiddenTo)
	if p.full && p.order == unknown && (b.next.order == oldestRows || b.next.order == unknown && p.shownTo < b.start) {
		hides, shown = true, p.doubt
	}
	if hides {
		last = minuteOf(p.now)
	}
	// Until then the reply before had counted all that was to come.
	counted := min(b.start, (b.lastOver(p.now)+1)*minuteMillis)
	if !p.series.known {
		counted = p.series.first * minuteMillis
	}
	for n := p.series.first; n < minuteOf(counted) && n <= last; n++ {
		if missed := b.missing(&p.series, n); missed > 0 {
			from, to := n*minuteMillis, (n+1)*minuteMillis
			if hides && shown < to {
				from = max(from, shown)
			}
			b.say(from, to, reason, missed)
		}
	}
	if hides && shown < counted {
		b.say(shown, counted, reason, 0)
		shown = counted
	}
	if !hides {
		from, to := max(counted, (p.judged+1)*minuteMillis), min(b.start, (last+1)*minuteMillis)
		if from < to {
			b.say(from, to, outage, -1)
		}
	}
	if start := b.showsFrom(b.next.now); shown < start {
		b.say(shown, start, outage, -1)
		b.next.shownTo, b.next.doubt = max(b.next.shownTo, start), max(b.next.doubt, start)
	}
}

// showsFrom is where the window begins at an instant: on servers from 2.0 to
// 2.8, which send no series, within a minute.
func (b *Step) showsFrom(now int64) int64 {
	if !b.reply.SeriesSent {
		return now - Window.Milliseconds()
	}
	return windowStart(now)
}

// cutOff says what a reply of the newest rows hides, and was not filled in.
func (b *Step) cutOff(reason Reason) {
	from, to, open := b.start, b.cut, true
	if p := b.prev; p != nil {
		open = to > max(min(p.newest, p.shownTo), p.hiddenTo)
		known := min(p.surely(), p.shownTo)
		if known >= to { // rows came later than they should
			known = p.newest - Late.Milliseconds()
		}
		from = max(from, known, p.hiddenTo)
	}
	open = open && from <= to
	if !b.next.series.known {
		if open {
			b.say(from, to, reason, -1)
		}
		b.next.judged = minuteOf(b.next.now)
		return
	}
	last := min(b.lastOver(b.next.now), minuteOf(b.cut))
	if b.next.unsteady { // the rest may be shown again
		last = min(last, minuteOf(b.next.horizon)-1)
	}
	b.count(b.next.series.first, min(last, minuteOf(from)-1), reason)
	if open {
		b.say(from, to, reason, 0)
	}
	b.count(minuteOf(from), last, reason)
	b.next.judged = max(b.next.judged, last)
}

// count says of some minutes how many page views are missing.
func (b *Step) count(from, to int64, reason Reason) {
	for n := from; n <= to; n++ {
		if missed := b.missing(&b.next.series, n); missed > 0 {
			b.say(n*minuteMillis, min((n+1)*minuteMillis, b.cut), reason, missed)
		}
	}
}

// say reports a gap, joined to the one before where they touch. Page views
// that were said to be missing before, and then were shown after all, are
// taken off. What was filled in is not missing, whatever else is in that minute.
func (b *Step) say(from, to int64, reason Reason, missed int) {
	if b.filled && from < b.since {
		to = min(to, b.since)
	} else if b.filled && missed <= 0 {
		return
	}
	if missed > 0 {
		returned := min(missed, b.next.owed)
		missed -= returned
		b.next.owed -= returned
	}
	gap := Gap{instant(from), instant(to), reason, missed}
	if n := len(b.change.Gaps); n > 0 {
		last := &b.change.Gaps[n-1]
		alike := last.Reason == reason && (last.Missed < 0) == (missed < 0)
		if alike && !gap.From.After(last.To) && !gap.To.Before(last.From) {
			if missed > 0 {
				last.Missed += missed
			}
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

// missing counts the page views of a minute that the series has beyond those
// delivered and those said to be missing, which it then says of them too.
func (b *Step) missing(s *series, n int64) int {
	var known minute
	if m := b.next.find(n); m != nil {
		known = *m
	}
	counted := max(s.at(n), known.counted) // a replica that lags counts fewer
	missed := max(0, counted-known.views)
	more := missed - known.missed
	if more != 0 || missed > 0 && counted > known.counted {
		m := b.own(n)
		m.missed, m.counted = missed, counted
	}
	if more < 0 { // some were shown after all
		b.next.owed -= more
		b.next.unsteady = true
	}
	return more
}

// excuse takes for known what the first reply hides.
func (b *Step) excuse() {
	switch {
	case b.next.hidesNewest(): // it will be shown
		b.next.horizon, b.next.shownTo, b.next.doubt = b.next.now, b.next.now, b.next.now
	case b.next.full:
		b.next.hiddenTo, b.next.judged, b.next.doubt = b.next.now, minuteOf(b.next.now), b.next.now
		b.next.horizon = max(b.next.horizon, b.oldest+1) // of the oldest instant some may be hidden
		if b.next.order == unknown && b.newest < b.inTime() {
			b.next.horizon = b.next.now + 1
		}
	}
	for i, n := range b.next.series.counts {
		if m := b.next.series.first + int64(i); n > b.shown.at(m) {
			b.own(m).missed, b.own(m).counted = n-b.shown.at(m), n
		}
	}
}
