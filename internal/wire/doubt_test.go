package wire_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// The doubts of the sweep are real: two truths a quarter of an hour apart make
// replies that are the same to the byte.
func TestSeriesDoubtsAreReal(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.July, 15, 10, 17, 0, 200e6, time.UTC)
	at := func(kind visitKind, minutes ...int) []visit { return minutesAgo(now, kind, minutes...) }
	events := slices.Repeat(at(customEvent, 2), 100)
	bursts := func(minutes ...int) []visit { return slices.Repeat(at(view, minutes...), 150) }
	for _, tt := range []struct {
		name           string
		one, other     scene
		byOne, byOther time.Duration
	}{
		{
			"events only shown",
			scene{visits: slices.Concat(events, at(view, 12, 14)), cut: newest100},
			scene{visits: slices.Concat(events, at(view, 27, 29)), cut: newest100},
			345 * time.Minute, 360 * time.Minute,
		},
		{
			"a few views among events",
			scene{visits: slices.Concat(events, at(view, 1, 3, 15)), cut: newest100},
			scene{visits: slices.Concat(events, at(view, 16, 18, 30)), cut: newest100, late: at(view, 1), lateRows: true},
			345 * time.Minute, 360 * time.Minute,
		},
		{
			"bursts 15 minutes apart, oldest shown",
			scene{visits: bursts(0, 15), cut: oldest100},
			scene{visits: bursts(15, 30), cut: newest100},
			345 * time.Minute, 360 * time.Minute,
		},
		{
			"one view, without a hostname, 15 minutes ago",
			scene{visits: at(noHostname, 15)},
			scene{visits: at(performance, 15), late: at(view, 0)},
			345 * time.Minute, 330 * time.Minute,
		},
		{
			"performance rows 15 minutes before views; late views in the series",
			scene{visits: slices.Concat(at(view, 0, 15), at(performance, 15, 30)), late: at(view, 0)},
			scene{visits: slices.Concat(at(view, 15), at(noHostname, 15, 30)), late: at(view, 0), lateRows: true},
			345 * time.Minute, 360 * time.Minute,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, doubts, tt.name)
			tt.one.now, tt.other.now = now, now
			one := writer{zone: time.UTC, shift: tt.byOne, layout: zuluLayout}
			other := writer{zone: time.UTC, shift: tt.byOther, layout: zuluLayout}
			body := tt.one.reply(tt.one.rowsJSON(), one)
			require.Equal(t, string(body), string(tt.other.reply(tt.other.rowsJSON(), other)))
			require.NotEqual(t, tt.one.views(), tt.other.views())

			r, err := wire.Decode(body, time.UTC)
			require.NoError(t, err)
			assert.Equal(t, tt.one.labelled(t, one, time.UTC), r.Views)
		})
	}
}
