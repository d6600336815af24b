package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
	"github.com/seed721439b2/umami-go/umamitest"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithoutEvents(403))
		defer srv.Close()
		srv.Visit(umamitest.Visit{URLPath: "/pricing", ReferrerDomain: "example.org", Country: "DE", Browser: "firefox"})
		ctx, cancel := context.WithCancel(t.Context())
		_, updates, err := follow(ctx, siteOf(srv))
		require.NoError(t, err)
		first := <-updates

		var stdout, stderr bytes.Buffer
		done := make(chan error)
		go func() { done <- plain(&stdout, &stderr, siteOf(srv), first, updates) }()
		synctest.Wait()
		at := time.Now().Format(time.RFC3339)
		want := at + "\tview\t/pricing\texample.org\tDE\tfirefox\n"
		assert.Equal(t, want, stdout.String())

		srv.Event("sign up", umamitest.Visit{URLPath: "/join\n\x1b[31m", Browser: "chrome"})
		time.Sleep(12 * time.Second)
		synctest.Wait()
		want += at + "\tevent\t/join\uFFFD\uFFFD[31m\t-\t-\tchrome\tsign up\n"
		assert.Equal(t, want, stdout.String(), "only what is new")
		assert.Empty(t, stderr.String())

		for range 250 { // more than a reply shows
			srv.Visit(umamitest.Visit{URLPath: "/rush"})
		}
		time.Sleep(90 * time.Second)
		synctest.Wait()
		assert.Equal(t, 100, strings.Count(stdout.String(), "/rush"))
		assert.Regexp(t, `live: missed \d+ page views since \d\d:\d\d\n$`, stderr.String())

		cancel()
		require.NoError(t, <-done)
	})
}

func TestPlainTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	failed := func(text string) update {
		return update{failed: &umami.PollError{Err: errors.New(text), Next: time.Second}}
	}
	stale := update{diff: umami.Diff{Stale: 12 * time.Minute}}
	updates := make(chan update, 9)
	for _, u := range []update{
		failed("down"), failed("down"),
		{},
		stale, stale,
		{diff: umami.Diff{Gaps: []umami.Gap{{From: noon.Local(), To: noon, Missed: 1}}}},
	} {
		updates <- u
	}
	close(updates)
	var stderr bytes.Buffer
	require.NoError(t, plain(io.Discard, &stderr, &setting.Site{}, update{}, updates))
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	require.NotEmpty(t, lines)
	assert.Contains(t, lines[0], "simulated traffic")
	assert.Equal(t, []string{
		"live: down; trying again", "live: the server answers again", "live: newest 12m hidden by the server",
		"live: missed 1 page view since " + noon.Local().Format("15:04"),
	}, lines[1:])
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestPlainWhenNobodyReads(t *testing.T) {
	t.Parallel()
	first := update{diff: umami.Diff{Pageviews: []umami.Pageview{{URLPath: "/"}}}}
	require.NoError(t, plain(broken{syscall.EPIPE}, io.Discard, &setting.Site{}, first, nil))
	require.ErrorIs(t, plain(broken{syscall.ENOSPC}, io.Discard, &setting.Site{}, first, nil), syscall.ENOSPC)
}
