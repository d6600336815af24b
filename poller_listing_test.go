package umami_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// Lists of events that are not what they should be.

// Where the oldest rows are shown, a list that breaks off brings the newest rows
// early, and costs none of those that the server is still to show.
func TestPollerListBreaksOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages int64 // that are answered
		most  int   // MaxBackfill
	}{"no page": {0, 0}, "third page": {3, 0}, "MaxBackfill": {1 << 40, 500}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(umamitest.V2_13))
				var pages atomic.Int64
				client := listsBy(srv, func(req *http.Request) (*http.Response, error) {
					if pages.Add(1) > c.pages {
						return reply(500, ""), nil
					}
					return srv.HTTPClient().Transport.RoundTrip(req)
				}, noRetry)
				for i := range 20 * 60 {
					srv.Event("tick", umamitest.Visit{URLPath: fmt.Sprint("/", i)})
					time.Sleep(time.Second)
				}
				told := map[string]int{}
				for _, d := range during(40*time.Minute, newPoller(t, client, &umami.PollerOptions{MaxBackfill: c.most}).Start(t.Context())) {
					for _, e := range d.Events {
						told[e.URLPath]++
					}
				}
				for i := range 20 * 60 {
					require.Equal(t, 1, told[fmt.Sprint("/", i)], i)
				}
				assert.Less(t, pages.Load(), int64(500), "of 240 polls, most ask for a page or two")
			})
		})
	}
}

// A site with more rows than MaxBackfill at the start says so once, and is read as
// any other from then on.
func TestPollerListTooLongAtTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(umamitest.V2_13), umamitest.WithTraffic(umamitest.Traffic{Seed: 5, Rate: 40}))
		began, gaps, views := time.Now(), 0, 0
		diffs := newPoller(t, srv.Client(), &umami.PollerOptions{MaxBackfill: 1000}).Start(t.Context())
		for _, d := range during(90*time.Minute, diffs) {
			for _, v := range d.Pageviews {
				if !v.CreatedAt.Before(began) {
					views++
				}
			}
			gaps += len(d.Gaps)
		}
		truth := 0
		for _, row := range srv.Truth() {
			if row.Kind == umamitest.Pageview && !row.CreatedAt.Before(began) && time.Since(row.CreatedAt) > 20*time.Second {
				truth++
			}
		}
		assert.LessOrEqual(t, gaps, 2)
		assert.InDelta(t, truth, views, 60, "of the last seconds, some may be delivered")
	})
}

// A list that lacks rows which the reply shows is behind, or was made in another
// way: what else it lacks nobody knows, and a Gap says so.
func TestPollerListIsBehind(t *testing.T) {
	t.Parallel()
	behind := func(srv *umamitest.Server, by time.Duration) transport {
		return func(req *http.Request) (*http.Response, error) {
			q := req.URL.Query()
			end, err := strconv.ParseInt(q.Get("endAt"), 10, 64)
			if err != nil {
				return nil, err
			}
			q.Set("endAt", strconv.FormatInt(min(end, time.Now().Add(-by).UnixMilli()), 10))
			req = req.Clone(req.Context())
			req.URL.RawQuery = q.Encode()
			return srv.HTTPClient().Transport.RoundTrip(req)
		}
	}
	for name, c := range map[string]struct {
		profile umamitest.Profile
		by      time.Duration
		filters umami.Filters
		all     bool // it is fetched in the end
		gap     bool
	}{
		"up to date":                  {umamitest.V3_1, 0, umami.Filters{}, true, false},
		"a replica":                   {umamitest.V3_1, 20 * time.Second, umami.Filters{}, true, true},
		"3.0.0 filters the list only": {umamitest.V3_0, 0, umami.Filters{Path: "/other"}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(c.profile))
				diffs := newPoller(t, listsBy(srv, behind(srv, c.by)), &umami.PollerOptions{Filters: c.filters}).Start(t.Context())
				take(t, diffs)
				time.Sleep(10 * time.Minute)
				for range 600 {
					srv.Event("click", umamitest.Visit{})
					time.Sleep(5 * time.Millisecond)
				}
				events, gaps := 0, 0
				for _, d := range during(40*time.Minute, diffs) {
					events += len(d.Events)
					for _, g := range d.Gaps {
						gaps++
						assert.Equal(t, umami.GapBackfillFailed, g.Reason)
					}
				}
				assert.Equal(t, c.gap, gaps > 0)
				if c.all {
					assert.Equal(t, 600, events)
				} else {
					assert.Less(t, events, 600)
				}
			})
		})
	}
}

// A proxy answers 404 while the server behind it is replaced.
func TestPollerListComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		var away atomic.Bool
		diffs := newPoller(t, listsBy(srv, func(req *http.Request) (*http.Response, error) {
			if away.Load() {
				return reply(404, "<html>nginx</html>"), nil
			}
			return srv.HTTPClient().Transport.RoundTrip(req)
		}), nil).Start(t.Context())
		take(t, diffs)
		away.Store(true)
		crowd(srv, 300)
		told := during(20*time.Second, diffs)
		require.Len(t, told, 1)
		require.Len(t, told[0].Gaps, 1)
		assert.Equal(t, umami.GapBackfillUnavailable, told[0].Gaps[0].Reason)
		away.Store(false)
		during(31*time.Minute, diffs)
		crowd(srv, 300)
		views := 0
		for _, d := range during(2*time.Minute, diffs) {
			views += len(d.Pageviews)
			assert.Empty(t, d.Gaps)
		}
		assert.Equal(t, 300, views)
	})
}

// Where the oldest rows are shown, late ones are, too, whether or not the newer
// ones were listed.
func TestPollerLateRowsAreShownOnOldServers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(umamitest.V2_13))
		diffs := newPoller(t, srv.Client(), nil).Start(t.Context())
		during(10*time.Minute, diffs)
		crowd(srv, 150)
		during(10*time.Minute, diffs)
		late := umamitest.Visit{CreatedAt: time.Now().Add(-11 * time.Minute)}
		srv.Visit(late)
		srv.Event("order", late)
		views, events := 0, 0
		for _, d := range during(time.Hour, diffs) {
			views, events = views+len(d.Pageviews), events+len(d.Events)
			assert.Empty(t, d.Gaps)
		}
		assert.Equal(t, [2]int{1, 1}, [2]int{views, events})
	})
}
