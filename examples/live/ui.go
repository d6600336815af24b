package main

import (
	"context"
	"maps"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

// patience is how long a poll may take: somewhat longer than the client lets an
// attempt take.
const patience = 20 * time.Second

// model is all that the view shows.
type model struct {
	site    *setting.Site
	updates <-chan update
	last    update               // the last one with a diff
	rows    []visit              // those that the server shows, oldest first
	seen    map[string]time.Time // each session's last activity, if it is in the last 5 minutes
	gaps    []umami.Gap          // those in the last 30 minutes

	failed *umami.PollError // nil while polls work
	since  time.Time        // when they began to fail
	until  time.Time        // a poll that failed again would be known by then

	now           time.Time
	width, height int
	dark          bool
}

// tick moves the ages on.
type tick time.Time

func newModel(s *setting.Site, first update, updates <-chan update) model {
	m := model{site: s, updates: updates, seen: make(map[string]time.Time), dark: true}
	return m.take(first)
}

func (m model) take(u update) model {
	m.now = u.at
	if u.failed != nil {
		if m.failed == nil {
			m.since = u.at
		}
		m.failed, m.until = u.failed, u.at.Add(u.failed.Next+patience)
		return m
	}
	m.last, m.failed = u, nil
	m.rows = visits(u.diff.Snapshot.Pageviews, u.diff.Snapshot.Events)

	// A reply shows no more than the latest rows, but the diffs held them all.
	active := func(session string, at time.Time) {
		if at.After(m.seen[session]) {
			m.seen[session] = at
		}
	}
	for _, p := range u.diff.Pageviews {
		active(p.SessionID, p.CreatedAt)
	}
	for _, e := range u.diff.Events {
		active(e.SessionID, e.CreatedAt)
	}
	now := m.clock()
	maps.DeleteFunc(m.seen, func(_ string, at time.Time) bool { return !isNow(at, now) })
	m.gaps = slices.DeleteFunc(slices.Concat(m.gaps, u.diff.Gaps), func(g umami.Gap) bool { return g.To.Before(now.Add(-window)) })
	return m
}

// clock is the server's clock, which goes on between two diffs.
func (m model) clock() time.Time {
	return m.last.diff.Snapshot.Timestamp.Add(m.now.Sub(m.last.at))
}

// known is the instant, by the server's clock, up to which the view is right.
// No diff while polls work means that nothing happened.
func (m model) known() time.Time {
	if m.failed != nil {
		m.now = m.since
	}
	return m.clock()
}

// Init asks the terminal for its background, to choose colours that can be
// read on it.
func (m model) Init() tea.Cmd {
	return tea.Batch(tea.RequestBackgroundColor, nextTick(), nextUpdate(m.updates))
}

// Update takes in a message.
//
//nolint:ireturn // as tea.Model has it
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		m.dark = msg.IsDark()
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "ctrl+c":
			return m, tea.Quit
		case "ctrl+z":
			return m, tea.Suspend
		}
	case tick:
		m.now = time.Time(msg)
		if m.failed != nil && m.now.After(m.until) {
			m.failed = nil // a poll worked, and brought nothing new
		}
		return m, nextTick()
	case update:
		return m.take(msg), nextUpdate(m.updates)
	}
	return m, nil
}

// View is what the terminal shows.
func (m model) View() tea.View {
	v := tea.NewView(render(m))
	v.AltScreen = true
	v.WindowTitle = "Umami live"
	return v
}

func nextTick() tea.Cmd {
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tick(t) })
}

// nextUpdate waits for an update. The view ends where polling does.
func nextUpdate(updates <-chan update) tea.Cmd {
	return func() tea.Msg {
		if u, ok := <-updates; ok {
			return u
		}
		return tea.Quit()
	}
}

// runUI shows the model until the user quits, ctx ends or polling does, and
// leaves the terminal as it was.
func runUI(ctx context.Context, m model, opts ...tea.ProgramOption) error {
	// Signals are main's, so that they end both modes alike, with status 0.
	p := tea.NewProgram(m, append(opts, tea.WithoutSignalHandler())...)
	defer context.AfterFunc(ctx, p.Quit)()
	_, err := p.Run()
	return err
}
