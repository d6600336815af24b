// Command exporter tells Prometheus of a website's realtime traffic. README.md
// lists the metrics; without settings they are of simulated traffic.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program; it returns the exit status.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("exporter", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:9750", "serve the metrics at `HOST:PORT`")
	pages := flags.Uint("pages", 20, "pages with series of their own; the others are \"other\"")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // Parse has told it
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "exporter: unknown argument %q\n", flags.Arg(0))
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := exporter(ctx, getenv, *addr, int(*pages), stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "exporter:", setting.OneLine(err))
		return 1
	}
	return 0
}

// exporter serves until ctx ends, or what cannot heal.
func exporter(ctx context.Context, getenv func(string) string, addr string, pages int, stdout, stderr io.Writer) error {
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
		fmt.Fprintln(stdout, "exporter: simulated traffic; set UMAMI_URL and more to read a server, see README.md")
	}
	fmt.Fprintf(stdout, "exporter: metrics at http://%s/metrics\n", listener.Addr())
	return serve(ctx, site, listener, pages, stderr)
}

// serve polls, and serves the metrics, until ctx ends, or what cannot heal.
func serve(ctx context.Context, site *setting.Site, listener net.Listener, pages int, stderr io.Writer) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	h, t := newHealth(registry), newTraffic(registry, pages)

	// No retries: a poll that fails is told, and the next one comes soon.
	client, err := site.NewClient(h.watch, umami.WithRetry(umami.RetryPolicy{Max: -1}))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("GET /healthz", h)
	return setting.Serve(ctx, listener, mux, func(ctx context.Context) error {
		return follow(ctx, site, client, h, t, stderr)
	})
}

// follow polls until ctx ends or what cannot heal. Each trouble is told on
// stderr.
func follow(ctx context.Context, site *setting.Site, client *umami.Client, h *health, t *traffic, stderr io.Writer) error {
	trouble := setting.NewTrouble("exporter", stderr)
	poller, err := client.NewPoller(site.WebsiteID, &umami.PollerOptions{
		Interval: site.Interval,
		OnError: func(e *umami.PollError) {
			trouble.Failed(e)
			h.failed(e.Failures)
		},
	})
	if err != nil {
		return err
	}
	for d, err := range poller.All(ctx) {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return site.Explain(err)
		}
		trouble.Over()
		t.take(d)
	}
	return nil
}
