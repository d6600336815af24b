package umamitest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/umamitest"
)

var noon = time.Date(2026, 11, 22, 12, 0, 30, 0, time.UTC)

// atNoon makes a server whose clock stands still.
func atNoon(opts ...umamitest.Option) *umamitest.Server {
	return umamitest.NewServer(append([]umamitest.Option{
		umamitest.InProcess(), umamitest.WithClock(func() time.Time { return noon }),
	}, opts...)...)
}

// get asks for the realtime reply as an administrator of a self-hosted server.
func get(t *testing.T, srv *umamitest.Server, query string) reply {
	t.Helper()
	got := ask(t, srv, path+"?startAt=0&timezone=UTC&"+query, admin)
	require.Equal(t, http.StatusOK, got.status)
	return decode(t, got.body)
}

func TestSeriesTimes(t *testing.T) {
	t.Parallel()
	zone := func(name string) umamitest.Option {
		loaded, err := time.LoadLocation(name)
		require.NoError(t, err)
		return umamitest.WithDatabaseTimezone(loaded)
	}
	utc, tehran := zone("UTC"), zone("Asia/Tehran") // 3:30 ahead
	for _, tt := range []struct {
		profile  umamitest.Profile
		database umamitest.Database
		session  umamitest.Option
		timezone string
		want     string // the minute of 12:00Z
	}{
		{umamitest.V2_12, umamitest.Postgres, utc, "UTC", "2026-11-22 12:00:00"},
		{umamitest.V2_12, umamitest.ClickHouse, utc, "Asia/Tokyo", "2026-11-22 21:00:00"},
		{umamitest.V2_13, umamitest.Postgres, utc, "", "2026-11-22 12:00:00"},
		{umamitest.V2_13, umamitest.Postgres, tehran, "", "2026-11-22 12:00:00"},
		{umamitest.V2_13, umamitest.ClickHouse, utc, "Asia/Tokyo", "2026-11-22T12:00:00Z"},
		{umamitest.V2_16, umamitest.Postgres, utc, "Asia/Tokyo", "2026-11-22 21:00:00"},
		{umamitest.V2_18, umamitest.Postgres, utc, "utc", "2026-11-22 12:00:00"},
		{umamitest.V3_0, umamitest.Postgres, utc, "UTC", "2026-11-22 12:00:00"},
		{umamitest.V3_0, umamitest.Postgres, tehran, "UTC", "2026-11-22 08:30:00"},
		{umamitest.V3_1, umamitest.Postgres, utc, "", "2026-11-22T12:00:00Z"},
		{umamitest.V3_1, umamitest.Postgres, utc, "utc", "2026-11-22T12:00:00Z"},
		{umamitest.V3_1, umamitest.Postgres, utc, "UTC", "2026-11-22 12:00:00"},
		{umamitest.V3_1, umamitest.Postgres, utc, "Asia/Tokyo", "2026-11-22 21:00:00"},
		{umamitest.V3_1, umamitest.Postgres, tehran, "", "2026-11-22T12:00:00Z"},
		{umamitest.V3_1, umamitest.Postgres, tehran, "UTC", "2026-11-22 08:30:00"},
		{umamitest.V3_1, umamitest.Postgres, tehran, "Asia/Tehran", "2026-11-22 12:00:00"},
		{umamitest.V3_1, umamitest.ClickHouse, tehran, "Asia/Tokyo", "2026-11-22T12:00:00Z"},
		{umamitest.V3_4, umamitest.Postgres, utc, "", "2026-11-22T12:00:00Z"},
		{umamitest.V3_4, umamitest.Postgres, utc, "Asia/Tokyo", "2026-11-22T21:00:00Z"},
		{umamitest.V3_4, umamitest.Postgres, tehran, "", "2026-11-22T08:30:00Z"},
		{umamitest.V3_4, umamitest.Postgres, tehran, "UTC", "2026-11-22T08:30:00Z"},
		{umamitest.V3_4, umamitest.ClickHouse, tehran, "Asia/Tokyo", "2026-11-22T12:00:00Z"},
	} {
		srv := atNoon(umamitest.WithProfile(tt.profile), umamitest.WithDatabase(tt.database), tt.session)
		srv.Visit(umamitest.Visit{})
		got := ask(t, srv, path+"?timezone="+tt.timezone, admin)
		var r struct {
			Series series `json:"series"`
		}
		require.NoError(t, json.Unmarshal(got.body, &r))
		assert.Equal(t, []point{{tt.want, 1}}, r.Series.Views, "%v %v %q", tt.profile, tt.database, tt.timezone)
		assert.Equal(t, []point{{tt.want, 1}}, r.Series.Visitors)
		assert.Regexp(t, `"createdAt":"2026-11-22[T ]12:00:30`, string(got.body), "right whatever the zones")
	}
}

func TestWhichRowsAreShown(t *testing.T) {
	t.Parallel()
	for p, want := range map[umamitest.Profile]struct {
		rows, from, to, sessions int // from and to: the first and the last row listed
	}{
		umamitest.SelfHostedDocs: {150, 0, 149, 3},
		umamitest.V2_0:           {150, 149, 0, 3},
		umamitest.V2_9:           {150, 149, 0, 3},
		umamitest.V2_12:          {50, 149, 100, 3},
		umamitest.V2_13:          {100, 99, 0, 3},
		umamitest.V2_16:          {100, 50, 149, 3},
		umamitest.V2_18:          {100, 149, 50, 3},
		umamitest.V3_0:           {100, 149, 50, 3},
		umamitest.V3_1:           {100, 149, 50, 3},
		umamitest.V3_4:           {100, 149, 50, 3},
	} {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			srv := atNoon(umamitest.WithProfile(p))
			for i := range 150 {
				srv.Visit(umamitest.Visit{
					SessionID: "s" + strconv.Itoa(i%3), URLPath: strconv.Itoa(i),
					CreatedAt: noon.Add(time.Duration(i-150) * time.Second),
				})
			}
			r := get(t, srv, "")
			var shown []row
			sessions := len(r.Sessions) + len(r.visitors(t))
			for _, e := range append(r.Pageviews, r.Events...) {
				if e.Type == "session" {
					sessions++
				} else {
					shown = append(shown, e)
				}
			}
			assert.Equal(t, want.sessions, sessions)
			require.Len(t, shown, want.rows)
			assert.Equal(t, strconv.Itoa(want.from), shown[0].URLPath)
			assert.Equal(t, strconv.Itoa(want.to), shown[want.rows-1].URLPath)
			views := 0
			for _, p := range r.Series.Views {
				views += p.Y
			}
			if len(r.Series.Views) > 0 {
				assert.Equal(t, 150, views, "the series counts what is not shown, too")
			}
		})
	}
}

// On ClickHouse, 2.16 shows what 2.13 does.
func TestOldestRowsOn216(t *testing.T) {
	t.Parallel()
	srv := atNoon(umamitest.WithProfile(umamitest.V2_16), umamitest.WithDatabase(umamitest.ClickHouse))
	for i := range 101 {
		srv.Visit(umamitest.Visit{URLPath: strconv.Itoa(i), CreatedAt: noon.Add(time.Duration(i-101) * time.Second)})
	}
	r := get(t, srv, "")
	assert.Equal(t, "99", r.Events[0].URLPath)
	assert.Equal(t, "0", r.Events[len(r.Events)-1].URLPath)
}

func TestWindow(t *testing.T) {
	t.Parallel()
	start := noon.Truncate(time.Minute).Add(-30 * time.Minute)
	for p, earliest := range map[umamitest.Profile]time.Time{
		umamitest.V2_0: noon.Add(-30 * time.Minute), umamitest.V2_9: start, umamitest.V2_12: start, umamitest.V3_1: start,
	} {
		srv := atNoon(umamitest.WithProfile(p))
		srv.Visit(umamitest.Visit{URLPath: "/too-old", CreatedAt: earliest.Add(-time.Millisecond)})
		srv.Visit(umamitest.Visit{URLPath: "/oldest", CreatedAt: earliest})
		srv.Visit(umamitest.Visit{URLPath: "/newest", CreatedAt: noon})
		srv.Visit(umamitest.Visit{URLPath: "/future", CreatedAt: noon.Add(time.Millisecond)})
		got := string(ask(t, srv, path+"?startAt=0&timezone=UTC", admin).body)
		assert.Contains(t, got, "/oldest", p)
		assert.Contains(t, got, "/newest", p)
		assert.NotContains(t, got, "/too-old", p)
		assert.NotContains(t, got, "/future", p)
	}
}

func TestStartAtNarrowsTheWindowBefore212(t *testing.T) {
	t.Parallel()
	for p, want := range map[umamitest.Profile]int{umamitest.V2_0: 1, umamitest.V2_9: 1, umamitest.V3_1: 2} {
		srv := atNoon(umamitest.WithProfile(p))
		srv.Visit(umamitest.Visit{SessionID: "s", CreatedAt: noon.Add(-time.Minute)})
		srv.Visit(umamitest.Visit{SessionID: "s", CreatedAt: noon})
		got := ask(t, srv, fmt.Sprintf("%s?timezone=UTC&startAt=%d", path, noon.UnixMilli()), admin)
		r := decode(t, got.body)
		shown := len(r.Pageviews)
		for _, e := range r.Events {
			if e.Type != "session" {
				shown++
			}
		}
		assert.Equal(t, want, shown, p)
	}
}

func TestRowKeysByVersion(t *testing.T) {
	t.Parallel()
	for p, want := range map[umamitest.Profile][]string{
		umamitest.V2_0: {
			"id", "websiteId", "sessionId", "createdAt", "urlPath", "urlQuery", "referrerPath", "referrerQuery",
			"referrerDomain", "pageTitle", "eventType", "eventName", "__id", "__type", "timestamp",
		},
		umamitest.V2_18: {
			"__type", "sessionId", "eventName", "createdAt", "browser", "os", "device", "country", "urlPath", "referrerDomain",
		},
		umamitest.V3_4: {
			"__type", "sessionId", "eventName", "createdAt", "browser", "os", "device", "country", "urlPath", "referrerDomain",
			"hostname",
		},
	} {
		srv := atNoon(umamitest.WithProfile(p))
		srv.Event("signup", umamitest.Visit{})
		var r struct {
			Events []map[string]any `json:"events"`
		}
		got := ask(t, srv, path+"?startAt=0", admin)
		require.NoError(t, json.Unmarshal(got.body, &r))
		require.NotEmpty(t, r.Events)
		var keys []string
		for key := range r.Events[0] {
			keys = append(keys, key)
		}
		assert.ElementsMatch(t, want, keys, p)
	}
}

func TestBeaconsAreShownUpTo31(t *testing.T) {
	t.Parallel()
	for p, shown := range map[umamitest.Profile]int{umamitest.V2_9: 0, umamitest.V2_18: 1, umamitest.V3_1: 1, umamitest.V3_4: 0} {
		srv := atNoon(umamitest.WithProfile(p))
		srv.Performance(umamitest.Visit{})
		r := get(t, srv, "")
		views := 0
		for _, e := range append(r.Pageviews, r.Events...) {
			if e.Type == "pageview" {
				views++
			}
		}
		assert.Equal(t, shown, views, p)
		assert.Empty(t, r.Series.Views, p)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	srv := atNoon()
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	srv.Visit(umamitest.Visit{
		CreatedAt: at(-3), URLPath: "/a", Country: "PL", Browser: "firefox", Hostname: "c.example.com", URLQuery: "utm_source=x",
	})
	srv.Visit(umamitest.Visit{CreatedAt: at(-2), URLPath: "/b", Country: "DE", ReferrerDomain: "google.com"})
	srv.Event("signup", umamitest.Visit{CreatedAt: at(-1), URLPath: "/b/c", Country: "PL"})
	for query, want := range map[string]string{
		"":                                "/b/c /b /a ",
		"path=/a":                         "/a ",
		"path=eq./a,/b":                   "/b /a ",
		"path=neq./a":                     "/b/c /b ",
		"path=c./B":                       "/b/c /b ",
		"path=dnc./b":                     "/a ",
		"path=re.^/.$":                    "/b /a ",
		"path=nre.^/.$":                   "/b/c ",
		"country=PL&browser=firefox":      "/a ",
		"path=/b&country=PL&match=any":    "/b/c /b /a ",
		"path=neq./a&path1=neq./b":        "/b/c ",
		"event=signup":                    "/b/c ",
		"eventType=1":                     "/b /a ",
		"referrer=google.com":             "/b ",
		"utmSource=x":                     "/a ",
		"hostname=www.example.com":        "/b/c /b ",
		"region=x&limit=1&search=nothing": "/b/c /b /a ",
	} {
		r := get(t, srv, query)
		shown, views := "", 0
		for _, e := range r.Events {
			if e.Type != "session" {
				shown += e.URLPath + " "
			}
			if e.Type == "pageview" {
				views++
			}
		}
		assert.Equal(t, want, shown, query)
		if query == "eventType=1" {
			views = 0
		}
		if views == 0 {
			assert.Empty(t, r.Series.Views, query)
		} else {
			require.Len(t, r.Series.Views, 1, query)
			assert.Equal(t, views, r.Series.Views[0].Y, query)
		}
	}
	got := ask(t, srv, path+"?path=re.(", admin)
	assert.Equal(t, http.StatusInternalServerError, got.status)

	old := atNoon(umamitest.WithProfile(umamitest.V2_18))
	old.Visit(umamitest.Visit{URLPath: "/a"})
	assert.Len(t, get(t, old, "path=/b").Events, 2, "before 3.0.1 filters change nothing")
}
