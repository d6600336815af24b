package umami_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// listsBy makes a client whose lists of events are answered by f.
func listsBy(srv *umamitest.Server, f transport, opts ...umami.Option) *umami.Client {
	through := srv.HTTPClient().Transport
	return srv.Client(append(opts, umami.WithHTTPClient(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			return f(r)
		}
		return through.RoundTrip(r)
	})}))...)
}

func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// crowds lets n page views come each three seconds.
func crowds(srv *umamitest.Server, times, n int) {
	for range times {
		time.Sleep(3 * time.Second)
		crowd(srv, n)
	}
}

// A burst after a start that skips what exists: nothing from before is fetched
// with it, neither at the start nor of the oldest second shown, of which some
// rows are hidden.
func TestPollerFetchesNothingSkipped(t *testing.T) {
	t.Parallel()
	for _, profile := range []umamitest.Profile{umamitest.V2_13, umamitest.V2_18, umamitest.V3_1} {
		for _, database := range []umamitest.Database{umamitest.Postgres, umamitest.ClickHouse} {
			for _, audit := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(profile), umamitest.WithDatabase(database), umamitest.WithShuffledTies())
					time.Sleep(5*time.Minute + 500*time.Millisecond)
					crowd(srv, 5000)
					time.Sleep(2 * time.Second)
					diffs := newPoller(t, srv.Client(), &umami.PollerOptions{Start: umami.SkipExisting, Audit: audit}).Start(t.Context())
					take(t, diffs)
					assert.Zero(t, listings(srv))
					time.Sleep(9 * time.Second)
					crowd(srv, 400)
					n := 0
					for _, d := range during(5*time.Minute, diffs) {
						n += len(d.Pageviews)
					}
					assert.Equal(t, 400, n, "%v, %v, audit %v", profile, database, audit)
				})
			}
		}
	}
}

// A page view that comes a minute late, behind the cut, is fetched by itself,
// also where the oldest rows are shown, in the poll of an audit, and where the
// budget is short.
func TestPollerFetchesLateRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		profile umamitest.Profile
		opts    umami.PollerOptions
		client  []umami.Option
	}{
		"oldest rows":  {profile: umamitest.V2_13},
		"audit":        {profile: umamitest.V2_16, opts: umami.PollerOptions{Audit: true}},
		"short budget": {umamitest.V3_1, umami.PollerOptions{Interval: 20 * time.Second, MinInterval: 20 * time.Second}, []umami.Option{umami.WithRateLimit(2, 20*time.Second)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(c.profile))
				diffs := newPoller(t, srv.Client(c.client...), &c.opts).Start(t.Context())
				take(t, diffs)
				go func() {
					for range 100 {
						crowds(srv, 4, 60)
						srv.Visit(umamitest.Visit{URLPath: "/late", CreatedAt: time.Now().Add(-70 * time.Second)})
					}
					crowds(srv, 20, 60)
				}()
				n := 0
				for _, d := range during(35*time.Minute, diffs) {
					assert.Empty(t, d.Gaps)
					n += len(d.Pageviews)
				}
				assert.Equal(t, 420*60+100, n)
			})
		})
	}
}

// A list of events that never comes costs no more than the list: the polls go on.
func TestPollerSilentList(t *testing.T) {
	t.Parallel()
	delivered := make(map[bool]int)
	for _, off := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			srv := umamitest.NewServer(umamitest.InProcess())
			diffs := newPoller(t, listsBy(srv, silent), &umami.PollerOptions{NoBackfill: off}).Start(t.Context())
			take(t, diffs)
			go crowds(srv, 200, 60)
			for _, d := range during(12*time.Minute, diffs) {
				delivered[off] += len(d.Pageviews)
			}
		})
	}
	assert.Greater(t, delivered[false], delivered[true]*3/4)
}

// A cancel in the middle of a list is no failure to be told of.
func TestPollerCancelInAList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		crowd(srv, 500)
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		diffs := newPoller(t, listsBy(srv, silent, umami.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))), nil).Start(ctx)
		time.Sleep(time.Second)
		cancelled := time.Now()
		cancel()
		ended(t, diffs)
		assert.Less(t, time.Since(cancelled), 100*time.Millisecond)
		assert.Empty(t, log.String())
	})
}

// After a burst that is all of one minute, a site falls silent: what was fetched
// once is not fetched again.
func TestPollerFetchesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		diffs := newPoller(t, srv.Client(), nil).Start(t.Context())
		take(t, diffs)
		time.Sleep(30 * time.Second)
		for range 20 {
			crowd(srv, 100)
		}
		during(29*time.Minute, diffs)
		assert.LessOrEqual(t, listings(srv), 10)
	})
}

// An audit takes its time, and leaves time to poll.
func TestPollerAuditLetsPollsThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		diffs := newPoller(t, srv.Client(umami.WithRateLimit(12, time.Minute)), &umami.PollerOptions{Audit: true}).Start(t.Context())
		take(t, diffs)
		go func() {
			for i := range 10 {
				crowds(srv, 20, 150)
				for k := range 20 {
					srv.Event("backdated", umamitest.Visit{URLPath: "/", CreatedAt: time.Now().Add(-time.Duration(3+i+k) * time.Minute)})
				}
			}
		}()
		during(11*time.Minute, diffs)
		var last time.Time
		for _, r := range srv.Requests() {
			if strings.Contains(r.Path, "/realtime/") {
				if !last.IsZero() {
					assert.LessOrEqual(t, r.Time.Sub(last), time.Minute)
				}
				last = r.Time
			}
		}
	})
}

// A server that had no list of events is asked again once it is another one.
func TestPollerFetchesAfterAnUpgrade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(umamitest.V2_12))
		young := umamitest.NewServer(umamitest.InProcess())
		var now atomic.Pointer[umamitest.Server]
		now.Store(old)
		client := newClient(t, transport(func(r *http.Request) (*http.Response, error) {
			return now.Load().HTTPClient().Transport.RoundTrip(r)
		}), umami.BearerToken(umamitest.Token))
		diffs := newPoller(t, client, nil).Start(t.Context())
		take(t, diffs)
		crowd(old, 300)
		during(40*time.Minute, diffs)
		now.Store(young)
		during(time.Minute, diffs)
		crowd(young, 300)
		n := 0
		for _, d := range during(10*time.Minute, diffs) {
			n += len(d.Pageviews)
		}
		assert.Equal(t, 300, n)
	})
}

// MaxBackfill may be small or have no end, with or without an audit.
func TestPollerMaxBackfillOfAnySize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		crowd(srv, 500)
		d := take(t, newPoller(t, srv.Client(), &umami.PollerOptions{MaxBackfill: math.MaxInt}).Start(t.Context()))
		assert.Len(t, d.Pageviews, 500)
		assert.Empty(t, d.Gaps)
	})
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		diffs := newPoller(t, srv.Client(), &umami.PollerOptions{Audit: true, MaxBackfill: 400}).Start(t.Context())
		take(t, diffs)
		go func() {
			crowds(srv, 120, 60)
			srv.Event("backdated", umamitest.Visit{URLPath: "/", CreatedAt: time.Now().Add(-4 * time.Minute)})
			crowds(srv, 120, 60)
		}()
		found := 0
		for _, d := range during(13*time.Minute, diffs) {
			found += len(d.Events)
		}
		assert.Equal(t, 1, found)
	})
}
