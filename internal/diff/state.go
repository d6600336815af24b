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
	now      int64 // of the last reply
	newest   int64 // newest createdAt known, those in the future left out
	horizon  int64 // rows before are not remembered and count as known
	shownTo  int64 // what came until then was shown, or a gap was said
	hiddenTo int64 // what came until then and was not shown is in a gap that was said
	judged   int64 // the last minute whose missing page views were counted
	doubt    int64 // as shownTo, should the last replies have hidden the newest rows

	order    order
	full     bool // the last reply was cut
	unsteady bool // what was hidden may be shown again
	owed     int  // page views said to be missing that were shown later

	series  series
	minutes []*minute // oldest first
}

// Now is the server's clock at the last reply.
func (s *State) Now() time.Time { return instant(s.now) }

// order is which rows of the window a server shows where it cuts its replies.
// Only a cut reply can tell.
type order byte

const (
	unknown order = iota
	newestRows
	oldestRows
)

// hidesNewest says that the last reply showed the oldest rows of the window,
// and hid newer ones.
func (s *State) hidesNewest() bool { return s.full && s.order == oldestRows }

// minute holds what is known of one minute by createdAt. It never changes once
// its State is out.
type minute struct {
	n       int64    // the minute since 1970
	seen    []seen   // rows remembered, by time and hash
	active  []active // sessions with a row in it, by id
	views   int      // page views delivered or skipped, beacons left out
	missed  int      // page views said to be missing
	counted int      // page views that the series had when missed was last set
}

// seen is a row delivered, with how many there are like it.
type seen struct {
	at      int64
	hash    uint64
	count   int32
	beacons int32 // of them
}

func (a seen) compare(b seen) int {
	if a.at != b.at {
		return cmp.Compare(a.at, b.at)
	}
	return cmp.Compare(a.hash, b.hash)
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

// remembered counts the rows that are, those alike once.
func (s *State) remembered() int {
	n := 0
	for _, m := range s.minutes {
		n += len(m.seen)
	}
	return n
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

// known finds a row among remembered ones, and gives how often it was delivered,
// with a count of 0 where it was not, and those that come after.
func known(remembered []seen, row seen) (seen, []seen) {
	for i, r := range remembered {
		switch c := r.compare(row); {
		case c == 0:
			return r, remembered[i+1:]
		case c > 0:
			return row, remembered[i:]
		}
	}
	return row, nil
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

// series counts page views by minute, from the minute first on. Of one that is
// not known, nothing can be concluded.
type series struct {
	first  int64
	known  bool
	counts [Window/time.Minute + 2]int
}

func (s *series) at(minute int64) int {
	if i := minute - s.first; i >= 0 && i < int64(len(s.counts)) {
		return s.counts[i]
	}
	return 0
}

func (s *series) add(minute int64, n int) {
	if i := minute - s.first; i >= 0 && i < int64(len(s.counts)) {
		s.counts[i] += n
	}
}

// last is when the last minute begins of which something was counted.
func (s *series) last() int64 {
	for i := len(s.counts) - 1; i >= 0; i-- {
		if s.counts[i] > 0 {
			return (s.first + int64(i)) * minuteMillis
		}
	}
	return 0
}

func newSeries(now int64) series {
	return series{first: minuteOf(windowStart(now)), known: true}
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
// times could not be made out. In minutes that are not over, rows may have come
// between the server's two queries.
func countedViews(r *wire.Reply, shown series, now int64) series {
	if !r.SeriesSent {
		return series{first: minuteOf(windowStart(now))}
	}
	s := newSeries(now)
	for _, p := range r.Views {
		s.add(minuteOf(millis(p.Time)), p.Count)
	}
	lacks, over, all, counted := 0, 0, 0, 0
	for i, n := range shown.counts {
		all += n
		counted += s.counts[i]
		if lastOver(now, Late) >= s.first+int64(i) {
			lacks += max(0, n-s.counts[i])
			over += n
		}
	}
	if lacks*4 > over || all > 0 && counted == 0 {
		return series{first: minuteOf(windowStart(now))}
	}
	return s
}

// lastOver is the last minute that is past, and with it the time by which its
// rows may be late.
func lastOver(now int64, late time.Duration) int64 {
	return minuteOf(now-late.Milliseconds()) - 1
}
