package umami_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

func TestRetryUntilAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{always(502, ""), fails(io.EOF), always(429, ""), always(200, idle)}}
		get(t, newClient(t, s, umami.BearerToken(token)))
		require.Len(t, s.sent, 4)
		for _, r := range s.sent {
			assert.Equal(t, s.sent[0].url, r.url)
			assert.Equal(t, s.sent[0].header, r.header)
		}
	})
}

// When all tries are used up, the error is the last answer.
func TestRetryUsedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{always(500, "a"), always(429, "b"), always(502, "c"), always(503, "d", "Retry-After", "60")}}
		err := getError(t, newClient(t, s, umami.BearerToken(token)))
		require.ErrorIs(t, err, umami.ErrServer)
		apiErr, ok := errors.AsType[*umami.APIError](err)
		require.True(t, ok)
		assert.Equal(t, 503, apiErr.StatusCode)
		assert.Equal(t, 4, apiErr.Attempts)
		assert.Equal(t, "d", string(apiErr.Body))
		assert.Equal(t, time.Minute, apiErr.RetryAfter)
		assert.Contains(t, err.Error(), "503 Service Unavailable (attempt 4)")
		assert.Len(t, s.sent, 4)
	})
}

// After answers and a failure, the error tells of both.
func TestRetryUsedUpByAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{always(503, "a"), fails(io.EOF)}}
		err := getError(t, newClient(t, s, umami.BearerToken(token)))
		require.ErrorIs(t, err, io.EOF)
		require.ErrorIs(t, err, umami.ErrServer)
		assert.Regexp(t, `^umami: get realtime: EOF; the last answer was GET /api/realtime/\S+: 503 Service Unavailable \(attempt 4\)`, err.Error())

		s = &script{steps: []transport{fails(io.EOF)}}
		err = getError(t, newClient(t, s, umami.BearerToken(token)))
		assert.Equal(t, "umami: get realtime: GET /api/realtime/"+site+": EOF (attempt 4)", err.Error())
	})
}

func TestRetryPolicy(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		policies []umami.RetryPolicy
		bounds   []time.Duration // of the waits
	}{
		"by default":      {nil, []time.Duration{500 * ms, 1000 * ms, 2000 * ms}},
		"zero":            {[]umami.RetryPolicy{{}}, []time.Duration{500 * ms, 1000 * ms, 2000 * ms}},
		"no retries":      {[]umami.RetryPolicy{{Max: -1}}, nil},
		"one":             {[]umami.RetryPolicy{{Max: 1}}, []time.Duration{500 * ms}},
		"MinWait alone":   {[]umami.RetryPolicy{{MinWait: 20_000 * ms}}, []time.Duration{20_000 * ms, 30_000 * ms, 30_000 * ms}},
		"MaxWait alone":   {[]umami.RetryPolicy{{MaxWait: 600 * ms}}, []time.Duration{500 * ms, 600 * ms, 600 * ms}},
		"all":             {[]umami.RetryPolicy{{Max: 2, MinWait: ms, MaxWait: ms}}, []time.Duration{ms, ms}},
		"the last counts": {[]umami.RetryPolicy{{Max: -1, MinWait: ms, MaxWait: ms}, {}}, []time.Duration{500 * ms, 1000 * ms, 2000 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var opts []umami.Option
				for _, p := range tt.policies {
					opts = append(opts, umami.WithRetry(p))
				}
				most := make([]time.Duration, len(tt.bounds))
				for range 100 {
					s := &script{steps: []transport{always(500, "")}}
					getError(t, newClient(t, s, umami.BearerToken(token), opts...))
					require.Len(t, s.waits(), len(tt.bounds))
					for i, wait := range s.waits() {
						require.LessOrEqual(t, wait, tt.bounds[i])
						most[i] = max(most[i], wait)
					}
				}
				for i, bound := range tt.bounds { // by chance one time in 10^12
					assert.Greater(t, most[i], bound*3/4)
				}
			})
		})
	}
}

// Where the context leaves no time for the next try, the call ends at once.
func TestRetryDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{always(503, `{"error":"down"}`, "Retry-After", "8")}}
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		began := time.Now()
		_, err := newClient(t, s, umami.BearerToken(token)).GetRealtime(ctx, site, nil)
		assert.Zero(t, time.Since(began))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, umami.ErrServer)
		apiErr, ok := errors.AsType[*umami.APIError](err)
		require.True(t, ok)
		assert.Equal(t, 1, apiErr.Attempts)
		assert.JSONEq(t, `{"error":"down"}`, string(apiErr.Body))
		assert.Regexp(t, `^umami: get realtime: the next try in 8s would come too late: context deadline exceeded; the last answer was GET `, err.Error())
	})
}

// It does so whatever failed before.
func TestRetryDeadlineAfterFailures(t *testing.T) {
	t.Parallel()
	cut := func(*http.Request) (*http.Response, error) {
		resp := reply(200, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"urls":{}`), iotest.ErrReader(io.ErrUnexpectedEOF)))
		return resp, nil
	}
	for name, tt := range map[string]struct {
		answer transport
		is     error
	}{"transport": {fails(io.ErrClosedPipe), io.ErrClosedPipe}, "body": {cut, io.ErrUnexpectedEOF}} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		s := &script{steps: []transport{tt.answer}}
		c := newClient(t, s, umami.BearerToken(token), umami.WithRetry(umami.RetryPolicy{MinWait: 1000 * time.Hour}))
		_, err := c.GetRealtime(ctx, site, nil)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		require.ErrorIs(t, err, tt.is, name)
		require.ErrorContains(t, err, "would come too late", name)
		assert.Len(t, s.requests(), 1, name)
	}
}

func TestRetryCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{always(503, "busy", "Retry-After", "8")}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		began := time.Now()
		_, err := newClient(t, s, umami.BearerToken(token)).GetRealtime(ctx, site, nil)
		assert.Equal(t, 5*time.Second, time.Since(began))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, umami.ErrServer)
		assert.Len(t, s.sent, 1)
	})
}

// Attempts counts all that was sent for a call, before and after a refresh.
func TestRetryAndRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{
			always(503, ""), always(401, unauthorized), always(502, ""), fails(io.EOF), always(403, "no"),
		}}
		auth := &ownRefresher{}
		err := getError(t, newClient(t, s, auth))
		require.ErrorIs(t, err, umami.ErrForbidden)
		apiErr, ok := errors.AsType[*umami.APIError](err)
		require.True(t, ok)
		assert.Equal(t, 5, apiErr.Attempts)
		assert.Len(t, s.sent, 5)
		assert.Equal(t, 1, auth.refreshed)
	})
}

// WithTimeout limits each attempt, not what lies between.
func TestRetryTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{hangs}}
		c := newClient(t, s, umami.BearerToken(token), umami.WithTimeout(3*time.Second),
			umami.WithRetry(umami.RetryPolicy{Max: 1, MinWait: time.Hour, MaxWait: time.Hour}))
		err := getError(t, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "no complete answer within 3s")
		require.Len(t, s.waits(), 1)
		assert.Greater(t, s.waits()[0], 3*time.Second)
	})
}

// On a true network, too, a connection that is torn down heals.
func TestRetryReset(t *testing.T) {
	t.Parallel()
	mux, base := setup(t)
	var calls atomic.Int32
	mux.HandleFunc("GET /realtime/"+site, func(w http.ResponseWriter, _ *http.Request) {
		switch calls.Add(1) {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			w.Header().Set("Content-Length", "9999")
			_, _ = w.Write([]byte(idle))
		default:
			_, _ = w.Write([]byte(idle))
		}
	})
	c, err := umami.NewClient(base, umami.BearerToken(token), umami.WithRetry(umami.RetryPolicy{MinWait: 1, MaxWait: 1}))
	require.NoError(t, err)
	get(t, c)
	assert.EqualValues(t, 3, calls.Load())
}

// Without a logger the client says nothing, neither itself nor by the library
// that it retries with. The calls are made in a process of their own.
func TestSilent(t *testing.T) {
	t.Parallel()
	if os.Getenv("UMAMI_TEST_SILENT") != "" {
		s := &script{steps: []transport{always(503, ""), fails(io.EOF), always(429, ""), always(200, "<html>")}}
		getError(t, newClient(t, s, umami.BearerToken(token), umami.WithRetry(umami.RetryPolicy{MinWait: 1, MaxWait: 1})))
		assert.Len(t, s.sent, 4)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSilent$", "-test.count=1")
	cmd.Env = append(os.Environ(), "UMAMI_TEST_SILENT=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Regexp(t, `^PASS\n(coverage: .*\n)?$`, string(out))
}
