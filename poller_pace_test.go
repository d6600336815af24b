package umami_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// waitsBetween lists the time from one request to the next.
func waitsBetween(requests []umamitest.Request) []time.Duration {
	var waits []time.Duration
	for i := 1; i < len(requests); i++ {
		waits = append(waits, requests[i].Time.Sub(requests[i-1].Time))
	}
	return waits
}

func between(t *testing.T, low, high time.Duration, waits []time.Duration) {
	t.Helper()
	different := make(map[time.Duration]bool)
	for i, w := range waits {
		assert.True(t, low <= w && w <= high, "wait %d is %v, not %v to %v", i, w, low, high)
		different[w] = true
	}
	if low < high {
		assert.Greater(t, len(different), 1, "no jitter")
	}
}

func TestPollerInterval(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		opts      *umami.PollerOptions
		low, high time.Duration
	}{
		{nil, 9 * time.Second, 11 * time.Second},
		{&umami.PollerOptions{NoBackfill: true, Interval: 10 * time.Millisecond}, 10 * time.Millisecond, 11 * time.Millisecond},
		{&umami.PollerOptions{NoBackfill: true, Interval: 500 * time.Millisecond, MinInterval: time.Nanosecond}, 450 * time.Millisecond, 550 * time.Millisecond},
		{&umami.PollerOptions{NoBackfill: true, Interval: time.Minute, MinInterval: time.Hour}, time.Minute, 66 * time.Second},
		{&umami.PollerOptions{NoBackfill: true, Interval: 24 * time.Hour}, 21 * time.Hour, 27 * time.Hour},
		{&umami.PollerOptions{NoBackfill: true, Interval: time.Nanosecond}, time.Nanosecond, time.Nanosecond},
	} {
		t.Run(fmt.Sprintf("%v to %v", c.low, c.high), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess())
				ctx, cancel := context.WithTimeout(t.Context(), 100*c.high)
				defer cancel()
				for range newPoller(t, srv.Client(), c.opts).Start(ctx) {
				}
				requests := srv.Requests()
				require.Greater(t, len(requests), 80)
				between(t, c.low, c.high, waitsBetween(requests))
				low, high := time.Duration(1<<62), time.Duration(0)
				for _, w := range waitsBetween(requests) {
					low, high = min(low, w), max(high, w)
				}
				assert.LessOrEqual(t, low-c.low, (c.high-c.low)/4, "the lower part of the jitter is not used")
				assert.LessOrEqual(t, c.high-high, (c.high-c.low)/4, "the upper part of the jitter is not used")
			})
		})
	}
}

// The longest of all intervals is one poll.
func TestPollerLongestInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		ctx, cancel := context.WithTimeout(t.Context(), 10*365*24*time.Hour)
		defer cancel()
		for range newPoller(t, srv.Client(), &umami.PollerOptions{NoBackfill: true, Interval: 1<<63 - 1}).Start(ctx) {
		}
		assert.Len(t, srv.Requests(), 1)
	})
}

// flooded answers with 100 rows that no reply has shown before, all of this
// second.
func flooded(asked *int) transport {
	return func(*http.Request) (*http.Response, error) {
		var b strings.Builder
		for i := range 100 {
			*asked++
			fmt.Fprintf(&b, `,{"__type":"pageview","sessionId":"%08x-0000-4000-8000-000000000000","eventName":null,"createdAt":%q,`+
				`"browser":"","os":"","device":"","country":"","urlPath":"/","referrerDomain":""}`,
				*asked, time.Now().Add(-time.Duration(i)*time.Millisecond).UTC().Format("2006-01-02T15:04:05.000Z"))
		}
		return reply(200, fmt.Sprintf(`{"countries":{},"urls":{},"referrers":{},"events":[%s],"series":{"views":[],"visitors":[]},`+
			`"totals":{"views":0,"visitors":0,"events":0,"countries":0},"timestamp":%d}`, b.String()[1:], time.Now().UnixMilli())), nil
	}
}

func TestPollerMinInterval(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ interval, minimum, low, high time.Duration }{
		{0, 0, 2 * time.Second, 2200 * time.Millisecond},
		{20 * time.Second, 0, 4 * time.Second, 4400 * time.Millisecond},
		{3 * time.Second, 0, time.Second, 1100 * time.Millisecond},
		{500 * time.Millisecond, 0, 500 * time.Millisecond, 550 * time.Millisecond},
		{0, 700 * time.Millisecond, 700 * time.Millisecond, 770 * time.Millisecond},
		{0, time.Minute, 10 * time.Second, 11 * time.Second},
	} {
		t.Run(fmt.Sprintf("Interval %v MinInterval %v", c.interval, c.minimum), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				server := &script{steps: []transport{flooded(&asked)}}
				ctx, cancel := context.WithTimeout(t.Context(), 30*c.high)
				defer cancel()
				p := newPoller(t, newClient(t, server, umami.APIKey(token)), &umami.PollerOptions{NoBackfill: true, Interval: c.interval, MinInterval: c.minimum})
				for range p.Start(ctx) {
				}
				between(t, c.low, c.high, server.waits())
				assert.Greater(t, len(server.waits()), 25)
			})
		})
	}
}

func TestPollerKeepsUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		profile umamitest.Profile
		latency time.Duration
		rate    int // rows a second
		follows bool
	}{
		"busy":                      {umamitest.V3_1, 0, 20, true},
		"busy, slow server":         {umamitest.V3_1, time.Second, 20, true},
		"busy, 50 rows":             {umamitest.V2_12, 0, 10, true},
		"busy, order turned around": {umamitest.V2_16, 0, 20, true},
		"quiet":                     {umamitest.V3_1, 0, 1, false},
		"no limit":                  {umamitest.V2_9, 0, 2, false},
		"oldest rows shown":         {umamitest.V2_13, 0, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { keepsUp(t, c.profile, c.latency, c.rate, c.follows) })
		})
	}
}

func keepsUp(t *testing.T, profile umamitest.Profile, latency time.Duration, rate int, follows bool) {
	t.Helper()
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(profile))
	srv.Fail(1000, umamitest.Delay(latency))
	busy := 3 * time.Minute
	if profile == umamitest.V2_13 {
		busy = 36 * time.Minute // it shows new rows only when others leave the window
	}
	go func() {
		for range int(busy.Seconds()) * rate {
			srv.Visit(umamitest.Visit{URLPath: "/"})
			time.Sleep(time.Second / time.Duration(rate))
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), busy+6*time.Minute)
	defer cancel()
	limit := 100
	if profile == umamitest.V2_12 {
		limit = 50
	}
	began := time.Now()
	p := newPoller(t, srv.Client(), &umami.PollerOptions{NoBackfill: true, MinInterval: 100 * time.Millisecond})
	for d := range p.Start(ctx) {
		// The pace is that of the reply before: the first ones are not yet it.
		if follows && d.Time.Sub(began) > 30*time.Second && d.Time.Sub(began) < busy {
			assert.LessOrEqual(t, len(d.Pageviews), limit/2+1, "diff %d is more than half of a reply", d.Seq)
			assert.GreaterOrEqual(t, len(d.Pageviews), limit/2*6/10, "diff %d: polled more often than needed", d.Seq)
			for _, g := range d.Gaps { // rows were lost before the pace was found; it is told when their minute is over
				assert.True(t, g.Missed == 0 || d.Time.Sub(began) < 75*time.Second, "diff %d lost rows: %v", d.Seq, g)
			}
		}
	}
	var during, after []time.Duration
	requests := srv.Requests()
	for i, w := range waitsBetween(requests) {
		switch at := requests[i].Time.Sub(began); {
		case at > 30*time.Second && at < busy-30*time.Second:
			during = append(during, w)
		case at > busy+time.Minute:
			after = append(after, w)
		}
	}
	require.Greater(t, len(after), 20)
	between(t, 9*time.Second+latency, 11*time.Second+latency, after)
	if follows {
		half := time.Duration(limit) * time.Second / 2 / time.Duration(rate)
		between(t, half*7/10, half, during)
	} else {
		between(t, 9*time.Second, 11*time.Second, during)
	}
}

// How far a server lags that shows its oldest rows.
func TestPollerStale(t *testing.T) {
	t.Parallel()
	for profile, stale := range map[umamitest.Profile]bool{umamitest.V2_13: true, umamitest.V3_1: false} {
		t.Run(profile.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(profile), umamitest.WithTraffic(umamitest.Traffic{Rate: 10}))
				d := take(t, newPoller(t, srv.Client(), &umami.PollerOptions{NoBackfill: true}).Start(t.Context()))
				if stale {
					shown := d.Pageviews[len(d.Pageviews)-1].CreatedAt
					assert.InDelta(t, d.Time.Sub(shown).Minutes(), d.Stale.Minutes(), 1.5)
					assert.Greater(t, d.Stale, 20*time.Minute)
				} else {
					assert.Zero(t, d.Stale)
				}
			})
		})
	}
}

func TestPollerNeverOverlaps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		srv.Fail(1000, umamitest.Delay(25*time.Second))
		through := srv.HTTPClient().Transport
		var under, most atomic.Int32
		counting := transport(func(r *http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), under.Add(1)))
			defer under.Add(-1)
			return through.RoundTrip(r)
		})
		client := srv.Client(umami.WithHTTPClient(&http.Client{Transport: counting}), umami.WithTimeout(time.Minute))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for range newPoller(t, client, &umami.PollerOptions{Interval: time.Second}).Start(ctx) {
		}
		assert.EqualValues(t, 1, most.Load())
		assert.Greater(t, len(srv.Requests()), 130)
		between(t, 25900*time.Millisecond, 26100*time.Millisecond, waitsBetween(srv.Requests()))
	})
}

func TestPollerStartsAreSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		client := srv.Client()
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		for i := range 1000 {
			diffs := newPoller(t, client, nil).Start(ctx)
			if i == 0 {
				take(t, diffs)
				require.Equal(t, began, time.Now(), "a lone poller starts at once")
			}
			go func() {
				for range diffs {
				}
			}()
		}
		time.Sleep(10*time.Second - time.Nanosecond)
		second := make([]int, 10)
		for _, r := range srv.Requests() {
			second[int(r.Time.Sub(began).Seconds())]++
		}
		for i, n := range second { // those that began at once may have polled again in the last one
			assert.InDelta(t, 100, n, 60, "starts in second %d", i)
		}
		assert.GreaterOrEqual(t, len(srv.Requests()), 1000)

		// Pollers that ended are no company.
		cancel()
		synctest.Wait()
		began = time.Now()
		take(t, newPoller(t, client, nil).Start(t.Context()))
		assert.Equal(t, began, time.Now())
	})
}

func TestPollersShareTheRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const calls, window, pollers = 10, 15 * time.Second, 20
		srv := umamitest.NewServer(umamitest.InProcess())
		srv.Fail(100, umamitest.Delay(200*time.Millisecond))
		client := srv.Client(umami.WithRateLimit(calls, window))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		var wait sync.WaitGroup
		polls := make([]int, pollers)
		for i := range pollers {
			diffs := newPoller(t, client, &umami.PollerOptions{Interval: time.Second, OnError: func(e *umami.PollError) {
				assert.Fail(t, "a poll failed", e)
			}}).Start(ctx)
			wait.Go(func() {
				for d := range diffs {
					polls[i] += d.Polls
					srv.Visit(umamitest.Visit{URLPath: fmt.Sprint(i)}) // so that no diff is empty
				}
			})
		}
		wait.Wait()
		requests := srv.Requests()
		assert.Greater(t, len(requests), 150, "the budget is not used")
		for i := calls; i < len(requests); i++ {
			assert.GreaterOrEqual(t, requests[i].Time.Sub(requests[i-calls].Time), window, "request %d", i)
		}
		for i, n := range polls {
			assert.Greater(t, n, 4, "poller %d starves", i)
		}
	})
}
