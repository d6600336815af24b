package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/fanout/lease"
)

// TestKill kills replicas, three at a time, and holds what two services got
// against what happened.
func TestKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8, 500*time.Millisecond)
	random := rand.New(rand.NewPCG(1, 1))
	first, second := w.serve(t, "first"), w.serve(t, "second")
	complete := func() bool { return len(first.got()) >= len(w.truth()) }

	type process struct {
		*running
		*cable
	}
	var alive []process
	launch := func() {
		r, c := w.launch(t, "r")
		alive = append(alive, process{r, c})
	}
	for range 6 {
		launch()
	}
	w.visit(100)
	killed := 0
	for killed < 21 {
		eventually(t, "all visits", complete)
		random.Shuffle(len(alive), func(i, j int) { alive[i], alive[j] = alive[j], alive[i] })
		victims := alive[:3]
		eventually(t, "a website of one that is to die", func() bool {
			return len(victims[0].holds())+len(victims[1].holds())+len(victims[2].holds()) > 0
		})
		for _, v := range victims {
			v.cutAfter(1 + random.IntN(8))
		}
		w.visit(10 + random.IntN(20))
		for _, v := range victims {
			eventually(t, "cut", v.isCut)
			v.kill()
			killed++
		}
		w.visit(random.IntN(10))
		alive = alive[3:]
		for range 3 {
			launch()
		}
	}
	eventually(t, "all visits", complete)

	// Whoever comes next finds nothing to do again.
	for _, p := range alive {
		p.end()
		<-p.done
	}
	w.launch(t, "last")
	w.visit(50)
	eventually(t, "all visits", complete)
	eventually(t, "all visits", func() bool { return len(second.got()) >= len(w.truth()) })
	assert.ElementsMatch(t, w.truth(), first.got(), "each visit once")
	assert.ElementsMatch(t, w.truth(), second.got(), "each visit once")
	t.Log(killed, "replicas killed,", len(w.truth()), "visits")
}

// TestCutOff cuts a replica off from NATS, but not from Umami. What it sends
// meanwhile arrives when another one has its website.
func TestCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, time.Second)
	s := w.serve(t, "service")
	a, network := w.launch(t, "a")
	w.visit(10)
	eventually(t, "all visits", func() bool { return len(s.got()) == len(w.truth()) })

	network.hold()
	w.visit(1)
	srv := w.farm[w.websites[0]]
	asked := len(srv.Requests())
	eventually(t, "poll", func() bool { return len(srv.Requests()) > asked+1 })
	b, _ := w.launch(t, "b")
	eventually(t, "the first to notice by itself", func() bool { return len(a.holds()) == 0 })
	eventually(t, "takeover", func() bool { return len(b.holds()) == 1 })
	w.visit(10)
	eventually(t, "all visits", func() bool { return len(s.got()) >= len(w.truth()) })

	network.restore()
	b.end() // the website goes back
	eventually(t, "website", func() bool { return len(a.holds()) == 1 })
	w.visit(10)
	eventually(t, "all visits", func() bool { return len(s.got()) >= len(w.truth()) })
	assert.Equal(t, w.truth(), s.got(), "each visit once, in order")
}

// TestServiceFails lets a service fail, as on a full disk: what it did not handle
// is not taken from it.
func TestServiceFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, time.Minute)
	h, ctx := w.hub(t), t.Context()
	f, err := h.open(ctx, lease.Lease{Name: w.websites[0], Token: 1})
	require.NoError(t, err)
	require.NoError(t, f.publish(ctx, "1", []byte(visited)))
	require.NoError(t, f.publish(ctx, "2", []byte(visited)))
	handled := 0
	require.ErrorIs(t, h.consume(ctx, "service", func(visit) error {
		if handled++; handled > 1 {
			return io.ErrShortWrite
		}
		return nil
	}), io.ErrShortWrite)

	// The server sees to acknowledgements one after the other.
	require.NoError(t, f.publish(ctx, "3", []byte(visited)))
	later, end := context.WithCancel(ctx)
	require.NoError(t, h.consume(later, "service", func(visit) error {
		end()
		return nil
	}))
	consumer, err := h.stream.Consumer(ctx, "service")
	require.NoError(t, err)
	eventually(t, "acknowledgement of the third", func() bool {
		info, err := consumer.Info(ctx)
		require.NoError(t, err)
		return info.NumAckPending <= 1
	})
	assert.EqualValues(t, 1, consumer.CachedInfo().AckFloor.Consumer, "the second one is not taken from it")
}

const visited = `{"type":"pageview"}`

// TestFence lets an earlier holder wake up at each point.
func TestFence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, time.Minute)
	h, ctx := w.hub(t), t.Context()
	site := w.websites[0]
	old, err := h.open(ctx, lease.Lease{Name: site, Token: 5})
	require.NoError(t, err)
	require.NoError(t, old.publish(ctx, "1", []byte(visited)))
	again, err := h.open(ctx, lease.Lease{Name: site, Token: 5})
	require.NoError(t, err, "the same lease")
	require.NoError(t, again.publish(ctx, "2", []byte(visited)))
	require.ErrorIs(t, old.publish(ctx, "3", []byte(visited)), errTakenOver)

	claimed, err := h.open(ctx, lease.Lease{Name: site, Token: 9})
	require.NoError(t, err)
	require.ErrorIs(t, again.publish(ctx, "3", []byte(visited)), errTakenOver)
	require.ErrorIs(t, again.save(ctx, checkpoint(t, w)), errTakenOver)
	_, err = h.open(ctx, lease.Lease{Name: site, Token: 8})
	require.ErrorIs(t, err, errTakenOver, "a late one gets no fence")
	require.NoError(t, claimed.publish(ctx, "4", []byte(visited)), "nor does it disturb")
	require.NoError(t, claimed.save(ctx, checkpoint(t, w)))
	other, err := h.open(ctx, lease.Lease{Name: websiteID(2), Token: 1})
	require.NoError(t, err)
	require.NoError(t, other.publish(ctx, "3", []byte(visited)), "another website")

	info, err := h.stream.Info(ctx, jetstream.WithSubjectFilter(">"))
	require.NoError(t, err)
	assert.Equal(t, map[string]uint64{visitsOf + site: 3, fenceOf + site: 1, visitsOf + websiteID(2): 1, fenceOf + websiteID(2): 1}, info.State.Subjects)
}

func checkpoint(t *testing.T, w *world) umami.Checkpoint {
	t.Helper()
	p, err := w.client.NewPoller(w.websites[0], nil)
	require.NoError(t, err)
	for diff, err := range p.All(t.Context()) {
		require.NoError(t, err)
		return diff.Checkpoint()
	}
	return umami.Checkpoint{}
}

// TestRepeats publishes visits again, by who does not know that they were.
func TestRepeats(t *testing.T) {
	t.Parallel()
	for name, window := range map[string]time.Duration{"within the window": time.Hour, "long after": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, time.Minute)
			h, ctx := w.hub(t), t.Context()
			config := h.stream.CachedInfo().Config
			config.Duplicates = window
			_, err := h.js.UpdateStream(ctx, config)
			require.NoError(t, err)

			count := func() uint64 {
				info, err := h.stream.Info(ctx, jetstream.WithSubjectFilter(visitsOf+"*"))
				require.NoError(t, err)
				return info.State.Subjects[visitsOf+w.websites[0]]
			}
			saved := 0
			for holder := range 4 {
				f, err := h.open(ctx, lease.Lease{Name: w.websites[0], Token: uint64(holder + 1)})
				require.NoError(t, err)
				assert.Equal(t, saved > 0, f.Checkpoint != nil)
				for i := saved; i < 5*(holder+1); i++ { // what a poller brings
					require.NoError(t, f.publish(ctx, fmt.Sprint(i), []byte(visited)))
				}
				if holder == 1 {
					require.NoError(t, f.save(ctx, checkpoint(t, w)))
					saved = 10
				}
				assert.EqualValues(t, 5*(holder+1), count())
				if window < time.Second {
					awaitWindow(t, h, holder)
				}
			}
		})
	}
}

// awaitWindow waits until the stream has forgotten the ids that it knows now.
func awaitWindow(t *testing.T, h *hub, round int) {
	t.Helper()
	probe := func() (again bool) {
		ack, err := h.js.Publish(t.Context(), visitsOf+"probe", nil, jetstream.WithMsgID(fmt.Sprint("probe ", round)))
		require.NoError(t, err)
		return ack.Duplicate
	}
	require.False(t, probe())
	eventually(t, "the window's end", func() bool { return !probe() })
}
