package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// unhealthy is how long polls may fail before /healthz says so: two of the
// longest waits between polls.
const unhealthy = 2 * time.Minute

// health is how the polls go. A poll that works and finds nothing new brings no
// diff, so it is the requests that tell of it.
type health struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	failures prometheus.Counter

	mu        sync.Mutex
	start     time.Time
	succeeded time.Time // the last poll that is known to have worked; zero for none
	answered  time.Time // the last answer to a poll, which may prove to be of no use
	inARow    int       // failed polls since the last that worked
}

func newHealth(r prometheus.Registerer) *health {
	h := &health{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "umami_requests_total", Help: "Requests sent to the Umami server by call and by the status answered, \"none\" for no answer.",
		}, []string{"call", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "umami_request_duration_seconds", Help: "Time until the Umami server began to answer, or did not.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
		}, []string{"call"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "umami_poll_failures_total", Help: "Polls that failed."}),
		start:    time.Now(),
	}
	r.MustRegister(h.requests, h.duration, h.failures,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "umami_poll_last_success_timestamp_seconds", Help: "When a poll last worked, in seconds since 1970; 0 for never.",
		}, func() float64 {
			if at := h.lastSuccess(); !at.IsZero() {
				return float64(at.UnixMilli()) / 1000
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "umami_poll_consecutive_failures", Help: "Polls that failed since the last one that worked.",
		}, func() float64 {
			h.mu.Lock()
			defer h.mu.Unlock()
			return float64(h.inARow)
		}),
	)
	h.requests.WithLabelValues("realtime", "200")
	h.duration.WithLabelValues("realtime")
	return h
}

// watch counts and times what passes through a transport.
func (h *health) watch(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		began, call, code := time.Now(), callOf(r.URL.Path), "none"
		answer, err := next.RoundTrip(r)
		if err == nil {
			code = strconv.Itoa(answer.StatusCode)
		}
		h.requests.WithLabelValues(call, code).Inc()
		h.duration.WithLabelValues(call).Observe(time.Since(began).Seconds())
		if call == "realtime" && code == "200" {
			h.answer()
		}
		return answer, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// callOf names a request; paths hold ids.
func callOf(path string) string {
	switch {
	case strings.Contains(path, "/realtime/"):
		return "realtime"
	case strings.HasSuffix(path, "/events"):
		return "events"
	}
	return other // logging in, say
}

// answer takes note of an answer to a poll; the one before it was of use if the
// poller had no complaint since.
func (h *health) answer() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inARow == 0 {
		h.succeeded = h.answered
	}
	h.answered, h.inARow = time.Now(), 0
}

// failed takes note of a failed poll, and how many there were in a row.
func (h *health) failed(inARow int) {
	h.failures.Inc()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inARow = inARow
}

func (h *health) lastSuccess() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inARow > 0 {
		return h.succeeded
	}
	return h.answered
}

// ServeHTTP answers 503 when no poll has worked for too long.
func (h *health) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	since := h.lastSuccess()
	if since.IsZero() {
		since = h.start
	}
	w.Header().Set("Cache-Control", "no-store")
	if ago := time.Since(since); ago > unhealthy {
		http.Error(w, fmt.Sprintf("no poll has worked for %v", ago.Round(time.Second)), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
