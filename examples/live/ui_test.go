package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
)

func after(t *testing.T, m model, msg tea.Msg) model {
	t.Helper()
	next, _ := m.Update(msg)
	return next.(model)
}

func TestFailedPollKeepsTheData(t *testing.T) {
	t.Parallel()
	m := shown(busy(5, ordinary), 80, 24)
	before := strings.Split(text(m), "\n")
	failed := func(seconds int) update {
		err := errors.New("umami: poll: GET /api/realtime/" + websiteID + ": 502 Bad\nGateway")
		return update{at: noon.Add(time.Duration(seconds) * time.Second), failed: &umami.PollError{Err: err, Next: 10 * time.Second}}
	}

	m = after(t, m, failed(20))
	got := strings.Split(text(m), "\n")
	assert.Contains(t, got[23], "✗ failing: 502 Bad Gateway")
	assert.Equal(t, before[:8], got[:8], "totals and chart stay")
	m = after(t, m, failed(30))
	m = after(t, m, tick(noon.Add(50*time.Second)))
	got = strings.Split(text(m), "\n")
	assert.Contains(t, got[23], "✗ failing for 30s: 502 Bad Gateway")
	assert.Equal(t, before[:8], got[:8], "no minute begins of which nothing is known")

	m = after(t, m, update{at: noon.Add(55 * time.Second), diff: initial(busy(7, ordinary))})
	assert.Contains(t, text(m), "● live")
	assert.Contains(t, text(m), "views 7 ")

	m = after(t, m, failed(60))
	m = after(t, m, tick(noon.Add(90*time.Second)))
	assert.Contains(t, text(m), "✗ failing for 30s")
	m = after(t, m, tick(noon.Add(91*time.Second)))
	assert.Contains(t, text(m), "● live", "it did not fail again, but an idle site makes no diff")
}

func TestWindowAndBackground(t *testing.T) {
	t.Parallel()
	m := shown(busy(5, ordinary), 80, 24)
	m = after(t, m, tea.WindowSizeMsg{Width: 40, Height: 12})
	requireFits(t, m)
	assert.True(t, m.View().AltScreen)

	m = after(t, m, tea.BackgroundColorMsg{Color: ansi.HexColor("#fdf6e3")})
	assert.False(t, m.dark)
	m = after(t, m, tea.BackgroundColorMsg{Color: ansi.HexColor("#002b36")})
	assert.True(t, m.dark)
}

// TestRunUI runs the program on pipes in place of a terminal.
func TestRunUI(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(keys io.Writer, cancel func(), updates chan update){
		"q":            func(keys io.Writer, _ func(), _ chan update) { _, _ = keys.Write([]byte("q")) },
		"ctrl+c":       func(keys io.Writer, _ func(), _ chan update) { _, _ = keys.Write([]byte{3}) },
		"signal":       func(_ io.Writer, cancel func(), _ chan update) { cancel() },
		"end of polls": func(_ io.Writer, _ func(), updates chan update) { close(updates) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			keysOut, keys := io.Pipe()
			screen, screenIn := io.Pipe()
			updates := make(chan update, 1)
			updates <- update{at: noon, diff: initial(busy(9, func(kind string, i int) string { return ordinary("second-"+kind, i) }))}
			m := shown(busy(5, ordinary), 0, 0)
			m.updates = updates
			done := make(chan error, 1)
			go func() {
				done <- runUI(ctx, m, tea.WithInput(keysOut), tea.WithOutput(screenIn), tea.WithWindowSize(80, 24),
					tea.WithEnvironment([]string{"TERM=xterm-256color"}))
				_ = screenIn.Close()
			}()
			var seen strings.Builder
			part := make([]byte, 4096)
			for !strings.Contains(seen.String(), "second-path") { // the channel's update was drawn
				n, err := screen.Read(part)
				require.NoError(t, err, "%q", seen.String())
				seen.Write(part[:n])
			}
			go end(keys, cancel, updates)
			rest, err := io.ReadAll(screen)
			require.NoError(t, err)
			require.NoError(t, <-done)
			assert.Contains(t, seen.String(), ansi.SetModeAltScreenSaveCursor)
			assert.Contains(t, string(rest), ansi.ResetModeAltScreenSaveCursor, "the terminal is as before")
			assert.Contains(t, string(rest), ansi.ShowCursor)
		})
	}
}
