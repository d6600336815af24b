package wire

import "time"

// A reading turns the time of a point, read as UTC, into the true instant.
type reading func(time.Time) time.Time

func asLabelled(at time.Time) time.Time { return at }

func shifted(by time.Duration) reading {
	return func(at time.Time) time.Time { return at.Add(-by) }
}

// wallClock reads the clock of a zone. Where the zone changed its offset
// within the window, the offset that puts the point into the window holds.
func wallClock(zone *time.Location, w window) reading {
	return func(at time.Time) time.Time {
		instant := at.Add(-offset(zone, w.to))
		if before := at.Add(-offset(zone, w.from)); !w.holds(instant) && w.holds(before) {
			return before
		}
		return instant
	}
}

func (read reading) points(stamps []stamp) []Point {
	points := make([]Point, len(stamps))
	for i, s := range stamps {
		points[i] = Point{read(s.at), s.count}
	}
	sortOldestFirst(points)
	return points
}

// window is the time that a reply covers: from the start of a minute, 30
// minutes back, to the server's now; a minute wider on both sides, for the
// database's clock is not the server's.
type window struct{ from, to time.Time }

func windowOf(now time.Time) window {
	return window{now.Truncate(time.Minute).Add(-31 * time.Minute), now.Add(time.Minute)}
}

func (w window) holds(at time.Time) bool { return !at.Before(w.from) && !at.After(w.to) }

func (w window) holdsAll(stamps []stamp, read reading) bool {
	for _, s := range stamps {
		if !w.holds(read(s.at)) {
			return false
		}
	}
	return true
}

// offsets are the distances from UTC, in minutes, of all zones in use.
var offsets = []int{
	-720, -660, -600, -570, -540, -480, -420, -360, -300, -240, -210, -180, -150, -120, -60, 0,
	60, 120, 180, 210, 240, 270, 300, 330, 345, 360, 390, 420, 480, 525, 540, 570, 600, 630,
	660, 720, 765, 780, 825, 840,
}

func offset(zone *time.Location, at time.Time) time.Duration {
	_, seconds := at.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

// calibrate finds out how to read the times of a series. Servers write them as
// UTC, as the wall clock of the zone asked for (with a Z or without a zone), or
// shifted by the zone of their database session in either direction; nothing
// in the reply says which. Two things tell: the window, which is shorter than
// the least offset of any zone, and the page views shown, which are the newest
// or the oldest of the very views that the series counts. Where both leave a
// doubt the times stay as labelled: no correction is better than a wrong one.
//
// views are the shown page views by minute; complete says that no row is
// hidden.
func calibrate(series []stamp, views map[int64]int, complete bool, now time.Time, zone *time.Location) reading {
	if len(series) == 0 {
		return asLabelled
	}
	w := windowOf(now)
	asked := offset(zone, now)
	if asked == 0 && w.holdsAll(series, asLabelled) {
		return asLabelled // no zone in use is near enough to UTC for a doubt
	}
	candidates := shiftsBetween(series, views, asked)
	if complete {
		for _, c := range candidates {
			if missing, surplus := compare(series, views, c); missing == 0 && surplus == 0 {
				return shifted(c)
			}
		}
	}

	expected := []reading{asLabelled, wallClock(zone, w)}
	if !series[0].zoned {
		expected[0], expected[1] = expected[1], expected[0]
	}
	for _, read := range expected {
		if w.holdsAll(series, read) {
			return read
		}
	}

	best, least := asLabelled, total(views)/4+1
	for _, c := range candidates {
		missing, _ := compare(series, views, c)
		switch {
		case !w.holdsAll(series, shifted(c)):
		case missing < least:
			best, least = shifted(c), missing
		case missing == least:
			best = asLabelled
		}
	}
	return best
}

// shiftsBetween gives the shifts that lay the oldest or the newest minute of
// the series over that of the views shown, if a zone or two explain them.
func shiftsBetween(series []stamp, views map[int64]int, asked time.Duration) []time.Duration {
	if len(views) == 0 {
		return nil
	}
	first, last := minuteOf(series[0].at), minuteOf(series[0].at)
	for _, s := range series {
		first, last = min(first, minuteOf(s.at)), max(last, minuteOf(s.at))
	}
	var oldest, newest int64
	started := false
	for m := range views {
		if !started {
			oldest, newest, started = m, m, true
		}
		oldest, newest = min(oldest, m), max(newest, m)
	}
	var shifts []time.Duration
	for _, minutes := range []int64{first - oldest, last - newest} {
		// A row that came between the server's two queries is off by a minute.
		by := (time.Duration(minutes) * time.Minute).Round(15 * time.Minute)
		off := time.Duration(minutes)*time.Minute - by
		if off.Abs() > time.Minute || !plausible(by, asked) || len(shifts) > 0 && shifts[0] == by {
			continue
		}
		shifts = append(shifts, by)
	}
	return shifts
}

// plausible says whether the offset of a zone in use explains a shift, alone or
// together with that of the zone asked for.
func plausible(by, asked time.Duration) bool {
	for _, minutes := range offsets {
		o := time.Duration(minutes) * time.Minute
		if by == o || by == -o || by == asked+o || by == asked-o {
			return true
		}
	}
	return false
}

// compare counts, at a shift, the shown views that the series lacks and the
// views of the series that are not shown.
func compare(series []stamp, views map[int64]int, by time.Duration) (missing, surplus int) {
	counted := make(map[int64]int, len(series))
	for _, s := range series {
		counted[minuteOf(s.at.Add(-by))] += s.count
	}
	for m, n := range views {
		missing += max(0, n-counted[m])
	}
	for m, n := range counted {
		surplus += max(0, n-views[m])
	}
	return missing, surplus
}

func total(views map[int64]int) int {
	n := 0
	for _, v := range views {
		n += v
	}
	return n
}
