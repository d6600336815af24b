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

// read gives the instant within the window at which the clock shows at.
func (c clock) read(at time.Time, w window) (instant time.Time, within bool) {
	// The zone may change its offset within the window.
	for _, edge := range []time.Time{w.to, w.from} {
		by := offset(c.zone, edge.Add(c.shift))
		instant = at.Add(-by - c.shift)
		if w.holds(instant) && offset(c.zone, instant.Add(c.shift)) == by {
			return instant, true
		}
	}
	return instant, false
}

// readAll reads all stamps, if all of them lie within the window.
func (c clock) readAll(stamps []stamp, w window) ([]time.Time, bool) {
	var instants []time.Time // most clocks fail at the first stamp
	for _, s := range stamps {
		instant, within := c.read(s.at, w)
		if !within {
			return nil, false
		}
		if instants == nil {
			instants = make([]time.Time, 0, len(stamps))
		}
		instants = append(instants, instant)
	}
	return instants, true
}

func offset(zone *time.Location, at time.Time) time.Duration {
	_, seconds := at.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

// window is the time that a reply covers: from the start of a minute, 30
// minutes back, to the server's now; a minute wider on both sides, for the
// database's clock is not the server's.
type window struct{ from, to time.Time }

func windowOf(now time.Time) window {
	return window{now.Truncate(time.Minute).Add(-31 * time.Minute), now.Add(time.Minute)}
}

func (w window) holds(at time.Time) bool { return !at.Before(w.from) && !at.After(w.to) }

// asLabelled takes each time at its word: as UTC, or where it names no zone in
// the zone asked for, since that is the one in which servers write it then.
func asLabelled(stamps []stamp, asked *time.Location, w window) []time.Time {
	instants := make([]time.Time, len(stamps))
	for i, s := range stamps {
		instants[i] = s.at
		if !s.zoned {
			instants[i], _ = clock{zone: asked}.read(s.at, w)
		}
	}
	return instants
}

// calibrate sets the stamps of both series to their true instants.
func calibrate(views, visitors []stamp, rows *shown, now time.Time, asked *time.Location) {
	stamps := slices.Concat(views, visitors)
	for i, instant := range instantsOf(stamps, len(views), rows, now, asked) {
		if i < len(views) {
			views[i].at = instant
		} else {
			visitors[i-len(views)].at = instant
		}
	}
}

// instantsOf gives the true instants of stamps, whose first ones, as many as
// views says, count page views.
func instantsOf(stamps []stamp, views int, rows *shown, now time.Time, asked *time.Location) []time.Time {
	w := windowOf(now)
	if offset(asked, now) == 0 {
		// No zone is near enough to UTC for a doubt.
		if instants, within := (clock{zone: time.UTC}).readAll(stamps, w); within {
			return instants
		}
	}

	// A row may be dated into the future.
	if latest := time.Unix(rows.latest*60, 0).UTC().Add(time.Minute); latest.After(w.to) {
		w.to = latest
	}
	var candidates [][]time.Time
	for _, c := range clocks(asked) {
		instants, within := c.readAll(stamps, w)
		same := func(other []time.Time) bool { return slices.EqualFunc(instants, other, time.Time.Equal) }
		if within && !slices.ContainsFunc(candidates, same) {
			candidates = append(candidates, instants)
		}
	}
	if len(candidates) == 1 {
		return candidates[0]
	}
	best, least := asLabelled(stamps, asked, w), contradicted
	for _, instants := range candidates {
		switch fit := rows.fit(stamps[:views], instants, now); {
		case fit < least:
			best, least = instants, fit
		case fit == least:
			best = asLabelled(stamps, asked, w)
		}
	}
	return best
}

// shown is what the rows of a reply tell about its series of views.
type shown struct {
	// Page views by minute. The series counts those in sure; it counts those
	// in perhaps if they are no performance beacons but views that somebody
	// sent without a hostname.
	sure, perhaps map[int64]int
	// The minutes of the first and the last row of any kind.
	first, latest int64
	complete      bool // no row is hidden
}

func (r *Reply) shown() *shown {
	rows := &shown{sure: make(map[int64]int), perhaps: make(map[int64]int), complete: !r.Truncated}
	for i := range r.Pageviews {
		byMinute := rows.sure
		if r.Pageviews[i].Performance {
			byMinute = rows.perhaps
		}
		byMinute[minuteOf(r.Pageviews[i].CreatedAt)]++
	}
	started := false
	for _, list := range [][]Row{r.Pageviews, r.Events} { // newest first
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
	contradicted
)

// fit holds the views at their instants against the rows.
func (rows *shown) fit(views []stamp, instants []time.Time, now time.Time) int {
	counted := make(map[int64]int, len(views))
	minutes := make(map[int64]struct{}, len(views)+len(rows.sure))
	for i, s := range views {
		m := minuteOf(instants[i])
		counted[m] += s.count
		minutes[m] = struct{}{}
	}
	for m := range rows.sure {
		minutes[m] = struct{}{}
	}

	// Rows that come between the server's queries are in one of their answers
	// only, and they are of these minutes.
	fresh := minuteOf(now.Add(-30 * time.Second))
	fits, newestShown, oldestShown, came := exact, true, true, 0
	for m := range minutes {
		n, sure := counted[m], rows.sure[m]
		if n != sure {
			fits = possible
		}
		switch {
		case m >= fresh:
			came += max(0, sure-n)
		case n < sure:
			return contradicted
		case n > sure+rows.perhaps[m]: // some are hidden
			newestShown = newestShown && m <= rows.first
			oldestShown = oldestShown && m >= rows.latest
			if rows.complete || !newestShown && !oldestShown {
				return contradicted
			}
		}
	}
	if !rows.complete && came > total(rows.sure)/4+1 {
		return contradicted // too many to have come in between
	}
	return fits
}

func total(views map[int64]int) int {
	n := 0
	for _, v := range views {
		n += v
	}
	return n
}
