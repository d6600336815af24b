package main

import (
	"cmp"
	"slices"
	"time"

	umami "github.com/seed721439b2/umami-go"
)

// Report is what visitors did from one instant to another, as -format json
// prints it. Times are RFC 3339 in UTC, by the server's clock. Lists hold the
// largest counts first, equal ones by name, and are never null. Fields may be
// added; none changes its name or meaning.
type Report struct {
	Site      string    `json:"site"` // the server's host, or "simulated traffic"
	WebsiteID string    `json:"websiteId"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"` // when the last poll was answered

	Pageviews int `json:"pageviews"`
	Events    int `json:"events"`   // custom events
	Sessions  int `json:"sessions"` // those that had any of both

	Minutes    []Minute `json:"minutes"`    // all, those without a visit too, oldest first
	Pages      []Page   `json:"pages"`      // page views by path
	Referrers  []Count  `json:"referrers"`  // page views by referring domain, those without one left out
	Countries  []Count  `json:"countries"`  // sessions by country code, "" where it is not known
	EventNames []Count  `json:"eventNames"` // custom events by name

	// Gaps are the stretches of time of which visits are missing, with from, to,
	// reason, and how many page views are missed, -1 where nobody can know.
	Gaps        []umami.Gap `json:"gaps"`
	FailedPolls int         `json:"failedPolls"`
	// Ended says why the report ends before its time, "interrupted" or what went
	// wrong; it is left out where the report does not.
	Ended string `json:"ended,omitempty"`
}

// Minute is what began in one minute.
type Minute struct {
	Time      time.Time `json:"time"`
	Pageviews int       `json:"pageviews"`
	Events    int       `json:"events"`
	Sessions  int       `json:"sessions"`
}

// Page is a path with its page views, and the last title that came with one:
// "" where the server sends none.
type Page struct {
	Path      string `json:"path"`
	Title     string `json:"title"`
	Pageviews int    `json:"pageviews"`
}

// Count is a name and how often it came.
type Count struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// tally counts visits as they come. It grows with the number of sessions,
// paths, referrers and names that there are.
type tally struct {
	from      time.Time
	pageviews int
	events    int
	sessions  map[string]string // the country of each
	minutes   map[time.Time]*Minute
	seen      map[sessionMinute]struct{}
	pages     map[string]*Page
	referrers map[string]int
	names     map[string]int
	gaps      []umami.Gap
}

// sessionMinute is a session that did something in a minute.
type sessionMinute struct {
	session string
	minute  time.Time
}

func newTally(from time.Time) *tally {
	return &tally{
		from: from, sessions: make(map[string]string), minutes: make(map[time.Time]*Minute),
		seen: make(map[sessionMinute]struct{}), pages: make(map[string]*Page),
		referrers: make(map[string]int), names: make(map[string]int),
	}
}

// add counts the visits of a diff. What began before the report did is none of
// it, though it may come late.
func (t *tally) add(d umami.Diff) {
	for _, v := range d.Pageviews {
		if v.Performance || v.CreatedAt.Before(t.from) { // a beacon is no page view
			continue
		}
		t.pageviews++
		t.visit(v.CreatedAt, d.Time, v.SessionID, v.Country).Pageviews++
		page := t.pages[v.URLPath]
		if page == nil {
			page = &Page{Path: v.URLPath}
			t.pages[v.URLPath] = page
		}
		page.Pageviews++
		page.Title = cmp.Or(v.PageTitle, page.Title)
		if v.ReferrerDomain != "" {
			t.referrers[v.ReferrerDomain]++
		}
	}
	for _, e := range d.Events {
		if e.CreatedAt.Before(t.from) {
			continue
		}
		t.events++
		t.visit(e.CreatedAt, d.Time, e.SessionID, e.Country).Events++
		t.names[e.EventName]++
	}
	if d.Snapshot != nil { // servers before 2.12 tell the country here alone
		for _, s := range d.Snapshot.Sessions {
			if country, ok := t.sessions[s.SessionID]; ok && country == "" {
				t.sessions[s.SessionID] = s.Country
			}
		}
	}
	for _, g := range d.Gaps {
		if g.To.After(t.from) { // one may end where the report begins
			t.gaps = append(t.gaps, g)
		}
	}
}

// visit counts the session and returns the minute to count the visit in. A
// visit cannot be later than the reply that shows it, whatever its row says.
func (t *tally) visit(at, now time.Time, session, country string) *Minute {
	if at.After(now) {
		at = now
	}
	at = at.UTC().Truncate(time.Minute)
	t.sessions[session] = cmp.Or(t.sessions[session], country)
	m := t.minutes[at]
	if m == nil {
		m = &Minute{Time: at}
		t.minutes[at] = m
	}
	if key := (sessionMinute{session, at}); !has(t.seen, key) {
		t.seen[key] = struct{}{}
		m.Sessions++
	}
	return m
}

func has[K comparable](set map[K]struct{}, key K) bool {
	_, ok := set[key]
	return ok
}

// report is what was counted up to an instant.
func (t *tally) report(to time.Time) *Report {
	r := &Report{
		From: t.from.UTC(), To: to.UTC(), Pageviews: t.pageviews, Events: t.events, Sessions: len(t.sessions),
		Minutes: []Minute{}, Pages: make([]Page, 0, len(t.pages)), Gaps: append([]umami.Gap{}, t.gaps...),
	}
	for at := r.From.Truncate(time.Minute); !at.After(r.To); at = at.Add(time.Minute) {
		m := Minute{Time: at}
		if counted := t.minutes[at]; counted != nil {
			m = *counted
		}
		r.Minutes = append(r.Minutes, m)
	}
	for _, page := range t.pages {
		r.Pages = append(r.Pages, *page)
	}
	slices.SortFunc(r.Pages, func(a, b Page) int {
		return cmp.Or(b.Pageviews-a.Pageviews, cmp.Compare(a.Path, b.Path))
	})
	countries := make(map[string]int)
	for _, country := range t.sessions {
		countries[country]++
	}
	r.Referrers, r.Countries, r.EventNames = ranked(t.referrers), ranked(countries), ranked(t.names)
	return r
}

func ranked(counts map[string]int) []Count {
	list := make([]Count, 0, len(counts))
	for name, count := range counts {
		list = append(list, Count{name, count})
	}
	slices.SortFunc(list, func(a, b Count) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Name, b.Name)) })
	return list
}
