// Command watch prints each page view and event of a website as one line of
// JSON. With a checkpoint file it goes on after a restart or a crash where it
// was; README.md tells how. Without settings it reads simulated traffic.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program; it returns the exit status.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("watch", flag.ContinueOnError)
	flags.SetOutput(stderr)
	output := flags.String("o", "", "write to `FILE` instead of the standard output")
	checkpoint := flags.String("checkpoint", "", "keep in `FILE` what is done, and go on from there at the next start")
	interval := flags.Duration("interval", 0, "time between polls (default 10s; 2s for simulated traffic)")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // Parse has told it
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "watch: unknown argument %q\n", flags.Arg(0))
		return 2
	case *interval < 0:
		fmt.Fprintf(stderr, "watch: -interval is %v, and must not be negative\n", *interval)
		return 2
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- watch(ctx, getenv, *output, *checkpoint, *interval, stdout, stderr) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done: // what was begun is finished,
		case <-time.After(time.Second): // unless nobody reads the output
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "watch:", setting.OneLine(err))
		return 1
	}
	return 0
}

// watch writes visits until ctx ends, or what cannot heal.
func watch(ctx context.Context, getenv func(string) string, output, checkpoint string, interval time.Duration, stdout, stderr io.Writer) error {
	site, err := setting.Read(getenv)
	if err != nil {
		return err
	}
	defer site.Close()
	switch err := site.Choose(ctx, stderr); {
	case ctx.Err() != nil: // a signal
		return nil
	case err != nil:
		return err
	}
	j, err := openJournal(output, checkpoint, stdout)
	if err != nil {
		return err
	}
	defer j.close()
	trouble := setting.NewTrouble("watch", stderr)
	poller, err := site.Client.NewPoller(site.WebsiteID, &umami.PollerOptions{
		Interval: cmp.Or(interval, site.Interval),
		Resume:   j.state.Checkpoint,
		OnError:  trouble.Failed,
	})
	if errors.Is(err, umami.ErrCheckpoint) {
		return fmt.Errorf("%s: %w", checkpoint, err)
	}
	if err != nil {
		return err
	}
	if err := j.begin(); err != nil {
		return err
	}
	if site.Name == "" {
		fmt.Fprintln(stderr, "watch: simulated traffic; set UMAMI_URL and more to read a server, see README.md")
	}

	for diff, err := range poller.All(ctx) {
		switch {
		case ctx.Err() != nil: // a signal
			return nil
		case err != nil:
			return site.Explain(err)
		}
		trouble.Over()
		if err := j.write(lines(diff), diff.Checkpoint()); err != nil {
			return err
		}
	}
	return nil
}
