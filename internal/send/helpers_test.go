package send_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/send"
)

// transport answers without a network, which a fake clock needs.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func always(status int, body string, header ...string) transport {
	return func(*http.Request) (*http.Response, error) { return reply(status, body, header...), nil }
}

func fails(err error) transport {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// hangs answers when nobody waits any more.
func hangs(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
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
// from then on, and notes when.
type script struct {
	steps []transport

	mu sync.Mutex
	at []time.Time
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	step := s.steps[min(len(s.at), len(s.steps)-1)]
	s.at = append(s.at, time.Now())
	s.mu.Unlock()
	return step(req)
}

func (s *script) waits() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var waits []time.Duration
	for i := 1; i < len(s.at); i++ {
		waits = append(waits, s.at[i].Sub(s.at[i-1]))
	}
	return waits
}

// config is a client's by default.
func config(rt http.RoundTripper) send.Config {
	return send.Config{
		HTTP: &http.Client{Transport: rt}, Log: slog.New(slog.DiscardHandler), Budget: send.NewBudget(0, 0),
		Timeout: 15 * time.Second, MaxBytes: 1 << 20, MaxRetries: 3, MinWait: 500 * time.Millisecond, MaxWait: 30 * time.Second,
	}
}

func get(ctx context.Context, t *testing.T, c send.Config) (*send.Answer, error) {
	t.Helper()
	return send.New(c).Do(newRequest(ctx, t), "/shown", asItIs)
}

func newRequest(ctx context.Context, t *testing.T) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://umami.test/real?token=query", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer header")
	return req
}

// asItIs hides nothing.
func asItIs(text string) string { return text }
