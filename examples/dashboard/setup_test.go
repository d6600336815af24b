package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
	"github.com/seed721439b2/umami-go/umamitest"
)

var noon = time.Date(2026, 11, 22, 12, 0, 30, 0, time.UTC)

// siteOf is a fake server's site, as the environment would name it.
func siteOf(srv *umamitest.Server, interval time.Duration) *setting.Site {
	return &setting.Site{
		Name: "stats.example.com", Client: srv.Client(umami.WithRetry(umami.RetryPolicy{Max: -1})),
		WebsiteID: srv.WebsiteID, Credential: "UMAMI_TOKEN", Interval: interval,
	}
}

// start runs serve until the test ends or stop is called.
func start(t *testing.T, site *setting.Site, listener net.Listener) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		assert.NoError(t, serve(ctx, site, listener, io.Discard))
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// pipes is a network without sockets, for a fake clock: what one end does not
// read, the other cannot write.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() pipes { return pipes{make(chan net.Conn), make(chan struct{})} }

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.closed)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p pipes) dial() net.Conn {
	near, far := net.Pipe()
	p.conns <- far
	return near
}

// events is a browser's stream.
type events struct {
	net.Conn
	in *bufio.Scanner
}

func (p pipes) listen(t *testing.T) events {
	t.Helper()
	conn := p.dial()
	_, err := io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: dashboard\r\n\r\n")
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil) //nolint:bodyclose // it ends with the connection
	require.NoError(t, err)
	assert.Equal(t, "text/event-stream", answer.Header.Get("Content-Type"))
	return events{conn, bufio.NewScanner(answer.Body)}
}

// next is the next line of a stream that is not empty; "" at its end.
func (e events) next() string {
	for e.in.Scan() {
		if e.in.Text() != "" {
			return e.in.Text()
		}
	}
	return ""
}

// state skips what else there is up to the next state.
func (e events) state(t *testing.T) (s state) {
	t.Helper()
	for range 1000 {
		line := e.next()
		require.NotEmpty(t, line, "the stream has ended")
		if text, found := strings.CutPrefix(line, "data: {"); found {
			require.NoError(t, json.Unmarshal([]byte("{"+text), &s))
			return s
		}
	}
	require.Fail(t, "no state comes")
	return s
}
