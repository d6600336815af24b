package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	umami "github.com/seed721439b2/umami-go"
)

// deployment is what all replicas of this process share.
type deployment struct {
	broker         *broker
	client         *umami.Client
	websites       []string
	interval, ttl  time.Duration
	crashes        bool // from time to time a replica is to die
	stdout, stderr io.Writer
}

// running is a replica at work, with a connection of its own.
type running struct {
	*replica
	end  context.CancelFunc
	done chan struct{}
}

func (d *deployment) start(ctx context.Context, name string, opts ...nats.Option) (*running, error) {
	nc, err := d.broker.connect(opts...)
	if err != nil {
		return nil, err
	}
	h, err := openHub(ctx, nc, d.ttl)
	if err != nil {
		nc.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &running{
		replica: &replica{hub: h, name: name, client: d.client, websites: d.websites, interval: d.interval, stderr: d.stderr},
		end:     cancel, done: make(chan struct{}),
	}
	go func() {
		defer close(r.done)
		defer nc.Close()
		r.run(ctx)
	}()
	return r, nil
}

// kill ends a replica as a crash does: nobody is told.
func (r *running) kill() {
	r.dead.Store(true)
	r.nc.Close()
	r.end()
	<-r.done
}

// alone is one replica among others, elsewhere.
func (d *deployment) alone(ctx context.Context) error {
	r, err := d.start(ctx, newName())
	if err != nil {
		return err
	}
	lines := log.New(d.stdout, "", log.Ltime)
	for ctx.Err() == nil {
		lines.Printf("replica %s holds %d of %d websites", r.name, len(r.holds()), len(d.websites))
		pause(ctx, d.ttl)
	}
	<-r.done
	return nil
}

// show lets a few replicas run.
func (d *deployment) show(ctx context.Context) error {
	lines := log.New(d.stdout, "", log.Ltime)
	var replicas []*running
	var rest sync.WaitGroup
	defer rest.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	started := 0
	start := func() error {
		started++
		r, err := d.start(ctx, fmt.Sprint("r", started))
		if err == nil {
			replicas = append(replicas, r)
			rest.Go(func() { <-r.done })
		}
		return err
	}
	for range 3 {
		if err := start(); err != nil {
			return err
		}
	}
	var visits atomic.Int64
	failed := make(chan error, 1)
	rest.Go(func() { failed <- d.count(ctx, &visits) })

	second := time.NewTicker(time.Second)
	defer second.Stop()
	for n, before := 1, int64(0); ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-second.C:
		}
		now := visits.Load()
		lines.Printf("%s  visits %d, %d/s", table(replicas), now, now-before)
		before = now
		if !d.crashes {
			continue
		}
		switch n % 20 {
		case 5:
			lines.Printf("%s is killed: its websites are free within %v", replicas[0].name, d.ttl)
			replicas[0].kill()
			replicas = replicas[1:]
		case 15:
			if err := start(); err != nil {
				return err
			}
			lines.Printf("%s joins", replicas[len(replicas)-1].name)
		}
	}
}

// count is a service that counts visits.
func (d *deployment) count(ctx context.Context, visits *atomic.Int64) error {
	nc, err := d.broker.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	h, err := openHub(ctx, nc, d.ttl)
	if err != nil {
		return err
	}
	return h.consume(ctx, "count", func(visit) error {
		visits.Add(1)
		return nil
	})
}

// table tells who holds what: a few websites by the beginning of their IDs, or
// how many.
func table(replicas []*running) string {
	var cells []string
	for _, r := range replicas {
		cell, held := []string{r.name + ":"}, r.holds()
		if len(held) > 9 {
			cell, held = append(cell, fmt.Sprint(len(held), " websites")), nil
		}
		for _, id := range held {
			cell = append(cell, strings.TrimPrefix(strings.SplitN(id, "-", 2)[0], "0000000")) // of the simulated ones
		}
		cells = append(cells, strings.Join(cell, " "))
	}
	return strings.Join(cells, "  ")
}
