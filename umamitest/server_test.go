package umamitest_test

import (
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

func TestVisitsAreFilledIn(t *testing.T) {
	t.Parallel()
	srv := atNoon()
	row := srv.Visit(umamitest.Visit{})
	assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, row.SessionID)
	assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, row.ID)
	assert.Equal(t, umamitest.Row{
		Visit: umamitest.Visit{
			SessionID: row.SessionID, CreatedAt: noon, VisibleAt: noon, Hostname: "www.example.com",
			Browser: "chrome", OS: "Windows 10", Device: "desktop", Screen: "1920x1080", Language: "en-US",
		},
		ID: row.ID, Kind: umamitest.Pageview,
	}, row)

	first := srv.Visit(umamitest.Visit{SessionID: "s", Browser: "firefox", OS: "Linux", Country: "PL"})
	event := srv.Event("signup", umamitest.Visit{SessionID: "s", Country: "DE"})
	assert.Equal(t, umamitest.CustomEvent, event.Kind)
	assert.Equal(t, "signup", event.EventName)
	assert.Equal(t, "firefox", event.Browser, "the same visitor")
	assert.Equal(t, "DE", event.Country, "unless told otherwise")
	assert.NotEqual(t, first.ID, event.ID)

	beacon := srv.Performance(umamitest.Visit{})
	assert.Equal(t, umamitest.Beacon, beacon.Kind)
	assert.Empty(t, beacon.Hostname)

	precise := noon.Add(1234567 * time.Nanosecond)
	assert.Equal(t, noon.Add(time.Millisecond), srv.Visit(umamitest.Visit{CreatedAt: precise}).CreatedAt)
	onClickHouse := atNoon(umamitest.WithDatabase(umamitest.ClickHouse))
	assert.Equal(t, noon, onClickHouse.Visit(umamitest.Visit{CreatedAt: precise}).CreatedAt)
	assert.Panics(t, func() { srv.Event("", umamitest.Visit{}) })
}

func TestTruthIsEverythingVisible(t *testing.T) {
	t.Parallel()
	now := noon
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithClock(func() time.Time { return now }))
	paths := func() (list []string) {
		for _, r := range srv.Truth() {
			list = append(list, r.URLPath)
		}
		return list
	}
	shown := func() (list []string) {
		for _, e := range get(t, srv, "").Events {
			if e.Type != "session" {
				list = append(list, e.URLPath)
			}
		}
		return list
	}
	srv.Visit(umamitest.Visit{URLPath: "/second"})
	srv.Visit(umamitest.Visit{URLPath: "/backdated", CreatedAt: noon.Add(-time.Minute)})
	srv.Visit(umamitest.Visit{URLPath: "/late", CreatedAt: noon.Add(-time.Second), VisibleAt: noon.Add(time.Second)})
	srv.Visit(umamitest.Visit{URLPath: "/future", CreatedAt: noon.Add(time.Second)})
	assert.Equal(t, []string{"/backdated", "/second"}, paths())
	assert.Equal(t, []string{"/second", "/backdated"}, shown())

	now = noon.Add(time.Second)
	assert.Equal(t, []string{"/backdated", "/late", "/second", "/future"}, paths())
	assert.Equal(t, []string{"/future", "/second", "/late", "/backdated"}, shown())

	now = noon.Add(time.Hour)
	assert.Len(t, paths(), 4, "rows outside the window are still true")
	assert.Empty(t, shown())
}

// The series counts a late row, and its session, from when it is visible.
func TestSeriesOfLateRows(t *testing.T) {
	t.Parallel()
	now := noon
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithClock(func() time.Time { return now }))
	at := noon.Add(-10 * time.Second)
	srv.Visit(umamitest.Visit{SessionID: "a", CreatedAt: at})
	srv.Visit(umamitest.Visit{SessionID: "b", CreatedAt: at, VisibleAt: noon.Add(2 * time.Second)})
	srv.Visit(umamitest.Visit{SessionID: "b", CreatedAt: at, VisibleAt: noon.Add(time.Second)})
	for _, want := range []struct{ views, visitors int }{{1, 1}, {2, 2}, {3, 2}} {
		r := get(t, srv, "")
		assert.Equal(t, want.views, r.Series.Views[0].Y)
		assert.Equal(t, want.visitors, r.Series.Visitors[0].Y)
		now = now.Add(time.Second)
	}
}

// A session begins with the row of it that is visible first, not with the one
// that happened first.
func TestSessionsOfLateRows(t *testing.T) {
	t.Parallel()
	for _, p := range []umamitest.Profile{umamitest.V2_0, umamitest.V2_9, umamitest.V2_12, umamitest.SelfHostedDocs} {
		now := noon
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(p), umamitest.WithClock(func() time.Time { return now }))
		late := srv.Visit(umamitest.Visit{URLPath: "/late", VisibleAt: noon.Add(5 * time.Second)})
		now = now.Add(time.Second)
		srv.Visit(umamitest.Visit{URLPath: "/seen", SessionID: late.SessionID})
		for range 2 {
			rt, err := srv.Client().GetRealtime(t.Context(), srv.WebsiteID, &umami.RealtimeOptions{StartAt: noon.Add(-time.Minute), EndAt: now})
			require.NoError(t, err)
			require.Len(t, rt.Sessions, 1, p)
			assert.Equal(t, late.SessionID, rt.Sessions[0].SessionID, p)
			assert.Equal(t, noon.Add(time.Second), rt.Sessions[0].CreatedAt, p)
			now = now.Add(10 * time.Second)
		}
	}
}

func TestRequestsAreRemembered(t *testing.T) {
	t.Parallel()
	srv := atNoon()
	ask(t, srv, path+"?timezone=UTC&path=/a", admin)
	ask(t, srv, "/nowhere", "")
	got := srv.Requests()
	require.Len(t, got, 2)
	assert.Equal(t, umamitest.Request{
		Time: noon, Method: "GET", Path: path, Query: map[string][]string{"timezone": {"UTC"}, "path": {"/a"}}, Status: 200,
	}, got[0])
	assert.Equal(t, 404, got[1].Status)
	got[0].Query["path"][0] = "/b" // the caller's own
	got[0].Query.Del("timezone")
	assert.Equal(t, url.Values{"timezone": {"UTC"}, "path": {"/a"}}, srv.Requests()[0].Query)

	for i := range 21_000 {
		srv.ServeHTTP(discard{}, &http.Request{Method: http.MethodGet, URL: mustParse("/" + strconv.Itoa(i)), Header: http.Header{}})
		if n := i + 1; n == 15_000 || n == 21_000 { // before and after the oldest are forgotten
			got = srv.Requests()
			require.Len(t, got, 10_000)
			assert.Equal(t, "/"+strconv.Itoa(n-10_000), got[0].Path)
			assert.Equal(t, "/"+strconv.Itoa(i), got[9_999].Path)
		}
	}
}

func TestTrafficRepeatsItself(t *testing.T) {
	t.Parallel()
	traffic := umamitest.WithTraffic(umamitest.Traffic{Seed: 7, Rate: 20})
	live := func(step time.Duration, opts ...umamitest.Option) (truth []umamitest.Row) {
		synctest.Test(t, func(t *testing.T) {
			srv := umamitest.NewServer(append(opts, umamitest.InProcess())...)
			for range time.Hour / step {
				time.Sleep(step)
				srv.Truth()
			}
			truth = srv.Truth()
		})
		return truth
	}
	rarely, often := live(time.Hour, traffic), live(7*time.Second+500*time.Millisecond, traffic)
	require.Greater(t, len(rarely), 20*60)
	assert.Equal(t, rarely, often)
	assert.NotEqual(t, len(rarely), len(live(time.Hour, umamitest.WithTraffic(umamitest.Traffic{Seed: 8, Rate: 20}))))

	kinds := make(map[umamitest.Kind]int)
	first := make(map[string]time.Time) // of each session
	twice, bare, longest := 0, 0, time.Duration(0)
	for i, r := range rarely {
		kinds[r.Kind]++
		if _, known := first[r.SessionID]; !known {
			first[r.SessionID] = r.CreatedAt
		}
		assert.NotEmpty(t, r.Browser)
		assert.Equal(t, r.CreatedAt, r.VisibleAt)
		if i > 0 {
			assert.False(t, r.CreatedAt.Before(rarely[i-1].CreatedAt))
			before := rarely[i-1]
			before.ID = r.ID
			if before == r {
				twice++
			}
		}
		longest = max(longest, r.CreatedAt.Sub(first[r.SessionID]))
		if r.Kind == umamitest.Pageview && r.ReferrerDomain == "" {
			bare++
		}
	}
	assert.Greater(t, kinds[umamitest.Pageview], kinds[umamitest.CustomEvent])
	assert.Positive(t, kinds[umamitest.CustomEvent])
	assert.Positive(t, kinds[umamitest.Beacon])
	assert.InDelta(t, 20*110, len(first), 300, "110 minutes at 20 a minute")
	assert.Positive(t, twice, "rows alike in every column")
	assert.Positive(t, bare)
	assert.Greater(t, longest, 3*time.Minute, "some stay for a while")
}

func TestTrafficIsLive(t *testing.T) {
	t.Parallel()
	for _, p := range umamitest.Profiles() {
		synctest.Test(t, func(t *testing.T) {
			srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(p),
				umamitest.WithTraffic(umamitest.Traffic{Seed: 1, Rate: 1}))
			c := srv.Client()
			before, err := c.GetRealtime(t.Context(), srv.WebsiteID, nil)
			require.NoError(t, err)
			assert.NotEmpty(t, before.Pageviews, "a window's worth of history")
			assert.WithinDuration(t, time.Now(), before.Timestamp, 0)
			time.Sleep(5 * time.Minute)
			after, err := c.GetRealtime(t.Context(), srv.WebsiteID, nil)
			require.NoError(t, err)
			assert.NotEqual(t, before.Pageviews, after.Pageviews)
			for _, v := range after.Pageviews {
				assert.False(t, v.CreatedAt.After(time.Now()))
			}
		})
	}
}

// What the client makes of a reply, against what is true.
func TestClient(t *testing.T) {
	t.Parallel()
	for _, p := range umamitest.Profiles() {
		for _, opt := range []umamitest.Option{umamitest.WithDatabase(umamitest.ClickHouse), umamitest.InProcess()} {
			srv := umamitest.NewServer(umamitest.WithProfile(p), opt)
			t.Cleanup(srv.Close)
			for i := range 5 {
				srv.Visit(umamitest.Visit{SessionID: "s" + strconv.Itoa(i%2), URLPath: "/a", Country: "PL"})
			}
			srv.Event("signup", umamitest.Visit{SessionID: "s0", URLPath: "/a"})
			rt, err := srv.Client(umami.WithRetry(umami.RetryPolicy{Max: -1})).GetRealtime(t.Context(), srv.WebsiteID, nil)
			require.NoError(t, err, p)
			assert.Len(t, rt.Pageviews, 5, p)
			assert.Len(t, rt.Sessions, 2, p)
			assert.Equal(t, map[string]int{"PL": 2}, rt.Countries, p)
			assert.Equal(t, 5, rt.Totals.Views, p)
			require.NotEmpty(t, rt.Series.Views)
			assert.Zero(t, rt.Series.Views[0].Time.Second())
			if p != umamitest.SelfHostedDocs {
				assert.Len(t, rt.Events, 1, p)
			}
		}
	}
	assert.Panics(t, func() { umamitest.NewServer(umamitest.InProcess()).Client(umami.WithTimeout(-1)) })
	for _, bad := range []umamitest.Option{
		umamitest.WithProfile(0), umamitest.WithDatabaseTimezone(nil), umamitest.WithClock(nil),
	} {
		assert.Panics(t, func() { umamitest.NewServer(umamitest.InProcess(), bad) })
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.WithTraffic(umamitest.Traffic{}))
	t.Cleanup(srv.Close)
	var all sync.WaitGroup
	for _, client := range []*http.Client{srv.HTTPClient(), {Transport: http.DefaultTransport}} {
		for range 4 {
			all.Go(func() {
				for i := range 20 {
					res, err := client.Do(request(t, srv))
					if !assert.NoError(t, err) {
						return
					}
					assert.NoError(t, res.Body.Close())
					srv.Visit(umamitest.Visit{URLPath: strconv.Itoa(i)})
					srv.Event("e", umamitest.Visit{})
					srv.Truth()
					srv.Requests()
				}
			})
		}
	}
	all.Wait()
	assert.Len(t, srv.Requests(), 160)
}

// A transport must leave the request alone, which several calls may share.
func TestSharedRequest(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.InProcess())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", admin)
	client := srv.HTTPClient()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			res, err := client.Do(req)
			if assert.NoError(t, err) {
				assert.Equal(t, http.StatusOK, res.StatusCode)
				assert.NoError(t, res.Body.Close())
			}
		})
	}
	all.Wait()
	assert.Nil(t, req.Body)
}

func TestNames(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "V2_0", umamitest.V2_0.String())
	assert.Equal(t, "Profile(99)", umamitest.Profile(99).String())
	assert.Equal(t, "Postgres", umamitest.Postgres.String())
	assert.Equal(t, "ClickHouse", umamitest.ClickHouse.String())
	assert.Equal(t, "Pageview CustomEvent Beacon",
		umamitest.Pageview.String()+" "+umamitest.CustomEvent.String()+" "+umamitest.Beacon.String())
	for _, p := range umamitest.Profiles() {
		assert.NotContains(t, p.String(), "Profile")
	}
}
