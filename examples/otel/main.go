// Command otel traces and measures a client with OpenTelemetry: it reads a
// website's realtime traffic again and again and prints the spans and metrics
// as JSON. README.md tells the settings; without any it reads simulated
// traffic.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program; it returns the exit status.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		fmt.Fprintln(stderr, "usage: otel (no arguments: settings are UMAMI_URL and other environment variables, see README.md)")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	if err := watch(ctx, getenv, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "otel:", setting.OneLine(err))
		return 1
	}
	return 0
}

// watch calls until ctx ends, or for good what a later call cannot heal.
func watch(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer) (err error) {
	site, err := setting.Read(getenv)
	if err != nil {
		return err
	}
	defer site.Close()
	tracers, meters, err := providers(stdout)
	if err != nil {
		return err
	}
	defer func() { // what is not yet printed
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, tracers.Shutdown(end), meters.Shutdown(end))
	}()

	client, err := site.NewClient(func(next http.RoundTripper) http.RoundTripper {
		if site.Name == "" {
			next = &flaky{next: next}
		}
		return traced(next, tracers, meters)
	})
	if err != nil {
		return err
	}
	c, err := newCalls(client, tracers, meters)
	if err != nil {
		return err
	}
	if site.Client = client; site.WebsiteID == "" {
		err = c.do(ctx, "umami.ListWebsites", func(ctx context.Context) error { return site.Choose(ctx, stderr) })
	}
	switch {
	case ctx.Err() != nil: // a signal
		return nil
	case err != nil:
		return err
	}
	if site.Name == "" {
		fmt.Fprintln(stderr, "otel: simulated traffic; set UMAMI_URL and more to read a server, see README.md")
	}
	return repeat(ctx, site, c, stderr)
}

func repeat(ctx context.Context, site *setting.Site, c *calls, stderr io.Writer) error {
	ticker := time.NewTicker(site.Interval)
	defer ticker.Stop()
	for {
		_, err := c.getRealtime(ctx, site.WebsiteID)
		switch {
		case ctx.Err() != nil: // a signal
			return nil
		case errors.Is(err, umami.ErrUnauthorized), errors.Is(err, umami.ErrForbidden), errors.Is(err, umami.ErrNotFound),
			errors.Is(err, umami.ErrBadRequest), errors.Is(err, umami.ErrTwoFactorRequired):
			return site.Explain(err)
		case err != nil:
			fmt.Fprintln(stderr, "otel:", setting.OneLine(err))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// providers print each span as it ends, and the metrics every 10 seconds. Where
// they go to a collector, use WithBatcher and the exporters of package
// go.opentelemetry.io/otel/exporters/otlp.
func providers(out io.Writer) (*sdktrace.TracerProvider, *sdkmetric.MeterProvider, error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out))
	if err != nil {
		return nil, nil, err
	}
	metrics, err := stdoutmetric.New(stdoutmetric.WithWriter(out))
	if err != nil {
		return nil, nil, err
	}
	service := resource.NewSchemaless(attribute.String("service.name", "umami-otel-example"))
	return sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans), sdktrace.WithResource(service)),
		sdkmetric.NewMeterProvider(sdkmetric.WithResource(service),
			sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics, sdkmetric.WithInterval(10*time.Second)))), nil
}

// flaky answers every third attempt itself, so that the simulation has retries
// to show.
type flaky struct {
	next     http.RoundTripper
	attempts atomic.Int64
}

func (f *flaky) RoundTrip(req *http.Request) (*http.Response, error) {
	if f.attempts.Add(1)%3 != 0 {
		return f.next.RoundTrip(req)
	}
	return &http.Response{
		StatusCode: http.StatusServiceUnavailable, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: req,
	}, nil
}
