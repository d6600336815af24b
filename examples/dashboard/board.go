package main

import (
	"cmp"
	"slices"
	"time"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

const (
	window    = 30 * time.Minute // what the page covers
	active    = 5 * time.Minute  // who did something in these is here now, as Umami counts it
	most      = 100_000          // visits that are kept; of more, the latest
	rows      = 25               // latest visits shown
	places    = 8                // names in each list
	unhealthy = 20 * time.Second // how long a poll may take, and somewhat more
)

// visit is one page view or custom event.
type visit struct {
	session           string
	key               string
	at                time.Time
	event             string // "" for a page view
	path, title       string
	referrer, country string
	browser, device   string
}

// board is all that is known of the last 30 minutes. A reply of the server
// shows no more than its latest rows, but the diffs held them all.
type board struct {
	last   *umami.Realtime // nil before the first diff
	lastAt time.Time       // when it came, by our own clock
	visits []visit         // oldest first
	gaps   []umami.Gap
	cut    time.Time // visits up to here were dropped, as there were too many
	stale  time.Duration

	failing bool
	since   time.Time // when polls began to fail
	until   time.Time // a poll that failed again would be known by then
}

// take adds what a diff brought. Beacons, which are no page views, are left out.
func (b *board) take(d umami.Diff, at time.Time) {
	b.last, b.lastAt, b.failing, b.stale = d.Snapshot, at, false, d.Stale
	sessions := make(map[string]umami.Session) // servers before 2.13 tell of visitors only here
	for _, s := range d.Snapshot.Sessions {
		sessions[s.SessionID] = s
	}
	add := func(v visit) {
		s := sessions[v.session]
		for _, text := range []*string{&v.event, &v.path, &v.title, &v.referrer, &v.country, &v.browser, &v.device} {
			*text = setting.Clean(*text) // marks that turn the direction of writing, say, are no markup, and yet deceive
		}
		v.country, v.browser, v.device = cmp.Or(v.country, s.Country), cmp.Or(v.browser, s.Browser), cmp.Or(v.device, s.Device)
		b.visits = append(b.visits, v)
	}
	for _, p := range d.Pageviews {
		if !p.Performance {
			add(visit{p.SessionID, p.Key, p.CreatedAt, "", p.URLPath, p.PageTitle, p.ReferrerDomain, p.Country, p.Browser, p.Device})
		}
	}
	for _, e := range d.Events {
		add(visit{e.SessionID, e.Key, e.CreatedAt, e.EventName, e.URLPath, e.PageTitle, e.ReferrerDomain, e.Country, e.Browser, e.Device})
	}
	slices.SortStableFunc(b.visits, func(a, b visit) int { return a.at.Compare(b.at) })
	if n := len(b.visits) - most; n > 0 {
		b.cut, b.visits = b.visits[n-1].at, slices.Clone(b.visits[n:])
	}
	b.gaps = append(b.gaps, d.Gaps...)
}

func (b *board) fail(e *umami.PollError, at time.Time) {
	if !b.failing {
		b.failing, b.since = true, at
	}
	b.until = at.Add(e.Next + unhealthy)
}

// state is what the browsers get; times are in milliseconds since 1970, by the
// server's clock but for Since.
type state struct {
	Ready     bool    `json:"ready"` // false before the first poll that works
	Since     int64   `json:"since"` // when polls began to fail; 0 while they work
	Minute    int64   `json:"minute"`
	Views     []int   `json:"views"`    // by minute, oldest first; the last is that of Minute
	Now       int     `json:"now"`      // visitors of the last 5 minutes
	Visitors  int     `json:"visitors"` // of 30 minutes, as all that follows
	Pageviews int     `json:"pageviews"`
	Events    int     `json:"events"`
	AtLeast   bool    `json:"atLeast"` // visits are missing: Now, Visitors and Events may be higher
	Missed    int     `json:"missed"`  // page views known to be missing
	Latest    []shown `json:"latest"`  // newest first
	Pages     []count `json:"pages"`
	Referrers []count `json:"referrers"`
	Countries []count `json:"countries"` // in visitors
}

type shown struct {
	Key      string `json:"key"`
	Time     int64  `json:"time"`
	Event    string `json:"event"`
	Path     string `json:"path"`
	Title    string `json:"title"`
	Referrer string `json:"referrer"`
	Country  string `json:"country"`
	Browser  string `json:"browser"`
	Device   string `json:"device"`
}

type count struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// state forgets what is over, and counts the rest. No diff while polls work
// means that nothing happened; while they fail, the page stays as it was.
func (b *board) state(now time.Time) state {
	if b.failing && now.After(b.until) {
		b.failing = false // a poll worked, and brought nothing new
	}
	s := state{Ready: b.last != nil, Latest: []shown{}}
	if b.failing {
		now, s.Since = b.since, b.since.UnixMilli()
	}
	if b.last == nil {
		return s
	}
	clock := b.last.Timestamp.Add(now.Sub(b.lastAt))
	from, here := clock.Add(-window), clock.Add(-active)
	b.visits = slices.DeleteFunc(b.visits, func(v visit) bool { return !v.at.After(from) })
	b.gaps = slices.DeleteFunc(b.gaps, func(g umami.Gap) bool { return g.To.Before(from) })

	sessions, nowHere := make(map[string]string), make(map[string]bool)
	pages, referrers, countries := make(map[string]int), make(map[string]int), make(map[string]int)
	for _, v := range b.visits {
		sessions[v.session] = cmp.Or(v.country, sessions[v.session])
		if v.at.After(here) {
			nowHere[v.session] = true
		}
		if v.event != "" {
			s.Events++
			continue
		}
		pages[v.path]++
		if v.referrer != "" {
			referrers[v.referrer]++
		}
	}
	for _, country := range sessions {
		countries[country]++
	}
	s.Now, s.Visitors, s.Pageviews = len(nowHere), len(sessions), b.last.Totals.Views
	s.Pages, s.Referrers, s.Countries = top(pages), top(referrers), top(countries)
	s.AtLeast = len(b.gaps) > 0 || b.stale > 0 || b.cut.After(from)
	for _, g := range b.gaps {
		s.Missed += max(g.Missed, 0)
	}
	for _, v := range slices.Backward(b.visits[max(len(b.visits)-rows, 0):]) {
		s.Latest = append(s.Latest, shown{v.key, v.at.UnixMilli(), v.event, v.path, v.title, v.referrer, v.country, v.browser, v.device})
	}
	s.Minute, s.Views = clock.Truncate(time.Minute).UnixMilli(), byMinute(b.last.Series.Views, clock)
	return s
}

// byMinute counts the views of each minute up to that of now.
func byMinute(series []umami.Point, now time.Time) []int {
	counts := make([]int, window/time.Minute)
	first := now.Truncate(time.Minute).Add(time.Minute - window)
	for _, p := range series {
		if i := int(p.Time.Sub(first) / time.Minute); !p.Time.Before(first) && i < len(counts) {
			counts[i] += max(p.Count, 0)
		}
	}
	return counts
}

// top lists the names with the highest counts.
func top(counts map[string]int) []count {
	list := make([]count, 0, len(counts))
	for name, n := range counts {
		list = append(list, count{name, n})
	}
	slices.SortFunc(list, func(a, b count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return list[:min(len(list), places)]
}
