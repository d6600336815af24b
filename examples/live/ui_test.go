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

	m = after(t, m, update{at: noon.Add(20 * time.Second), err: errors.New("umami: get realtime: GET /api/realtime/" + websiteID + ": 502 Bad\nGateway")})
	failed := strings.Split(text(m), "\n")
	assert.Contains(t, failed[23], "✗ last update 20s ago: 502 Bad Gateway")
	assert.Equal(t, before[:8], failed[:8], "totals and chart stay")
	m = after(t, m, tick(noon.Add(65*time.Second)))
	assert.Contains(t, text(m), "✗ last update 1m ago: 502 Bad Gateway")

	m = after(t, m, update{at: noon.Add(70 * time.Second), realtime: busy(7, ordinary)})
	assert.Contains(t, text(m), "● updated now")
	assert.Contains(t, text(m), "views 7 ")
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
	for name, end := range map[string]func(keys io.Writer, cancel func()){
		"q":      func(keys io.Writer, _ func()) { _, _ = keys.Write([]byte("q")) },
		"ctrl+c": func(keys io.Writer, _ func()) { _, _ = keys.Write([]byte{3}) },
		"signal": func(_ io.Writer, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			keysOut, keys := io.Pipe()
			screen, screenIn := io.Pipe()
			updates := make(chan update, 1)
			updates <- update{at: noon, realtime: busy(9, func(kind string, i int) string { return ordinary("second-"+kind, i) })}
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
			go end(keys, cancel)
			rest, err := io.ReadAll(screen)
			require.NoError(t, err)
			require.NoError(t, <-done)
			assert.Contains(t, seen.String(), ansi.SetModeAltScreenSaveCursor)
			assert.Contains(t, string(rest), ansi.ResetModeAltScreenSaveCursor, "the terminal is as before")
			assert.Contains(t, string(rest), ansi.ShowCursor)
		})
	}
}
