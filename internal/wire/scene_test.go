package wire_test

import (
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// A scene is what happened on a website in the half hour before now, and which
// part of it the server shows.
type scene struct {
	name   string
	now    time.Time
	visits []visit
	cut    cut
	// late came between the server's two queries: only in the rows, or only
	// in the series.
	late     []visit
	lateRows bool
}

type visit struct {
	at   time.Time
	kind visitKind
}

type visitKind int

const (
	view visitKind = iota
	customEvent
	performance
	noHostname // a page view that somebody sent without a hostname
	uncounted  // a row that looks like a page view, but the series leaves it out
)

type cut int

const (
	whole cut = iota
	newest100
	oldest100
)

// rows are the visits shown, newest first.
func (s scene) rows() []visit {
	rows := slices.Clone(s.visits)
	if s.lateRows {
		rows = append(rows, s.late...)
	}
	slices.SortStableFunc(rows, func(a, b visit) int { return b.at.Compare(a.at) })
	if s.cut != whole && len(rows) > 100 {
		if s.cut == newest100 {
			return rows[:100]
		}
		return rows[len(rows)-100:]
	}
	return rows
}

// views are the true instants and counts of the series.
func (s scene) views() []wire.Point {
	visits := slices.Clone(s.visits)
	if !s.lateRows {
		visits = append(visits, s.late...)
	}
	counts := map[time.Time]int{}
	for _, v := range visits {
		if v.kind == view || v.kind == noHostname {
			counts[v.at.Truncate(time.Minute)]++
		}
	}
	points := []wire.Point{}
	for at, n := range counts {
		points = append(points, wire.Point{Time: at, Count: n})
	}
	return oldestFirst(points)
}

// A writer is a way in which a server writes the minutes of the series: by the
// clock of a zone, ahead by the offset of its database session.
type writer struct {
	name   string
	zone   *time.Location
	shift  time.Duration
	layout string
}

const (
	zuluLayout  = "2006-01-02T15:04:05Z"
	plainLayout = "2006-01-02T15:04:05"
	spaceLayout = "2006-01-02 15:04:05"
)

var layouts = []string{zuluLayout, plainLayout, spaceLayout}

func (w writer) label(at time.Time) string { return at.Add(w.shift).In(w.zone).Format(w.layout) }

// sweepEvery is 1, or more where the race detector makes the sweeps slow.
var sweepEvery = 1

// skip tells whether case n of a sweep is left out: of the scenes with a long
// reply, most are.
func (s scene) skip(n int) bool {
	every := sweepEvery
	if s.cut != whole {
		every *= 5
	}
	return n%every != 0
}

// rowsJSON are the rows as a server of 3.1 sends them, with no more columns
// than count here.
func (s scene) rowsJSON() []byte {
	text := []byte{'['}
	for i, v := range s.rows() {
		if i > 0 {
			text = append(text, ',')
		}
		text = v.at.AppendFormat(text, `{"createdAt":"2006-01-02T15:04:05.000Z"`)
		switch v.kind {
		case view, uncounted:
			text = append(text, `,"hostname":"a"}`...)
		case customEvent:
			text = append(text, `,"hostname":"a","eventName":"e"}`...)
		case performance, noHostname:
			text = append(text, `,"hostname":null}`...)
		}
	}
	return append(text, ']')
}

// reply is the scene with these rows as the server writes it.
func (s scene) reply(rows []byte, w writer) []byte {
	series := []byte{'['}
	counts := s.byLabel(w)
	for _, label := range slices.Sorted(maps.Keys(counts)) {
		if len(series) > 1 {
			series = append(series, ',')
		}
		series = append(series, `{"x":"`+label+`","y":`+strconv.Itoa(counts[label])+`}`...)
	}
	series = append(series, ']')
	body := append([]byte(`{"events":`), rows...)
	body = append(body, `,"series":{"views":`...)
	body = append(body, series...)
	body = append(body, `,"visitors":`...)
	body = append(body, series...)
	body = append(body, `},"timestamp":`...)
	return append(strconv.AppendInt(body, s.now.UnixMilli(), 10), '}')
}

// labelled are the points as a reader takes them who believes the labels: a Z
// means UTC, no zone means the one asked for.
func (s scene) labelled(t *testing.T, w writer, asked *time.Location) []wire.Point {
	t.Helper()
	if w.layout == zuluLayout {
		asked = time.UTC
	}
	points := []wire.Point{}
	for label, n := range s.byLabel(w) {
		at, err := time.ParseInLocation(w.layout, label, asked)
		require.NoError(t, err)
		points = append(points, wire.Point{Time: at.UTC(), Count: n})
	}
	return oldestFirst(points)
}

// visible is the truth as far as the server tells it: where a clock is set back
// within the window, two minutes can have the same label, and their views are
// added up. They count for the later one, or for the earlier.
func (s scene) visible(w writer) (later, earlier []wire.Point) {
	counts := s.byLabel(w)
	last, first := map[string]time.Time{}, map[string]time.Time{}
	for _, p := range s.views() { // oldest first
		label := w.label(p.Time)
		last[label] = p.Time
		if first[label].IsZero() {
			first[label] = p.Time
		}
	}
	for label, n := range counts {
		later = append(later, wire.Point{Time: last[label], Count: n})
		earlier = append(earlier, wire.Point{Time: first[label], Count: n})
	}
	return oldestFirst(later), oldestFirst(earlier)
}

// byLabel are the counts as the server groups them.
func (s scene) byLabel(w writer) map[string]int {
	counts := map[string]int{}
	for _, p := range s.views() {
		counts[w.label(p.Time)] += p.Count
	}
	return counts
}

func oldestFirst(points []wire.Point) []wire.Point {
	slices.SortFunc(points, func(a, b wire.Point) int { return a.Time.Compare(b.Time) })
	return points
}

// minutesAgo makes visits so many whole minutes before the minute of now, at
// second 20 of theirs.
func minutesAgo(now time.Time, kind visitKind, minutes ...int) []visit {
	visits := make([]visit, 0, len(minutes))
	for _, m := range minutes {
		at := now.Truncate(time.Minute).Add(-time.Duration(m)*time.Minute + 20*time.Second)
		visits = append(visits, visit{at, kind})
	}
	return visits
}

// everyMinute makes n(m) visits of a kind in each of the last 31 minutes.
func everyMinute(now time.Time, kind visitKind, n func(m int) int) []visit {
	var visits []visit
	for m := range 31 {
		for range n(m) {
			visits = append(visits, minutesAgo(now, kind, m)...)
		}
	}
	return visits
}

// scenes are the kinds of traffic that a series is calibrated by.
func scenes(now time.Time) []scene {
	views := func(minutes ...int) []visit { return minutesAgo(now, view, minutes...) }
	times := func(n int, visits []visit) []visit { return slices.Repeat(visits, n) }
	busy := slices.Concat(
		everyMinute(now, view, func(m int) int { return 5 + m*7%5 }),
		everyMinute(now, customEvent, func(m int) int { return m * 3 % 4 }),
	)
	steady := everyMinute(now, view, func(int) int { return 3 })
	burst := func(minutes ...int) []visit { return times(150, views(minutes...)) }
	all := []scene{
		{name: "busy, newest shown", visits: busy, cut: newest100},
		{name: "busy, oldest shown", visits: busy, cut: oldest100},
		{name: "every minute, all shown", visits: steady},
		{name: "busy, newest shown, a few not counted", visits: slices.Concat(busy, minutesAgo(now, uncounted, 2, 5, 21, 29)), cut: newest100},
		{name: "busy, oldest shown, a few not counted", visits: slices.Concat(busy, minutesAgo(now, uncounted, 2, 5, 21, 29)), cut: oldest100},
		{name: "every minute, all shown, a few not counted", visits: slices.Concat(everyMinute(now, view, func(int) int { return 2 }), minutesAgo(now, uncounted, 7, 7, 13))},
		{name: "ten minutes, newest shown", visits: times(30, views(3, 4, 5, 6, 7, 8, 9, 10, 11, 12)), cut: newest100},
		{name: "ten minutes, oldest shown", visits: times(30, views(3, 4, 5, 6, 7, 8, 9, 10, 11, 12)), cut: oldest100},
		{name: "middling", visits: slices.Concat(views(1, 4, 5, 5, 9, 16, 23), minutesAgo(now, customEvent, 2, 9))},
		{name: "one view, now", visits: views(0)},
		{name: "one view, 10 minutes ago", visits: views(10)},
		{name: "one view, 15 minutes ago", visits: views(15)},
		{name: "one view in the oldest minute", visits: views(30)},
		{name: "two views", visits: views(3, 21)},
		{name: "15 minutes apart", visits: views(2, 17)},
		{name: "30 minutes apart", visits: views(0, 30)},
		{name: "each 15 minutes", visits: views(0, 15, 30)},
		{name: "newest minute only", visits: views(0, 0, 0)},
		{name: "oldest minute only", visits: views(30, 30)},
		{name: "a view in the future", visits: views(-10, 5)},
		{name: "performance rows among views", visits: slices.Concat(views(2, 17), minutesAgo(now, performance, 2, 9, 17, 32-15))},
		{name: "performance rows 15 minutes before views", visits: slices.Concat(views(0, 15), minutesAgo(now, performance, 15, 30))},
		{name: "events only shown", visits: slices.Concat(views(12, 14), times(100, minutesAgo(now, customEvent, 4))), cut: newest100},
		{name: "a few views among events", visits: slices.Concat(views(1, 3, 15), times(100, minutesAgo(now, customEvent, 2))), cut: newest100},
		{name: "burst now", visits: burst(0), cut: newest100},
		{name: "burst 15 minutes ago", visits: burst(15), cut: newest100},
		{name: "bursts 15 minutes apart, newest shown", visits: burst(0, 15), cut: newest100},
		{name: "bursts 15 minutes apart, oldest shown", visits: burst(0, 15), cut: oldest100},
		{name: "bursts 30 minutes apart, newest shown", visits: burst(0, 30), cut: newest100},
		{name: "bursts 30 minutes apart, oldest shown", visits: burst(0, 30), cut: oldest100},
		{name: "no views", visits: minutesAgo(now, customEvent, 3)},
		{name: "nothing"},
	}
	// A page view without a hostname looks like a performance row.
	noHostnames := []scene{
		{name: "one view, without a hostname, 15 minutes ago", now: now, visits: minutesAgo(now, noHostname, 15)},
		{name: "views with and without a hostname", now: now, visits: slices.Concat(views(1, 18), minutesAgo(now, noHostname, 1, 9, 16))},
	}
	var raced []scene
	for _, s := range all {
		s.now = now
		raced = append(raced, s)
		s.late = slices.Repeat([]visit{{now.Add(-300 * time.Millisecond), view}}, max(1, len(s.visits)/15))
		raced = append(raced, s.named(s.name+"; late views in the series"))
		s.lateRows = true
		raced = append(raced, s.named(s.name+"; late views in the rows"))
	}
	return append(raced, noHostnames...)
}

func (s scene) named(name string) scene {
	s.name = name
	return s
}
