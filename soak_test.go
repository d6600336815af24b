package umami_test

import (
	"context"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// TestSoak lets 200 pollers of one client follow a busy site over sockets,
// through a proxy that breaks one request in five. What each was told, and what
// it was told is missing, is all that happened; nothing is left at the end.
//
//nolint:paralleltest // It counts goroutines, and needs the machine for itself.
func TestSoak(t *testing.T) {
	text := os.Getenv("UMAMI_SOAK")
	if text == "" {
		t.Skip("it runs in true time: set UMAMI_SOAK to how long, such as 2m")
	}
	lasts, err := time.ParseDuration(text)
	require.NoError(t, err)
	// What a burst hid is counted once its minute is over.
	const pollers, calm = 200, 80 * time.Second
	require.Greater(t, lasts, calm+20*time.Second, "UMAMI_SOAK")

	goroutines := runtime.NumGoroutine()
	began := time.Now()
	past := umamitest.Traffic{Rate: 10, Until: began.Add(-20 * time.Minute)} // whose visitors have left by now
	srv := umamitest.NewServer(umamitest.WithTraffic(past))
	proxy := newBreaker(t, srv.URL)
	hc := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: pollers}}
	client, err := umami.NewClient(proxy.URL, umami.Login(umamitest.Username, umamitest.Password), umami.WithHTTPClient(hc),
		umami.WithTimeout(3*time.Second), umami.WithRetry(umami.RetryPolicy{MinWait: 50 * time.Millisecond, MaxWait: time.Second}))
	require.NoError(t, err)

	ctx, cancel := context.WithDeadline(t.Context(), began.Add(lasts))
	defer cancel()
	var readers sync.WaitGroup
	var broken [pollers]error // promises
	var diffs, failures, missed, told atomic.Int64
	for i := range pollers {
		poller := newPoller(t, client, &umami.PollerOptions{
			Interval: 5 * time.Second, MinInterval: 3 * time.Second, Overflow: umami.Overflow(i % 2),
			OnError: func(*umami.PollError) { failures.Add(1) },
		})
		readers.Go(func() {
			d := newDiary(umamitest.V3_1, false)
			d.begin()
			for diff := range poller.Start(ctx) {
				if broken[i] == nil {
					broken[i] = d.take(diff)
				}
				d.save()
				diffs.Add(1)
				told.Add(int64(len(diff.Pageviews) + len(diff.Events)))
				if i%10 == 0 && time.Since(began) < lasts-calm { // a slow one
					time.Sleep(rand.N(6 * time.Second))
				}
			}
			clear(d.live) // their sessions outlast the test
			if broken[i] == nil && errors.Is(poller.Err(), context.DeadlineExceeded) {
				broken[i] = d.settle(srv.Truth())
			} else {
				broken[i] = errors.Join(broken[i], poller.Err())
			}
			missed.Add(int64(d.missed))
		})
	}
	for i := 0; time.Since(began) < lasts-calm; i++ {
		time.Sleep(100 * time.Millisecond)
		visits := rand.N(2)
		if i%100 == 50 { // more than a reply shows
			visits = 250
			srv.ExpireTokens()
		}
		for range visits { // at the server's time: an earlier one would be too late on a machine that is slow
			srv.Visit(umamitest.Visit{URLPath: "/" + strconv.Itoa(rand.N(9))})
		}
		if rand.N(10) == 0 {
			srv.Event("signup", umamitest.Visit{URLPath: "/signup"})
		}
	}
	readers.Wait()
	require.NoError(t, errors.Join(broken[:]...))
	t.Logf("%d pollers in %v: %d diffs, %d visits told, %d missing, %d failed polls; %d requests, %d of them broken",
		pollers, lasts, diffs.Load(), told.Load(), missed.Load(), failures.Load(), proxy.requests.Load(), proxy.broken.Load())
	assert.Positive(t, missed.Load(), "the bursts hid nothing")
	assert.Positive(t, failures.Load(), "no poll failed")

	hc.CloseIdleConnections()
	assert.Eventually(t, func() bool { return proxy.open.Load() == 0 }, 10*time.Second, 10*time.Millisecond, "connections are left")
	proxy.Close()
	srv.Close()
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+1 /* Eventually's */ }, 10*time.Second, 10*time.Millisecond, "goroutines are left")
	if t.Failed() {
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
	}
}

// breaker is a proxy that breaks one request in five.
type breaker struct {
	*httptest.Server
	through          http.Handler
	requests, broken atomic.Int64
	open             atomic.Int64 // connections
}

func newBreaker(t *testing.T, to string) *breaker {
	t.Helper()
	target, err := url.Parse(to)
	require.NoError(t, err)
	b := &breaker{through: &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 50, IdleConnTimeout: time.Second},
		ErrorLog:  log.New(io.Discard, "", 0),
	}}
	b.Server = httptest.NewUnstartedServer(b)
	b.Config.ErrorLog = log.New(io.Discard, "", 0)
	b.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			b.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			b.open.Add(-1)
		}
	}
	b.Start()
	return b
}

func (b *breaker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.requests.Add(1)
	if rand.N(5) > 0 {
		b.through.ServeHTTP(w, r)
		return
	}
	b.broken.Add(1)
	switch rand.N(9) {
	case 0:
		panic(http.ErrAbortHandler)
	case 1:
		raw(w, "")
	case 2:
		raw(w, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{\"events\":[")
	case 3:
		raw(w, "\x00garbage\r\n\r\n")
	case 4:
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html>Bad Gateway</html>")
	case 5:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	case 6:
		_, _ = io.WriteString(w, "<html>Sign in</html>")
	case 7: // a whole answer that is cut
		whole := httptest.NewRecorder()
		b.through.ServeHTTP(whole, r)
		_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case 8: // nothing until the client has enough
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
}

// raw writes bytes and resets the connection.
func raw(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(conn, text)
	if tcp, ok := conn.(*net.TCPConn); ok && text == "" {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
