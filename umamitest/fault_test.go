package umamitest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/umamitest"
)

// each runs a test against a server on a socket and one in-process.
func each(t *testing.T, test func(t *testing.T, srv *umamitest.Server, client *http.Client)) {
	t.Helper()
	t.Run("socket", func(t *testing.T) {
		t.Parallel()
		srv := umamitest.NewServer()
		t.Cleanup(srv.Close)
		// No connection is used again, which would make the transport retry.
		transport := &http.Transport{DisableKeepAlives: true}
		test(t, srv, &http.Client{Transport: transport})
	})
	t.Run("in-process", func(t *testing.T) {
		t.Parallel()
		srv := umamitest.NewServer(umamitest.InProcess())
		t.Cleanup(srv.Close)
		test(t, srv, srv.HTTPClient())
	})
}

func request(t *testing.T, srv *umamitest.Server) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", admin)
	return req
}

func TestFaultAnswers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, srv *umamitest.Server, client *http.Client) {
		t.Helper()
		srv.Visit(umamitest.Visit{URLPath: "/shown"})
		for _, tt := range []struct {
			fault  umamitest.Fault
			status int
			body   string
			retry  string
		}{
			{umamitest.Status(502, "bad gateway"), 502, "bad gateway", ""},
			{umamitest.Status(500, ""), 500, "", ""},
			{umamitest.StatusRetryAfter(429, 1500*time.Millisecond), 429, "", "2"},
			{umamitest.ExpiredToken(), 401, `{"error":{"message":"Unauthorized","code":"unauthorized","status":401}}`, ""},
			{umamitest.Body("null"), 200, "null", ""},
			{umamitest.Body(""), 200, "", ""},
		} {
			srv.Fail(1, tt.fault)
			res, err := client.Do(request(t, srv))
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			assert.Equal(t, tt.status, res.StatusCode)
			assert.Equal(t, tt.body, string(body))
			assert.Equal(t, tt.retry, res.Header.Get("Retry-After"))
		}
		srv.Fail(1, umamitest.Page(503))
		res, err := client.Do(request(t, srv))
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, 503, res.StatusCode)
		assert.True(t, strings.HasPrefix(string(body), "<!DOCTYPE html>"))

		res, err = client.Do(request(t, srv))
		require.NoError(t, err)
		body, err = io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Contains(t, string(body), "/shown", "the faults are over")
		assert.Equal(t, int64(-1), res.ContentLength, "replies are chunked")
		assert.Equal(t, []string{"chunked"}, res.TransferEncoding)
	})
}

func TestFaultCut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, srv *umamitest.Server, client *http.Client) {
		t.Helper()
		srv.Fail(1, umamitest.Cut())
		res, err := client.Do(request(t, srv))
		require.NoError(t, err)
		defer res.Body.Close()
		assert.Equal(t, 200, res.StatusCode)
		body, err := io.ReadAll(res.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.True(t, strings.HasPrefix(string(body), `{"countries":`))
		assert.NotContains(t, string(body), "timestamp")
	})
}

func TestFaultReset(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, srv *umamitest.Server, client *http.Client) {
		t.Helper()
		srv.Fail(1, umamitest.Reset())
		_, err := client.Do(request(t, srv)) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, io.EOF)
		assert.Equal(t, 0, srv.Requests()[0].Status)
	})
}

func TestFaultHang(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, srv *umamitest.Server, client *http.Client) {
		t.Helper()
		srv.Fail(1, umamitest.Hang())
		ctx, cancel := context.WithCancel(t.Context())
		req := request(t, srv).WithContext(ctx)
		done := make(chan error, 1)
		go func() {
			res, err := client.Do(req)
			if err == nil {
				err = errors.New("answered")
				_ = res.Body.Close()
			}
			done <- err
		}()
		for len(srv.Requests()) == 0 { // until it has arrived
			select {
			case err := <-done:
				require.NoError(t, err, "it did not hang")
			default:
			}
		}
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}

func TestCloseEndsHangingRequests(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer()
	srv.Fail(1, umamitest.Hang())
	req := request(t, srv)
	done := make(chan error, 1)
	go func() {
		res, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			err = res.Body.Close()
		}
		done <- err
	}()
	for len(srv.Requests()) == 0 {
		select {
		case err := <-done:
			require.NoError(t, err, "it did not hang")
		default:
		}
	}
	srv.Close()
	require.Error(t, <-done)
}

// A client sends a GET whose connection was broken once more, which then hangs
// again: Close ends that, too, and what hangs in process.
func TestCloseEndsWhatClientsSendAgain(t *testing.T) {
	t.Parallel()
	const callers = 20
	socket, inProcess := umamitest.NewServer(), umamitest.NewServer(umamitest.InProcess())
	t.Cleanup(socket.Close)
	for srv, client := range map[*umamitest.Server]*http.Client{
		socket:    {Transport: &http.Transport{MaxIdleConnsPerHost: callers}},
		inProcess: inProcess.HTTPClient(),
	} {
		ask := func() error {
			res, err := client.Do(request(t, srv))
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			return err
		}
		var calls sync.WaitGroup
		for range callers { // for connections to use again
			calls.Go(func() { assert.NoError(t, ask()) })
		}
		calls.Wait()
		srv.Fail(1_000_000, umamitest.Hang())
		for range callers {
			calls.Go(func() { assert.Error(t, ask()) })
		}
		for len(srv.Requests()) < 2*callers { // until all have arrived
			runtime.Gosched()
		}
		srv.Close()
		calls.Wait()
		srv.Close() // once more does no harm
		require.Error(t, ask())
	}
}

// A server made in a bubble may be closed outside of it.
func TestCloseOutsideTheBubble(t *testing.T) {
	t.Parallel()
	var srv *umamitest.Server
	synctest.Test(t, func(t *testing.T) {
		srv = umamitest.NewServer(umamitest.InProcess())
		srv.Fail(1, umamitest.Delay(time.Hour))
		res, err := srv.HTTPClient().Do(request(t, srv))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	})
	srv.Close()
}

func TestFaultsComeInOrderAndCanBeTakenBack(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.InProcess())
	srv.Fail(2, umamitest.Status(502, ""))
	srv.Fail(0, umamitest.Status(418, ""))
	srv.Fail(3, umamitest.Status(503, ""))
	var got []int
	for range 4 {
		got = append(got, ask(t, srv, path, admin).status)
	}
	srv.Recover()
	got = append(got, ask(t, srv, path, admin).status)
	assert.Equal(t, []int{502, 502, 503, 503, 200}, got)
	for i, r := range srv.Requests() {
		assert.Equal(t, got[i], r.Status)
	}
	assert.Panics(t, func() { srv.Fail(1, umamitest.Fault{}) })
}

// A server in a bubble follows the bubble's clock, and nothing of it keeps the
// clock from running.
func TestInsideABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		start := time.Now()

		srv.Fail(1, umamitest.Delay(10*time.Second))
		got := ask(t, srv, path, admin)
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.Equal(t, time.Now().UnixMilli(), decode(t, got.body).Timestamp)

		srv.Fail(2, umamitest.Hang())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := srv.HTTPClient().Do(request(t, srv).WithContext(ctx)) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 70*time.Second, time.Since(start))

		impatient := srv.HTTPClient()
		impatient.Timeout = time.Minute
		_, err = impatient.Do(request(t, srv)) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 130*time.Second, time.Since(start))

		srv.Fail(1, umamitest.Delay(time.Hour))
		_, err = impatient.Do(request(t, srv)) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 190*time.Second, time.Since(start))

		srv.Visit(umamitest.Visit{URLPath: "/one"})
		time.Sleep(31 * time.Minute)
		srv.Visit(umamitest.Visit{URLPath: "/two"})
		body := string(ask(t, srv, path, admin).body)
		assert.NotContains(t, body, "/one")
		assert.Contains(t, body, "/two")
	})
}

// closing counts how often a body was closed.
type closing struct {
	io.Reader
	times int
}

func (c *closing) Close() error {
	c.times++
	return nil
}

func TestInProcessIsATransport(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.InProcess())
	body := &closing{Reader: strings.NewReader(goodLogin)}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/api/auth/login", body)
	require.NoError(t, err)
	res, err := srv.HTTPClient().Transport.RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	assert.Equal(t, 200, res.StatusCode)
	assert.Equal(t, "200 OK", res.Status)
	assert.Same(t, req, res.Request)
	assert.Positive(t, body.times)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body = &closing{Reader: strings.NewReader(goodLogin)}
	req, err = http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/api/auth/login", body)
	require.NoError(t, err)
	_, err = srv.HTTPClient().Transport.RoundTrip(req) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, context.Canceled)
	assert.Positive(t, body.times)
	assert.Len(t, srv.Requests(), 1, "a request that was given up is not sent")

	bare, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/api/auth/login", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadRequest, send(t, srv, bare).status, "no body where one is read")

	head, err := http.NewRequestWithContext(t.Context(), http.MethodHead, srv.URL+path, nil)
	require.NoError(t, err)
	head.Header.Set("Authorization", admin)
	got := send(t, srv, head)
	assert.Equal(t, 200, got.status)
	assert.Empty(t, got.body)
}
