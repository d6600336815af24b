// Package wire reads the reply of Umami's realtime endpoint, in every shape
// that a server since 2.0 or one of the public documents gives it, into one
// form: rows sorted newest first, sessions once each, times as true instants.
// It also reads the pages of the endpoint that lists events.
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

// normalise makes the reply from what the decoder read. zone is the time zone
// that was asked for.
func (d *document) normalise(zone *time.Location) *Reply {
	r := &Reply{
		Pageviews: make([]Row, 0, len(d.pageviews)+len(d.events)),
		Events:    []Row{},
		Sessions:  make([]Row, 0, len(d.sessions)),
		Timestamp: d.timestamp,
	}
	var copies []Row
	activity := 0
	for _, list := range [][]Row{d.pageviews, d.events} {
		for i := range list {
			row := &list[i]
			switch row.kind {
			case pageview:
				r.Pageviews = append(r.Pageviews, *row)
			case event:
				r.Events = append(r.Events, *row)
			case sessionCopy:
				copies = append(copies, *row)
				continue
			}
			activity++
		}
	}
	sortNewestFirst(r.Pageviews)
	sortNewestFirst(r.Events)
	if d.ours {
		r.addSessions(d.sessions)
	} else {
		r.addSessions(d.sessions, r.Pageviews, r.Events, copies)
	}

	switch {
	case d.ours:
		r.Truncated = d.truncated
	case d.hasPageviews: // before 2.12: no limit
	case d.visitorList:
		r.Limit, r.Truncated = limit212, activity >= limit212
	default:
		r.Limit, r.Truncated = limit213, activity >= limit213
	}

	r.Countries = d.countries.resolve(r.Sessions, nil, func(row *Row) string { return row.Country })
	r.URLs = d.urls.resolve(r.Pageviews, r.Events, func(row *Row) string { return row.URLPath })
	r.Referrers = d.referrers.resolve(r.Pageviews, r.Events, func(row *Row) string { return row.ReferrerDomain })

	r.VisitorCount = d.visitorCount.or(len(r.Sessions))
	rows := r.shown()
	r.SeriesSent = d.hasSeries
	switch {
	case !d.hasSeries:
		r.Views, r.Visitors = seriesFromRows(r.Pageviews)
	case d.ours:
		r.Views, r.Visitors = asLabelled(d.views, time.UTC, window{}), asLabelled(d.visitors, time.UTC, window{})
	default:
		s := calibrate(d.views, d.visitors, rows, r.Timestamp, zone)
		r.Views, r.Visitors = s.views, s.visitors
	}
	r.Totals = Totals{
		Views:     d.totals.views.or(max(total(rows.sure), sum(r.Views))),
		Visitors:  d.totals.visitors.or(r.VisitorCount),
		Events:    d.totals.events.or(len(r.Events)),
		Countries: d.totals.countries.or(len(r.Countries)),
	}
	return r
}

// addSessions lists each session once: as the server lists it (before 2.13),
// else as its oldest row shown tells it. Session copies (since 2.13) move from
// reply to reply and only count where their row is not shown.
func (r *Reply) addSessions(listed []Row, shown ...[]Row) {
	at := make(map[string]int)
	for i := range listed {
		row := listed[i]
		if row.SessionID == "" {
			row.SessionID = row.ID
		}
		if _, seen := at[row.SessionID]; !seen {
			at[row.SessionID] = len(r.Sessions)
			r.Sessions = append(r.Sessions, row)
		}
	}
	fromRows := len(r.Sessions)
	for _, rows := range shown {
		for i := range rows {
			row := rows[i]
			if row.SessionID == "" {
				continue
			}
			row.ID, row.Key, row.EventName, row.Performance = "", "", "", false
			j, seen := at[row.SessionID]
			switch {
			case !seen:
				at[row.SessionID] = len(r.Sessions)
				r.Sessions = append(r.Sessions, row)
			case j >= fromRows && row.CreatedAt.Before(r.Sessions[j].CreatedAt):
				r.Sessions[j] = row
			}
		}
	}
	sortNewestFirst(r.Sessions)
}

func sortNewestFirst(rows []Row) {
	slices.SortStableFunc(rows, func(a, b Row) int { return b.CreatedAt.Compare(a.CreatedAt) })
}

// counts is one of the maps of counts as the wire has it.
type counts struct {
	byKey   map[string]int // nil: not sent
	spoiled bool           // some are not numbers, but spoiledCount
}

const spoiledCount = -1

// resolve gives the final counts: the server's own, and from the rows those
// that it spoiled or does not send at all.
func (c *counts) resolve(rows, more []Row, key func(*Row) string) map[string]int {
	if c.byKey != nil && !c.spoiled {
		return c.byKey
	}
	counted := make(map[string]int)
	for _, list := range [][]Row{rows, more} {
		for i := range list {
			if k := key(&list[i]); k != "" {
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
func seriesFromRows(pageviews []Row) (views, visitors []Point) {
	type minute struct {
		views    int
		sessions map[string]struct{}
	}
	minutes := make(map[int64]*minute)
	for i := range pageviews {
		if pageviews[i].Performance || pageviews[i].CreatedAt.IsZero() {
			continue
		}
		m := minuteOf(pageviews[i].CreatedAt)
		if minutes[m] == nil {
			minutes[m] = &minute{sessions: make(map[string]struct{})}
		}
		minutes[m].views++
		minutes[m].sessions[pageviews[i].SessionID] = struct{}{}
	}
	views, visitors = make([]Point, 0, len(minutes)), make([]Point, 0, len(minutes))
	for m, count := range minutes {
		at := time.Unix(m*60, 0).UTC()
		views = append(views, Point{at, count.views})
		visitors = append(visitors, Point{at, len(count.sessions)})
	}
	sortOldestFirst(views)
	sortOldestFirst(visitors)
	return views, visitors
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

// minuteOf numbers the minute that t is in.
func minuteOf(t time.Time) int64 {
	s := t.Unix()
	if s < 0 {
		s -= 59
	}
	return s / 60
}
