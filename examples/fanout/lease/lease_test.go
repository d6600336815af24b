package lease_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/examples/fanout/lease"
)

// office is a NATS server with the two buckets, and a note of who holds what.
type office struct {
	*server.Server
	ttl   time.Duration
	names []string

	mu     sync.Mutex
	held   map[string][]string // names, by replica
	tokens map[string]uint64   // the newest of each name
	wrong  []string
}

func newOffice(tb testing.TB, names int, ttl time.Duration) *office {
	tb.Helper()
	srv, err := server.NewServer(&server.Options{JetStream: true, StoreDir: tb.TempDir(), DontListen: true, NoLog: true, NoSigs: true})
	require.NoError(tb, err)
	srv.Start()
	tb.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	o := &office{Server: srv, ttl: ttl, held: make(map[string][]string), tokens: make(map[string]uint64)}
	for n := range names {
		o.names = append(o.names, fmt.Sprint("name-", n))
	}
	return o
}

// desk is a connection.
type desk struct {
	*nats.Conn
	alive, leases jetstream.KeyValue
}

func (o *office) desk(tb testing.TB) desk {
	tb.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(o))
	require.NoError(tb, err)
	tb.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(tb, err)
	alive, err := js.CreateKeyValue(tb.Context(), jetstream.KeyValueConfig{Bucket: "alive", TTL: o.ttl})
	require.NoError(tb, err)
	leases, err := js.CreateKeyValue(tb.Context(), jetstream.KeyValueConfig{Bucket: "leases"})
	require.NoError(tb, err)
	return desk{nc, alive, leases}
}

// join starts a replica. end ends it, and crash cuts it off first.
func (o *office) join(t *testing.T, replica string) (end, crash func()) {
	t.Helper()
	d := o.desk(t)
	pool, err := lease.NewPool(t.Context(), d.alive, d.leases)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- pool.Share(ctx, replica, o.names, func(ctx context.Context, l lease.Lease) { o.hold(ctx, replica, l) })
	}()
	var once sync.Once
	leave := func(check func(error)) {
		once.Do(func() {
			cancel()
			check(<-done)
		})
	}
	end = func() {
		leave(func(err error) { assert.ErrorIs(t, err, context.Canceled) })
	}
	t.Cleanup(end)
	return end, func() {
		d.Close()
		leave(func(err error) { assert.Error(t, err) }) // it may notice first that the connection is gone
	}
}

func (o *office) hold(ctx context.Context, replica string, l lease.Lease) {
	o.mu.Lock()
	for other, names := range o.held {
		if slices.Contains(names, l.Name) {
			o.wrong = append(o.wrong, fmt.Sprint(l.Name, " is held by ", other, " and ", replica))
		}
	}
	if l.Token <= o.tokens[l.Name] {
		o.wrong = append(o.wrong, fmt.Sprint(l.Name, ": token ", l.Token, " after ", o.tokens[l.Name]))
	}
	o.tokens[l.Name] = l.Token
	o.held[replica] = append(o.held[replica], l.Name)
	o.mu.Unlock()
	<-ctx.Done()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held[replica] = slices.DeleteFunc(o.held[replica], func(n string) bool { return n == l.Name })
}

// await waits until so many names are held by each replica.
func (o *office) await(t *testing.T, want map[string]int) {
	t.Helper()
	now := map[string]int{}
	if !assert.Eventually(t, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		clear(now)
		for replica, names := range o.held {
			if len(names) > 0 {
				now[replica] = len(names)
			}
		}
		return maps.Equal(now, want)
	}, time.Minute, 5*time.Millisecond) {
		require.Equal(t, want, now)
	}
}

func (o *office) check(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	assert.Empty(t, o.wrong)
}

func TestFairShare(t *testing.T) {
	t.Parallel()
	o := newOffice(t, 12, time.Second)
	endA, _ := o.join(t, "a")
	o.await(t, map[string]int{"a": 12})
	_, crashB := o.join(t, "b")
	o.await(t, map[string]int{"a": 6, "b": 6})
	o.join(t, "c")
	o.await(t, map[string]int{"a": 4, "b": 4, "c": 4})
	endA()
	o.await(t, map[string]int{"b": 6, "c": 6})
	crashB()
	o.await(t, map[string]int{"c": 12})
	o.check(t)
}

// TestTakeover measures by the server's clock: from the last sign of life of who
// is dead to the last of the new leases. It should take the lease time and the
// third of one until the next round; as much as two thirds, or two seconds, are
// left for the server and the machine to be slow.
func TestTakeover(t *testing.T) {
	t.Parallel()
	o := newOffice(t, 20, 3*time.Second)
	_, crash := o.join(t, "a")
	o.await(t, map[string]int{"a": 20})
	d := o.desk(t)
	keys, err := d.alive.Keys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, 1)
	o.join(t, "b")
	o.await(t, map[string]int{"a": 10, "b": 10})
	seen, err := d.alive.Get(t.Context(), keys[0])
	require.NoError(t, err)
	crash()
	o.await(t, map[string]int{"b": 20})
	o.check(t)

	var took time.Duration
	for _, name := range o.names {
		e, err := d.leases.Get(t.Context(), name)
		require.NoError(t, err)
		took = max(took, e.Created().Sub(seen.Created()))
	}
	t.Log("the last of 10 names was taken after", took, "of", 2*o.ttl)
	assert.LessOrEqual(t, took, 2*o.ttl)
	assert.GreaterOrEqual(t, took, o.ttl, "not before the lease was over")
}

// TestLost takes the server away.
func TestLost(t *testing.T) {
	t.Parallel()
	o := newOffice(t, 1, time.Second)
	d := o.desk(t)
	pool, err := lease.NewPool(t.Context(), d.alive, d.leases)
	require.NoError(t, err)
	held := false
	err = pool.Share(t.Context(), "a", o.names, func(ctx context.Context, _ lease.Lease) {
		held = true
		o.Shutdown()
		<-ctx.Done()
	})
	require.ErrorIs(t, err, lease.ErrLost, "by its own clock")
	assert.True(t, held)
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	d := newOffice(t, 1, time.Second).desk(t)
	_, err := lease.NewPool(t.Context(), d.leases, d.alive)
	require.EqualError(t, err, "the bucket leases has no TTL, which is to be the lease time")
	_, err = lease.NewPool(t.Context(), d.alive, d.leases)
	require.NoError(t, err)
}
