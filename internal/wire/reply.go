// Package wire reads the reply of Umami's realtime endpoint, in every shape
// that a server since 2.0 or one of two documents gives it, into one form: rows
// sorted newest first, sessions once each, times as true instants. The
// documents are the pages "Get Realtime Data" of the API documentation of
// self-hosted servers, and "Realtime Statistics" of that of Umami Cloud.
//
// It also reads what the endpoints around it answer: pages of events, websites
// and the number of active visitors.
package wire

import (
	"cmp"
	"slices"
	"time"
)

// Reply is one realtime reply, normalised.
type Reply struct {
	Pageviews, Events, Sessions []Row // newest first

	URLs, Referrers, Countries map[string]int

	Views, Visitors []Point // series by minute, oldest first
	Totals          Totals

	VisitorCount int
	Timestamp    time.Time
	Truncated    bool

	Limit      int  // rows that the server's version shows at most, 0 for all
	SeriesSent bool // by the server, not computed from the rows
}

// Oldest is the createdAt of the oldest page view or event shown, Timestamp
// where none is.
func (r *Reply) Oldest() time.Time {
	oldest := r.Timestamp
	for _, rows := range [][]Row{r.Pageviews, r.Events} {
		if n := len(rows); n > 0 && rows[n-1].CreatedAt.Before(oldest) {
			oldest = rows[n-1].CreatedAt
		}
	}
	return oldest
}

// Row is one page view, custom event or session. What the server does not
// send is zero.
type Row struct {
	ID, Key, SessionID, EventName string
	CreatedAt                     time.Time
	Hostname, URLPath, URLQuery   string
	ReferrerDomain, PageTitle     string
	Browser, OS, Device, Country  string
	Performance                   bool
	kind                          kind
	hostnameColumn                bool
	altID                         string // __id
}

// Point is the count of one minute.
type Point struct {
	Time  time.Time
	Count int
}

// Totals are the sums over the window.
type Totals struct{ Views, Visitors, Events, Countries int }

type kind uint8

const (
	byColumns kind = iota // no __type: told by the list it is in, or by eventName
	pageview
	event
	sessionCopy
	unknown
)

// Rows that a server shows at most; servers before 2.12 show all.
const (
	limit212 = 50
	limit213 = 100
)

// Rows are the rows of a reply, newest first.
type Rows struct{ Pageviews, Events, Sessions []*Row }

// Rows points to the rows.
func (r *Reply) Rows() Rows {
	return Rows{pointers(r.Pageviews), pointers(r.Events), pointers(r.Sessions)}
}

func pointers(rows []Row) []*Row {
	all := make([]*Row, len(rows))
	for i := range rows {
		all[i] = &rows[i]
	}
	return all
}

// lists are the rows of a document, sorted out.
type lists struct {
	Rows
	copies []*Row
	bare   []Row          // those of sessions that had columns of no session
	at     map[string]int // index in Sessions by session ID
}

func (l *lists) reset() {
	for _, rows := range []*[]*Row{&l.Pageviews, &l.Events, &l.Sessions, &l.copies} {
		clear(*rows)
		*rows = (*rows)[:0]
	}
	clear(l.bare)
	l.bare = l.bare[:0]
	clear(l.at)
}

// normalise makes the reply from what the decoder read, and leaves its rows in
// l. zone is the time zone that was asked for.
func (d *document) normalise(l *lists, zone *time.Location) *Reply {
	activity := 0
	for _, list := range [][]Row{d.pageviews, d.events} {
		for i := range list {
			row := &list[i]
			switch row.kind {
			case pageview:
				l.Pageviews = append(l.Pageviews, row)
			case event:
				l.Events = append(l.Events, row)
			case sessionCopy:
				l.copies = append(l.copies, row)
				continue
			}
			activity++
		}
	}
	sortNewestFirst(l.Pageviews)
	sortNewestFirst(l.Events)
	if d.ours {
		l.addSessions(d.sessions)
	} else {
		l.addSessions(d.sessions, l.Pageviews, l.Events, l.copies)
	}
	r := &Reply{Timestamp: d.timestamp}
	switch {
	case d.ours:
		r.Truncated = d.truncated
	case d.hasPageviews: // before 2.12: no limit
	case d.visitorList:
		r.Limit, r.Truncated = limit212, activity >= limit212
	default:
		r.Limit, r.Truncated = limit213, activity >= limit213
	}

	r.Countries = d.countries.resolve(l.Sessions, nil, func(row *Row) string { return row.Country })
	r.URLs = d.urls.resolve(l.Pageviews, l.Events, func(row *Row) string { return row.URLPath })
	r.Referrers = d.referrers.resolve(l.Pageviews, l.Events, func(row *Row) string { return row.ReferrerDomain })

	r.VisitorCount = d.visitorCount.or(len(l.Sessions))
	r.SeriesSent = d.hasSeries
	switch {
	case !d.hasSeries:
		r.Views, r.Visitors = seriesFromRows(l.Pageviews)
	case d.ours:
		r.Views, r.Visitors = asLabelled(d.views, time.UTC, window{}), asLabelled(d.visitors, time.UTC, window{})
	default:
		s := r.calibrate(d.views, d.visitors, &l.Rows, zone)
		r.Views, r.Visitors = s.views, s.visitors
	}
	if !d.totals.views.ok {
		d.totals.views.n = max(r.shown(&l.Rows).sure.total(), sum(r.Views))
	}
	r.Totals = Totals{
		Views:     d.totals.views.n,
		Visitors:  d.totals.visitors.or(r.VisitorCount),
		Events:    d.totals.events.or(len(l.Events)),
		Countries: d.totals.countries.or(len(r.Countries)),
	}
	return r
}

// addSessions lists each session once: as the server lists it (before 2.13),
// else as its oldest row shown tells it. Session copies (since 2.13) move from
// reply to reply and only count where their row is not shown.
func (l *lists) addSessions(listed []Row, shown ...[]*Row) {
	for i := range listed {
		row := &listed[i]
		if row.SessionID == "" {
			row.SessionID = row.ID
		}
		if _, seen := l.at[row.SessionID]; !seen {
			l.addSession(row)
		}
	}
	fromRows := len(l.Sessions)
	for _, rows := range shown {
		for _, row := range rows {
			if row.SessionID == "" {
				continue
			}
			i, seen := l.at[row.SessionID]
			switch {
			case !seen:
				l.addSession(row)
			case i >= fromRows && row.CreatedAt.Before(l.Sessions[i].CreatedAt):
				l.Sessions[i] = row
			}
		}
	}
	for i := fromRows; i < len(l.Sessions); i++ {
		if row := l.Sessions[i]; row.ID != "" || row.Key != "" || row.EventName != "" || row.Performance {
			l.bare = append(l.bare, *row)
			row = &l.bare[len(l.bare)-1]
			row.ID, row.Key, row.EventName, row.Performance = "", "", "", false
			l.Sessions[i] = row
		}
	}
	sortNewestFirst(l.Sessions)
}

func (l *lists) addSession(row *Row) {
	l.at[row.SessionID] = len(l.Sessions)
	l.Sessions = append(l.Sessions, row)
}

func copyRows(rows []*Row) []Row {
	copied := make([]Row, len(rows))
	for i, row := range rows {
		copied[i] = *row
	}
	return copied
}

func sortNewestFirst(rows []*Row) {
	newestFirst := func(a, b *Row) int { return b.CreatedAt.Compare(a.CreatedAt) }
	if !slices.IsSortedFunc(rows, newestFirst) {
		slices.SortStableFunc(rows, newestFirst)
	}
}

// counts is one of the maps of counts as the wire has it.
type counts struct {
	byKey   map[string]int // nil: not sent
	spoiled bool           // some are not numbers, but spoiledCount
}

const spoiledCount = -1

// resolve gives the final counts: the server's own, and from the rows those
// that it spoiled or does not send at all.
func (c *counts) resolve(rows, more []*Row, key func(*Row) string) map[string]int {
	if c.byKey != nil && !c.spoiled {
		return c.byKey
	}
	counted := make(map[string]int)
	for _, list := range [][]*Row{rows, more} {
		for _, row := range list {
			if k := key(row); k != "" {
				counted[k]++
			}
		}
	}
	if c.byKey == nil {
		return counted
	}
	for k, n := range c.byKey {
		switch {
		case n != spoiledCount:
		case counted[k] > 0:
			c.byKey[k] = counted[k]
		default:
			delete(c.byKey, k)
		}
	}
	return c.byKey
}

// number is a count that the server may not have sent, or not as a number.
type number struct {
	n  int
	ok bool
}

func (n number) or(computed int) int {
	if n.ok {
		return n.n
	}
	return computed
}

// seriesFromRows makes the series that servers before 2.12 do not send. They
// show every row of the window, so nothing is missing in it.
func seriesFromRows(pageviews []*Row) (views, visitors []Point) {
	type visitor struct {
		minute  int64
		session string
	}
	seen := make(map[visitor]struct{})
	var counted, unique []minute
	for _, row := range pageviews {
		if row.Performance || row.CreatedAt.IsZero() {
			continue
		}
		m := minuteOf(row.CreatedAt)
		counted = append(counted, minute{m, 1})
		if _, known := seen[visitor{m, row.SessionID}]; !known {
			seen[visitor{m, row.SessionID}] = struct{}{}
			unique = append(unique, minute{m, 1})
		}
	}
	return tallied(counted).points(), tallied(unique).points()
}

func sortOldestFirst(points []Point) {
	slices.SortStableFunc(points, func(a, b Point) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Count, b.Count))
	})
}

func sum(points []Point) int {
	total := 0
	for _, p := range points {
		total += p.Count
	}
	return total
}

// tally counts by minute, oldest first, each minute once.
type tally []minute

type minute struct {
	number int64 // as of minuteOf
	count  int
}

// tallied adds up counts of the same minute, which it reorders.
func tallied(minutes []minute) tally {
	slices.SortFunc(minutes, func(a, b minute) int { return cmp.Compare(a.number, b.number) })
	t := minutes[:0]
	for _, m := range minutes {
		if n := len(t); n > 0 && t[n-1].number == m.number {
			t[n-1].count += m.count
		} else {
			t = append(t, m)
		}
	}
	return t
}

func (t tally) at(number int64) int {
	i, found := slices.BinarySearchFunc(t, number, func(m minute, n int64) int { return cmp.Compare(m.number, n) })
	if !found {
		return 0
	}
	return t[i].count
}

func (t tally) total() int {
	n := 0
	for _, m := range t {
		n += m.count
	}
	return n
}

func (t tally) points() []Point {
	points := make([]Point, len(t))
	for i, m := range t {
		points[i] = Point{time.Unix(m.number*60, 0).UTC(), m.count}
	}
	return points
}

// minuteOf numbers the minute that t is in.
func minuteOf(t time.Time) int64 {
	s := t.Unix()
	if s < 0 {
		s -= 59
	}
	return s / 60
}
