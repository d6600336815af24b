package wire_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// The zone asked for changes its clock within the window.
func TestSeriesClockChange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		zone, change string
		doubts       []string // more scenes in doubt: their names begin so
	}{
		{zone: "Europe/Berlin", change: "2026-03-29T01:00:00Z"},
		{zone: "Europe/Berlin", change: "2026-10-25T01:00:00Z"},
		{zone: "Europe/London", change: "2026-10-25T01:00:00Z"},
		{zone: "America/St_Johns", change: "2026-03-08T05:30:00Z"},
		// Labels 30 minutes apart may be 30 minutes apart in a zone that keeps
		// its offset, or the other way round where the clock was set back.
		{zone: "America/St_Johns", change: "2026-11-01T04:30:00Z", doubts: []string{"bursts 30 minutes apart"}},
		// Set back by half an hour, so that the labels of that half hour come
		// twice, and those with a Z tell nothing.
		{zone: "Australia/Lord_Howe", change: "2026-04-04T15:00:00Z", doubts: []string{""}},
		{zone: "Australia/Lord_Howe", change: "2026-10-03T15:30:00Z"},
		{zone: "Antarctica/Troll", change: "2026-10-25T01:00:00Z"}, // by two hours
	} {
		t.Run(tt.zone+tt.change, func(t *testing.T) {
			t.Parallel()
			zone := loadZone(t, tt.zone)
			tally := tally{doubts: tt.doubts}
			n := 0
			for _, now := range aroundChange(t, zone, tt.change) {
				for _, s := range scenes(now) {
					if strings.HasPrefix(s.name, "a view in the future") {
						continue
					}
					rows := s.rowsJSON()
					for _, w := range []writer{
						{name: "the zone asked for", zone: zone},
						{name: "the zone asked for, ahead by the session", zone: zone, shift: 210 * time.Minute},
						{name: "the zone asked for, behind by the session", zone: zone, shift: -345 * time.Minute},
						{name: "true UTC", zone: time.UTC},
					} {
						n++
						if s.skip(n) {
							continue
						}
						w.layout = layouts[n%len(layouts)]
						tally.check(t, s, rows, w, zone)
					}
				}
			}
			t.Logf("%d replies; stayed as labelled: %v", tally.replies, tally.labelled)
		})
	}
}

// A database session that changes its clock within the window, in a zone that
// nobody asked for, is outside what a reply can tell: the series is right where
// all of it is on one side of the change, and as labelled otherwise.
func TestSeriesSessionClockChange(t *testing.T) {
	t.Parallel()
	zone := loadZone(t, "Europe/Berlin")
	for _, change := range []string{"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"} {
		for _, now := range aroundChange(t, zone, change) {
			for _, s := range scenes(now) {
				w := writer{zone: zone, layout: zuluLayout}
				r, err := wire.Decode(s.reply(s.rowsJSON(), w), time.UTC)
				require.NoError(t, err)
				require.Contains(t, []string{show(s.views()), show(s.labelled(t, w, time.UTC))}, show(r.Views), s.name)
			}
		}
	}
}

// aroundChange gives instants before, at and after the change of a zone's
// clock, until it has left the window.
func aroundChange(t *testing.T, zone *time.Location, change string) []time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, change)
	require.NoError(t, err)
	before, after := at.Add(-time.Second).In(zone), at.In(zone)
	require.NotEqual(t, before.Format("-07:00"), after.Format("-07:00"), "the clock changes")
	var all []time.Time
	for _, minutes := range []int{-1, 0, 1, 8, 15, 16, 29, 30, 31} {
		all = append(all, at.Add(time.Duration(minutes)*time.Minute+30*time.Second))
	}
	return all
}
