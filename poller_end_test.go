package umami_test

import (
	"context"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// authFunc is an importer's own Auth.
type authFunc func(ctx context.Context, req *http.Request) error

func (f authFunc) Authorize(ctx context.Context, req *http.Request) error { return f(ctx, req) }

// Wherever a cancel meets a poller, it ends at once, and the bubble fails if a
// goroutine is left.
func TestPollerEndsCleanly(t *testing.T) {
	t.Parallel()
	visited := func(opts ...umamitest.Option) *umamitest.Server {
		return umamitest.NewServer(append(opts, umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{}))...)
	}
	for name, setup := range map[string]func(t *testing.T) (*umami.Client, *umami.PollerOptions){
		"between polls": func(*testing.T) (*umami.Client, *umami.PollerOptions) {
			return umamitest.NewServer(umamitest.InProcess()).Client(), nil
		},
		"while a diff waits": func(*testing.T) (*umami.Client, *umami.PollerOptions) {
			return visited().Client(), nil
		},
		"while Block waits": func(*testing.T) (*umami.Client, *umami.PollerOptions) {
			return visited().Client(), &umami.PollerOptions{Overflow: umami.Block}
		},
		"while MaxPending rows wait": func(*testing.T) (*umami.Client, *umami.PollerOptions) {
			return visited().Client(), &umami.PollerOptions{MaxPending: 1}
		},
		"in a request": func(*testing.T) (*umami.Client, *umami.PollerOptions) {
			srv := visited()
			srv.Fail(1, umamitest.Hang())
			return srv.Client(umami.WithTimeout(time.Hour)), nil
		},
		"in a later request, while a diff waits": func(*testing.T) (*umami.Client, *umami.PollerOptions) {
			srv := visited()
			srv.Fail(1, umamitest.Delay(0))
			srv.Fail(1, umamitest.Hang())
			return srv.Client(umami.WithTimeout(time.Hour)), nil
		},
		"in a body that stalls": func(t *testing.T) (*umami.Client, *umami.PollerOptions) {
			t.Helper()
			stalls := transport(func(r *http.Request) (*http.Response, error) {
				res := reply(200, "")
				res.ContentLength, res.Body = -1, stalled{r.Context()}
				return res, nil
			})
			return newClient(t, stalls, umami.APIKey(token), umami.WithTimeout(time.Hour)), nil
		},
		"in a wait before a retry": func(*testing.T) (*umami.Client, *umami.PollerOptions) {
			srv := visited()
			srv.Fail(9, umamitest.StatusRetryAfter(503, time.Hour))
			return srv.Client(umami.WithRetry(umami.RetryPolicy{MaxWait: time.Hour})), nil
		},
		"in a wait after a failed poll": func(*testing.T) (*umami.Client, *umami.PollerOptions) {
			srv := visited()
			srv.Fail(1, umamitest.Status(503, ""))
			return srv.Client(noRetry), &umami.PollerOptions{Interval: time.Hour}
		},
		"in the pause after a 429": func(t *testing.T) (*umami.Client, *umami.PollerOptions) {
			t.Helper()
			srv := visited()
			srv.Fail(1, umamitest.StatusRetryAfter(429, time.Hour))
			client := srv.Client(umami.WithRetry(umami.RetryPolicy{Max: -1, MaxWait: time.Hour}))
			_, err := client.GetRealtime(t.Context(), umamitest.WebsiteID, nil)
			require.ErrorIs(t, err, umami.ErrRateLimited)
			return client, nil
		},
		"in a wait for the rate limit": func(t *testing.T) (*umami.Client, *umami.PollerOptions) {
			t.Helper()
			client := visited().Client(umami.WithRateLimit(1, time.Hour))
			_, err := client.GetRealtime(t.Context(), umamitest.WebsiteID, nil)
			require.NoError(t, err)
			return client, nil
		},
		"while the token is asked for": func(t *testing.T) (*umami.Client, *umami.PollerOptions) {
			t.Helper()
			return newClient(t, always(200, idle), umami.BearerTokenFunc(func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			})), nil
		},
		"while the token is replaced": func(t *testing.T) (*umami.Client, *umami.PollerOptions) {
			t.Helper()
			asked := 0
			return newClient(t, always(401, unauthorized), umami.BearerTokenFunc(func(ctx context.Context) (string, error) {
				if asked++; asked == 1 {
					return token, nil
				}
				<-ctx.Done()
				return "", ctx.Err()
			})), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, deadline := range map[string]bool{"cancel": false, "deadline": true} {
				for who, reader := range map[string]bool{"a reader": true, "no reader": false} {
					t.Run(how+", "+who, func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							client, opts := setup(t)
							endsCleanly(t, newPoller(t, client, opts), deadline, reader)
						})
					})
				}
			}
		})
	}
}

// stalled is a body that does not come.
type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) { <-s.ctx.Done(); return 0, s.ctx.Err() }
func (stalled) Close() error               { return nil }

func endsCleanly(t *testing.T, p *umami.Poller, deadline, reader bool) {
	t.Helper()
	const soon = 17 * time.Second // in the first wait between polls, or the second poll
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	want := context.Canceled
	if deadline {
		ctx, cancel = context.WithTimeout(context.WithoutCancel(t.Context()), soon)
		want = context.DeadlineExceeded
	}
	defer cancel()
	diffs := p.Start(ctx)
	closed := make(chan struct{})
	if reader {
		go func() {
			defer close(closed)
			for range diffs {
			}
		}()
	}
	time.Sleep(soon - time.Nanosecond)
	synctest.Wait()
	require.NoError(t, p.Err())
	time.Sleep(time.Nanosecond)
	if !deadline {
		cancel()
	}
	synctest.Wait() // no time passes
	if reader {
		select {
		case <-closed:
		default:
			require.FailNow(t, "the channel is still open")
		}
	} else {
		ended(t, diffs)
	}
	require.Equal(t, want, p.Err())
	synctest.Wait()
	require.Empty(t, left(), "goroutines")
}

// left tells which goroutines the bubble has beside those of the test itself.
func left() []string {
	text := make([]byte, 4<<20)
	own := bubble.FindString(string(text[:runtime.Stack(text, false)]))
	var list []string
	for _, g := range strings.Split(string(text[:runtime.Stack(text, true)]), "\n\n")[1:] { // the first is this one
		head, _, _ := strings.Cut(g, "\n")
		if bubble.FindString(head) == own && !strings.Contains(g, "\ntesting/synctest.Test") {
			list = append(list, g)
		}
	}
	return list
}

var bubble = regexp.MustCompile(`synctest bubble \d+`)

func TestPollerCancelledBeforeStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 50 { // the timer and the cancel are there at once
			p := newPoller(t, srv.Client(), nil)
			ended(t, p.Start(ctx))
			require.ErrorIs(t, p.Err(), context.Canceled)
		}
		assert.Empty(t, srv.Requests())
	})
}

// A diff that waits is delivered first when polling ends for another reason
// than a cancel, and dropped on one.
func TestPollerDeliversWhatWaits(t *testing.T) {
	t.Parallel()
	for name, dropped := range map[string]bool{"cannot heal": false, "cannot heal, then cancelled": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess())
				srv.Visit(umamitest.Visit{})
				srv.Fail(3, umamitest.Delay(0))
				srv.Fail(1, umamitest.Status(503, ""))
				srv.Fail(1, umamitest.Status(400, "bad"))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				p := newPoller(t, srv.Client(noRetry), nil)
				diffs := p.Start(ctx)
				time.Sleep(time.Hour)
				require.Len(t, srv.Requests(), 5, "polls after the end")
				require.NoError(t, p.Err(), "the channel is open")
				if dropped {
					cancel()
					ended(t, diffs)
					require.ErrorIs(t, p.Err(), context.Canceled)
					return
				}
				d := take(t, diffs)
				assert.Len(t, d.Pageviews, 1)
				assert.Equal(t, 3, d.Polls)
				ended(t, diffs)
				require.ErrorIs(t, p.Err(), umami.ErrBadRequest)
			})
		})
	}
}

// OnError is the importer's: polling waits for it, and goes on or ends as soon
// as it returns.
func TestPollerWaitsForOnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		srv.Fail(1, umamitest.Status(503, ""))
		release := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		p := newPoller(t, srv.Client(noRetry), &umami.PollerOptions{OnError: func(*umami.PollError) { <-release }})
		diffs := p.Start(ctx)
		time.Sleep(time.Hour)
		assert.Len(t, srv.Requests(), 1)
		cancel()
		synctest.Wait()
		select {
		case <-diffs:
			require.FailNow(t, "OnError has not returned")
		default:
		}
		close(release)
		ended(t, diffs)
		assert.Len(t, srv.Requests(), 1)
		require.ErrorIs(t, p.Err(), context.Canceled)
	})
}

// An Auth or Transport that does not listen to its context keeps its own
// goroutine, not the reader.
func TestPollerDoesNotWaitForAuth(t *testing.T) {
	t.Parallel()
	for name, blocking := range map[string]func(t *testing.T, block func()) *umami.Client{
		"Auth": func(t *testing.T, block func()) *umami.Client {
			t.Helper()
			return newClient(t, always(200, idle), authFunc(func(context.Context, *http.Request) error { block(); return nil }))
		},
		"Transport": func(t *testing.T, block func()) *umami.Client {
			t.Helper()
			return newClient(t, transport(func(*http.Request) (*http.Response, error) { block(); return reply(200, idle), nil }), umami.APIKey(token))
		},
		"Refresher": func(t *testing.T, block func()) *umami.Client {
			t.Helper()
			return newClient(t, always(401, unauthorized), refresher{authFunc(func(context.Context, *http.Request) error { return nil }), block})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				p := newPoller(t, blocking(t, func() { <-release }), nil)
				diffs := p.Start(ctx)
				time.Sleep(time.Second)
				cancel()
				ended(t, diffs)
				require.ErrorIs(t, p.Err(), context.Canceled)
				close(release)
			})
		})
	}
}

// A login is shared by the calls of a client and outlives the one that began
// it, but not the client's timeout.
func TestPollerEndsInALogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		srv.Fail(1, umamitest.Hang())
		client, err := umami.NewClient(srv.URL, umami.Login(umamitest.Username, umamitest.Password),
			umami.WithHTTPClient(srv.HTTPClient()), umami.WithTimeout(20*time.Second))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		diffs := newPoller(t, client, nil).Start(ctx)
		time.Sleep(time.Second)
		cancel()
		ended(t, diffs)
		time.Sleep(19 * time.Second) // the bubble fails if anything is left now
	})
}

type refresher struct {
	umami.Auth
	refresh func()
}

func (r refresher) Refresh(context.Context, *http.Request) error { r.refresh(); return nil }

// Once over real sockets, where the request that is cancelled has to be heard
// of by the server, too.
func TestPollerEndsOverSockets(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.WithTraffic(umamitest.Traffic{}))
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := newPoller(t, srv.Client(), &umami.PollerOptions{Interval: time.Millisecond})
	diffs := p.Start(ctx)
	first := <-diffs
	assert.NotEmpty(t, first.Pageviews)
	srv.Fail(1, umamitest.Hang())
	require.Eventually(t, func() bool {
		r := srv.Requests()
		return r[len(r)-1].Status == 0
	}, 10*time.Second, time.Millisecond)
	cancel()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for range diffs {
		}
	}()
	select {
	case <-closed:
	case <-time.After(10 * time.Second): // fake time has shown that it is at once
		require.FailNow(t, "the channel is still open")
	}
	require.ErrorIs(t, p.Err(), context.Canceled)
}
