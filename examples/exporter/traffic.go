package main

import (
	"cmp"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	umami "github.com/seed721439b2/umami-go"
)

const (
	window = 30 * time.Minute // what a reply covers
	active = 5 * time.Minute  // who did something in these is here now, as Umami counts it
	// countries are bounded as pages are; ISO 3166-1 has 249.
	countries = 250
)

// traffic is what the website's visitors do. It is a collector of those who are
// here when Prometheus asks.
type traffic struct {
	views, countryViews   *prometheus.CounterVec
	events, countryEvents *prometheus.CounterVec
	gaps                  *prometheus.CounterVec
	missed, uncounted     prometheus.Counter
	stale                 prometheus.Gauge

	mu               sync.Mutex
	pages, countries *names
	seen             map[string]visitor // by session, of the last 30 minutes
	clock            time.Time          // the server's clock at the last diff
	clockAt          time.Time          // our own at that time
}

// visitor is what a session did last.
type visitor struct {
	at            time.Time
	page, country string
}

var (
	activeVisitors = prometheus.NewDesc("umami_active_visitors",
		"Visitors of the last 5 minutes by the page that they were on last.", []string{"page"}, nil)
	countryVisitors = prometheus.NewDesc("umami_country_active_visitors",
		"Visitors of the last 5 minutes by country.", []string{"country"}, nil)
	windowVisitors = prometheus.NewDesc("umami_window_visitors",
		"Visitors of the last 30 minutes.", nil, nil)
)

func newTraffic(r prometheus.Registerer, pages int) *traffic {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	t := &traffic{
		views:         counters("umami_page_views_total", "Page views since the exporter's start by page.", "page"),
		countryViews:  counters("umami_country_page_views_total", "Page views since the exporter's start by country.", "country"),
		events:        counters("umami_events_total", "Custom events since the exporter's start by page.", "page"),
		countryEvents: counters("umami_country_events_total", "Custom events since the exporter's start by country.", "country"),
		gaps:          counters("umami_gaps_total", "Stretches of time of which visits could not be read, by reason.", "reason"),
		missed:        prometheus.NewCounter(prometheus.CounterOpts{Name: "umami_missed_page_views_total", Help: "Page views known to be missing from the others."}),
		uncounted:     prometheus.NewCounter(prometheus.CounterOpts{Name: "umami_uncounted_gaps_total", Help: "Gaps of which nobody can know how many page views are missing."}),
		stale:         prometheus.NewGauge(prometheus.GaugeOpts{Name: "umami_hidden_seconds", Help: "How far the newest visit shown lags behind, on servers that hide the newest visits of a busy site."}),
		pages:         newNames(pages), countries: newNames(countries),
		seen: make(map[string]visitor),
	}
	r.MustRegister(t.missed, t.uncounted, t.stale, t)
	for _, reason := range []umami.GapReason{
		umami.GapTruncated, umami.GapOutage, umami.GapResume, umami.GapBackfillUnavailable,
		umami.GapBackfillRefused, umami.GapBackfillFailed, umami.GapBackfillLimit,
	} {
		t.gaps.WithLabelValues(string(reason))
	}
	t.begin([]string{other}, []string{other})
	return t
}

// begin shows series from zero on, so that nothing of them is lost to increase().
func (t *traffic) begin(pages, countries []string) {
	for _, page := range pages {
		t.views.WithLabelValues(page)
		t.events.WithLabelValues(page)
	}
	for _, country := range countries {
		t.countryViews.WithLabelValues(country)
		t.countryEvents.WithLabelValues(country)
	}
}

// take counts what a diff brought. Visits of the first one were there before the
// exporter: they are not counted, or each restart would count 30 minutes again,
// but say who is here and which pages are viewed most. A name that is new is
// counted as other until the next diff, because its series begin at zero.
func (t *traffic) take(d umami.Diff) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock, t.clockAt = d.Snapshot.Timestamp, time.Now()
	t.stale.Set(d.Stale.Seconds())
	for _, g := range d.Gaps {
		if d.Initial {
			break
		}
		t.gaps.WithLabelValues(string(g.Reason)).Inc()
		t.missed.Add(float64(max(g.Missed, 0)))
		if g.Missed < 0 {
			t.uncounted.Inc()
		}
	}

	from := make(map[string]string) // servers before 2.13 tell a visitor's country only here
	for _, s := range d.Snapshot.Sessions {
		from[s.SessionID] = s.Country
	}
	viewed, visited := make(map[string]int), make(map[string]int)
	visit := func(session, path, country string, at time.Time, byPage, byCountry *prometheus.CounterVec) {
		page, country := pageName(path), countryName(cmp.Or(country, from[session]))
		viewed[page]++
		visited[country]++
		if !at.Before(t.seen[session].at) {
			t.seen[session] = visitor{at, page, country}
		}
		if !d.Initial {
			byPage.WithLabelValues(t.pages.label(page)).Inc()
			byCountry.WithLabelValues(t.countries.label(country)).Inc()
		}
	}
	for _, p := range d.Pageviews {
		if !p.Performance { // a beacon is no page view
			visit(p.SessionID, p.URLPath, p.Country, p.CreatedAt, t.views, t.countryViews)
		}
	}
	for _, e := range d.Events {
		visit(e.SessionID, e.URLPath, e.Country, e.CreatedAt, t.events, t.countryEvents)
	}
	t.begin(t.pages.admit(viewed), t.countries.admit(visited))
	t.forget(t.clock) // also where nobody asks for the metrics
}

// forget drops the visitors of whom nothing was heard for 30 minutes.
func (t *traffic) forget(now time.Time) {
	maps.DeleteFunc(t.seen, func(_ string, v visitor) bool { return !v.at.After(now.Add(-window)) })
}

// Describe is of prometheus.Collector.
func (t *traffic) Describe(ch chan<- *prometheus.Desc) {
	ch <- activeVisitors
	ch <- countryVisitors
	ch <- windowVisitors
}

// Collect counts who is here now, by the server's clock, which goes on between
// two diffs. Each page and country that has series is told, with 0 where nobody
// is there.
func (t *traffic) Collect(ch chan<- prometheus.Metric) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Add(time.Since(t.clockAt))
	here := map[*names]map[string]int{t.pages: {other: 0}, t.countries: {other: 0}}
	for n, counts := range here {
		for name := range n.has {
			counts[name] = 0
		}
	}
	t.forget(now)
	for _, v := range t.seen {
		if v.at.After(now.Add(-active)) {
			here[t.pages][t.pages.label(v.page)]++
			here[t.countries][t.countries.label(v.country)]++
		}
	}
	gauge := func(desc *prometheus.Desc, n int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n), labels...)
	}
	for page, n := range here[t.pages] {
		gauge(activeVisitors, n, page)
	}
	for country, n := range here[t.countries] {
		gauge(countryVisitors, n, country)
	}
	gauge(windowVisitors, len(t.seen))
}
