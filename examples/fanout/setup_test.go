package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/umamitest"
)

// world is a NATS server, and websites of which the test makes the visits.
type world struct {
	deployment
	farm   farm
	random *rand.Rand
	clock  atomic.Int64
}

// newWorld makes n websites. Their clock runs with the visits, so that these
// come one by one, and not all within the few seconds that rows may be late.
func newWorld(t *testing.T, n int, ttl time.Duration) *world {
	t.Helper()
	b, err := startBroker("")
	require.NoError(t, err)
	t.Cleanup(b.close)
	w := &world{farm: make(farm), random: rand.New(rand.NewPCG(1, 2))}
	w.clock.Store(time.Now().UnixMilli())
	now := func() time.Time { return time.UnixMilli(w.clock.Load()) }
	for i := range n {
		id := websiteID(i + 1)
		w.farm[id] = umamitest.NewServer(umamitest.InProcess(), umamitest.WithClock(now))
		w.websites = append(w.websites, id)
	}
	w.deployment = deployment{
		broker: b, client: w.farm.client(), websites: w.websites, interval: 50 * time.Millisecond, ttl: ttl,
		stdout: io.Discard, stderr: io.Discard,
	}
	return w
}

// visit makes n visits, some of them alike in every column.
func (w *world) visit(n int) {
	for range n {
		w.clock.Add(w.random.Int64N(3000))
		srv := w.farm[w.websites[w.random.IntN(len(w.websites))]]
		v := umamitest.Visit{SessionID: fmt.Sprintf("00000000-0000-4000-8000-%012d", w.random.IntN(9)), URLPath: fmt.Sprint("/", w.random.IntN(5))}
		switch w.random.IntN(6) {
		case 0:
			srv.Event("buy", v)
		case 1:
			srv.Performance(v)
		case 2: // three times the same
			v = srv.Visit(srv.Visit(v).Visit).Visit
			srv.Visit(v)
		default:
			srv.Visit(v)
		}
	}
}

// truth is what a perfect consumer would have got.
func (w *world) truth() (all []string) {
	for id, srv := range w.farm {
		for _, r := range srv.Truth() {
			kind := "pageview"
			if r.Kind == umamitest.CustomEvent {
				kind = "event"
			}
			all = append(all, fmt.Sprintln(id, r.CreatedAt.UnixMilli(), kind, r.SessionID, r.URLPath, r.EventName, r.Kind == umamitest.Beacon))
		}
	}
	return all
}

// service is a consumer that keeps what it got.
type service struct {
	mu     sync.Mutex
	visits []string
}

func (w *world) serve(t *testing.T, name string) *service {
	t.Helper()
	s := &service{}
	h := w.hub(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- h.consume(ctx, name, func(v visit) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.visits = append(s.visits, fmt.Sprintln(v.Website, v.CreatedAt.UnixMilli(), v.Type, v.SessionID, v.URLPath, v.EventName, v.Performance))
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return s
}

func (s *service) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.visits...)
}

// hub is a connection of the test's own.
func (w *world) hub(t *testing.T) *hub {
	t.Helper()
	nc, err := w.broker.connect()
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	h, err := openHub(t.Context(), nc, w.ttl)
	require.NoError(t, err)
	return h
}

// launch starts a replica on a cable, to be stopped at the end of the test.
func (w *world) launch(t *testing.T, name string) (*running, *cable) {
	t.Helper()
	c := &cable{broker: w.broker}
	r, err := w.start(context.Background(), name, nats.InProcessServer(c))
	require.NoError(t, err)
	t.Cleanup(func() {
		c.restore()
		r.end()
		<-r.done
	})
	return r, c
}

// eventually waits for what is bound to come; how long that takes is of no
// matter.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	require.Eventually(t, met, time.Minute, 5*time.Millisecond, what)
}

// cable is the network between a replica and NATS. It can be cut for good at
// some point of what is sent, or hold back what is sent in either direction.
type cable struct {
	broker *broker

	mu    sync.Mutex
	lines []*line
	cut   bool
	left  int // writes until it is cut; 0: it is not to be
	held  bool
	free  chan struct{} // closed when it is held no more
}

var errCut = errors.New("the cable is cut")

// InProcessConn opens a connection through the cable.
func (c *cable) InProcessConn() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut || c.held {
		return nil, errCut
	}
	conn, err := c.broker.inside.InProcessConn()
	if err != nil {
		return nil, err
	}
	l := &line{Conn: conn, cable: c}
	c.lines = append(c.lines, l)
	return l, nil
}

// cutAfter cuts the cable after some more writes.
func (c *cable) cutAfter(writes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = writes
}

func (c *cable) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

func (c *cable) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held, c.free = true, make(chan struct{})
}

// restore lets through what was held back, before what is sent from now on.
func (c *cable) restore() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.held {
		return
	}
	close(c.free)
	for _, l := range c.lines {
		for len(l.queue) > 0 {
			queue := l.queue
			l.queue = nil
			c.mu.Unlock()
			_, _ = l.Conn.Write(queue)
			c.mu.Lock()
		}
	}
	c.held = false
}

// line is a connection through the cable.
type line struct {
	net.Conn
	cable *cable
	queue []byte
}

func (l *line) Write(b []byte) (int, error) {
	c := l.cable
	c.mu.Lock()
	if c.held { // as the buffers of a network do
		l.queue = append(l.queue, b...)
		c.mu.Unlock()
		return len(b), nil
	}
	last := c.left == 1
	c.left = max(c.left-1, 0)
	c.mu.Unlock()
	n, err := l.Conn.Write(b)
	if last { // it has arrived, but no answer will
		c.mu.Lock()
		c.cut = true
		c.mu.Unlock()
		l.Conn.Close()
		return 0, errCut
	}
	return n, err
}

func (l *line) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.cable.mu.Lock()
	held, free := l.cable.held, l.cable.free
	l.cable.mu.Unlock()
	if held {
		<-free
	}
	return n, err
}
