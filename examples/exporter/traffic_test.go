package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

func TestTraffic(t *testing.T) {
	t.Parallel()
	for name, profile := range map[string]umamitest.Profile{"3.1": umamitest.V3_1, "2.9, which tells countries elsewhere": umamitest.V2_9} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(profile))
				before := srv.Visit(umamitest.Visit{URLPath: "/", Country: "PL"})
				srv.Visit(umamitest.Visit{URLPath: "/", Country: "PL"})
				srv.Visit(umamitest.Visit{URLPath: "/rare", CreatedAt: time.Now().Add(-10 * time.Minute)})
				r := start(t, srv, 1)
				time.Sleep(time.Second)
				srv.Visit(umamitest.Visit{URLPath: "/rare", SessionID: before.SessionID})
				srv.Visit(umamitest.Visit{URLPath: "/", Country: "DE"})
				srv.Event("buy", umamitest.Visit{URLPath: "/", SessionID: before.SessionID})
				srv.Performance(umamitest.Visit{URLPath: "/", SessionID: before.SessionID})
				time.Sleep(time.Minute)
				require.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(`
# HELP umami_active_visitors Visitors of the last 5 minutes by the page that they were on last.
# TYPE umami_active_visitors gauge
umami_active_visitors{page="/"} 3
umami_active_visitors{page="other"} 0
# HELP umami_country_active_visitors Visitors of the last 5 minutes by country.
# TYPE umami_country_active_visitors gauge
umami_country_active_visitors{country="DE"} 1
umami_country_active_visitors{country="PL"} 2
umami_country_active_visitors{country="other"} 0
umami_country_active_visitors{country="unknown"} 0
# HELP umami_country_events_total Custom events since the exporter's start by country.
# TYPE umami_country_events_total counter
umami_country_events_total{country="DE"} 0
umami_country_events_total{country="PL"} 1
umami_country_events_total{country="other"} 0
umami_country_events_total{country="unknown"} 0
# HELP umami_country_page_views_total Page views since the exporter's start by country.
# TYPE umami_country_page_views_total counter
umami_country_page_views_total{country="DE"} 0
umami_country_page_views_total{country="PL"} 1
umami_country_page_views_total{country="other"} 1
umami_country_page_views_total{country="unknown"} 0
# HELP umami_events_total Custom events since the exporter's start by page.
# TYPE umami_events_total counter
umami_events_total{page="/"} 1
umami_events_total{page="other"} 0
# HELP umami_page_views_total Page views since the exporter's start by page.
# TYPE umami_page_views_total counter
umami_page_views_total{page="/"} 1
umami_page_views_total{page="other"} 1
# HELP umami_window_visitors Visitors of the last 30 minutes.
# TYPE umami_window_visitors gauge
umami_window_visitors 4
`), "umami_active_visitors", "umami_country_active_visitors", "umami_country_events_total", "umami_country_page_views_total",
					"umami_events_total", "umami_page_views_total", "umami_window_visitors"))

				srv.Visit(umamitest.Visit{URLPath: "/", Country: "DE"})
				time.Sleep(10 * time.Minute)
				assert.InDelta(t, 1, r.value(t, "umami_country_page_views_total DE"), 0, "the second view is its own")
				assert.Zero(t, r.value(t, "umami_active_visitors /"), "they are gone, and the series stays")
				assert.InDelta(t, 5, r.value(t, "umami_window_visitors"), 0)
				time.Sleep(time.Hour)
				assert.Zero(t, r.value(t, "umami_window_visitors"))
			})
		})
	}
}

// An exporter that nobody asks must not grow.
func TestVisitorsAreForgotten(t *testing.T) {
	t.Parallel()
	r := newRunning(1)
	for i := range 100 {
		d := diff(false)
		d.Snapshot.Timestamp = d.Snapshot.Timestamp.Add(time.Duration(i) * time.Minute)
		d.Pageviews = []umami.Pageview{{SessionID: fmt.Sprint(i), CreatedAt: d.Snapshot.Timestamp, URLPath: "/"}}
		r.take(d)
	}
	assert.Len(t, r.seen, 30)
}

func diff(initial bool, views ...string) umami.Diff {
	d := umami.Diff{Initial: initial, Snapshot: &umami.Realtime{Timestamp: time.Now()}}
	for i, path := range views {
		d.Pageviews = append(d.Pageviews, umami.Pageview{SessionID: fmt.Sprint(i), CreatedAt: time.Now(), URLPath: path, Country: path[1:]})
	}
	return d
}

// Whatever comes: series are few, none goes away, no counter falls, and no view
// is lost or counted twice.
func TestSeriesStay(t *testing.T) {
	t.Parallel()
	random, r, counted := rand.New(rand.NewPCG(1, 1)), newRunning(5), 0
	before := make(map[string]float64)
	for i := range 300 {
		views := make([]string, random.IntN(20))
		for i := range views {
			views[i] = fmt.Sprintf("/%c%c", 'A'+rune(random.ExpFloat64()*3), 'A'+rune(random.IntN(3)))
		}
		r.take(diff(i == 0, views...))
		if i > 0 {
			counted += len(views)
		}
		now := r.values(t, func(name string) bool {
			return strings.HasPrefix(name, "umami_page_") || name == "umami_active_visitors"
		})
		sum, series := 0., 0
		for name, value := range now {
			if strings.HasPrefix(name, "umami_page_views_total ") {
				sum += value
				series++
				assert.GreaterOrEqual(t, value, before[name])
			}
		}
		assert.InDelta(t, counted, sum, 0)
		assert.LessOrEqual(t, series, 5+1)
		for name := range before {
			assert.Contains(t, now, name)
		}
		before = now
	}
}

func TestPlacesGoToTheMostViewed(t *testing.T) {
	t.Parallel()
	r := newRunning(3)
	r.take(diff(true, "/rare", "/b", "/a", "/a", "/b", "/a"))
	r.take(diff(false, "/late", "/a"))
	assert.Equal(t, map[string]bool{"/a": true, "/b": true, "/rare": true}, r.pages.has)
	assert.Equal(t, map[string]float64{
		"umami_page_views_total /a": 1, "umami_page_views_total /b": 0, "umami_page_views_total /rare": 0, "umami_page_views_total other": 1,
	}, r.values(t, func(name string) bool { return name == "umami_page_views_total" }))
}

func TestGaps(t *testing.T) {
	t.Parallel()
	r := newRunning(3)
	first, later := diff(true), diff(false)
	first.Gaps = []umami.Gap{{Reason: umami.GapTruncated, Missed: 5}} // of before the start
	later.Gaps = []umami.Gap{{Reason: umami.GapTruncated, Missed: 7}, {Reason: umami.GapOutage, Missed: -1}}
	later.Stale = time.Minute
	r.take(first)
	r.take(later)
	assert.InDelta(t, 1, r.value(t, "umami_gaps_total truncated"), 0)
	assert.InDelta(t, 1, r.value(t, "umami_gaps_total outage"), 0)
	assert.Zero(t, r.value(t, "umami_gaps_total backfill-failed"))
	assert.InDelta(t, 7, r.value(t, "umami_missed_page_views_total"), 0)
	assert.InDelta(t, 1, r.value(t, "umami_uncounted_gaps_total"), 0)
	assert.InDelta(t, 60, r.value(t, "umami_hidden_seconds"), 0)
}

func TestNames(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/größe": "/größe", "": "unknown", "/a\x1b[2J\n\"\u202e": "/a\uFFFD[2J\uFFFD\"\uFFFD", "/\xff": "/\uFFFD", "other": "other",
		"/" + strings.Repeat("x", 10_000): "/" + strings.Repeat("x", 119) + "…",
	} {
		assert.Equal(t, want, pageName(path))
	}
	for code, want := range map[string]string{"PL": "PL", "": "unknown", "pl": "other", "P\n": "other", "POL": "other", `"}`: "other"} {
		assert.Equal(t, want, countryName(code))
	}
	n := newNames(3)
	assert.Equal(t, []string{"/"}, n.admit(map[string]int{"other": 9, "/": 1}), "the rest is no page")
	assert.Equal(t, []string{"a", "b"}, n.admit(map[string]int{"/": 5, "b": 1, "a": 1, "c": 1}))
	assert.Empty(t, n.admit(map[string]int{"d": 100}))
}

func TestLint(t *testing.T) {
	t.Parallel()
	r := newRunning(9)
	r.take(diff(true, "/", "/a\xff\n\u202e\"\\"))
	r.take(diff(false, "/", "/a\xff\n\u202e\"\\", "/a"))
	problems, err := testutil.GatherAndLint(r)
	require.NoError(t, err)
	assert.Empty(t, problems)
	text, err := testutil.GatherAndFormat(r, expfmt.TypeTextPlain)
	require.NoError(t, err)
	problems, err = promlint.New(bytes.NewReader(text)).Lint() // it can be read
	require.NoError(t, err)
	assert.Empty(t, problems)
}
