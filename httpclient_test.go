package umami_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

func TestHTTPClientIsNotChanged(t *testing.T) {
	t.Parallel()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	hc := &http.Client{
		Transport:     always(200, idle),
		CheckRedirect: func(*http.Request, []*http.Request) error { return nil },
		Jar:           jar,
		Timeout:       time.Minute,
	}
	before := *hc
	c, err := umami.NewClient("http://umami.test", umami.BearerToken(token), umami.WithHTTPClient(hc), umami.WithTimeout(time.Second))
	require.NoError(t, err)
	get(t, c)
	assert.Equal(t, pointer(before.Transport), pointer(hc.Transport))
	assert.Equal(t, pointer(before.CheckRedirect), pointer(hc.CheckRedirect))
	assert.Same(t, jar, hc.Jar)
	assert.Equal(t, time.Minute, hc.Timeout)
}

func pointer(f any) uintptr { return reflect.ValueOf(f).Pointer() }

// The cookies of a load balancer come back, each once, and the newest: also
// when a call is tried again.
func TestHTTPClientJar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		s := &script{steps: []transport{
			always(200, idle, "Set-Cookie", "node=a"),
			always(503, "", "Set-Cookie", "node=b"),
			always(503, ""),
			always(200, idle),
		}}
		c, err := umami.NewClient("http://umami.test", umami.BearerToken(token), umami.WithHTTPClient(&http.Client{Transport: s, Jar: jar}))
		require.NoError(t, err)
		get(t, c)
		get(t, c)
		var cookies []string
		for _, r := range s.sent {
			cookies = append(cookies, strings.Join(r.header["Cookie"], "|"))
		}
		assert.Equal(t, []string{"", "node=a", "node=b", "node=b"}, cookies)
	})
}

func TestHTTPClientCheckRedirect(t *testing.T) {
	t.Parallel()
	moved := func(*http.Request) (*http.Response, error) {
		return reply(http.StatusPermanentRedirect, "", "Location", "/elsewhere"), nil
	}
	errNever := errors.New("never")
	for name, tt := range map[string]struct {
		check func(*http.Request, []*http.Request) error
		sent  int
		want  func(*testing.T, error)
	}{
		"lets it": {
			func(req *http.Request, via []*http.Request) error {
				assert.Equal(t, "/elsewhere", req.URL.Path)
				assert.Len(t, via, 1)
				return nil
			}, 2,
			func(t *testing.T, err error) { t.Helper(); assert.NoError(t, err) },
		},
		"refuses": {
			func(*http.Request, []*http.Request) error { return errNever }, 1,
			func(t *testing.T, err error) {
				t.Helper()
				require.ErrorIs(t, err, errNever)
				assert.ErrorIs(t, err, umami.ErrRedirectRefused)
			},
		},
		"takes the redirect for the answer": {
			func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, 1,
			func(t *testing.T, err error) {
				t.Helper()
				apiErr, ok := errors.AsType[*umami.APIError](err)
				require.True(t, ok, err)
				assert.Equal(t, http.StatusPermanentRedirect, apiErr.StatusCode)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{steps: []transport{moved, always(200, idle)}}
			c, err := umami.NewClient("http://umami.test", umami.BearerToken(token),
				umami.WithHTTPClient(&http.Client{Transport: s, CheckRedirect: tt.check}))
			require.NoError(t, err)
			_, err = c.GetRealtime(t.Context(), site, nil)
			tt.want(t, err)
			assert.Len(t, s.requests(), tt.sent)
		})
	}
}

// Timeout limits one attempt, not the call.
func TestHTTPClientTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{hangs, always(200, idle)}}
		c, err := umami.NewClient("http://umami.test", umami.BearerToken(token),
			umami.WithHTTPClient(&http.Client{Transport: s, Timeout: 4 * time.Second}))
		require.NoError(t, err)
		began := time.Now()
		get(t, c)
		assert.Len(t, s.requests(), 2)
		assert.GreaterOrEqual(t, time.Since(began), 4*time.Second)
		assert.LessOrEqual(t, time.Since(began), 4500*time.Millisecond)
	})
}

// hangs answers when nobody waits any more.
func hangs(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// net/http makes do with what fakes leave out, and so does the client.
// tokenError is what a Transport of the caller's may fail with.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "no token:\n" + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

// The error of the caller's own Transport stays what it is, and tells what it
// told.
func TestTransportFails(t *testing.T) {
	t.Parallel()
	inner := &url.Error{Op: "Post", URL: "https://id.example.com/token", Err: io.ErrUnexpectedEOF}
	err := getError(t, newClient(t, fails(&tokenError{inner}), umami.BearerToken(token), noRetry))
	own, ok := errors.AsType[*tokenError](err)
	require.True(t, ok)
	assert.Same(t, inner, own.err)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, "umami: get realtime: GET /api/realtime/"+site+
		": no token:\uFFFDPost \"https://id.example.com/token\": unexpected EOF", err.Error())
}

// A Transport may tell of the request in its error, as retryablehttp's does: its
// URL holds filters, or the id of a share link.
func TestTransportTellsTheURL(t *testing.T) {
	t.Parallel()
	tells := transport(func(req *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("%s %s giving up: %w", req.Method, req.URL, &url.Error{Op: "Get", URL: req.URL.String(), Err: io.EOF})
	})
	var logged bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	err := getError(t, newClient(t, tells, umami.ShareLink("mysite"), noRetry, umami.WithLogger(logger)))
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, `umami: get realtime: authorize: open share link: GET /api/share/…: GET /api/share/… giving up: Get "/api/share/…": EOF`, err.Error())
	for ; err != nil; err = errors.Unwrap(err) {
		assert.NotContains(t, fmt.Sprintf("%v %+v", err, err), "mysite")
	}
	assert.NotContains(t, logged.String(), "mysite")

	_, err = newClient(t, tells, umami.BearerToken(token), noRetry).
		GetRealtime(t.Context(), site, &umami.RealtimeOptions{Filters: umami.Filters{DistinctID: "alice"}})
	require.ErrorIs(t, err, io.EOF)
	assert.NotContains(t, err.Error(), "alice")
}

func TestTransportWithoutBody(t *testing.T) {
	t.Parallel()
	c := newClient(t, transport(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusNotFound}, nil
	}), umami.BearerToken(token), noRetry)
	require.ErrorIs(t, getError(t, c), umami.ErrNotFound)

	c = newClient(t, transport(func(*http.Request) (*http.Response, error) {
		return nil, nil //nolint:nilnil // a broken fake does so
	}), umami.BearerToken(token), noRetry)
	require.ErrorContains(t, getError(t, c), "nil *Response")
}

// By default certificates are checked, and a bad one is not asked for twice.
func TestDefaultTransport(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a server with a certificate that nobody knows was asked")
	}))
	var connections atomic.Int32
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	c, err := umami.NewClient(srv.URL, umami.BearerToken(token))
	require.NoError(t, err)
	_, ok := errors.AsType[x509.UnknownAuthorityError](getError(t, c))
	assert.True(t, ok)
	assert.EqualValues(t, 1, connections.Load())
}

// Connections are kept for as many callers as a client has, and given up by
// no failed call: net/http's own two would be closed between polls.
func TestDefaultTransportKeepsConnections(t *testing.T) {
	t.Parallel()
	const callers = 8
	mux, base := setup(t)
	together := make(chan struct{})
	var arrived atomic.Int32
	seen := make(chan string, 2*callers)
	mux.HandleFunc("GET /realtime/", func(w http.ResponseWriter, r *http.Request) {
		seen <- r.RemoteAddr
		if arrived.Add(1) == callers {
			close(together)
		}
		<-together
		_, _ = w.Write([]byte(idle))
	})
	mux.HandleFunc("GET /realtime/00000000-0000-0000-0000-000000000000", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	})
	c, err := umami.NewClient(base, umami.BearerToken(token), noRetry)
	require.NoError(t, err)
	for range 2 {
		done := make(chan error, callers)
		for range callers {
			go func() {
				_, err := c.GetRealtime(t.Context(), site, nil)
				done <- err
			}()
		}
		for range callers {
			require.NoError(t, <-done)
		}
		_, err := c.GetRealtime(t.Context(), "00000000-0000-0000-0000-000000000000", nil)
		require.ErrorIs(t, err, umami.ErrServer)
	}
	close(seen)
	connections := map[string]bool{}
	for addr := range seen {
		connections[addr] = true
	}
	assert.Len(t, connections, callers)
}
