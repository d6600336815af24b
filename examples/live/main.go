// Command live shows a website's realtime traffic in the terminal, or, where
// its output is not a terminal, prints one line for each visit. README.md tells
// the settings; without any it shows simulated traffic.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/term"

	umami "github.com/seed721439b2/umami-go"
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
	site, err := newSite(getenv)
	if err != nil {
		fmt.Fprintln(stderr, "live:", oneLine(err))
		return 1
	}
	defer site.close()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	updates := follow(ctx, site.client, site.website, site.every)

	// The first reply decides before anything is drawn: what is wrong from the
	// start is told in one line and does not become an endless loop.
	first, ok := firstOf(updates, site, stderr)
	switch {
	case !ok: // stopped by a signal
		return 0
	case first.err != nil:
		fmt.Fprintln(stderr, "live:", oneLine(explain(first.err, site)))
		return 1
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
	if err != nil {
		fmt.Fprintln(stderr, "live:", oneLine(err))
		return 1
	}
	return 0
}

func firstOf(updates <-chan update, s *site, stderr io.Writer) (first update, ok bool) {
	select {
	case first, ok = <-updates:
	case <-time.After(2 * time.Second):
		fmt.Fprintf(stderr, "live: waiting for %s\n", s.name)
		first, ok = <-updates
	}
	return first, ok
}

// explain adds the setting to look at to the error of the first poll.
func explain(err error, s *site) error {
	switch {
	case errors.Is(err, umami.ErrTwoFactorRequired):
		return fmt.Errorf("%w: set UMAMI_API_KEY or UMAMI_TOKEN instead of %s", err, s.credential)
	case errors.Is(err, umami.ErrUnauthorized), errors.Is(err, umami.ErrForbidden), errors.Is(err, umami.ErrBadRequest):
		return fmt.Errorf("%w; check %s and UMAMI_WEBSITE_ID", err, s.credential)
	case errors.Is(err, umami.ErrNotFound) && s.credential == "UMAMI_SHARE_ID":
		return fmt.Errorf("%w; check UMAMI_SHARE_ID and UMAMI_URL", err)
	default:
		return fmt.Errorf("cannot read %s: %w; check UMAMI_URL and the network", s.name, err)
	}
}
