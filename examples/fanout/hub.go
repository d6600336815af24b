package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed721439b2/umami-go/examples/fanout/lease"
)

// What the replicas and the consumers have in common in NATS. Who wants other
// limits, or several replicas of the data, makes it before the first start.
const (
	streamName = "UMAMI"
	visitsOf   = "umami.visits." // and the website's ID
	fenceOf    = "umami.fence."
	aliveName  = "umami-alive"
	leasesName = "umami-leases"
	placesName = "umami-places"
	kept       = 24 * time.Hour
	dedup      = 5 * time.Minute // a takeover (two lease times) and the 2 minutes that a row may be late, with room
)

// hub is one replica's or consumer's connection.
type hub struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	places jetstream.KeyValue
	pool   *lease.Pool
}

// openHub finds the stream and the buckets, or makes them, with a lease time of
// ttl.
func openHub(ctx context.Context, nc *nats.Conn, ttl time.Duration) (*hub, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	h := &hub{nc: nc, js: js}
	if h.stream, err = js.Stream(ctx, streamName); errors.Is(err, jetstream.ErrStreamNotFound) {
		h.stream, err = js.CreateStream(ctx, jetstream.StreamConfig{
			Name: streamName, Subjects: []string{visitsOf + "*", fenceOf + "*"},
			MaxAge: kept, Duplicates: dedup,
			AllowMsgTTL: true, AllowRollup: true, // for fences, of which the last one stays for ever
		})
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", streamName, err)
	}
	alive, err := bucket(ctx, js, jetstream.KeyValueConfig{Bucket: aliveName, TTL: ttl})
	if err != nil {
		return nil, err
	}
	leases, err := bucket(ctx, js, jetstream.KeyValueConfig{Bucket: leasesName})
	if err != nil {
		return nil, err
	}
	if h.places, err = bucket(ctx, js, jetstream.KeyValueConfig{Bucket: placesName}); err != nil {
		return nil, err
	}
	h.pool, err = lease.NewPool(ctx, alive, leases)
	return h, err
}

func bucket(ctx context.Context, js jetstream.JetStream, c jetstream.KeyValueConfig) (jetstream.KeyValue, error) { //nolint:ireturn // it is what jetstream has
	kv, err := js.KeyValue(ctx, c.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = js.CreateKeyValue(ctx, c)
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", c.Bucket, err)
	}
	return kv, nil
}

// broker is where connections lead to: a NATS server elsewhere, or one inside
// this process, without a socket.
type broker struct {
	url    string
	inside *server.Server // nil for one elsewhere
	folder string
}

// startBroker starts a NATS server inside where address is "".
func startBroker(address string) (*broker, error) {
	if address != "" {
		return &broker{url: address}, nil
	}
	folder, err := os.MkdirTemp("", "fanout-nats-")
	if err != nil {
		return nil, fmt.Errorf("no folder for the NATS server inside: %w; set TMPDIR to another place, or NATS_URL", err)
	}
	b := &broker{folder: folder}
	b.inside, err = server.NewServer(&server.Options{JetStream: true, StoreDir: folder, DontListen: true, NoLog: true, NoSigs: true})
	if err != nil {
		b.close()
		return nil, err
	}
	b.inside.Start()
	if !b.inside.ReadyForConnections(time.Minute) {
		b.close()
		return nil, errors.New("the NATS server inside does not start")
	}
	return b, nil
}

// connect opens a connection; with one to a server elsewhere, NATS itself sees
// to it that it comes back when it breaks.
func (b *broker) connect(opts ...nats.Option) (*nats.Conn, error) {
	all := []nats.Option{
		nats.Name("umami fanout"), nats.MaxReconnects(-1),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // else it prints; calls that fail tell it, too
	}
	if b.inside != nil {
		all = append(all, nats.InProcessServer(b.inside))
	}
	nc, err := nats.Connect(b.url, append(all, opts...)...)
	if _, wrong := errors.AsType[*url.Error](err); wrong { // it repeats the text, which may hold a password
		return nil, errors.New("NATS_URL is not a URL; it should look like nats://localhost:4222")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot reach NATS: %w; check NATS_URL", err)
	}
	return nc, nil
}

func (b *broker) close() {
	if b.inside != nil {
		b.inside.Shutdown()
		b.inside.WaitForShutdown()
	}
	if b.folder != "" {
		os.RemoveAll(b.folder)
	}
}
