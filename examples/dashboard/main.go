// Command dashboard serves a web page with a website's realtime traffic, which
// one poller reads for all browsers. README.md tells the settings; without any
// it shows simulated traffic.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program; it returns the exit status.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("dashboard", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8080", "serve the page at `HOST:PORT`")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // Parse has told it
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "dashboard: unknown argument %q\n", flags.Arg(0))
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := dashboard(ctx, getenv, *addr, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "dashboard:", setting.OneLine(err))
		return 1
	}
	return 0
}

// dashboard serves until ctx ends, or what cannot heal.
func dashboard(ctx context.Context, getenv func(string) string, addr string, stdout, stderr io.Writer) error {
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
	listener, err := setting.Listen(ctx, addr)
	if err != nil {
		return err
	}
	if site.Name == "" {
		fmt.Fprintln(stdout, "dashboard: simulated traffic; set UMAMI_URL and more to read a server, see README.md")
	}
	fmt.Fprintf(stdout, "dashboard: open http://%s/\n", listener.Addr())
	return serve(ctx, site, listener, stderr)
}

// serve polls, and serves what it finds, until ctx ends, or what cannot heal.
func serve(ctx context.Context, site *setting.Site, listener net.Listener, stderr io.Writer) error {
	h := newHub()
	return setting.Serve(ctx, listener, handler(title(ctx, site), site.Name == "", h), func(ctx context.Context) error {
		return follow(ctx, site, h, stderr)
	})
}

// title is what the page calls the website: its domain, or where the server
// does not tell it, the server's host.
func title(ctx context.Context, site *setting.Site) string {
	if site.Name == "" {
		return "A small shop"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	w, err := site.Client.GetWebsite(ctx, site.WebsiteID)
	if err != nil {
		return site.Name
	}
	return cmp.Or(setting.Clean(w.Domain), setting.Clean(w.Name), site.Name)
}
