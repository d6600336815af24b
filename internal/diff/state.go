package diff

import (
	"cmp"
	"slices"
	"time"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// State is what is known of a website after a reply. It never changes: the
// next reply makes a new one that shares what stayed as it was, so that whoever
// holds a State pays nothing until it is encoded. Times are milliseconds since
// 1970 on the server's clock.
type State struct {
	now     int64 // of the last reply
	newest  int64 // newest createdAt known
	horizon int64 // rows before are not remembered and count as known
	shownTo int64 // what came until then was shown, unless a gap was said

	hidesNewest bool // the server shows its oldest rows, and the last reply was cut
	lags        bool // replies have come that were older than the one before
	owed        int  // page views said to be missing that were shown later

	series  series
	minutes []*minute // oldest first, without empty ones
}

// minute holds what is known of one minute by createdAt. It never changes once
// its State is out.
type minute struct {
	n      int64    // the minute since 1970
	seen   []seen   // rows remembered, by time and hash
	active []active // sessions with a row in it, by id
	views  int      // page views delivered or skipped, beacons left out
	missed int      // page views said to be missing
}

// seen is a row delivered, with how many there are like it.
type seen struct {
	at    int64
	hash  uint64
	count int
}

func (a seen) compare(b seen) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.hash, b.hash))
}

// active is a session and its last row.
type active struct {
	id   string
	last int64
}

const minuteMillis = int64(time.Minute / time.Millisecond)

func minuteOf(at int64) int64 {
	if at < 0 {
		at -= minuteMillis - 1
	}
	return at / minuteMillis
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func instant(at int64) time.Time { return time.UnixMilli(at).UTC() }

// windowStart is where the window of a server begins at an instant: at the
// start of a minute.
func windowStart(now int64) int64 {
	return (minuteOf(now) - int64(Window/time.Minute)) * minuteMillis
}

// find returns the minute n, nil where nothing is known of it.
func (s *State) find(n int64) *minute {
	if i, ok := s.search(n); ok {
		return s.minutes[i]
	}
	return nil
}

func (s *State) search(n int64) (int, bool) {
	return slices.BinarySearchFunc(s.minutes, n, func(m *minute, n int64) int { return cmp.Compare(m.n, n) })
}

// known counts the rows like this one that were delivered.
func (m *minute) known(row seen) int {
	if m == nil {
		return 0
	}
	if i, ok := slices.BinarySearchFunc(m.seen, row, seen.compare); ok {
		return m.seen[i].count
	}
	return 0
}

// merge lays additions over a sorted slice: those that compare equal replace
// what was there.
func merge[T any](old, additions []T, compare func(a, b T) int) []T {
	merged := make([]T, 0, len(old)+len(additions))
	for len(old) > 0 && len(additions) > 0 {
		switch c := compare(old[0], additions[0]); {
		case c < 0:
			merged, old = append(merged, old[0]), old[1:]
		case c == 0:
			old = old[1:]
		default:
			merged, additions = append(merged, additions[0]), additions[1:]
		}
	}
	return append(append(merged, old...), additions...)
}

// series counts page views by minute, from the minute first on. A nil counts
// slice is a series of which nothing can be concluded.
type series struct {
	first  int64
	counts []int
}

func (s series) at(minute int64) int {
	if i := minute - s.first; i >= 0 && i < int64(len(s.counts)) {
		return s.counts[i]
	}
	return 0
}

func (s series) add(minute int64, n int) {
	if i := minute - s.first; i >= 0 && i < int64(len(s.counts)) {
		s.counts[i] += n
	}
}

func newSeries(now int64) series {
	first := minuteOf(windowStart(now))
	return series{first: first, counts: make([]int, minuteOf(now)-first+2)}
}

// shownViews counts the page views that a reply shows.
func shownViews(r *wire.Reply, now int64) series {
	s := newSeries(now)
	for i := range r.Pageviews {
		if row := &r.Pageviews[i]; !row.Performance {
			s.add(minuteOf(millis(row.CreatedAt)), 1)
		}
	}
	return s
}

// countedViews is the series that the server sent, if it counts the views that
// are shown. It does not where it is empty because of a filter, or where its
// times could not be made out.
func countedViews(r *wire.Reply, shown series, now int64) series {
	if !r.SeriesSent {
		return series{}
	}
	s := newSeries(now)
	for _, p := range r.Views {
		s.add(minuteOf(millis(p.Time)), p.Count)
	}
	missing, total := 0, 0
	for i, n := range shown.counts {
		missing += max(0, n-s.counts[i])
		total += n
	}
	if missing*4 > total { // the odd row comes between the server's two queries
		return series{}
	}
	return s
}
