package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// screen is an output that can be looked at meanwhile.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// begin runs the program until end, which waits for it.
func begin(t *testing.T, env map[string]string, service string) (stdout, stderr *screen, end func()) {
	t.Helper()
	stdout, stderr = &screen{}, &screen{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- fanout(ctx, func(k string) string { return env[k] }, service, stdout, stderr) }()
	end = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	t.Cleanup(end)
	return stdout, stderr, end
}

func TestWithoutSettings(t *testing.T) {
	t.Parallel()
	stdout, stderr, end := begin(t, nil, "")
	all := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d r1: \d \d  r2: \d \d  r3: \d \d  visits [1-9]\d\d+, \d+/s$`)
	eventually(t, "replicas with two websites each", func() bool { return all.MatchString(stdout.String()) })
	eventually(t, "crash", func() bool { return strings.Contains(stdout.String(), " r1 is killed: ") })
	after := regexp.MustCompile(`(?m) r2: \d \d \d  r3: \d \d \d  `)
	eventually(t, "takeover", func() bool { return after.MatchString(stdout.String()) })
	end()
	assert.Contains(t, stderr.String(), "fanout: simulated traffic; ")
	assert.Equal(t, 2, strings.Count(stderr.String(), "\n"), "%s", stderr)
}

// TestReal has NATS and Umami elsewhere: two replicas of an account with one
// website that has rows, and a service.
func TestReal(t *testing.T) {
	t.Parallel()
	srv, err := server.NewServer(&server.Options{JetStream: true, StoreDir: t.TempDir(), Port: server.RANDOM_PORT, Host: "127.0.0.1", NoLog: true, NoSigs: true})
	require.NoError(t, err)
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	require.True(t, srv.ReadyForConnections(time.Minute))
	site := umamitest.NewServer(umamitest.WithWebsites(umamitest.Website{ID: websiteID(1)}))
	t.Cleanup(site.Close)
	for n := range 3 {
		site.Visit(umamitest.Visit{URLPath: fmt.Sprint("/", n, "\x1b[2J")})
	}
	env := map[string]string{"NATS_URL": srv.ClientURL(), "UMAMI_URL": site.URL, "UMAMI_TOKEN": umamitest.Token}
	first, stderr, endFirst := begin(t, env, "")
	eventually(t, "replica", func() bool { return strings.Contains(first.String(), " holds 0 of 2 websites\n") })
	printed, _, endService := begin(t, env, "mail")
	eventually(t, "visits", func() bool { return strings.Count(printed.String(), "\n") == 3 })
	assert.Contains(t, printed.String(), "\t"+umamitest.WebsiteID+"\tpageview\t/0\uFFFD[2J\t-\t-\tchrome\n")
	endService()
	endFirst()
	assert.Empty(t, stderr.String())

	// The next replica and the next service go on from there.
	site.Visit(umamitest.Visit{URLPath: "/3"})
	begin(t, env, "")
	printed, _, _ = begin(t, env, "mail")
	eventually(t, "visit", func() bool { return strings.Contains(printed.String(), "/3\t") })
	assert.Equal(t, 1, strings.Count(printed.String(), "\n"))
}

func TestWrongSettings(t *testing.T) {
	t.Parallel()
	site := umamitest.NewServer()
	t.Cleanup(site.Close)
	for name, c := range map[string]struct {
		args   []string
		env    map[string]string
		status int
		want   string
	}{
		"argument":      {[]string{"x"}, nil, 2, "fanout: unknown argument \"x\"\n"},
		"help":          {[]string{"-h"}, nil, 0, "-consume NAME"},
		"flag":          {[]string{"-x"}, nil, 2, "flag provided but not defined: -x"},
		"nowhere":       {[]string{"-consume", "a"}, nil, 1, "fanout: -consume needs NATS_URL, where replicas publish\n"},
		"no credential": {nil, map[string]string{"UMAMI_URL": "https://u.example.com"}, 1, "fanout: no credential: "},
		"wrong token": {
			nil,
			map[string]string{"UMAMI_URL": site.URL, "UMAMI_WEBSITE_ID": site.WebsiteID, "UMAMI_TOKEN": "secret"},
			1,
			"; check UMAMI_TOKEN and UMAMI_WEBSITE_ID\n",
		},
		"no server": {nil, map[string]string{"NATS_URL": "nats://u:secret@127.0.0.1:1"}, 1, "fanout: cannot reach NATS: "},
		"no URL":    {nil, map[string]string{"NATS_URL": "nats://u:secret@127.0.0.1:x"}, 1, "fanout: NATS_URL is not a URL; it should look like nats://localhost:4222\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr screen
			assert.Equal(t, c.status, run(c.args, func(k string) string { return c.env[k] }, &stdout, &stderr))
			assert.Contains(t, stderr.String(), c.want)
			assert.NotContains(t, stderr.String(), "secret")
			assert.Empty(t, stdout.String())
		})
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	v := visit{Type: "event", Website: "w", Event: umami.Event{
		CreatedAt: time.Date(2026, 11, 22, 8, 0, 0, 0, time.Local), URLPath: "/a\tb\n", ReferrerDomain: "\u202eevil", EventName: "\x1b]0;x\a",
	}}
	assert.Equal(t, []string{"w", "event", "/a\uFFFDb\uFFFD", "\uFFFDevil", "-", "-", "\uFFFD]0;x\uFFFD"}, strings.Split(v.line(), "\t")[1:])
}
