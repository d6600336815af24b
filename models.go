package umami

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// Realtime is what a website's visitors did in the last 30 minutes, as one reply
// of the server shows it. The replies of every server version, and both documented
// shapes, are brought into this one model; what a version does not send is
// computed from what it does.
//
// All times are in UTC. A Realtime is yours: nothing in it is shared with the
// client or with another reply.
//
//nolint:recvcheck // a value marshals, too
type Realtime struct {
	// Pageviews are the page views shown, newest first. Servers since 2.13 show
	// at most 100 page views and events together, 2.12 at most 50.
	Pageviews []Pageview
	// Sessions has one entry for each session seen in the window, newest first
	// by CreatedAt.
	Sessions []Session
	// Events are the custom events shown, newest first.
	Events []Event

	// URLs counts page views and events by path, Referrers by referring
	// domain; Countries counts sessions by country code. Never nil. Since
	// 2.13 they cover the rows shown, not those that the limit cut off. A count
	// that the server spoiled (as 3.1 does for a referrer named "constructor") is
	// taken from the rows.
	URLs      map[string]int
	Referrers map[string]int
	Countries map[string]int

	// Series counts page views and visitors for each minute of the window,
	// whether their rows are shown or not.
	Series Series
	// Totals are the server's own sums.
	Totals Totals
	// Visitors is the number of unique sessions in the window. If the reply is
	// Truncated, it counts only the sessions shown.
	Visitors int
	// Timestamp is the server's clock when it made the reply, to the
	// millisecond.
	Timestamp time.Time
	// Truncated says that the reply is at the server's row limit (100 since
	// 2.13, 50 on 2.12), so that rows may be missing.
	Truncated bool

	// Raw is the reply as it came. It is not marshalled; json.Unmarshal of Raw
	// into a Realtime decodes it again.
	Raw json.RawMessage
}

// Pageview is one view of a page. A column that the server does not send, or
// sends as null, is "".
type Pageview struct {
	// ID is the row's id. Only servers before 2.13 send one.
	ID string `json:"id,omitempty"`
	// Key is the same for the same visit after every restart of a poller, so that
	// you can drop repeats from what you store: 22 letters, digits, "-" and "_". It
	// is made of CreatedAt, SessionID, the event's name, URLPath and
	// ReferrerDomain, and of the ordinal among rows alike in these; not of the
	// website. Only set in a Diff.
	Key            string    `json:"key,omitempty"`
	SessionID      string    `json:"sessionId"`
	CreatedAt      time.Time `json:"createdAt"`
	Hostname       string    `json:"hostname,omitempty"`
	URLPath        string    `json:"urlPath"`
	URLQuery       string    `json:"urlQuery,omitempty"`
	ReferrerDomain string    `json:"referrerDomain"`
	PageTitle      string    `json:"pageTitle,omitempty"`
	Browser        string    `json:"browser"`
	OS             string    `json:"os"`
	Device         string    `json:"device"`
	Country        string    `json:"country"`
	// Performance marks a web-vitals beacon, which 3.1 shows among the page
	// views. Umami does not label it: it is told by its empty hostname. It counts
	// in URLs but not in Series or Totals.
	Performance bool `json:"performance,omitempty"`
}

// Session is one visitor's session.
type Session struct {
	// ID is the row's id. Only servers before 2.13 send one.
	ID        string `json:"id,omitempty"`
	SessionID string `json:"sessionId"`
	// CreatedAt is when the session began, on servers before 2.13. Later servers
	// do not send that, and it is the time of the session's oldest row shown.
	CreatedAt time.Time `json:"createdAt"`
	// Hostname, URLPath, URLQuery, ReferrerDomain and PageTitle are those of
	// the session's oldest row shown, "" on servers before 2.13.
	Hostname       string `json:"hostname,omitempty"`
	URLPath        string `json:"urlPath,omitempty"`
	URLQuery       string `json:"urlQuery,omitempty"`
	ReferrerDomain string `json:"referrerDomain,omitempty"`
	PageTitle      string `json:"pageTitle,omitempty"`
	Browser        string `json:"browser"`
	OS             string `json:"os"`
	Device         string `json:"device"`
	Country        string `json:"country"`
}

// Event is one custom event. A column that the server does not send, or sends
// as null, is "".
type Event struct {
	// ID is the row's id. Only servers before 2.13 send one.
	ID string `json:"id,omitempty"`
	// Key is as in Pageview.
	Key            string    `json:"key,omitempty"`
	SessionID      string    `json:"sessionId"`
	EventName      string    `json:"eventName"`
	CreatedAt      time.Time `json:"createdAt"`
	Hostname       string    `json:"hostname,omitempty"`
	URLPath        string    `json:"urlPath"`
	URLQuery       string    `json:"urlQuery,omitempty"`
	ReferrerDomain string    `json:"referrerDomain"`
	PageTitle      string    `json:"pageTitle,omitempty"`
	Browser        string    `json:"browser"`
	OS             string    `json:"os"`
	Device         string    `json:"device"`
	Country        string    `json:"country"`
}

// WebsiteEvent is one row of ListEvents: a page view, a custom event, or
// another kind of row. A column that the server does not send, or sends as
// null, is "".
type WebsiteEvent struct {
	ID        string    `json:"id"`
	WebsiteID string    `json:"websiteId"`
	SessionID string    `json:"sessionId"`
	CreatedAt time.Time `json:"createdAt"`
	// Hostname, Browser, OS, Device, Country, City and HasData are empty on
	// servers before 3.0.
	Hostname       string `json:"hostname"`
	URLPath        string `json:"urlPath"`
	URLQuery       string `json:"urlQuery"`
	ReferrerPath   string `json:"referrerPath"`
	ReferrerQuery  string `json:"referrerQuery"`
	ReferrerDomain string `json:"referrerDomain"`
	PageTitle      string `json:"pageTitle"`
	Browser        string `json:"browser"`
	OS             string `json:"os"`
	Device         string `json:"device"`
	Country        string `json:"country"`
	City           string `json:"city"`
	// EventType is 1 for a page view, 2 for a custom event, 5 for a web-vitals
	// beacon; servers since 3.0 know more kinds, such as links and pixels. The
	// realtime reply of 3.1 shows each kind that has no EventName as a page view.
	EventType int    `json:"eventType"`
	EventName string `json:"eventName"`
	// HasData says that the row was sent with data of its own.
	HasData bool `json:"hasData"`
}

// Website is a website that Umami measures.
type Website struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Domain string `json:"domain"`
	// UserID is the owner, "" if that is a team. TeamID is the team, which
	// servers send since 2.9, else "".
	UserID    string    `json:"userId"`
	TeamID    string    `json:"teamId"`
	CreatedAt time.Time `json:"createdAt"`
	// ResetAt is when its rows were last deleted, zero if never.
	ResetAt time.Time `json:"resetAt,omitzero"`
}

// Series holds counts per minute, oldest first. Minutes without a visit are left
// out.
type Series struct {
	Views    []Point `json:"views"`    // page views
	Visitors []Point `json:"visitors"` // different sessions
}

// Point is the count of one minute. Time is the true instant at which the minute
// begins: if a server writes the wall clock of another zone, the offset is worked
// out from the reply and removed. If the reply leaves that in doubt, Time is taken
// as labelled: in UTC, or in the zone that was asked for if the label names none.
type Point struct {
	Time  time.Time `json:"x"`
	Count int       `json:"y"`
}

// Totals are the server's sums over the window. For servers before 2.12, which
// send none, they are computed from the rows.
type Totals struct {
	// Views is the number of page views, including those not shown.
	Views int `json:"views"`
	// Visitors is since 2.13 the sum of each minute's visitors: someone who stays
	// for five minutes counts five times. Realtime.Visitors counts sessions once.
	Visitors int `json:"visitors"`
	// Events and Countries count since 2.13 within the rows shown.
	Events    int `json:"events"`
	Countries int `json:"countries"`
}

// VisitorsByURL counts for each URLPath the sessions whose latest page view shown
// is there: roughly, who is on which page. Each session is counted once. Web-vitals
// beacons and custom events don't count. The map is never nil.
//
// If the reply is Truncated, only the rows shown count: sessions whose latest page
// view was cut off are missing, and on servers that show the oldest rows (2.13 to
// 2.18.0) the result is of that time, not of now.
func (r *Realtime) VisitorsByURL() map[string]int {
	visitors := make(map[string]int)
	seen := make(map[string]struct{})
	for i := range r.Pageviews {
		v := &r.Pageviews[i]
		if v.Performance || v.SessionID == "" {
			continue
		}
		if _, before := seen[v.SessionID]; !before {
			seen[v.SessionID] = struct{}{}
			visitors[v.URLPath]++
		}
	}
	return visitors
}

// newRealtime makes the model of a reply, and keeps body as Raw.
func newRealtime(r *wire.Reply, rows wire.Rows, body []byte) *Realtime {
	return &Realtime{
		Pageviews: converted(rows.Pageviews, newPageview),
		Sessions:  converted(rows.Sessions, newSession),
		Events:    converted(rows.Events, newEvent),
		URLs:      r.URLs, Referrers: r.Referrers, Countries: r.Countries,
		Series:   Series{Views: newPoints(r.Views), Visitors: newPoints(r.Visitors)},
		Totals:   Totals(r.Totals),
		Visitors: r.VisitorCount, Timestamp: r.Timestamp, Truncated: r.Truncated, Raw: body,
	}
}

func converted[T any](rows []*wire.Row, convert func(*wire.Row) T) []T {
	all := make([]T, len(rows))
	for i, row := range rows {
		all[i] = convert(row)
	}
	return all
}

func newPageview(row *wire.Row) Pageview {
	return Pageview{
		ID: row.ID, Key: row.Key, SessionID: row.SessionID, CreatedAt: row.CreatedAt, Hostname: row.Hostname,
		URLPath: row.URLPath, URLQuery: row.URLQuery, ReferrerDomain: row.ReferrerDomain, PageTitle: row.PageTitle,
		Browser: row.Browser, OS: row.OS, Device: row.Device, Country: row.Country, Performance: row.Performance,
	}
}

func newEvent(row *wire.Row) Event {
	return Event{
		ID: row.ID, Key: row.Key, SessionID: row.SessionID, EventName: row.EventName, CreatedAt: row.CreatedAt,
		Hostname: row.Hostname, URLPath: row.URLPath, URLQuery: row.URLQuery, ReferrerDomain: row.ReferrerDomain,
		PageTitle: row.PageTitle, Browser: row.Browser, OS: row.OS, Device: row.Device, Country: row.Country,
	}
}

func newSession(row *wire.Row) Session {
	return Session{
		ID: row.ID, SessionID: row.SessionID, CreatedAt: row.CreatedAt, Hostname: row.Hostname,
		URLPath: row.URLPath, URLQuery: row.URLQuery, ReferrerDomain: row.ReferrerDomain, PageTitle: row.PageTitle,
		Browser: row.Browser, OS: row.OS, Device: row.Device, Country: row.Country,
	}
}

func newWebsiteEvent(row *wire.ListingRow) WebsiteEvent {
	return WebsiteEvent{
		ID: row.ID, WebsiteID: row.WebsiteID, SessionID: row.SessionID, CreatedAt: row.CreatedAt, Hostname: row.Hostname,
		URLPath: row.URLPath, URLQuery: row.URLQuery, ReferrerPath: row.ReferrerPath, ReferrerQuery: row.ReferrerQuery,
		ReferrerDomain: row.ReferrerDomain, PageTitle: row.PageTitle, Browser: row.Browser, OS: row.OS, Device: row.Device,
		Country: row.Country, City: row.City, EventType: row.EventType, EventName: row.EventName, HasData: row.HasData,
	}
}

func newPoints(points []wire.Point) []Point {
	converted := make([]Point, len(points))
	for i, p := range points {
		converted[i] = Point(p)
	}
	return converted
}

// realtimeJSON is a Realtime as it is marshalled.
type realtimeJSON struct {
	Pageviews []Pageview     `json:"pageviews"`
	Sessions  []Session      `json:"sessions"`
	Events    []Event        `json:"events"`
	URLs      map[string]int `json:"urls"`
	Referrers map[string]int `json:"referrers"`
	Countries map[string]int `json:"countries"`
	Series    Series         `json:"series"`
	Totals    Totals         `json:"totals"`
	Visitors  int            `json:"visitors"`
	Timestamp int64          `json:"timestamp"`
	Truncated bool           `json:"truncated"`
}

// MarshalJSON writes the model under the wire's own names, without Raw. What is
// nil is written as an empty list or object, never as null.
func (r Realtime) MarshalJSON() ([]byte, error) {
	return json.Marshal(realtimeJSON{
		listOrEmpty(r.Pageviews), listOrEmpty(r.Sessions), listOrEmpty(r.Events),
		countsOrEmpty(r.URLs), countsOrEmpty(r.Referrers), countsOrEmpty(r.Countries),
		Series{listOrEmpty(r.Series.Views), listOrEmpty(r.Series.Visitors)},
		r.Totals, r.Visitors, r.Timestamp.UnixMilli(), r.Truncated,
	})
}

func listOrEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func countsOrEmpty(counts map[string]int) map[string]int {
	if counts == nil {
		return map[string]int{}
	}
	return counts
}

// UnmarshalJSON reads what MarshalJSON wrote, and the reply of any server, such as
// a stored Raw. Anything else is an error that says where it is wrong. The zone
// that was asked for is not known here, so UTC is assumed.
func (r *Realtime) UnmarshalJSON(body []byte) error {
	if string(body) == "null" {
		return nil
	}
	err := wire.DecodeRows(body, time.UTC, func(reply *wire.Reply, rows wire.Rows) {
		*r = *newRealtime(reply, rows, bytes.Clone(body))
	})
	if err != nil {
		return fmt.Errorf("umami: decode realtime: %w", err)
	}
	return nil
}
