// Command live shows a website's realtime traffic in the terminal, or, where
// its output is not a terminal, prints one line for each visit. README.md tells
// the settings; without any it shows simulated traffic.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/term"

	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program; it returns the exit status.
func run(args []string, getenv func(string) string, stdout *os.File, stderr io.Writer) int {
	if len(args) > 0 {
		fmt.Fprintln(stderr, "usage: live (no arguments: settings are UMAMI_URL and other environment variables, see README.md)")
		return 2
	}
	if err := live(getenv, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "live:", setting.OneLine(err))
		return 1
	}
	return 0
}

func live(getenv func(string) string, stdout *os.File, stderr io.Writer) error {
	site, err := setting.Read(getenv)
	if err != nil {
		return err
	}
	defer site.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := site.Choose(ctx, stderr); {
	case ctx.Err() != nil: // a signal
		return nil
	case err != nil:
		return err
	}
	poller, updates, err := follow(ctx, site)
	if err != nil {
		return err
	}

	// The first poll decides before anything is drawn: what is wrong from the
	// start is told in one line and does not become an endless loop.
	first, ok := firstOf(updates, site, stderr)
	switch {
	case !ok: // Err tells why
	case first.failed != nil:
		return site.Explain(first.failed.Err)
	case term.IsTerminal(stdout.Fd()) && getenv("TERM") != "dumb":
		err = runUI(ctx, newModel(site, first, updates), tea.WithOutput(stdout))
	default:
		signal.Ignore(syscall.SIGPIPE) // live | head ends as it should, see plain
		done := make(chan error, 1)
		go func() { done <- plain(stdout, stderr, site, first, updates) }()
		select {
		case err = <-done:
		case <-ctx.Done(): // also where nobody reads the output
		}
	}
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil, poller.Err() == nil: // a signal, or the user has enough
		return nil
	}
	return site.Explain(poller.Err())
}

func firstOf(updates <-chan update, s *setting.Site, stderr io.Writer) (first update, ok bool) {
	select {
	case first, ok = <-updates:
	case <-time.After(2 * time.Second):
		fmt.Fprintf(stderr, "live: waiting for %s\n", s.Name)
		first, ok = <-updates
	}
	return first, ok
}
