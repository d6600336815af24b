package umami_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// newPoller makes a poller of the website of every umamitest.Server.
func newPoller(t *testing.T, c *umami.Client, opts *umami.PollerOptions) *umami.Poller {
	t.Helper()
	p, err := c.NewPoller(umamitest.WebsiteID, opts)
	require.NoError(t, err)
	return p
}

// take waits for the next diff.
func take(t *testing.T, diffs <-chan umami.Diff) umami.Diff {
	t.Helper()
	select {
	case d, open := <-diffs:
		require.True(t, open, "polling has ended")
		return d
	case <-time.After(24 * time.Hour):
		require.FailNow(t, "no diff for a day")
	}
	return umami.Diff{}
}

// ended wants the channel to be closed by now, with nothing left in it.
func ended(t *testing.T, diffs <-chan umami.Diff) {
	t.Helper()
	synctest.Wait()
	select {
	case d, open := <-diffs:
		require.False(t, open, "diff %d was delivered", d.Seq)
	default:
		require.FailNow(t, "the channel is still open")
	}
}

// stepped is a server whose clock moves 10 s with each request and not at all
// between them: its n-th reply is the same in every run, whatever the waits.
type stepped struct {
	*umamitest.Server
	requests atomic.Int64
}

func (s *stepped) clock() time.Time {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // as in a bubble
	return began.Add(time.Duration(s.requests.Load()) * 10 * time.Second)
}

func newStepped(opts ...umamitest.Option) *stepped {
	s := new(stepped)
	s.Server = umamitest.NewServer(append(opts, umamitest.InProcess(), umamitest.WithClock(s.clock))...)
	return s
}

func (s *stepped) client() *umami.Client {
	through := s.HTTPClient().Transport
	return s.Client(noRetry, umami.WithHTTPClient(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		s.requests.Add(1)
		return through.RoundTrip(r)
	})}))
}

// visit is a page view or event, in what tells one from another.
type visit struct {
	at                             time.Time
	session, event, path, referrer string
}

func visitsOf(d umami.Diff) []visit {
	var list []visit
	for _, v := range d.Pageviews {
		list = append(list, visit{v.CreatedAt, v.SessionID, "", v.URLPath, v.ReferrerDomain})
	}
	for _, e := range d.Events {
		list = append(list, visit{e.CreatedAt, e.SessionID, e.EventName, e.URLPath, e.ReferrerDomain})
	}
	return list
}

// truth is what happened on a server, as far as pollers can see it.
func truth(srv *umamitest.Server) []visit {
	var list []visit
	for _, r := range srv.Truth() {
		list = append(list, visit{r.CreatedAt, r.SessionID, r.EventName, r.URLPath, r.ReferrerDomain})
	}
	return list
}

func sorted(visits []visit) []visit {
	return slices.SortedFunc(slices.Values(visits), func(a, b visit) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.session, b.session), cmp.Compare(a.event, b.event),
			cmp.Compare(a.path, b.path), cmp.Compare(a.referrer, b.referrer))
	})
}

func add(sum, delta map[string]int) {
	for k, n := range delta {
		if sum[k] += n; sum[k] == 0 {
			delete(sum, k)
		}
	}
}

func addTotals(a, b umami.Totals) umami.Totals {
	return umami.Totals{
		Views: a.Views + b.Views, Visitors: a.Visitors + b.Visitors, Events: a.Events + b.Events, Countries: a.Countries + b.Countries,
	}
}

// counted leaves out zeros.
func counted(counts map[string]int) map[string]int {
	c := maps.Clone(counts)
	maps.DeleteFunc(c, func(_ string, n int) bool { return n == 0 })
	return c
}

func TestNewPollerArguments(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		website string
		opts    *umami.PollerOptions
		want    error // nil: it is good
	}{
		"nothing":                        {site, nil, nil},
		"zero":                           {site, &umami.PollerOptions{}, nil},
		"capitals":                       {strings.ToUpper(site), nil, nil},
		"smallest interval":              {site, &umami.PollerOptions{Interval: 1}, nil},
		"MinInterval above Interval":     {site, &umami.PollerOptions{Interval: time.Second, MinInterval: time.Minute}, nil},
		"everything":                     {site, &umami.PollerOptions{Start: umami.SkipExisting, Overflow: umami.Block, MaxPending: 1, Filters: umami.Filters{Match: "any"}}, nil},
		"no website":                     {"", nil, umami.ErrInvalidArgument},
		"website is no UUID":             {"example.com", nil, umami.ErrInvalidArgument},
		"website with something after":   {site + "/", nil, umami.ErrInvalidArgument},
		"negative Interval":              {site, &umami.PollerOptions{Interval: -1}, umami.ErrInvalidArgument},
		"negative MinInterval":           {site, &umami.PollerOptions{MinInterval: -1}, umami.ErrInvalidArgument},
		"negative MaxPending":            {site, &umami.PollerOptions{MaxPending: -1}, umami.ErrInvalidArgument},
		"unknown Start":                  {site, &umami.PollerOptions{Start: 2}, umami.ErrInvalidArgument},
		"negative Start":                 {site, &umami.PollerOptions{Start: -1}, umami.ErrInvalidArgument},
		"unknown Overflow":               {site, &umami.PollerOptions{Overflow: 2}, umami.ErrInvalidArgument},
		"negative Overflow":              {site, &umami.PollerOptions{Overflow: -1}, umami.ErrInvalidArgument},
		"Filters that GetRealtime wants": {site, &umami.PollerOptions{Filters: umami.Filters{Match: "some"}}, umami.ErrInvalidArgument},
		"empty checkpoint":               {site, &umami.PollerOptions{Resume: &umami.Checkpoint{}}, umami.ErrCheckpoint},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &script{steps: []transport{always(200, idle)}}
			p, err := newClient(t, server, umami.APIKey(token)).NewPoller(c.website, c.opts)
			assert.Empty(t, server.requests(), "nothing may be sent before Start")
			if c.want == nil {
				require.NoError(t, err)
				assert.NoError(t, p.Err())
				return
			}
			require.ErrorIs(t, err, c.want)
			assert.Nil(t, p)
			assert.Regexp(t, "^umami: new poller: ", err)
		})
	}
}

func TestPollerOrdered(t *testing.T) {
	t.Parallel()
	for _, profile := range []umamitest.Profile{umamitest.V2_9, umamitest.V2_12, umamitest.V2_16, umamitest.V3_1, umamitest.Cloud} {
		t.Run(profile.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { ordered(t, profile) })
		})
	}
}

func ordered(t *testing.T, profile umamitest.Profile) {
	t.Helper()
	// Two servers behind one name: the clock of one is 8 s behind.
	clock := func() time.Time { return time.Now().Add(-time.Duration(time.Now().Unix()/5%2) * 8 * time.Second) }
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(profile), umamitest.WithClock(clock),
		umamitest.WithTraffic(umamitest.Traffic{Seed: 2, Rate: 4}))
	diffs := newPoller(t, srv.Client(), &umami.PollerOptions{Interval: 4 * time.Second}).Start(t.Context())

	var got []visit
	var before umami.Diff
	back := 0
	urls, referrers, countries := map[string]int{}, map[string]int{}, map[string]int{}
	var totals umami.Totals
	for i := range 60 {
		if i%7 == 3 { // arrives late
			srv.Visit(umamitest.Visit{URLPath: "/late", CreatedAt: time.Now().Add(-time.Duration(i) * time.Second)})
		}
		d := take(t, diffs)
		assert.Equal(t, uint64(i+1), d.Seq)
		assert.Equal(t, i == 0, d.Initial)
		assert.Equal(t, umamitest.WebsiteID, d.WebsiteID)
		assert.False(t, d.Time.Before(before.Time), "diff %d is of %v, the one before of %v", d.Seq, d.Time, before.Time)
		assert.WithinDuration(t, d.Snapshot.Timestamp, d.Time, 12*time.Second)
		assert.False(t, d.Time.Before(d.Snapshot.Timestamp))
		if before.Snapshot != nil && d.Snapshot.Timestamp.Before(before.Snapshot.Timestamp) {
			back++
		}
		assert.True(t, slices.IsSortedFunc(d.Pageviews, func(a, b umami.Pageview) int { return a.CreatedAt.Compare(b.CreatedAt) }))
		assert.True(t, slices.IsSortedFunc(d.Events, func(a, b umami.Event) int { return a.CreatedAt.Compare(b.CreatedAt) }))
		if i == 0 { // with what the reply hides
			assert.GreaterOrEqual(t, len(d.Pageviews), len(d.Snapshot.Pageviews))
			assert.GreaterOrEqual(t, len(d.Events), len(d.Snapshot.Events))
		}
		add(urls, d.URLs)
		add(referrers, d.Referrers)
		add(countries, d.Countries)
		totals = addTotals(totals, d.Totals)
		assert.Equal(t, counted(d.Snapshot.URLs), urls)
		assert.Equal(t, counted(d.Snapshot.Referrers), referrers)
		assert.Equal(t, counted(d.Snapshot.Countries), countries)
		assert.Equal(t, d.Snapshot.Totals, totals)
		for _, delta := range []map[string]int{d.URLs, d.Referrers, d.Countries} {
			assert.NotContains(t, slices.Collect(maps.Values(delta)), 0)
		}
		got, before = append(got, visitsOf(d)...), d
	}
	assert.Greater(t, back, 10, "replies that are older than the one before")
	// All after the oldest instant shown, whose other rows may be cut off, but
	// for the last instants, whose rows may still come.
	first := slices.MinFunc(got, func(a, b visit) int { return a.at.Compare(b.at) }).at
	outside := func(v visit) bool { return !v.at.After(first) || v.at.After(before.Time.Add(-15*time.Second)) }
	got = slices.DeleteFunc(got, outside)
	assert.Equal(t, sorted(slices.DeleteFunc(truth(srv), outside)), sorted(got))
	assert.Greater(t, len(got), 60)
}

func TestPollerSendsNoEmptyDiff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		diffs := newPoller(t, srv.Client(noRetry), nil).Start(t.Context())
		first := take(t, diffs)
		assert.True(t, first.Initial)
		assert.True(t, first.Empty())
		assert.Equal(t, 1, first.Polls)

		time.Sleep(time.Hour)
		srv.Fail(2, umamitest.Status(503, ""))
		time.Sleep(time.Hour)
		select {
		case d := <-diffs:
			assert.Fail(t, "an empty diff", "%+v", d)
		default:
		}
		srv.Visit(umamitest.Visit{URLPath: "/", Country: "PL"})
		second := take(t, diffs)
		assert.False(t, second.Empty())
		assert.Len(t, second.Pageviews, 1)
		assert.Equal(t, uint64(2), second.Seq)
		assert.Equal(t, 2, second.Failures)
		assert.Equal(t, len(srv.Requests())-1-2, second.Polls, "those of the first diff and the failed ones apart")

		third := take(t, diffs) // the visit leaves the window
		assert.Empty(t, third.Pageviews)
		assert.Len(t, third.Ended, 1)
		assert.Equal(t, map[string]int{"/": -1}, third.URLs)
		assert.Equal(t, map[string]int{"PL": -1}, third.Countries)
		assert.Zero(t, third.Failures)
		assert.InDelta(t, 180, third.Polls, 20, "half an hour")
	})
}

func TestPollerSkipExisting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		srv.Visit(umamitest.Visit{URLPath: "/old", Country: "PL"})
		diffs := newPoller(t, srv.Client(), &umami.PollerOptions{Start: umami.SkipExisting}).Start(t.Context())
		first := take(t, diffs)
		assert.True(t, first.Initial)
		assert.Empty(t, first.Pageviews)
		assert.Empty(t, first.Started)
		assert.Equal(t, map[string]int{"/old": 1}, first.URLs, "counts begin from zero")
		srv.Visit(umamitest.Visit{URLPath: "/new"})
		second := take(t, diffs)
		require.Len(t, second.Pageviews, 1)
		assert.Equal(t, "/new", second.Pageviews[0].URLPath)
	})
}

// Ended tells who it was, though the server shows nothing of the session any more.
func TestPollerEndedSession(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]umami.StartMode{"EmitExisting": umami.EmitExisting, "SkipExisting": umami.SkipExisting} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess())
				there := srv.Visit(umamitest.Visit{URLPath: "/", Country: "PL", Browser: "firefox"})
				diffs := newPoller(t, srv.Client(), &umami.PollerOptions{Start: mode}).Start(t.Context())
				take(t, diffs)
				last := srv.Visit(umamitest.Visit{URLPath: "/pricing", SessionID: there.SessionID})
				comes := srv.Visit(umamitest.Visit{URLPath: "/docs", Country: "FI", Device: "mobile"})
				d := take(t, diffs)
				require.Len(t, d.Started, 1)
				assert.Equal(t, comes.SessionID, d.Started[0].SessionID)
				assert.Equal(t, "FI", d.Started[0].Country)

				gone := make(map[string]umami.Session)
				for len(gone) < 2 {
					for _, s := range take(t, diffs).Ended {
						gone[s.SessionID] = s
					}
				}
				assert.Equal(t, "firefox", gone[there.SessionID].Browser)
				assert.Equal(t, "PL", gone[there.SessionID].Country)
				assert.Equal(t, last.CreatedAt, gone[there.SessionID].CreatedAt, "the last activity")
				assert.Equal(t, "mobile", gone[comes.SessionID].Device)
			})
		})
	}
}

func TestPollerStartsOnce(t *testing.T) {
	t.Parallel()
	p := newPoller(t, umamitest.NewServer(umamitest.InProcess()).Client(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, open := <-p.Start(ctx)
	assert.False(t, open)
	assert.PanicsWithValue(t, "umami: Poller started twice", func() { p.Start(t.Context()) })
	assert.PanicsWithValue(t, "umami: Poller started twice", func() {
		for range p.All(t.Context()) {
			assert.Fail(t, "a diff")
		}
	})
	require.ErrorIs(t, p.Err(), context.Canceled, "the first run's")
}

func TestPollerAll(t *testing.T) {
	t.Parallel()
	t.Run("leave early", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{}))
			p := newPoller(t, srv.Client(), nil)
			// Only the loop ends the polling; the bubble fails if a goroutine is left.
			seen := 0
			for d, err := range p.All(context.WithoutCancel(t.Context())) {
				require.NoError(t, err)
				require.NoError(t, p.Err())
				seen++
				assert.Equal(t, uint64(seen), d.Seq)
				if seen == 3 {
					srv.Fail(1, umamitest.Hang())
					time.Sleep(time.Minute) // the next poll is under way
					break
				}
			}
			require.ErrorIs(t, p.Err(), context.Canceled)
			sent := len(srv.Requests())
			time.Sleep(time.Hour)
			assert.Len(t, srv.Requests(), sent, "polled after the loop was left")
		})
	})
	for name, c := range map[string]struct {
		end  func(*umamitest.Server, context.CancelFunc)
		want error
	}{
		"cancel":      {func(_ *umamitest.Server, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"cannot heal": {func(srv *umamitest.Server, _ context.CancelFunc) { srv.ExpireTokens() }, umami.ErrUnauthorized},
		"fails meantime": {func(srv *umamitest.Server, _ context.CancelFunc) {
			srv.Fail(3, umamitest.Reset())
			srv.Fail(1, umamitest.Status(400, ""))
		}, umami.ErrBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{}))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				p := newPoller(t, srv.Client(noRetry), nil)
				var seen []uint64
				var last error
				for d, err := range p.All(ctx) {
					require.NoError(t, last, "something came after the error")
					if err != nil {
						assert.Equal(t, umami.Diff{}, d)
						last = err
						continue
					}
					seen = append(seen, d.Seq)
					if len(seen) == 2 {
						c.end(srv, cancel)
					}
				}
				require.ErrorIs(t, last, c.want)
				assert.Equal(t, p.Err(), last)
				assert.Equal(t, []uint64{1, 2}, seen)
			})
		})
	}
}

// Whoever prints a poller reads what it polls, and nothing of its work.
func TestPollerPrints(t *testing.T) {
	t.Parallel()
	p, err := newClient(t, always(200, idle), umami.APIKey(token)).NewPoller(site, nil)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		assert.Equal(t, "umami.Poller("+site+" of umami.Client(http://umami.test/api))", fmt.Sprintf(verb, p))
	}
}
