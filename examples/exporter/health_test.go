package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed721439b2/umami-go/umamitest"
)

func (r running) status(t *testing.T) int {
	t.Helper()
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil))
	return w.Code
}

func TestHealth(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]umamitest.Fault{
		"a proxy's error": umamitest.Page(502), "a login's page": umamitest.Page(200), "no answer": umamitest.Reset(), "a hang": umamitest.Hang(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess())
				r := start(t, srv, 9)
				assert.Equal(t, http.StatusOK, r.status(t), "it has only begun")

				// Nothing happens on the site, and there are no diffs.
				time.Sleep(time.Hour + time.Second)
				last := func() time.Duration {
					at := r.value(t, "umami_poll_last_success_timestamp_seconds")
					return time.Since(time.UnixMilli(int64(at * 1000)))
				}
				assert.Less(t, last(), 12*time.Second)
				assert.Equal(t, http.StatusOK, r.status(t))
				assert.Zero(t, r.value(t, "umami_poll_failures_total"))
				polls := r.value(t, "umami_requests_total realtime 200")
				assert.InDelta(t, 360, polls, 36)

				srv.Fail(1000, fault)
				time.Sleep(time.Minute)
				assert.Equal(t, http.StatusOK, r.status(t), "this happens")
				assert.Positive(t, r.value(t, "umami_poll_consecutive_failures"))
				time.Sleep(2 * time.Minute)
				assert.Equal(t, http.StatusServiceUnavailable, r.status(t))
				assert.Greater(t, last(), unhealthy)
				time.Sleep(10 * time.Minute)
				assert.Greater(t, last(), unhealthy, "an answer that is none makes no poll work")
				assert.InDelta(t, r.value(t, "umami_poll_failures_total"), r.value(t, "umami_poll_consecutive_failures"), 0)

				srv.Recover()
				time.Sleep(2 * time.Minute)
				assert.Equal(t, http.StatusOK, r.status(t))
				assert.Less(t, last(), 12*time.Second)
				assert.Zero(t, r.value(t, "umami_poll_consecutive_failures"))
				assert.Positive(t, r.value(t, "umami_poll_failures_total"), "counters never fall")
			})
		})
	}
}

func TestHealthWithoutAnySuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		srv.Fail(1000, umamitest.Page(502))
		r := start(t, srv, 9)
		time.Sleep(unhealthy - time.Second)
		assert.Equal(t, http.StatusOK, r.status(t))
		time.Sleep(2 * time.Second)
		assert.Equal(t, http.StatusServiceUnavailable, r.status(t))
		assert.Zero(t, r.value(t, "umami_poll_last_success_timestamp_seconds"))
		assert.Positive(t, r.value(t, "umami_requests_total realtime 502"))
	})
}

func TestCalls(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/api/realtime/" + umamitest.WebsiteID: "realtime", "/api/websites/" + umamitest.WebsiteID + "/events": "events",
		"/api/auth/login": other, "/api/share/x": other,
	} {
		assert.Equal(t, want, callOf(path))
	}
}
