package diff_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// behaviour is what servers differ in, as far as the core can tell.
type behaviour struct {
	name    string
	limit   int  // rows shown at most, 0 for all
	oldest  bool // the oldest rows of the window are shown, not the newest
	seconds bool // ClickHouse: createdAt in whole seconds, ties in any order
	series  seriesKind
	listed  int  // sessions listed at most, by when they began; 0: those of the rows shown
	exact   bool // the window is half an hour, and does not begin where a minute does
	lags    bool // some replies come from a replica that is behind
	steps   bool // the clock is set now and then
	lists   bool // there is a listing of all rows, too
	breaks  bool // there is one that breaks off now and then
}

type seriesKind int

const (
	sent    seriesKind = iota
	emptied            // by a filter
	unsent
)

// site is a website as its server knows it: what truly happened, and how it is
// shown. It makes replies without HTTP and JSON, and so months of them. Times
// are milliseconds; createdAt is by the server's clock, which may be set, and
// visible by one that never is.
type site struct {
	behaviour
	random   *rand.Rand
	rows     []*row    // by createdAt
	visits   []*visits // a row's ID is its place here
	alike    map[visit]*visits
	visitors []*visitor // by when they began
	byID     map[string]*visitor
	counts   map[int64]int // page views of minutes that are long over
	last     shown
}

// row is a page view, an event or a web-vitals beacon.
type row struct {
	wire.Row
	at, visible int64
	visits      *visits
	visitor     *visitor
}

// visits are rows alike in all that tells rows apart, and what became of them.
// Page views and beacons may be among them.
type visits struct {
	visit
	id       string
	happened int
	views    int
	shown    int // in the fullest reply
	showing  int // in reply number reply
	reply    int

	delivered int      // in this life of the reader
	viewed    int      // of them, page views
	keys      []string // under which they were ever handled
}

// visitor is a session.
type visitor struct {
	id             string
	began, visible int64
	rows           []*row
	reply          int // the last one that showed it
}

// shown is a reply, with its rows in the order of createdAt.
type shown struct {
	wire.Reply
	rows      []*row
	listed    []*row // by a listing that was asked for after it
	number    int
	now, asOf int64
}

// lateness is how long after its createdAt a row may reach the database.
const lateness = 4_000

const minuteMillis = 60_000

func newSite(b behaviour, random *rand.Rand) *site {
	return &site{
		behaviour: b, random: random,
		alike: make(map[visit]*visits), byID: make(map[string]*visitor), counts: make(map[int64]int),
	}
}

// happen lets something happen. A session begins with its first row.
func (s *site) happen(r wire.Row, at, visible int64) {
	if s.seconds {
		at -= at % 1000
	}
	r.CreatedAt = instant(at)
	alike := visitOf(&r)
	alike.performance = false
	v := s.alike[alike]
	if v == nil {
		v = &visits{visit: alike, id: strconv.Itoa(len(s.visits))}
		s.visits, s.alike[alike] = append(s.visits, v), v
	}
	v.happened++
	if visitOf(&r).isView() {
		v.views++
	}
	who := s.byID[r.SessionID]
	if who == nil {
		who = &visitor{id: r.SessionID, began: at, visible: visible}
		s.byID[who.id] = who
		i := sort.Search(len(s.visitors), func(i int) bool { return s.visitors[i].began > at })
		s.visitors = slices.Insert(s.visitors, i, who)
	}
	r.ID = v.id
	happened := &row{Row: r, at: at, visible: visible, visits: v, visitor: who}
	who.rows = append(who.rows, happened)
	s.rows = slices.Insert(s.rows, s.after(at), happened)
	if _, counted := s.counts[minuteOf(at)]; counted && visitOf(&r).isView() {
		s.counts[minuteOf(at)]++
	}
}

// reset removes what the database has, as an administrator can. What is still
// on its way comes after all. It gives what was there.
func (s *site) reset(now int64) *site {
	before := *s
	s.rows = slices.DeleteFunc(slices.Clone(s.rows), func(row *row) bool { return row.visible <= now })
	s.visitors = slices.DeleteFunc(slices.Clone(s.visitors), func(who *visitor) bool { return who.visible <= now })
	s.counts = make(map[int64]int)
	return &before
}

// bringBack undoes a reset, as ClickHouse does by itself.
func (s *site) bringBack(before *site) {
	s.rows, s.visitors = restore(s.rows, before.rows), restore(s.visitors, before.visitors)
	slices.SortStableFunc(s.rows, func(a, b *row) int { return cmp.Compare(a.at, b.at) })
	slices.SortStableFunc(s.visitors, func(a, b *visitor) int { return cmp.Compare(a.began, b.began) })
	s.counts = make(map[int64]int)
}

// restore adds what was there before and no longer is.
func restore[T comparable](now, before []T) []T {
	there := make(map[T]bool, len(now))
	for _, t := range now {
		there[t] = true
	}
	for _, t := range before {
		if !there[t] {
			now = append(now, t)
		}
	}
	return now
}

// after is the place of the first row later than an instant.
func (s *site) after(at int64) int {
	return sort.Search(len(s.rows), func(i int) bool { return s.rows[i].at > at })
}

// show makes the reply that the server sends at now, of what had come by asOf.
// The next one overwrites it.
func (s *site) show(now, asOf int64) *shown {
	r := &s.last
	r.number++
	r.now, r.asOf, r.listed = now, asOf, nil
	r.Reply = wire.Reply{
		Pageviews: r.Pageviews[:0], Events: r.Events[:0], Sessions: r.Sessions[:0], Views: r.Views[:0],
		Timestamp: instant(now), Limit: s.limit, SeriesSent: s.series != unsent,
	}
	s.showRows()
	s.showSessions()
	if s.series == sent {
		for m := minuteOf(windowStart(now)); m <= minuteOf(now); m++ {
			if n := s.views(m); n > 0 {
				r.Views = append(r.Views, wire.Point{Time: instant(m * minuteMillis), Count: n})
			}
		}
	}
	return r
}

func (s *site) showRows() {
	r := &s.last
	window := s.rows[s.after(s.start(r.now)-1):s.after(r.now)]
	r.rows = r.rows[:0]
	for i := range window {
		row := window[len(window)-1-i]
		if s.oldest {
			row = window[i]
		}
		if row.visible > r.asOf {
			continue
		}
		if n := len(r.rows); s.limit > 0 && n >= s.limit && (!s.seconds || row.at != r.rows[s.limit-1].at) {
			break
		}
		r.rows = append(r.rows, row)
	}
	if s.limit > 0 && len(r.rows) > s.limit { // of the ties at the cut, any
		cut := r.rows[s.limit-1].at
		ties := r.rows[slices.IndexFunc(r.rows, func(row *row) bool { return row.at == cut }):]
		s.random.Shuffle(len(ties), func(i, j int) { ties[i], ties[j] = ties[j], ties[i] })
		r.rows = r.rows[:s.limit]
	}
	if !s.oldest {
		slices.Reverse(r.rows)
	}
	r.Truncated = s.limit > 0 && len(r.rows) == s.limit
	for _, row := range slices.Backward(r.rows) {
		if row.EventName == "" {
			r.Pageviews = append(r.Pageviews, row.Row)
		} else {
			r.Events = append(r.Events, row.Row)
		}
	}
}

// list lists the rows of a stretch of time, shortly after the last reply.
func (s *site) list(from, to time.Time) []wire.Row {
	r := &s.last
	var rows []wire.Row
	for _, row := range slices.Backward(s.rows[s.after(millis(from)-1):s.after(millis(to))]) {
		if row.visible <= r.asOf+500 {
			r.listed = append(r.listed, row)
			rows = append(rows, row.Row)
		}
	}
	return rows
}

func (s *site) showSessions() {
	r := &s.last
	if s.listed == 0 {
		for _, row := range r.rows {
			if row.visitor.reply != r.number {
				row.visitor.reply = r.number
				r.Sessions = append(r.Sessions, row.Row)
			}
		}
		slices.Reverse(r.Sessions)
		return
	}
	for _, who := range slices.Backward(s.visitors) {
		if who.began < s.start(r.now) || len(r.Sessions) == s.listed {
			break
		}
		if who.began <= r.now && who.visible <= r.asOf {
			r.Sessions = append(r.Sessions, wire.Row{SessionID: who.id, CreatedAt: instant(who.began)})
		}
	}
}

// views counts the page views of a minute.
func (s *site) views(m int64) int {
	if n, ok := s.counts[m]; ok {
		return n
	}
	r := &s.last
	n := 0
	for _, row := range s.rows[s.after(m*minuteMillis-1):s.after(min((m+1)*minuteMillis-1, r.now))] {
		if visitOf(&row.Row).isView() && row.visible <= r.asOf {
			n++
		}
	}
	if (m+1)*minuteMillis+lateness < r.asOf {
		s.counts[m] = n
	}
	return n
}

func minuteOf(at int64) int64 { return at / minuteMillis }

// start is where the window begins.
func (b behaviour) start(now int64) int64 {
	if b.exact {
		return now - 30*minuteMillis
	}
	return windowStart(now)
}

func windowStart(now int64) int64 { return (minuteOf(now) - 30) * minuteMillis }

func instant(at int64) time.Time { return time.UnixMilli(at).UTC() }

func millis(t time.Time) int64 { return t.UnixMilli() }
