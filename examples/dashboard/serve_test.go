package main

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	site := handler(`<script>alert("x")</script>`, true, http.NotFoundHandler())
	for path, c := range map[string]struct {
		status         int
		kind, contains string
	}{
		"/":                 {200, "text/html; charset=utf-8", "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;"},
		"/static/app.js":    {200, "text/javascript; charset=utf-8", "EventSource"},
		"/static/chart.js":  {200, "text/javascript; charset=utf-8", "createElementNS"},
		"/static/style.css": {200, "text/css; charset=utf-8", "prefers-color-scheme"},
		"/static/icon.svg":  {200, "image/svg+xml", "<svg"},
		"/static/":          {404, "text/plain; charset=utf-8", ""},
		"/nowhere":          {404, "text/plain; charset=utf-8", ""},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			site.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			assert.Equal(t, c.status, w.Code)
			assert.Equal(t, c.kind, w.Header().Get("Content-Type"))
			assert.Contains(t, w.Body.String(), c.contains)
			assert.NotContains(t, w.Body.String(), "alert(\"x")
			policy := w.Header().Get("Content-Security-Policy")
			assert.Contains(t, policy, "default-src 'none'; script-src 'self'; style-src 'self'; ")
			assert.NotContains(t, policy, "unsafe")
			assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			assert.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		})
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil))
	assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
}

// The whole service, from Umami's replies to what a browser gets.
func TestServe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		srv.Visit(umamitest.Visit{URLPath: "/before", Country: "PL"})
		net := newPipes()
		stop := start(t, siteOf(srv, 10*time.Second), net)
		e := net.listen(t)
		s := e.state(t)
		require.Len(t, s.Latest, 1)
		assert.Equal(t, "/before", s.Latest[0].Path)
		assert.Equal(t, []count{{"PL", 1}}, s.Countries)

		srv.Visit(umamitest.Visit{URLPath: "/after"})
		s = e.state(t)
		require.Len(t, s.Latest, 2)
		assert.Equal(t, "/after", s.Latest[0].Path)
		assert.Zero(t, s.Since)

		srv.Fail(1, umamitest.Page(502))
		s = e.state(t)
		for s.Since == 0 { // a minute may pass
			s = e.state(t)
		}
		assert.Equal(t, time.Now().UnixMilli(), s.Since)
		assert.Len(t, s.Latest, 2, "what is known stays")
		for s.Since > 0 { // nothing new comes, and yet it is over
			s = e.state(t)
		}

		began := time.Now()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			stop()
		}()
		assert.Empty(t, e.next(), "the stream ends")
		<-ended
		assert.Less(t, time.Since(began), time.Second, "and does not hold up the end")
	})
}

func TestServeEndsWithThePolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		srv.Fail(9, umamitest.ExpiredToken())
		var stderr bytes.Buffer
		err := serve(t.Context(), siteOf(srv, time.Second), newPipes(), &stderr)
		require.ErrorIs(t, err, umami.ErrUnauthorized)
		require.ErrorContains(t, err, "check UMAMI_TOKEN")
		assert.Empty(t, stderr.String(), "it is told once, by run")
	})
}

func TestWrongStarts(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { taken.Close() })
	for name, c := range map[string]struct {
		args   []string
		env    map[string]string
		status int
		want   string
	}{
		"help":      {[]string{"-h"}, nil, 0, "-addr HOST:PORT"},
		"flag":      {[]string{"-port", "1"}, nil, 2, "-port"},
		"argument":  {[]string{"now"}, nil, 2, `dashboard: unknown argument "now"` + "\n"},
		"setting":   {nil, map[string]string{"UMAMI_URL": "https://stats.example.com"}, 1, "dashboard: no credential: set UMAMI_API_KEY"},
		"port":      {[]string{"-addr", taken.Addr().String()}, nil, 1, "; choose another address with -addr\n"},
		"bad token": {[]string{"-addr", "127.0.0.1:0"}, map[string]string{"UMAMI_URL": "http://" + taken.Addr().String(), "UMAMI_TOKEN": "a\nb"}, 1, "dashboard: UMAMI_TOKEN cannot be used: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			assert.Equal(t, c.status, run(c.args, func(k string) string { return c.env[k] }, &stdout, &stderr))
			assert.Contains(t, stderr.String(), c.want)
			assert.Empty(t, stdout.String())
		})
	}
}

// A signal ends the program well, with browsers connected.
func TestSignals(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no such signals")
	}
	program := filepath.Join(t.TempDir(), "dashboard")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // for a program that does not end
	defer cancel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := exec.CommandContext(ctx, program, "-addr", "127.0.0.1:0")
		cmd.Env = []string{}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		in := bufio.NewReader(stdout)
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		assert.Contains(t, line, "simulated traffic")
		line, err = in.ReadString('\n')
		require.NoError(t, err)
		address, found := strings.CutPrefix(strings.TrimSpace(line), "dashboard: open ")
		require.True(t, found, "%q", line)

		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"events", nil)
		require.NoError(t, err)
		stream, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		events := bufio.NewScanner(stream.Body)
		require.True(t, events.Scan())
		require.NoError(t, cmd.Process.Signal(signal))
		require.NoError(t, cmd.Wait(), "status 0")
		assert.Empty(t, stderr.String())
		stream.Body.Close()
	}
}
