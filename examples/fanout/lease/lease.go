// Package lease shares out names, such as those of websites, among the replicas
// of a service, by two NATS key-value buckets.
//
// In one bucket each replica keeps a key of its own alive; the server removes
// it, by its own clock, when the replica has not renewed it for the lease time.
// In the other each name has a key that says which replica holds it, and is
// changed only by its expected revision, so that of two who want it one gets it.
// A name whose holder is not alive is free. Leases themselves are not renewed:
// replicas, not names, decide how much is written.
package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrLost says that a replica could not renew its key for the lease time.
var ErrLost = errors.New("not renewed in time: others may hold the names by now")

// Pool is what the replicas have in common. It is safe for concurrent use.
type Pool struct {
	alive, leases jetstream.KeyValue
	ttl           time.Duration
}

// NewPool makes a pool of two buckets. The first one's TTL is the lease time.
func NewPool(ctx context.Context, alive, leases jetstream.KeyValue) (*Pool, error) {
	status, err := alive.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the bucket %s: %w", alive.Bucket(), err)
	}
	if status.TTL() <= 0 {
		return nil, fmt.Errorf("the bucket %s has no TTL, which is to be the lease time", alive.Bucket())
	}
	return &Pool{alive, leases, status.TTL()}, nil
}

// TTL is the lease time.
func (p *Pool) TTL() time.Duration { return p.ttl }

// Lease is the right to a name.
type Lease struct {
	Name string
	// Token is greater than those of all earlier holders of the name: who knows
	// of a greater one refuses a holder that is late.
	Token uint64
}

// Share joins the pool and takes leases of names up to a fair share: their
// number by that of the replicas alive, rounded up. hold is called for each in
// a goroutine of its own; its context ends when the lease is lost or to be given
// back, and when it returns the lease is given back. Share returns when ctx ends,
// or with ErrLost or what went wrong; by then each hold has returned.
func (p *Pool) Share(ctx context.Context, replica string, names []string, hold func(context.Context, Lease)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &session{
		Pool: p, id: replica + "." + rand.Text(), names: names, hold: hold,
		seen: make(map[string]entry), running: make(map[string]*holding), ended: make(chan string),
	}
	// Our clock runs from before the server's does, and so ends earlier.
	s.expiry = time.AfterFunc(p.ttl, func() { cancel(ErrLost) })
	defer func() {
		s.expiry.Stop()
		cancel(nil)
		go func() {
			s.holds.Wait()
			close(s.ended)
		}()
		for range s.ended { // until each has returned
		}
		end, done := context.WithTimeout(context.WithoutCancel(ctx), p.ttl/3)
		defer done()
		_ = p.alive.Delete(end, s.id) // else it ends by itself
	}()
	if err := s.join(ctx); err != nil {
		return err
	}
	return s.run(ctx)
}

// session is one stay of a replica in the pool. An id is never used again.
type session struct {
	*Pool
	id    string
	names []string
	hold  func(context.Context, Lease)

	expiry  *time.Timer
	watch   jetstream.KeyWatcher
	known   bool                // all that was there at the start is seen
	seen    map[string]entry    // of each name, the newest that we know of
	running map[string]*holding // what we hold
	ended   chan string         // names of which hold has returned
	holds   sync.WaitGroup
}

type entry struct {
	holder   string // "" for nobody
	revision uint64
}

type holding struct {
	cancel  context.CancelFunc
	leaving bool // it was cancelled
}

func (h *holding) leave() {
	h.leaving = true
	h.cancel()
}

func (s *session) join(ctx context.Context) error {
	if _, err := s.alive.Create(ctx, s.id, nil); err != nil {
		return fmt.Errorf("join the replicas: %w", err)
	}
	var err error
	if s.watch, err = s.leases.WatchAll(ctx); err != nil {
		return fmt.Errorf("watch the leases: %w", err)
	}
	return nil
}

func (s *session) run(ctx context.Context) error {
	defer func() { go drain(s.watch) }()
	tick := time.NewTicker(s.ttl / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e, ok := <-s.watch.Updates():
			switch {
			case !ok && ctx.Err() == nil:
				return errors.New("the watch of the leases has ended")
			case !ok:
			case e == nil:
				s.known = true
				s.round(ctx)
			default:
				s.see(e)
			}
		case name := <-s.ended:
			s.giveBack(ctx, name)
		case <-tick.C:
			s.round(ctx)
		}
	}
}

// drain lets a watch end with its context, which it doesn't as long as there is
// something in it.
func drain(w jetstream.KeyWatcher) {
	for range w.Updates() {
	}
}

// see takes note of who holds a name.
func (s *session) see(e jetstream.KeyValueEntry) {
	if e.Revision() <= s.seen[e.Key()].revision {
		return // older than what we wrote
	}
	s.seen[e.Key()] = entry{string(e.Value()), e.Revision()}
	if h := s.running[e.Key()]; h != nil && string(e.Value()) != s.id {
		h.leave()
	}
}

// round renews our key, takes what is free, and lets go of what is too much.
// What fails is left to the next round, unless the lease time ends before it.
func (s *session) round(ctx context.Context) {
	limit, done := context.WithTimeout(ctx, s.ttl/3)
	defer done()
	began := time.Now()
	// A Put, not an Update: of a renewal without an answer nobody knows whether
	// it has changed the revision. The key is nobody else's.
	if _, err := s.alive.Put(limit, s.id, nil); err != nil {
		return
	}
	s.expiry.Reset(s.ttl - time.Since(began))
	if !s.known {
		return
	}
	alive, err := s.alive.Keys(limit)
	// Keys of a watch that was cut short are not all there are.
	if err != nil || limit.Err() != nil || !slices.Contains(alive, s.id) {
		return
	}
	replicas := make(map[string]bool)
	for _, id := range alive {
		replicas[id] = true
	}
	free := s.settle(ctx, limit, replicas)
	// In an order of our own, since others are at it, too.
	mathrand.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	for _, name := range free {
		if len(s.running) >= s.share(replicas) || limit.Err() != nil {
			return
		}
		if s.write(limit, name, s.id) {
			s.start(ctx, name)
		}
	}
}

func (s *session) share(replicas map[string]bool) int {
	return (len(s.names) + len(replicas) - 1) / len(replicas)
}

// settle starts to hold what is ours, stops to hold what is more than our share,
// and returns what is free.
func (s *session) settle(ctx, limit context.Context, replicas map[string]bool) (free []string) {
	kept := 0
	for _, name := range s.names {
		switch holder, h := s.seen[name].holder, s.running[name]; {
		case h != nil && h.leaving: // it is given back once its hold has ended
		case holder != s.id && !replicas[holder]:
			free = append(free, name)
		case holder != s.id:
		case kept < s.share(replicas):
			kept++
			if h == nil { // the answer to our write was lost
				s.start(ctx, name)
			}
		case h != nil:
			h.leave()
		default:
			s.write(limit, name, "")
		}
	}
	return free
}

// write changes the holder of a name, unless somebody else was faster.
func (s *session) write(ctx context.Context, name, holder string) bool {
	revision, err := s.leases.Update(ctx, name, []byte(holder), s.seen[name].revision)
	if err == nil {
		s.seen[name] = entry{holder, revision}
	}
	return err == nil
}

func (s *session) start(ctx context.Context, name string) {
	lease := Lease{name, s.seen[name].revision}
	ctx, cancel := context.WithCancel(ctx)
	s.running[name] = &holding{cancel: cancel}
	s.holds.Go(func() {
		defer cancel()
		s.hold(ctx, lease)
		s.ended <- name
	})
}

// giveBack lets others have a name that we do not hold any more.
func (s *session) giveBack(ctx context.Context, name string) {
	limit, done := context.WithTimeout(ctx, s.ttl/3)
	defer done()
	delete(s.running, name)
	if s.seen[name].holder == s.id {
		s.write(limit, name, "")
	}
}
