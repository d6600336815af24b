package main

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"
)

// model is all that the view shows.
type model struct {
	site          *site
	updates       <-chan update
	last          update // the last one that brought data
	rows          []visit
	err           error // of the last poll
	now           time.Time
	width, height int
	dark          bool
}

// tick moves the ages on.
type tick time.Time

func newModel(s *site, first update, updates <-chan update) model {
	m := model{site: s, updates: updates, now: first.at, dark: true}
	return m.take(first)
}

func (m model) take(u update) model {
	m.err = u.err
	if u.err == nil {
		m.last, m.rows = u, visits(u.realtime)
	}
	return m
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
		return m, nextTick()
	case update:
		m.now = msg.at
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

func nextUpdate(updates <-chan update) tea.Cmd {
	return func() tea.Msg {
		if u, ok := <-updates; ok {
			return u
		}
		return nil
	}
}

// runUI shows the model until the user quits or ctx ends, and leaves the
// terminal as it was.
func runUI(ctx context.Context, m model, opts ...tea.ProgramOption) error {
	// Signals are main's, so that they end both modes alike, with status 0.
	p := tea.NewProgram(m, append(opts, tea.WithoutSignalHandler())...)
	defer context.AfterFunc(ctx, p.Quit)()
	_, err := p.Run()
	return err
}
