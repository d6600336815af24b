package umami_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

// ownAuth is an importer's own Auth.
type ownAuth struct {
	authorize func(context.Context, *http.Request) error
}

func (a *ownAuth) Authorize(ctx context.Context, req *http.Request) error {
	return a.authorize(ctx, req)
}

// ownRefresher is an importer's own Refresher. It sends the number of times
// that it was refreshed.
type ownRefresher struct {
	refresh func(context.Context, *http.Request) error

	mu        sync.Mutex
	refreshed int
}

func (a *ownRefresher) Authorize(_ context.Context, req *http.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	req.Header.Set("X-Own", strconv.Itoa(a.refreshed))
	return nil
}

func (a *ownRefresher) Refresh(ctx context.Context, rejected *http.Request) error {
	if a.refresh != nil {
		if err := a.refresh(ctx, rejected); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refreshed++
	return nil
}

// stale refuses credentials below good.
func stale(good int) transport {
	return func(req *http.Request) (*http.Response, error) {
		if n, _ := strconv.Atoi(req.Header.Get("X-Own")); n < good {
			return reply(401, unauthorized), nil
		}
		return reply(200, idle), nil
	}
}

func TestRefreshGetsTheRequestAsSent(t *testing.T) {
	t.Parallel()
	s := &script{steps: []transport{stale(1)}}
	auth := &ownRefresher{refresh: func(_ context.Context, rejected *http.Request) error {
		assert.Equal(t, http.MethodGet, rejected.Method)
		assert.Equal(t, s.sent[0].url, rejected.URL.String())
		assert.Equal(t, s.sent[0].header, rejected.Header)
		assert.Equal(t, "0", rejected.Header.Get("X-Own"))
		return nil
	}}
	get(t, newClient(t, s, auth))
	require.Len(t, s.sent, 2)
	assert.Equal(t, s.sent[0].url, s.sent[1].url)
	assert.Equal(t, "1", s.sent[1].header.Get("X-Own"))
}

func TestRefreshAtMostOnceForACall(t *testing.T) {
	t.Parallel()
	auth := &ownRefresher{}
	s := &script{steps: []transport{stale(9)}}
	err := getError(t, newClient(t, s, auth))
	require.ErrorIs(t, err, umami.ErrUnauthorized)
	assert.Equal(t, 1, auth.refreshed)
	assert.Len(t, s.requests(), 2)
}

// Only a 401 is about the credential.
func TestRefreshOnlyAfter401(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 403, 404, 407, 419} {
		auth := &ownRefresher{}
		s := &script{steps: []transport{always(status, unauthorized)}}
		getError(t, newClient(t, s, auth))
		assert.Zero(t, auth.refreshed, status)
		assert.Len(t, s.requests(), 1, status)
	}
}

func TestNoRefresherNoSecondTry(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]umami.Auth{
		"BearerToken": umami.BearerToken(token),
		"APIKey":      umami.APIKey(token),
		"own":         &ownAuth{authorize: func(context.Context, *http.Request) error { return nil }},
	} {
		s := &script{steps: []transport{always(401, unauthorized)}}
		require.ErrorIs(t, getError(t, newClient(t, s, auth)), umami.ErrUnauthorized, name)
		assert.Len(t, s.requests(), 1, name)
	}
}

// The caller who came first may leave: the others still get the new
// credential, from the same refresh.
func TestRefreshOutlivesTheFirstCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth := &ownRefresher{refresh: func(ctx context.Context, _ *http.Request) error {
			select {
			case <-time.After(2 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		c := newClient(t, stale(1), auth)
		first, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			began := time.Now()
			_, err := c.GetRealtime(first, site, nil)
			assert.Equal(t, time.Second, time.Since(began), "it has to leave at once")
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		for range 8 {
			wg.Go(func() {
				_, err := c.GetRealtime(t.Context(), site, nil)
				assert.NoError(t, err)
			})
		}
		time.Sleep(time.Second)
		leave()
		wg.Wait()
		assert.Equal(t, 1, auth.refreshed)
	})
}

// The refresh has the values of the first caller's context, and the client's
// timeout for its own.
func TestRefreshContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		auth := &ownRefresher{refresh: func(ctx context.Context, _ *http.Request) error {
			assert.Equal(t, "trace", ctx.Value(key{}))
			<-ctx.Done()
			return ctx.Err()
		}}
		s := &script{steps: []transport{stale(1)}}
		c := newClient(t, s, auth, umami.WithTimeout(7*time.Second))
		began := time.Now()
		_, err := c.GetRealtime(context.WithValue(t.Context(), key{}, "trace"), site, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 7*time.Second, time.Since(began))
		assert.Len(t, s.requests(), 1)
	})
}

// A 401 for a credential that has been replaced since needs no new one.
func TestRefreshNotForALate401(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth := &ownRefresher{}
		var calls atomic.Int32
		c := newClient(t, transport(func(req *http.Request) (*http.Response, error) {
			if calls.Add(1) == 1 {
				time.Sleep(10 * time.Second)
			}
			return stale(1)(req)
		}), auth)
		var wg sync.WaitGroup
		wg.Go(func() { get(t, c) })
		synctest.Wait()
		get(t, c)
		assert.Equal(t, 1, auth.refreshed)
		wg.Wait()
		assert.Equal(t, 1, auth.refreshed)
	})
}

func TestRefreshFails(t *testing.T) {
	t.Parallel()
	errVault := errors.New("the vault is sealed")
	auth := &ownRefresher{refresh: func(context.Context, *http.Request) error { return errVault }}
	s := &script{steps: []transport{stale(1)}}
	err := getError(t, newClient(t, s, auth))
	require.ErrorIs(t, err, errVault)
	assert.Equal(t, "umami: get realtime: replace the credential that was refused with 401: the vault is sealed", err.Error())
	assert.Len(t, s.requests(), 1)
}

// Who has left gets no new credential.
func TestRefreshNotForACancelledCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		auth := &ownRefresher{}
		s := &script{steps: []transport{func(*http.Request) (*http.Response, error) {
			cancel()
			return reply(401, unauthorized), nil
		}}}
		_, err := newClient(t, s, auth).GetRealtime(ctx, site, nil)
		require.ErrorIs(t, err, context.Canceled)
		synctest.Wait()
		assert.Zero(t, auth.refreshed)
		assert.Len(t, s.requests(), 1)
	})
}

// A context that ends after the 401 does not hide it.
func TestRefreshCutShort(t *testing.T) {
	t.Parallel()
	slow := func(ctx context.Context, _ *http.Request) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for name, auth := range map[string]*ownRefresher{"refresh": {refresh: slow}, "second request": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				s := &script{steps: []transport{always(401, unauthorized), silent}}
				_, err := newClient(t, s, auth).GetRealtime(ctx, site, nil)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, err, umami.ErrUnauthorized)
				apiErr, ok := errors.AsType[*umami.APIError](err)
				require.True(t, ok)
				assert.Equal(t, 1, apiErr.Attempts)
				time.Sleep(time.Minute) // until the refresh has ended, too
			})
		})
	}
}

// Callers that share a refresh share its error, too, and leave it as it is.
func TestRefreshRefusedForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logins := 0
		c := newClient(t, transport(func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			if req.Method == http.MethodPost {
				if logins++; logins == 1 {
					return tokenReply(token)(req)
				}
			}
			return reply(401, unauthorized), nil
		}), umami.Login("admin", "umami"))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				_, err := c.GetRealtime(t.Context(), site, nil)
				apiErr, ok := errors.AsType[*umami.APIError](err)
				if assert.True(t, ok) {
					assert.Equal(t, "/api/auth/login", apiErr.Path)
					assert.Equal(t, 1, apiErr.Attempts)
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 2, logins)
	})
}

// A 401 is not forgotten where the second request leaves no time for a retry.
func TestRefreshThenTooLate(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := &script{steps: []transport{always(401, unauthorized), fails(io.EOF)}}
	c := newClient(t, s, &ownRefresher{}, umami.WithRetry(umami.RetryPolicy{MinWait: 1000 * time.Hour}))
	_, err := c.GetRealtime(ctx, site, nil)
	for _, want := range []error{io.EOF, context.DeadlineExceeded, umami.ErrUnauthorized} {
		require.ErrorIs(t, err, want)
	}
	assert.Len(t, s.requests(), 2)
}

// Nothing is sent for a context that is over, not even a login.
func TestCancelledBeforeTheCall(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]umami.Auth{
		"BearerToken": umami.BearerToken(token), "Login": umami.Login("admin", "umami"), "ShareLink": umami.ShareLink("aBcDeFgH"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				s := &script{steps: []transport{always(200, idle)}}
				c := newClient(t, s, auth, umami.WithRateLimit(1, time.Hour))
				for range 8 { // a select between two that are ready takes either
					_, err := c.GetRealtime(ctx, site, nil)
					require.ErrorIs(t, err, context.Canceled)
				}
				synctest.Wait()
				assert.Empty(t, s.requests())
			})
		})
	}
}

func TestBearerTokenFunc(t *testing.T) {
	t.Parallel()
	s := &script{steps: []transport{
		always(200, idle), always(200, idle), always(401, unauthorized), always(200, idle), always(401, unauthorized),
	}}
	asked := 0
	c := newClient(t, s, umami.BearerTokenFunc(func(context.Context) (string, error) {
		asked++
		return "token-" + strconv.Itoa(asked), nil
	}))
	get(t, c)
	get(t, c)
	get(t, c) // refused once
	require.ErrorIs(t, getError(t, c), umami.ErrUnauthorized)
	var tokens []string
	for _, r := range s.sent {
		tokens = append(tokens, r.header.Get("Authorization"))
	}
	assert.Equal(t, []string{
		"Bearer token-1", "Bearer token-2", "Bearer token-3", "Bearer token-4", "Bearer token-5", "Bearer token-6",
	}, tokens)
}

// The token is asked for once for a call, not for each retry.
func TestBearerTokenFuncAndRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		s := &script{steps: []transport{always(503, ""), always(503, ""), always(200, idle)}}
		get(t, newClient(t, s, umami.BearerTokenFunc(func(context.Context) (string, error) { asked++; return token, nil })))
		assert.Equal(t, 1, asked)
		assert.Len(t, s.requests(), 3)
	})
}

func TestAuthorizeFails(t *testing.T) {
	t.Parallel()
	type key struct{}
	errVault := errors.New("the vault is sealed")
	ctx := context.WithValue(t.Context(), key{}, "trace")
	for name, auth := range map[string]umami.Auth{
		"own": &ownAuth{authorize: func(context.Context, *http.Request) error { return errVault }},
		"BearerTokenFunc": umami.BearerTokenFunc(func(ctx context.Context) (string, error) {
			assert.Equal(t, "trace", ctx.Value(key{}))
			return "", errVault
		}),
	} {
		s := &script{steps: []transport{always(200, idle)}}
		_, err := newClient(t, s, auth).GetRealtime(ctx, site, nil)
		require.ErrorIs(t, err, errVault, name)
		assert.Equal(t, "umami: get realtime: authorize: the vault is sealed", err.Error(), name)
		assert.Empty(t, s.requests(), name)
	}
}

func TestBearerTokenFuncBadToken(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", " ", "s3cret\n", "s3cret\r\nX-Other: 1", "s3 cret", "s3cret\x00"} {
		s := &script{steps: []transport{always(200, idle)}}
		err := getError(t, newClient(t, s, umami.BearerTokenFunc(func(context.Context) (string, error) { return bad, nil })))
		assert.Empty(t, s.requests(), "%q", bad)
		assert.NotContains(t, err.Error(), "s3", "%q", bad)
	}
}
