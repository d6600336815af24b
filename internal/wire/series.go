package wire

import (
	"slices"
	"time"
)

// A series counts by minute, but its minutes are written in several ways: as
// UTC, as the wall clock of the zone asked for (with a Z or without a zone),
// and either of them ahead or behind by the zone of the server's database
// session. Nothing in the reply says which. Two things tell:
//
//   - The window is shorter than the least offset from UTC of any zone.
//   - The page views shown are the very views that the series counts: all of
//     them, or the newest or the oldest where the reply was cut.
//
// Where both leave a doubt the times stay as labelled: no correction is better
// than a wrong one.

// clock is one way to write times: as the clock of a zone that is set ahead by
// shift shows them.
type clock struct {
	zone  *time.Location
	shift time.Duration
}

// offsets are the distances from UTC, in minutes, of all zones in use.
var offsets = []int{
	-720, -660, -600, -570, -540, -480, -420, -360, -300, -240, -210, -180, -150, -120, -60,
	60, 120, 180, 210, 240, 270, 300, 330, 345, 360, 390, 420, 480, 525, 540, 570, 600, 630,
	660, 720, 765, 780, 825, 840,
}

// clocks gives all the ways in which a server may write the times.
func clocks(asked *time.Location) []clock {
	all := make([]clock, 0, 2+4*len(offsets))
	for _, zone := range []*time.Location{time.UTC, asked} {
		all = append(all, clock{zone: zone})
		for _, minutes := range offsets {
			shift := time.Duration(minutes) * time.Minute
			all = append(all, clock{zone, shift}, clock{zone, -shift})
		}
	}
	return all
}

// read gives the instant within the window at which the clock shows at. Where
// the zone is set back within the window that can be two; it is the later one
// then, unless that is yet to come.
func (c clock) read(at time.Time, w window) (instant time.Time, within bool) {
	for _, edge := range []time.Time{w.from, w.to} {
		by := offset(c.zone, edge.Add(c.shift))
		t := at.Add(-by - c.shift)
		if w.holds(t) && offset(c.zone, t.Add(c.shift)) == by && (!within || !t.After(w.now)) {
			instant, within = t, true
		}
	}
	return instant, within
}

// readAll reads a series, if all of it lies within the window.
func (c clock) readAll(stamps []stamp, w window) ([]Point, bool) {
	points := []Point{}
	for _, s := range stamps {
		instant, within := c.read(s.at, w)
		if !within {
			return nil, false // most clocks fail at the first
		}
		points = append(slices.Grow(points, len(stamps)), Point{instant, s.count})
	}
	sortOldestFirst(points)
	return points, true
}

func offset(zone *time.Location, at time.Time) time.Duration {
	_, seconds := at.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

// window is the time that a reply covers: from the start of a minute, 30
// minutes back, to the server's now; a minute wider on both sides, for the
// database's clock is not the server's.
type window struct{ from, now, to time.Time }

func windowOf(now time.Time) window {
	return window{now.Truncate(time.Minute).Add(-31 * time.Minute), now, now.Add(time.Minute)}
}

func (w window) holds(at time.Time) bool { return !at.Before(w.from) && !at.After(w.to) }

// asLabelled takes each time at its word: as UTC, or where it names no zone in
// the zone asked for, since that is the one in which servers write it then.
func asLabelled(stamps []stamp, asked *time.Location, w window) []Point {
	points := make([]Point, len(stamps))
	for i, s := range stamps {
		at := s.at
		if !s.zoned {
			var within bool
			if at, within = (clock{zone: asked}).read(s.at, w); !within {
				at = time.Date(s.at.Year(), s.at.Month(), s.at.Day(),
					s.at.Hour(), s.at.Minute(), s.at.Second(), s.at.Nanosecond(), asked).UTC()
			}
		}
		points[i] = Point{at, s.count}
	}
	sortOldestFirst(points)
	return points
}

// bothSeries are views and visitors, read by one clock.
type bothSeries struct{ views, visitors []Point }

func (s bothSeries) equal(other bothSeries) bool {
	return slices.Equal(s.views, other.views) && slices.Equal(s.visitors, other.visitors)
}

// calibrate gives both series at their true instants.
func (r *Reply) calibrate(views, visitors []stamp, l *Rows, asked *time.Location) bothSeries {
	now := r.Timestamp // the server's
	read := func(c clock, w window) (s bothSeries, within bool) {
		if s.views, within = c.readAll(views, w); within {
			s.visitors, within = c.readAll(visitors, w)
		}
		return s, within
	}
	w := windowOf(now)
	if offset(asked, now) == 0 {
		// No zone is near enough to UTC for a doubt.
		if s, within := read(clock{zone: time.UTC}, w); within {
			return s
		}
	}

	rows := r.shown(l)
	// A row may be dated into the future.
	if latest := time.Unix(rows.latest*60, 0).UTC().Add(time.Minute); latest.After(w.to) {
		w.to = latest
	}
	var candidates []bothSeries
	for _, c := range clocks(asked) {
		if s, within := read(c, w); within && !slices.ContainsFunc(candidates, s.equal) {
			candidates = append(candidates, s)
		}
	}
	labelled := bothSeries{asLabelled(views, asked, w), asLabelled(visitors, asked, w)}
	best, least := labelled, contradicted
	for _, s := range candidates {
		switch fit := rows.fit(s.views, now); {
		case fit < least:
			best, least = s, fit
		case fit == least:
			best = labelled
		}
	}
	return best
}

// shown is what the rows of a reply tell about its series of views.
type shown struct {
	// Page views by minute. The series counts those in sure; it counts those
	// in perhaps if they are no performance beacons but views that somebody
	// sent without a hostname.
	sure, perhaps tally
	// The minutes of the first and the last row of any kind.
	first, latest int64
	complete      bool // no row is hidden
}

func (r *Reply) shown(l *Rows) *shown {
	var sure, perhaps []minute
	for _, row := range l.Pageviews {
		if m := (minute{minuteOf(row.CreatedAt), 1}); row.Performance {
			perhaps = append(perhaps, m)
		} else {
			sure = append(sure, m)
		}
	}
	rows := &shown{sure: tallied(sure), perhaps: tallied(perhaps), complete: !r.Truncated}
	started := false
	for _, list := range [][]*Row{l.Pageviews, l.Events} { // newest first
		if len(list) == 0 {
			continue
		}
		first, latest := minuteOf(list[len(list)-1].CreatedAt), minuteOf(list[0].CreatedAt)
		if !started {
			rows.first, rows.latest, started = first, latest, true
		}
		rows.first, rows.latest = min(rows.first, first), max(rows.latest, latest)
	}
	return rows
}

// How well a reading of the series fits the rows shown, best first.
const (
	exact = iota
	possible
	unlikely
	contradicted
)

// fit holds the views at their instants against the rows.
func (rows *shown) fit(series []Point, now time.Time) int {
	var counted []minute
	for _, p := range series {
		counted = append(counted, minute{minuteOf(p.Time), p.Count})
	}
	for _, m := range rows.sure {
		counted = append(counted, minute{number: m.number})
	}

	// Rows that come between the server's queries are in one of their answers
	// only, and they are of these minutes.
	fresh := minuteOf(now.Add(-30 * time.Second))
	same, came, missing, newer, older := true, 0, 0, 0, 0
	for _, minute := range tallied(counted) {
		m, n, sure := minute.number, minute.count, rows.sure.at(minute.number)
		surplus := max(0, n-sure-rows.perhaps.at(m))
		same = same && n == sure
		if m >= fresh {
			came += max(0, sure-n)
			continue
		}
		missing += max(0, sure-n)
		if rows.complete || m > rows.first {
			newer += surplus
		}
		if rows.complete || m < rows.latest {
			older += surplus
		}
	}
	views := rows.sure.total()
	wrong := missing + min(newer, older) // the rows hidden are all older than those shown, or all newer
	switch {
	case same:
		return exact
	case wrong > views/10:
		return contradicted
	case wrong > 0 || !rows.complete && came > views/4+1:
		return unlikely
	}
	return possible
}
