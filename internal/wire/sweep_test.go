package wire_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// doubts are the scenes whose reply fits two readings of the series that are a
// quarter or half an hour apart, so that the times may stay as labelled. All
// others must be read right.
var doubts = map[string]string{
	"events only shown":                                                  "no view is shown to hold the series against",
	"events only shown; late views in the series":                        "no view is shown to hold the series against",
	"events only shown; late views in the rows":                          "the only view shown came between the two queries",
	"a few views among events":                                           "the only view shown is so new that it may have come between the two queries",
	"a few views among events; late views in the series":                 "as before",
	"a few views among events; late views in the rows":                   "both views shown are so new that one may have come in between",
	"bursts 15 minutes apart, oldest shown":                              "one burst is shown: the older of two by a server that shows the oldest rows, or the newer by one that shows the newest",
	"bursts 15 minutes apart, oldest shown; late views in the series":    "as before",
	"bursts 15 minutes apart, oldest shown; late views in the rows":      "as before",
	"one view, without a hostname, 15 minutes ago":                       "it may be a performance row, which does not count, and the view counted come between the two queries",
	"performance rows 15 minutes before views; late views in the series": "the rows without a hostname may be views, and the newest view shown come between the two queries",
	"performance rows 15 minutes before views; late views in the rows":   "as before",
}

// The series is at its true instants for every offset from UTC in use, every
// way of writing it and every kind of traffic, or where a doubt is listed at
// its labels, and never anywhere else.
func TestSeriesSweep(t *testing.T) {
	t.Parallel()
	zones := offsetsInUse(t)
	require.GreaterOrEqual(t, len(zones), 38)
	var tally tally
	t.Run("zones", func(t *testing.T) { // not parallel, so that the tally is read when all are done
		for i, here := range zones {
			other := zones[(i+7)%len(zones)]
			t.Run(fmt.Sprint(here.zone, here.offset), func(t *testing.T) {
				t.Parallel()
				n := i
				for _, s := range scenes(here.now) {
					rows := s.rowsJSON()
					for _, asked := range []*time.Location{time.UTC, here.zone, other.zone} {
						for _, w := range writers(asked, here.offset) {
							n++
							if s.skip(n) {
								continue
							}
							w.layout = layouts[n%len(layouts)]
							tally.check(t, s, rows, w, asked)
						}
					}
				}
			})
		}
	})
	t.Logf("%d replies; stayed as labelled: %v", tally.replies, tally.labelled)
	if sweepEvery > 1 {
		return
	}
	for name := range doubts {
		assert.Positive(t, tally.labelled[name], "%q is listed as a doubt, but never was one", name)
	}
}

// A session zone of every offset together with every other zone asked for.
func TestSeriesSweepPairs(t *testing.T) {
	t.Parallel()
	zones := offsetsInUse(t)
	var tally tally
	for i, asked := range zones {
		var idle []scene
		for _, s := range scenes(asked.now) {
			if slices.Contains([]string{"middling", "each 15 minutes", "one view, 15 minutes ago"}, s.name) {
				idle = append(idle, s)
			}
		}
		require.Len(t, idle, 3)
		for j, session := range zones {
			s := idle[(i+j)%len(idle)]
			rows := s.rowsJSON()
			for k, w := range writers(asked.zone, session.offset) {
				w.layout = layouts[(i+j+k)%len(layouts)]
				tally.check(t, s, rows, w, asked.zone)
			}
		}
	}
	t.Logf("%d replies; stayed as labelled: %v", tally.replies, tally.labelled)
}

// writers are all ways of servers to write the series.
func writers(asked *time.Location, session time.Duration) []writer {
	return []writer{
		{name: "true UTC", zone: time.UTC},
		{name: "the zone asked for", zone: asked},
		{name: "UTC, ahead by the session", zone: time.UTC, shift: session},
		{name: "UTC, behind by the session", zone: time.UTC, shift: -session},
		{name: "the zone asked for, ahead by the session", zone: asked, shift: session},
		{name: "the zone asked for, behind by the session", zone: asked, shift: -session},
	}
}

// tally counts replies, and those that stayed as labelled by scene.
type tally struct {
	doubts []string // beginnings of the names of more scenes in doubt

	mu       sync.Mutex
	replies  int
	labelled map[string]int
}

func (c *tally) mayDoubt(s scene) bool {
	return doubts[s.name] != "" ||
		slices.ContainsFunc(c.doubts, func(name string) bool { return strings.HasPrefix(s.name, name) })
}

// check decodes the scene as the server writes it.
func (c *tally) check(t *testing.T, s scene, rows []byte, w writer, asked *time.Location) {
	t.Helper()
	r, err := wire.Decode(s.reply(rows, w), asked)
	require.NoError(t, err)
	later, earlier := s.visible(w)
	found := slices.Equal(r.Views, later) || slices.Equal(r.Views, earlier)
	doubt := !found && c.mayDoubt(s) && slices.Equal(r.Views, s.labelled(t, w, asked))
	require.Equal(t, r.Views, r.Visitors) // the same minutes in every scene

	c.mu.Lock()
	c.replies++
	if doubt {
		if c.labelled == nil {
			c.labelled = map[string]int{}
		}
		c.labelled[s.name]++
	}
	c.mu.Unlock()
	if !found && !doubt {
		t.Errorf("%s; the server writes %s, ahead by %v, as %s; asked for %v:\n%s\nis read as\n%s",
			s.name, w.name, w.shift, w.layout, asked, show(later), show(r.Views))
	}
}

func show(points []wire.Point) string {
	var b strings.Builder
	for _, p := range points {
		fmt.Fprintf(&b, " %s=%d", p.Time.Format("02T15:04"), p.Count)
	}
	return b.String()
}
