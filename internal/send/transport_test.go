package send_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/send"
)

// together sends a number of requests, which the server holds until all are
// there.
func together(t *testing.T, s *send.Sender, server *url.URL, n int) {
	t.Helper()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			req := newRequest(t.Context(), t)
			req.URL = server
			answer, err := s.Do(req, "/", asItIs)
			if err != nil || answer.StatusCode != http.StatusOK || string(answer.Body) != "body" {
				t.Errorf("%v, %+v", err, answer)
			}
		})
	}
	all.Wait()
}

// hold answers once as many requests are there.
func hold(n int32) http.HandlerFunc {
	var there atomic.Int32
	var gate sync.Map // of channels, by the number of the crowd
	return func(w http.ResponseWriter, _ *http.Request) {
		i := there.Add(1) - 1
		made, _ := gate.LoadOrStore(i/n, make(chan struct{}))
		full, ok := made.(chan struct{})
		if ok && i%n == n-1 {
			close(full)
		}
		<-full
		_, _ = w.Write([]byte("body"))
	}
}

// As many connections as were needed at a time are kept for the next time.
func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	const pollers = 300
	var opened atomic.Int32
	srv := httptest.NewUnstartedServer(hold(pollers))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	server, err := url.Parse(srv.URL + "/")
	require.NoError(t, err)
	s := send.New(config(nil))
	for range 3 {
		together(t, s, server, pollers)
	}
	assert.EqualValues(t, pollers, opened.Load())
}

// One connection serves all where the server speaks HTTP/2.
//
//nolint:paralleltest // it changes http.DefaultTransport
func TestHTTP2(t *testing.T) {
	const pollers = 50
	var opened, older atomic.Int32
	held := hold(pollers)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			older.Add(1)
		}
		if r.URL.Path == "/first" {
			_, _ = w.Write([]byte("body"))
			return
		}
		held(w, r)
	}))
	srv.EnableHTTP2 = true
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	srv.StartTLS()
	defer srv.Close()
	server, err := url.Parse(srv.URL + "/")
	require.NoError(t, err)

	before, ok := http.DefaultTransport.(*http.Transport)
	require.True(t, ok)
	trusting := before.Clone()
	trusting.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	trusting.TLSClientConfig.RootCAs.AddCert(srv.Certificate())
	http.DefaultTransport = trusting
	s := send.New(config(nil))
	http.DefaultTransport = before

	together(t, s, server.JoinPath("/first"), 1) // else each of the crowd opens one, before it is known that one will do
	together(t, s, server, pollers)
	assert.Zero(t, older.Load())
	assert.EqualValues(t, 1, opened.Load())
}
