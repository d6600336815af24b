package umami_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

const (
	site  = "550e8400-e29b-41d4-a716-446655440000"
	token = "umami_Jx7Qp2Vd9RkLw4Ts"

	// idle is what servers since 2.13 answer for a website without visitors.
	idle = `{"countries":{},"urls":{},"referrers":{},"events":[],"series":{"views":[],"visitors":[]},` +
		`"totals":{"views":0,"visitors":0,"events":0,"countries":0},"timestamp":1795337488224}`
	unauthorized = `{"error":{"message":"Unauthorized","code":"unauthorized","status":401}}`
)

// setup serves an API below a path of its own: patterns of mux are relative to
// the API root, and a client that forgets the path fails the test.
func setup(t *testing.T) (mux *http.ServeMux, baseURL string) {
	t.Helper()
	mux = http.NewServeMux()
	root := http.NewServeMux()
	root.Handle("/sub/api/", http.StripPrefix("/sub/api", mux))
	root.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s is outside the API, which is below /sub/api/: was the base URL's path dropped?", r.Method, r.URL)
		http.NotFound(w, r)
	})
	srv := httptest.NewServer(root)
	t.Cleanup(srv.Close)
	return mux, srv.URL + "/sub"
}

// transport answers without a network, which a fake clock needs.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// always answers every request alike.
func always(status int, body string, header ...string) transport {
	return func(*http.Request) (*http.Response, error) { return reply(status, body, header...), nil }
}

// fails answers no request at all.
func fails(err error) transport {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// reply is one answer; header holds names and values by turns.
func reply(status int, body string, header ...string) *http.Response {
	h := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
}

// script answers each request with the next of its steps, the last of them
// from then on, and notes what was sent and when.
type script struct {
	steps []transport

	mu   sync.Mutex
	sent []sent
}

type sent struct {
	method, url, body string
	header            http.Header
	at                time.Time
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	step := s.steps[min(len(s.sent), len(s.steps)-1)]
	s.sent = append(s.sent, sent{req.Method, req.URL.String(), string(body), maps.Clone(req.Header), time.Now()})
	s.mu.Unlock()
	return step(req)
}

// requests lists what was sent, as "METHOD path".
func (s *script) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, r := range s.sent {
		u, _, _ := strings.Cut(r.url, "?")
		list = append(list, r.method+" "+strings.TrimPrefix(u, "http://umami.test"))
	}
	return list
}

// waits lists the time between one request and the next.
func (s *script) waits() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []time.Duration
	for i := 1; i < len(s.sent); i++ {
		list = append(list, s.sent[i].at.Sub(s.sent[i-1].at))
	}
	return list
}

// newClient makes a client of http://umami.test that sends by rt alone.
func newClient(tb testing.TB, rt http.RoundTripper, auth umami.Auth, opts ...umami.Option) *umami.Client {
	tb.Helper()
	c, err := umami.NewClient("http://umami.test", auth, append(opts, umami.WithHTTPClient(&http.Client{Transport: rt}))...)
	require.NoError(tb, err)
	return c
}

// get asks for the website and wants an answer.
func get(t *testing.T, c *umami.Client) {
	t.Helper()
	_, err := c.GetRealtime(t.Context(), site, nil)
	require.NoError(t, err)
}

// getError asks for the website and wants an error.
func getError(t *testing.T, c *umami.Client) error {
	t.Helper()
	rt, err := c.GetRealtime(t.Context(), site, nil)
	require.Error(t, err)
	assert.Nil(t, rt)
	return err
}

// noRetry ends a call after its first attempt.
var noRetry = umami.WithRetry(umami.RetryPolicy{Max: -1})
