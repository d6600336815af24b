package umamitest

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sort"
	"time"
)

// Kind is what a row is, by the numbers that Umami gives it.
type Kind int

// The kinds of rows.
const (
	Pageview    Kind = 1
	CustomEvent Kind = 2
	Beacon      Kind = 5 // web vitals, which a visitor's browser sends after a page view
)

// String is the name of the constant.
func (k Kind) String() string {
	switch k {
	case Pageview:
		return "Pageview"
	case CustomEvent:
		return "CustomEvent"
	default:
		return "Beacon"
	}
}

// Visit is what one visitor does at one moment. Zero fields are filled in where a
// field's comment says so; the others may stay empty, which Postgres shows as null.
type Visit struct {
	// SessionID is a UUID. Zero: a new session. Where the session is known,
	// empty Browser, OS, Device, Country, City, Screen and Language are taken
	// from its first row.
	SessionID string
	// CreatedAt is when it happened. Zero: now. Postgres keeps milliseconds,
	// ClickHouse seconds; what is finer is cut off.
	CreatedAt time.Time
	// VisibleAt is when replies begin to show it, never before CreatedAt.
	// Zero: now, or CreatedAt if that is later.
	VisibleAt time.Time

	Hostname       string // zero: "www.example.com", but for a Beacon none
	URLPath        string
	URLQuery       string
	PageTitle      string
	ReferrerDomain string // empty with a ReferrerPath: a referrer without a host, such as about:blank
	ReferrerPath   string
	ReferrerQuery  string

	Browser  string // zero: "chrome"
	OS       string // zero: "Windows 10"
	Device   string // zero: "desktop"
	Country  string // ISO 3166-1 code
	City     string
	Screen   string // zero: "1920x1080"
	Language string // zero: "en-US"

	// HasData says that the visit came with data of its own, which only the
	// list of events tells.
	HasData bool
}

// Row is a Visit as the server's database has it.
type Row struct {
	Visit
	ID        string // a UUID, which the list of events shows, and realtime replies before 2.13
	Kind      Kind
	EventName string // of a CustomEvent
}

// entry is a row in the store. Times are milliseconds since 1970.
type entry struct {
	*Row
	created, visible int64
}

// session is a visitor's session as the first row to become visible began it.
type session struct {
	first            *Row
	created, visible int64
}

// minute counts the page views of one minute, so that the series need not look
// at the rows. The lists are times at which something became visible, oldest
// first.
type minute struct {
	views    []int64
	visitors []int64
	first    map[string]int64 // the session's entry in visitors
}

// store holds everything that happened, in the order of createdAt; rows of the
// same instant stand in the order of their arrival.
type store struct {
	rows     []entry
	sessions []session       // in the order of created
	byID     map[string]*Row // of each session the row that began it
	minutes  map[int64]*minute
}

func newStore() store {
	return store{byID: make(map[string]*Row), minutes: make(map[int64]*minute)}
}

func (st *store) add(row *Row) {
	e := entry{Row: row, created: row.CreatedAt.UnixMilli(), visible: row.VisibleAt.UnixMilli()}
	at := st.after(e.created)
	st.rows = slices.Insert(st.rows, at, e)
	if first, known := st.byID[row.SessionID]; !known || row.VisibleAt.Before(first.VisibleAt) {
		if known {
			at := slices.IndexFunc(st.sessions, func(s session) bool { return s.first == first })
			st.sessions = slices.Delete(st.sessions, at, at+1)
		}
		st.byID[row.SessionID] = row
		at := sort.Search(len(st.sessions), func(i int) bool { return st.sessions[i].created > e.created })
		st.sessions = slices.Insert(st.sessions, at, session{row, e.created, e.visible})
	}
	if row.Kind == Pageview {
		st.count(e)
	}
}

func (st *store) count(e entry) {
	m := st.minutes[minuteOf(e.created)]
	if m == nil {
		m = &minute{first: make(map[string]int64)}
		st.minutes[minuteOf(e.created)] = m
	}
	m.views = insert(m.views, e.visible)
	first, known := m.first[e.SessionID]
	if known && first <= e.visible {
		return
	}
	if known {
		at, _ := slices.BinarySearch(m.visitors, first)
		m.visitors = slices.Delete(m.visitors, at, at+1)
	}
	m.first[e.SessionID] = e.visible
	m.visitors = insert(m.visitors, e.visible)
}

// after is the place of the first row that is later than the instant.
func (st *store) after(created int64) int {
	return sort.Search(len(st.rows), func(i int) bool { return st.rows[i].created > created })
}

func insert(sorted []int64, v int64) []int64 {
	return slices.Insert(sorted, upTo(sorted, v), v)
}

// upTo counts the values that are not above v.
func upTo(sorted []int64, v int64) int {
	return sort.Search(len(sorted), func(i int) bool { return sorted[i] > v })
}

func minuteOf(ms int64) int64 { return ms / time.Minute.Milliseconds() }

// window is the part of a store that a reply is made of: what was created
// between two instants, both included, and visible at a third.
type window struct {
	*store
	from, to, asOf int64
	beacons        bool            // beacons are shown
	keep           func(*Row) bool // nil: every row
	ties           *rand.Rand      // nil: they are not shuffled
}

// within gives the rows between the two instants, visible or not.
func (w *window) within() []entry {
	from, to := w.after(w.from-1), w.after(w.to)
	return w.rows[from:max(from, to)]
}

func (w *window) shows(e entry) bool {
	return e.visible <= w.asOf && (w.beacons || e.Kind != Beacon) && (w.keep == nil || w.keep(e.Row))
}

// oldest gives at most n rows from the start of the window, oldest first.
func (w *window) oldest(n int) []*Row { return w.pick(n, slices.All(w.within())) }

// newest gives at most n rows from the end of the window, newest first.
func (w *window) newest(n int) []*Row { return w.pick(n, slices.Backward(w.within())) }

// pick gives the first n rows shown. Where ties are shuffled it takes any of
// those of one instant, in any order.
func (w *window) pick(n int, entries iter.Seq2[int, entry]) []*Row {
	rows := make([]*Row, 0, n)
	for _, e := range entries {
		if len(rows) >= n && (w.ties == nil || n == 0 || !e.CreatedAt.Equal(rows[n-1].CreatedAt)) {
			break
		}
		if w.shows(e) {
			rows = append(rows, e.Row)
		}
	}
	for from := 0; w.ties != nil && from < len(rows); {
		to := from + 1
		for to < len(rows) && rows[to].CreatedAt.Equal(rows[from].CreatedAt) {
			to++
		}
		w.ties.Shuffle(to-from, func(i, j int) { rows[from+i], rows[from+j] = rows[from+j], rows[from+i] })
		from = to
	}
	return rows[:min(n, len(rows))]
}

// all gives every row of the window, newest first.
func (w *window) all() []*Row { return w.newest(len(w.within())) }

// begun gives the sessions that began within the window, newest first.
func (w *window) begun() []session {
	var list []session
	for _, s := range slices.Backward(w.sessions) {
		if s.created < w.from {
			break
		}
		if s.created <= w.to && s.visible <= w.asOf {
			list = append(list, s)
		}
	}
	return list
}

// bucket is the count of one minute or hour.
type bucket struct {
	at              int64
	views, visitors int
}

// series counts page views and their sessions in steps of a minute, of those
// that had any.
func (w *window) series() []bucket {
	if w.keep != nil {
		return w.counted(time.Minute)
	}
	var list []bucket
	for m := minuteOf(w.from); m <= minuteOf(w.to); m++ {
		counts := w.minutes[m]
		if counts == nil {
			continue
		}
		if views := upTo(counts.views, w.asOf); views > 0 {
			list = append(list, bucket{m * time.Minute.Milliseconds(), views, upTo(counts.visitors, w.asOf)})
		}
	}
	return list
}

// counted is series the long way: for any step, and for rows that a filter
// keeps.
func (w *window) counted(step time.Duration) []bucket {
	var list []bucket
	var seen map[string]struct{}
	for _, e := range w.within() {
		if e.Kind != Pageview || !w.shows(e) {
			continue
		}
		at := e.created - e.created%step.Milliseconds()
		if len(list) == 0 || list[len(list)-1].at != at {
			list = append(list, bucket{at: at})
			seen = make(map[string]struct{})
		}
		b := &list[len(list)-1]
		b.views++
		seen[e.SessionID] = struct{}{}
		b.visitors = len(seen)
	}
	return list
}

// newUUID makes a version 4 UUID.
func newUUID(random *rand.Rand) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], random.Uint64())
	binary.BigEndian.PutUint64(id[8:], random.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
