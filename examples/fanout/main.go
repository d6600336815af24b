// Command fanout reads many websites with many replicas, each website polled by
// one of them at a time, and gives each visit once to any number of services, by
// NATS JetStream. Without settings it shows that in one process, on simulated
// traffic; README.md tells the settings.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
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
	flags := flag.NewFlagSet("fanout", flag.ContinueOnError)
	flags.SetOutput(stderr)
	service := flags.String("consume", "", "poll nothing, and print the visits that the service `NAME` has not had yet")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // Parse has told it
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "fanout: unknown argument %q\n", flags.Arg(0))
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := fanout(ctx, getenv, *service, stdout, stderr)
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(stderr, "fanout:", setting.OneLine(err))
		return 1
	}
	return 0
}

const (
	leaseTime       = 10 * time.Second
	simulatedLeases = 2 * time.Second
	simulatedSites  = 6
)

func fanout(ctx context.Context, getenv func(string) string, service string, stdout, stderr io.Writer) error {
	address := getenv("NATS_URL")
	if service != "" {
		if address == "" {
			return errors.New("-consume needs NATS_URL, where replicas publish")
		}
		return consumeAlone(ctx, address, service, stdout)
	}
	site, err := setting.Read(getenv)
	if err != nil {
		return err
	}
	defer site.Close()
	d := &deployment{client: site.Client, interval: site.Interval, ttl: leaseTime, stdout: stdout, stderr: stderr}
	if site.Name == "" {
		fmt.Fprintln(stderr, "fanout: simulated traffic; set UMAMI_URL and more to read a server, see README.md")
		var f farm
		f, d.websites = simulated(simulatedSites)
		d.client, d.ttl, d.crashes = f.client(), simulatedLeases, true
	} else if d.websites, err = listWebsites(ctx, site); err != nil {
		return err
	}
	if d.broker, err = startBroker(address); err != nil {
		return err
	}
	defer d.broker.close()
	if address != "" {
		return d.alone(ctx)
	}
	fmt.Fprintln(stderr, "fanout: NATS runs inside, and ends with the program; set NATS_URL to spread over processes")
	return d.show(ctx)
}

// consumeAlone is a service.
func consumeAlone(ctx context.Context, address, service string, stdout io.Writer) error {
	nc, err := (&broker{url: address}).connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	h, err := openHub(ctx, nc, leaseTime)
	if err != nil {
		return err
	}
	return h.consume(ctx, service, func(v visit) error {
		_, err := fmt.Fprintln(stdout, v.line())
		return err
	})
}

// newName is a name for a replica.
func newName() string { return rand.Text()[:6] }
