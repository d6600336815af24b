package diff_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/diff"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// BenchmarkCore takes full replies of a busy site, one in ten seconds. Beside
// time and allocations it tells how large the state is once packed.
func BenchmarkCore(b *testing.B) {
	for _, fresh := range []int{0, 10, 100} {
		b.Run(fmt.Sprintf("new=%d", fresh), func(b *testing.B) {
			replies := busyReplies(fresh)
			core := diff.New(false)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				core.Next(replies(i))
				i++
			}
			packed, err := core.State().MarshalBinary()
			require.NoError(b, err)
			b.ReportMetric(float64(len(packed)), "state-bytes")
		})
	}
}

// A poll that shows what the one before showed costs no memory but the reply's.
func TestNothingChanged(t *testing.T) { //nolint:paralleltest // allocations are counted for the whole process
	body, err := os.ReadFile(filepath.Join("..", "wire", "testdata", "200-rows.json"))
	require.NoError(t, err)
	reply, err := wire.Decode(body, time.UTC)
	require.NoError(t, err)
	core := diff.New(false)
	require.Len(t, core.Next(reply).Rows, 100)
	allocations := testing.AllocsPerRun(100, func() {
		reply.Timestamp = reply.Timestamp.Add(100 * time.Millisecond)
		step := core.Begin(reply)
		step.Hidden()
		step.Finish()
	})
	assert.Zero(t, allocations)
}

// BenchmarkCheckpoint packs and unpacks the state of a busy site.
func BenchmarkCheckpoint(b *testing.B) {
	replies := busyReplies(100)
	core := diff.New(false)
	for i := range 200 {
		core.Next(replies(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		packed, err := core.State().MarshalBinary()
		require.NoError(b, err)
		require.NoError(b, new(diff.State).UnmarshalBinary(packed))
	}
}

// busyReplies gives replies of 100 page views of 50 sessions, ten seconds
// apart. Of each, so many are new.
func busyReplies(fresh int) func(i int) *wire.Reply {
	random := newRandom(1)
	m := &model{random: random}
	ids := make([]string, 50)
	for i := range ids {
		ids[i] = m.newID()
	}
	r := &wire.Reply{Pageviews: make([]wire.Row, 100), SeriesSent: true, Limit: 100, Truncated: true, Views: make([]wire.Point, 0, 32)}
	start := clock("12:00:00")
	return func(i int) *wire.Reply {
		if fresh == 0 {
			i = 0
		}
		now := start + int64(i)*10*second
		for j := range r.Pageviews {
			n := i*max(fresh, 10) - j // the number of the row
			at := start + int64(n)*10*second/int64(max(fresh, 10))
			r.Pageviews[j] = wire.Row{SessionID: ids[(n%50+50)%50], URLPath: "/", CreatedAt: instant(at)}
		}
		r.Views = r.Views[:0]
		for m := minuteOf(windowStart(now)); m <= minuteOf(now); m++ {
			r.Views = append(r.Views, wire.Point{Time: instant(m * minuteMillis), Count: 6 * max(fresh, 10)})
		}
		r.Timestamp = instant(now)
		return r
	}
}
