package umami_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// crowd lets visitors view a page each 20 ms, up to now.
func crowd(srv *umamitest.Server, n int) {
	for i := range n {
		srv.Visit(umamitest.Visit{
			SessionID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i%40), URLPath: "/crowd",
			CreatedAt: time.Now().Add(-time.Duration(n-1-i) * 20 * time.Millisecond),
		})
	}
}

// listings counts the requests for lists of events.
func listings(srv *umamitest.Server) int {
	n := 0
	for _, r := range srv.Requests() {
		if strings.HasSuffix(r.Path, "/events") {
			n++
		}
	}
	return n
}

// during takes the diffs that come within some time.
func during(d time.Duration, diffs <-chan umami.Diff) (list []umami.Diff) {
	over := time.After(d)
	for {
		select {
		case d := <-diffs:
			list = append(list, d)
		case <-over:
			return list
		}
	}
}

func missed(d umami.Diff) (n int) {
	for _, g := range d.Gaps {
		n += max(0, g.Missed)
	}
	return n
}

// What a cut reply hides is fetched, in the same diff and in order: at the
// start, between two polls, and after a restart.
func TestPollerBackfill(t *testing.T) {
	t.Parallel()
	for _, profile := range []umamitest.Profile{umamitest.V2_13, umamitest.V2_16, umamitest.V2_18, umamitest.V3_0, umamitest.V3_1, umamitest.Cloud} {
		t.Run(profile.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(profile))
				all := func(d umami.Diff, n int) {
					t.Helper()
					assert.Len(t, d.Pageviews, n)
					assert.Empty(t, d.Gaps)
					assert.True(t, slices.IsSortedFunc(d.Pageviews, func(a, b umami.Pageview) int { return a.CreatedAt.Compare(b.CreatedAt) }))
				}
				crowd(srv, 500)
				p := newPoller(t, srv.Client(), nil)
				ctx, cancel := context.WithCancel(t.Context())
				diffs := p.Start(ctx)
				first := take(t, diffs)
				all(first, 500)
				assert.Len(t, first.Started, 40)
				for _, s := range first.Started {
					assert.Empty(t, s.ID)
					assert.Equal(t, "/crowd", s.URLPath)
				}
				time.Sleep(9 * time.Second)
				crowd(srv, 400)
				second := take(t, diffs)
				all(second, 400)
				cancel()
				time.Sleep(20 * time.Minute)
				crowd(srv, 300)
				time.Sleep(2 * time.Hour)
				crowd(srv, 300)
				again := newPoller(t, srv.Client(), &umami.PollerOptions{Resume: new(second.Checkpoint())})
				all(take(t, again.Start(t.Context())), 600)
			})
		})
	}
}

// Who asks for no backfill gets a Gap, and the list of events is left alone.
func TestPollerNoBackfill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		crowd(srv, 500)
		d := take(t, newPoller(t, srv.Client(), &umami.PollerOptions{NoBackfill: true}).Start(t.Context()))
		assert.Len(t, d.Pageviews, 100)
		require.Len(t, d.Gaps, 1)
		assert.Equal(t, umami.GapTruncated, d.Gaps[0].Reason)
		assert.Zero(t, listings(srv))
	})
}

// What was there before a start that skips it is not fetched either.
func TestPollerSkipExistingFetchesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		crowd(srv, 500)
		diffs := newPoller(t, srv.Client(), &umami.PollerOptions{Start: umami.SkipExisting}).Start(t.Context())
		d := take(t, diffs)
		assert.Empty(t, d.Pageviews)
		assert.Empty(t, d.Gaps)
		time.Sleep(time.Second)
		crowd(srv, 40) // since the start
		d = take(t, diffs)
		assert.Len(t, d.Pageviews, 40)
		assert.Zero(t, listings(srv))
	})
}

// A Gap remains for what the server does not give, and says why. Polling goes on
// with the credential that it has.
func TestPollerBackfillRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts   []umamitest.Option
		reason umami.GapReason
		once   bool // it is asked for
	}{
		"404":         {[]umamitest.Option{umamitest.WithoutEvents(404)}, umami.GapBackfillUnavailable, false},
		"405":         {[]umamitest.Option{umamitest.WithoutEvents(405)}, umami.GapBackfillUnavailable, false},
		"before 2.13": {[]umamitest.Option{umamitest.WithProfile(umamitest.V2_12)}, umami.GapBackfillUnavailable, true},
		"401":         {[]umamitest.Option{umamitest.WithoutEvents(401)}, umami.GapBackfillRefused, false},
		"403":         {[]umamitest.Option{umamitest.WithoutEvents(403)}, umami.GapBackfillRefused, false},
		"500":         {[]umamitest.Option{umamitest.WithoutEvents(500)}, umami.GapBackfillFailed, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(append(c.opts, umamitest.InProcess())...)
				client, err := umami.NewClient(srv.URL, umami.Login(umamitest.Username, umamitest.Password),
					umami.WithHTTPClient(srv.HTTPClient()), noRetry)
				require.NoError(t, err)
				diffs := newPoller(t, client, nil).Start(t.Context())
				require.True(t, take(t, diffs).Empty())
				views := 0
				for range 3 {
					crowd(srv, 300)
					for _, d := range during(3*time.Minute, diffs) {
						views += len(d.Pageviews) + missed(d)
						for _, g := range d.Gaps {
							assert.Equal(t, c.reason, g.Reason)
						}
					}
				}
				assert.Equal(t, 900, views)
				if asked := listings(srv); c.once {
					assert.Equal(t, 1, asked)
				} else {
					assert.GreaterOrEqual(t, asked, 3)
				}
				logins := 0
				for _, r := range srv.Requests() {
					if r.Path == "/api/auth/login" {
						logins++
					}
				}
				assert.Equal(t, 1, logins, "a refused list is no reason to log in again")
			})
		})
	}
}

// Of more rows than MaxBackfill the newest are delivered, and the Gap ends where
// they begin.
func TestPollerMaxBackfill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		crowd(srv, 1000)
		d := take(t, newPoller(t, srv.Client(), &umami.PollerOptions{MaxBackfill: 300}).Start(t.Context()))
		assert.Len(t, d.Pageviews, 300)
		require.Len(t, d.Gaps, 1)
		assert.Equal(t, umami.GapBackfillLimit, d.Gaps[0].Reason)
		assert.False(t, d.Gaps[0].To.After(d.Pageviews[0].CreatedAt))
		assert.Less(t, d.Pageviews[0].CreatedAt.Sub(d.Gaps[0].To), 21*time.Millisecond)
	})
}

// An outage longer than the window is no loss either.
func TestPollerBackfillAfterAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		diffs := newPoller(t, srv.Client(noRetry), nil).Start(t.Context())
		take(t, diffs)
		srv.Fail(10_000, umamitest.Page(503))
		for range 9 {
			time.Sleep(20 * time.Minute)
			srv.Visit(umamitest.Visit{URLPath: "/", SessionID: "00000000-0000-4000-8000-000000000001"})
		}
		srv.Recover()
		d := take(t, diffs)
		assert.Len(t, d.Pageviews, 9)
		assert.Empty(t, d.Gaps)
		assert.Greater(t, d.Failures, 100)
	})
}

// A site with 200 rows a second for ten minutes, on Umami Cloud's budget: every
// row is delivered once and in order.
func TestPollerBackfillKeepsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(umamitest.V3_1), umamitest.WithShuffledTies())
		client := srv.Client(umami.WithRateLimit(50, 15*time.Second))
		p := newPoller(t, client, nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		end := time.Now().Add(busyMinutes * time.Minute)
		go func() {
			for time.Now().Before(end) {
				crowd(srv, 20)
				time.Sleep(100 * time.Millisecond)
			}
			time.Sleep(time.Minute)
			cancel()
		}()
		var got []visit
		for d := range p.Start(ctx) {
			assert.Empty(t, d.Gaps)
			views := visitsOf(d)
			got = append(got, views...)
			assert.True(t, slices.IsSortedFunc(views, func(a, b visit) int { return a.at.Compare(b.at) }))
		}
		require.Len(t, got, busyMinutes*60*200)
		assert.True(t, slices.Equal(sorted(truth(srv)), sorted(got)))
		requests := srv.Requests()
		for i := range requests[:len(requests)-50] {
			assert.GreaterOrEqual(t, requests[i+50].Time.Sub(requests[i].Time), 15*time.Second)
		}
	})
}

// A limit that a page of the usual size exceeds costs smaller pages, and no row.
func TestPollerBackfillWithinTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		crowd(srv, 2_000)
		client := srv.Client(umami.WithMaxResponseBytes(200_000))
		d := take(t, newPoller(t, client, nil).Start(t.Context()))
		assert.Len(t, d.Pageviews, 2_000)
		assert.Empty(t, d.Gaps)
		assert.Less(t, listings(srv), 25)
	})
}

// Rows that were backdated beyond what is remembered, and hidden by the cut, are
// found by an audit.
func TestPollerAudit(t *testing.T) {
	t.Parallel()
	for _, audit := range []bool{false, true} {
		t.Run(fmt.Sprint(audit), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess())
				diffs := newPoller(t, srv.Client(), &umami.PollerOptions{Audit: audit}).Start(t.Context())
				take(t, diffs)
				end := time.Now().Add(12 * time.Minute)
				go func() {
					for i := 0; time.Now().Before(end); i++ {
						crowd(srv, 60)
						if i%20 == 10 {
							srv.Event("backdated", umamitest.Visit{URLPath: "/", CreatedAt: time.Now().Add(-time.Duration(3+i%20) * time.Minute)})
						}
						time.Sleep(3 * time.Second)
					}
				}()
				var got []visit
				for _, d := range during(14*time.Minute, diffs) {
					assert.Empty(t, d.Gaps)
					got = append(got, visitsOf(d)...)
				}
				happened := truth(srv)
				if !audit {
					late := func(v visit) bool { return v.event == "backdated" }
					happened = slices.DeleteFunc(happened, late)
					assert.NotEmpty(t, happened)
				}
				assert.True(t, slices.Equal(sorted(happened), sorted(got)))
			})
		})
	}
}
