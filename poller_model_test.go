package umami_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/internal/modelseed"
	"github.com/seed721439b2/umami-go/umamitest"
)

// TestMain lets the collector run less often: the tests of the poller make many
// replies and keep few.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

// TestPollerModel lets readers follow a made-up site for one day in each
// profile, through HTTP and the poll loop, and holds what they were told
// against what happened. The server fails now and then, readers are slow, die
// and start again from a checkpoint. Where nothing fails, nothing may be missing
// on servers that list what a reply hides. Each run chooses another seed; MODEL_SEED
// repeats its traffic, its faults and its readers, but not the poller's own
// jitter. The core alone has a model test of its own, over months.
func TestPollerModel(t *testing.T) {
	t.Parallel()
	type variant struct {
		name     string
		profile  umamitest.Profile
		unsteady bool // what was hidden may be shown again
		opts     []umamitest.Option
		smooth   bool // nothing fails, and larger crowds come
	}
	tehran := time.FixedZone("Asia/Tehran", int((3*time.Hour + 30*time.Minute).Seconds()))
	variants := []variant{
		{"V2_13 ClickHouse", umamitest.V2_13, true, []umamitest.Option{umamitest.WithDatabase(umamitest.ClickHouse), umamitest.WithShuffledTies()}, false},
		{"V3_1 ClickHouse", umamitest.V3_1, true, []umamitest.Option{umamitest.WithDatabase(umamitest.ClickHouse), umamitest.WithShuffledTies()}, false},
		{"V3_1 replicas", umamitest.V3_1, true, []umamitest.Option{umamitest.WithReplicas(2 * time.Minute)}, false},
		{"V3_0 Tehran", umamitest.V3_0, false, []umamitest.Option{umamitest.WithDatabaseTimezone(tehran)}, false},
		{"V3_4 Tehran", umamitest.V3_4, false, []umamitest.Option{umamitest.WithDatabaseTimezone(tehran)}, false},
	}
	for _, p := range umamitest.Profiles() {
		variants = append(variants, variant{p.String(), p, false, nil, false})
		if p >= umamitest.V2_13 {
			variants = append(variants, variant{p.String() + " without failures", p, true, []umamitest.Option{umamitest.WithShuffledTies()}, true})
		}
	}
	modelseed.Run(t, func(t *testing.T, seed uint64) {
		t.Helper()
		for _, v := range variants {
			t.Run(v.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { newModelDay(seed, v.profile, v.unsteady, v.smooth, v.opts).run(t) })
			})
		}
	})
}

// modelDay is one site for a day, and its readers.
type modelDay struct {
	*diary
	random *rand.Rand
	srv    *umamitest.Server
	client *umami.Client
	end    time.Time // of all trouble; the traffic ends shortly before
	smooth bool      // there is none
	alone  bool      // without backfill
	saved  []byte    // a checkpoint
}

// calm is the time at the end of a day in which nothing happens any more, and
// all that was hidden is told of.
const calm = 90 * time.Minute

func newModelDay(seed uint64, profile umamitest.Profile, unsteady, smooth bool, opts []umamitest.Option) *modelDay {
	random := rand.New(rand.NewPCG(seed, uint64(profile)))
	skew := time.Duration(random.IntN(6*60)-3*60) * time.Minute
	length := modelHours * time.Hour
	if testing.Short() {
		length = min(length, 3*time.Hour)
	}
	d := &modelDay{random: random, end: time.Now().Add(length - calm), smooth: smooth, alone: !smooth && random.IntN(2) == 0}
	crowd := 100 + random.IntN(400)
	if smooth {
		crowd *= 10
	}
	d.srv = umamitest.NewServer(append(opts, umamitest.InProcess(), umamitest.WithProfile(profile), umamitest.WithClockSkew(skew),
		umamitest.WithTraffic(umamitest.Traffic{
			Seed: seed, Rate: 0.8, Until: d.end.Add(skew - 30*time.Minute),
			Late: 4 * time.Second, Alike: 0.1, Bursts: 0.6, Crowd: crowd,
		}))...)
	d.diary = newDiary(profile, unsteady)
	d.complete = smooth
	d.client = d.srv.Client(umami.WithHTTPClient(&http.Client{Transport: d.watch(d.srv.HTTPClient().Transport)}))
	return d
}

// watch notes when a reply comes that a poller can use.
func (d *modelDay) watch(through http.RoundTripper) transport {
	return func(r *http.Request) (*http.Response, error) {
		res, err := through.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(res.Body)
		if at, ok := timestampOf(body); ok && err == nil {
			d.noteReply(at)
		}
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), ending{err}))
		return res, nil
	}
}

// timestampOf finds the timestamp of a whole reply, which stands last.
func timestampOf(body []byte) (time.Time, bool) {
	_, text, _ := bytes.Cut(body[max(0, len(body)-30):], []byte(`"timestamp":`))
	text, whole := bytes.CutSuffix(text, []byte("}"))
	ms, err := strconv.ParseInt(string(text), 10, 64)
	return time.UnixMilli(ms), whole && err == nil
}

// ending is how a body ended.
type ending struct{ err error }

func (e ending) Read([]byte) (int, error) { return 0, cmp.Or(e.err, io.EOF) }

// run lets readers follow the site, one after the other.
func (d *modelDay) run(t *testing.T) {
	t.Helper()
	if !d.smooth {
		go d.trouble(rand.New(rand.NewPCG(d.random.Uint64(), 0)))
	}
	for time.Until(d.end) > -calm {
		d.read(t)
	}
	require.NoError(t, d.settle(d.srv.Truth()))
}

// trouble lets requests fail now and then, and takes the server away for a
// while.
func (d *modelDay) trouble(random *rand.Rand) {
	faults := []umamitest.Fault{
		umamitest.Status(500, ""), umamitest.StatusRetryAfter(429, 10*time.Second), umamitest.Page(502), umamitest.Body("null"),
		umamitest.Body(`{"events":[`), umamitest.Cut(), umamitest.Reset(), umamitest.Hang(), umamitest.Delay(time.Minute),
	}
	for {
		time.Sleep(time.Duration(random.IntN(40)) * time.Minute)
		if time.Until(d.end) < time.Hour {
			return
		}
		d.srv.Fail(1+random.IntN(8), faults[random.IntN(len(faults))])
		if random.IntN(12) == 0 {
			d.srv.Fail(10_000, umamitest.Page(503))
			time.Sleep(time.Duration(random.IntN(50)) * time.Minute)
			d.srv.Recover()
		}
	}
}

// read is the life of one reader. It goes on from where one before it had left
// a checkpoint.
func (d *modelDay) read(t *testing.T) {
	t.Helper()
	opts := &umami.PollerOptions{
		Interval: time.Duration(20+d.random.IntN(60)) * time.Second, MinInterval: 5 * time.Second,
		Overflow: umami.Overflow(d.random.IntN(2)), MaxPending: 100 + d.random.IntN(1000),
		NoBackfill: d.alone,
	}
	if d.smooth { // of all crowds between two readers, nothing may be missing
		opts.MaxBackfill = 100_000
	}
	if d.saved != nil {
		opts.Resume = new(umami.Checkpoint)
		require.NoError(t, json.Unmarshal(d.saved, opts.Resume))
	}
	slow := d.random.IntN(4) == 0
	ctx, cancel := context.WithDeadline(t.Context(), d.end.Add(calm))
	defer cancel()
	poller := newPoller(t, d.client, opts)
	d.begin()
	for diff, err := range poller.All(ctx) {
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			return
		}
		require.NoError(t, d.take(diff))
		left := time.Until(d.end)
		if left < 0 || d.random.IntN(3) == 0 {
			d.saved, err = json.Marshal(diff.Checkpoint())
			require.NoError(t, err)
			d.save()
		}
		switch {
		case left < 0:
		case slow && d.random.IntN(20) == 0:
			time.Sleep(time.Duration(d.random.IntN(35)) * time.Minute)
		case slow:
			time.Sleep(time.Duration(d.random.IntN(200)) * time.Second)
		}
		if left > 0 && d.saved != nil && d.random.IntN(100) == 0 {
			break // it is killed: what it did since the checkpoint is forgotten
		}
	}
	d.kill()
	if d.random.IntN(5) == 0 {
		time.Sleep(time.Duration(d.random.IntN(45)) * time.Minute)
	}
}
