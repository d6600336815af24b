package diff_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/diff"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// FuzzCore feeds the core with any replies, true to a site or not. It does not
// panic, a reply told again says nothing, and a core that goes on from the
// packed state says what the first one says.
func FuzzCore(f *testing.F) {
	f.Add([]byte("a reply, and another one"))
	f.Add([]byte{10, 1, 3, 5, 0, 6, 1, 7, 2, 1, 4, 10, 0, 2, 1, 1, 1, 2, 0, 0, 200, 3, 3, 1, 0, 2, 0, 3, 0, 1, 9})
	f.Add(slices.Repeat([]byte{60, 9, 3, 1, 17, 5, 33, 9, 65, 2, 30, 40}, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		bytes := dice(data)
		now := clock("12:00:00")
		core := diff.New(bytes.roll(2) == 0)
		for range 40 {
			if len(bytes) == 0 {
				break
			}
			now += bytes.span()
			r := bytes.reply(now)
			var twin *diff.Core
			if core.State() != nil {
				packed, err := core.State().MarshalBinary()
				require.NoError(t, err)
				var state diff.State
				require.NoError(t, state.UnmarshalBinary(packed))
				twin = diff.Resume(&state)
			}
			change := core.Next(r)
			checkChange(t, change)
			if twin != nil {
				requireSame(t, change, twin.Next(r))
			}
			again := core.Next(r)
			require.Empty(t, again.Rows)
			require.Empty(t, again.Started)
			require.Empty(t, again.Ended)
			require.Empty(t, again.Gaps)
		}
	})
}

// FuzzState unpacks any bytes. What can be unpacked can be used.
func FuzzState(f *testing.F) {
	replies := busyReplies(10)
	core := diff.New(false)
	for i := range 3 {
		core.Next(replies(i))
		packed, err := core.State().MarshalBinary()
		require.NoError(f, err)
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		var state diff.State
		if state.UnmarshalBinary(packed) != nil {
			return
		}
		again, err := state.MarshalBinary()
		require.NoError(t, err)
		require.Equal(t, packed, again)
		diff.Resume(&state).Next(replies(4))
	})
}

// requireSame holds two changes to be the same, but for the reasons of their
// gaps, and for how those are joined.
func requireSame(t *testing.T, a, b diff.Change) {
	t.Helper()
	counted, unknown, missed := stretchesOf(a.Gaps)
	counted2, unknown2, missed2 := stretchesOf(b.Gaps)
	require.Equal(t, counted, counted2)
	require.Equal(t, unknown, unknown2)
	require.Equal(t, missed, missed2)
	a.Gaps, b.Gaps = nil, nil
	require.Equal(t, a, b)
}

// stretchesOf joins gaps as if they all had one reason, and adds up what is
// missing.
func stretchesOf(gaps []diff.Gap) (counted, unknown stretches, missed int) {
	for _, g := range gaps {
		g.Reason = 0
		if g.Missed < 0 {
			unknown = append(unknown, g)
			continue
		}
		missed += g.Missed
		g.Missed = 0
		counted = append(counted, g)
	}
	return newStretches(counted), newStretches(unknown), missed
}

func checkChange(t *testing.T, c diff.Change) {
	t.Helper()
	require.True(t, slices.IsSortedFunc(c.Rows, func(a, b diff.Visit) int { return a.Row.CreatedAt.Compare(b.Row.CreatedAt) }))
	for _, g := range c.Gaps {
		require.GreaterOrEqual(t, g.Missed, -1)
		require.False(t, g.From.After(g.To), "from %v to %v", g.From, g.To)
	}
}

// dice are bytes to make things of; zeros where there are none left.
type dice []byte

func (d *dice) roll(n int) int {
	if len(*d) == 0 {
		return 0
	}
	b := (*d)[0]
	*d = (*d)[1:]
	return int(b) % n
}

// span is a time between two replies, mostly seconds.
func (d *dice) span() int64 {
	switch by := int64(d.roll(64)); d.roll(16) {
	case 0:
		return by * minute
	case 1:
		return -by * minute
	case 2:
		return -by * second
	default:
		return by * second
	}
}

func (d *dice) reply(now int64) *wire.Reply {
	r := &wire.Reply{Timestamp: instant(now), SeriesSent: d.roll(4) > 0}
	counts := make(map[int64]int)
	ids := []string{"", "ann", "bob", "5f0c9f4e-0d6b-4a61-9c3b-0a1b2c3d4e5f"}
	for range d.roll(12) {
		at := now - int64(d.roll(100))*second - int64(d.roll(35))*minute
		if d.roll(30) == 0 {
			at = now + int64(d.roll(200))*minute
		}
		row := wire.Row{SessionID: ids[d.roll(len(ids))], URLPath: paths[d.roll(len(paths))], CreatedAt: instant(at)}
		switch d.roll(5) {
		case 0:
			row.EventName = "signup"
			r.Events = append(r.Events, row)
			continue
		case 1:
			row.Performance = true
		default:
			counts[minuteOf(at)]++
		}
		r.Pageviews = append(r.Pageviews, row)
		if d.roll(6) == 0 {
			r.Sessions = append(r.Sessions, row)
		}
	}
	newestFirst := func(a, b wire.Row) int { return b.CreatedAt.Compare(a.CreatedAt) }
	slices.SortStableFunc(r.Pageviews, newestFirst)
	slices.SortStableFunc(r.Events, newestFirst)
	if n := len(r.Pageviews) + len(r.Events); n > 0 && d.roll(2) == 0 {
		r.Truncated, r.Limit = true, n
	}
	for range d.roll(6) {
		counts[minuteOf(now)-int64(d.roll(32))] += d.roll(20)
	}
	for m, n := range counts {
		r.Views = append(r.Views, wire.Point{Time: instant(m * minuteMillis), Count: n})
	}
	return r
}
