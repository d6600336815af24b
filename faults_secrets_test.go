package umami_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

// In no row of the tables does anything show a credential, whatever the Auth,
// or put on a terminal what a server wrote.
func TestFaultsShowNoSecret(t *testing.T) {
	t.Parallel()
	table := append(networkFaults(), replyFaults()...)
	for _, f := range statusFaults() {
		if strings.HasSuffix(f.name, "a body") && strings.Contains("204 400 401 403 404 407 429 500 502", f.name[:3]) {
			table = append(table, f)
		}
	}
	for name := range auths() {
		places := []string{realtimePath}
		switch name {
		case "Login":
			places = append(places, loginPath)
		case "ShareLink":
			places = append(places, sharePath)
		}
		for _, at := range places {
			t.Run(name+" "+at, func(t *testing.T) {
				t.Parallel()
				faults := table
				if at != realtimePath {
					faults = append(tokenFaults(), table...)
				}
				for _, f := range faults {
					synctest.Test(t, func(t *testing.T) { spill(t, f, at, name) })
					if t.Failed() {
						t.Fatalf("it was: %s", f.name)
					}
				}
			})
		}
	}
}

// spill makes one call, and looks at all that is left of it.
func spill(t *testing.T, f fault, at, auth string) {
	t.Helper()
	var logged bytes.Buffer
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	log := slog.New(slog.NewMultiHandler(slog.NewJSONHandler(&logged, debug), slog.NewTextHandler(&logged, debug)))
	r := begin(t, f, at, auth, umami.WithLogger(log), umami.WithMaxResponseBytes(128<<10))
	defer r.peer.close()

	_, err := r.client.GetRealtime(t.Context(), site, nil)
	if err != nil {
		spillError(t, err)
	}
	assert.NotZero(t, logged.Len())
	assertNoSecret(t, logged.String(), "the client's own log")
	assertNoSecret(t, r.client.String(), "the client")

	failed := make(chan *umami.PollError, 100)
	p, err := r.client.NewPoller(site, &umami.PollerOptions{OnError: func(e *umami.PollError) { failed <- e }})
	require.NoError(t, err)
	if !strings.HasPrefix(f.name, "the credential") {
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	diffs := p.Start(ctx)
	select {
	case e := <-failed:
		synctest.Wait()
		assertShowsNoSecret(t, e)
		spillError(t, e)
	case <-time.After(4 * time.Minute):
		require.FailNow(t, "no error")
	}
	cancel()
	for range diffs {
	}
	synctest.Wait() // for the end of a login: some printers look everywhere
	assertShowsNoSecret(t, p)
	spillError(t, p.Err())
	assertNoSecret(t, logged.String(), "the client's own log")
}

// spillError looks at an error in every way, and at all that it wraps.
func spillError(t *testing.T, err error) {
	t.Helper()
	assertShowsNoSecret(t, err)
	assert.False(t, strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsGraphic(r) }), "%q", err)
	spillChain(t, err)
}

func spillChain(t *testing.T, err error) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v %s %q", err, err, err, err, err)
	if marshalled, failed := json.Marshal(err); failed == nil {
		text += string(marshalled)
	}
	assertNoSecret(t, text, "an error within")
	switch e := err.(type) { //nolint:errorlint // all of them, one by one
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			spillChain(t, inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			spillChain(t, inner)
		}
	}
}
