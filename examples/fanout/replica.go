package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/fanout/lease"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

// replica polls the websites that it holds, and publishes their visits.
type replica struct {
	*hub
	name     string
	client   *umami.Client
	websites []string // all that there are
	interval time.Duration
	stderr   io.Writer
	dead     atomic.Bool // it was killed, and says nothing any more

	mu   sync.Mutex
	held map[string]bool
}

// run goes on until ctx ends.
func (r *replica) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.pool.Share(ctx, r.name, r.websites, r.hold); ctx.Err() == nil {
			r.tell(err)
			pause(ctx, r.pool.TTL()/3)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// hold follows a website until the lease ends. What goes wrong is told once, and
// it begins anew from where it was.
func (r *replica) hold(ctx context.Context, l lease.Lease) {
	r.note(l.Name, true)
	defer r.note(l.Name, false)
	told := ""
	for {
		err := r.follow(ctx, l)
		if ctx.Err() != nil {
			return
		}
		if err.Error() != told {
			r.tell(fmt.Errorf("%s: %w", l.Name, err))
			told = err.Error()
		}
		if errors.Is(err, errTakenOver) {
			return
		}
		pause(ctx, r.pool.TTL())
	}
}

// follow publishes each visit, and saves the checkpoint of a diff once all its
// visits are in the stream.
func (r *replica) follow(ctx context.Context, l lease.Lease) error {
	f, err := r.open(ctx, l)
	if err != nil {
		return err
	}
	trouble := setting.NewTrouble("fanout: "+l.Name, r.stderr)
	poller, err := r.client.NewPoller(l.Name, &umami.PollerOptions{Interval: r.interval, Resume: f.Checkpoint, OnError: trouble.Failed})
	if err != nil {
		return err
	}
	for diff, err := range poller.All(ctx) {
		if err != nil {
			return err
		}
		trouble.Over()
		for _, g := range diff.Gaps {
			r.tell(fmt.Errorf("%s: visits are missing from %v to %v: %v", l.Name, g.From, g.To, g.Reason))
		}
		for _, m := range messages(diff) {
			if err := f.publish(ctx, m.key, m.body); err != nil {
				return err
			}
		}
		if err := f.save(ctx, diff.Checkpoint()); err != nil {
			return err
		}
	}
	return nil
}

func (r *replica) tell(err error) {
	if !r.dead.Load() {
		fmt.Fprintf(r.stderr, "fanout: %s\n", setting.OneLine(err))
	}
}

func (r *replica) note(website string, held bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		r.held = make(map[string]bool)
	}
	if held {
		r.held[website] = true
	} else {
		delete(r.held, website)
	}
}

// holds lists the websites held.
func (r *replica) holds() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for website := range r.held {
		all = append(all, website)
	}
	slices.Sort(all)
	return all
}

// message is a visit as the stream has it.
type message struct {
	at   time.Time
	key  string // the same for the same visit, whoever polls and from whatever checkpoint
	body []byte
}

// messages are the visits of a diff, oldest first.
func messages(d umami.Diff) []message {
	var all []message
	for _, p := range d.Pageviews {
		body := marshal(struct {
			Type    string `json:"type"`
			Website string `json:"websiteId"`
			umami.Pageview
		}{"pageview", d.WebsiteID, p})
		all = append(all, message{p.CreatedAt, p.Key, body})
	}
	for _, e := range d.Events {
		body := marshal(struct {
			Type    string `json:"type"`
			Website string `json:"websiteId"`
			umami.Event
		}{"event", d.WebsiteID, e})
		all = append(all, message{e.CreatedAt, e.Key, body})
	}
	slices.SortStableFunc(all, func(a, b message) int { return a.at.Compare(b.at) })
	return all
}

func marshal(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // the models can always be marshalled
	}
	return body
}
