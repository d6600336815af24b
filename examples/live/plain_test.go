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

	"github.com/seed721439b2/umami-go/umamitest"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		defer srv.Close()
		srv.Visit(umamitest.Visit{URLPath: "/pricing", ReferrerDomain: "example.org", Country: "DE", Browser: "firefox"})
		ctx, cancel := context.WithCancel(t.Context())
		updates := follow(ctx, srv.Client(), srv.WebsiteID, 10*time.Second)
		first := <-updates

		var stdout, stderr bytes.Buffer
		s := &site{name: "stats.example.com", every: 10 * time.Second}
		done := make(chan error)
		go func() { done <- plain(&stdout, &stderr, s, first, updates) }()
		synctest.Wait()
		at := time.Now().Format(time.RFC3339)
		want := at + "\tview\t/pricing\texample.org\tDE\tfirefox\n"
		assert.Equal(t, want, stdout.String())

		srv.Event("sign up", umamitest.Visit{URLPath: "/join\n\x1b[31m", Browser: "chrome"})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want += at + "\tevent\t/join\uFFFD\uFFFD[31m\t-\t-\tchrome\tsign up\n"
		assert.Equal(t, want, stdout.String(), "only what is new")

		cancel()
		require.NoError(t, <-done)
		assert.Empty(t, stderr.String())
	})
}

func TestPlainTellsEachTroubleOnce(t *testing.T) {
	t.Parallel()
	updates := make(chan update, 9)
	for _, err := range []error{errors.New("down"), errors.New("down"), errors.New("still\ndown"), nil, nil, errors.New("down")} {
		updates <- update{err: err}
	}
	close(updates)
	var stderr bytes.Buffer
	require.NoError(t, plain(io.Discard, &stderr, &site{every: 2 * time.Second}, update{}, updates))
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	require.Len(t, lines, 5)
	assert.Contains(t, lines[0], "simulated traffic")
	assert.Equal(t, []string{
		"live: down; trying again every 2s", "live: still down; trying again every 2s", "live: the server answers again",
		"live: down; trying again every 2s",
	}, lines[1:])
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestPlainWhenNobodyReads(t *testing.T) {
	t.Parallel()
	first := update{fresh: []visit{{path: "/"}}}
	require.NoError(t, plain(failing{syscall.EPIPE}, io.Discard, &site{}, first, nil))
	require.ErrorIs(t, plain(failing{syscall.ENOSPC}, io.Discard, &site{}, first, nil), syscall.ENOSPC)
}
