package umamitest

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// setting is what shapes a server's replies and stays as it is.
type setting struct {
	traits
	database Database
	session  *time.Location // of the database
	website  string
	ties     *rand.Rand // nil: rows of one instant keep their order
}

// question is what a request to the realtime endpoint asks for.
type question struct {
	zone    *time.Location // nil: none was given
	zoneIs  string         // its name, as it was written
	startAt int64

	hourly   bool
	keep     func(*Row) bool // nil: every row
	noSeries bool            // a filter that empties it
	broken   bool            // a filter that the database refuses
}

const realtimeRange = 30 * time.Minute

// reply is the body of a realtime reply at the server's instant now, made from
// the rows that were visible at asOf.
func (s *setting) reply(st *store, q question, now, asOf time.Time) []byte {
	from := now.Add(-realtimeRange)
	if s.fullMinute {
		from = from.Truncate(time.Minute)
	}
	w := window{
		store: st, from: from.UnixMilli(), to: now.UnixMilli(), asOf: asOf.UnixMilli(),
		beacons: s.beacons, keep: q.keep, ties: s.ties,
	}
	if s.fromStart {
		w.from = max(w.from, q.startAt)
	}
	wr := writer{setting: s, b: make([]byte, 0, 4<<10)}
	switch s.shape {
	case modern:
		wr.modern(&w, q)
	case visitors:
		wr.visitors(&w, q)
	case lists:
		wr.lists(&w)
	case document:
		wr.document(&w)
	}
	wr.name(`,"timestamp":`).number(w.to).name("}")
	return wr.b
}

// modern writes what servers since 2.13 send, without the time.
func (w *writer) modern(win *window, q question) {
	// The server goes through the rows in one order, puts a copy of each
	// session's first row before that row, and turns the list around at last.
	var rows []*Row
	if w.oldest || w.ascending && w.database == ClickHouse {
		rows = win.oldest(w.limit)
	} else {
		rows = win.newest(w.limit)
		if !w.ascending {
			slices.Reverse(rows)
		}
	}
	var urls, referrers, countries tally
	first := make(map[string]*Row, len(rows))
	events := 0
	for _, row := range rows {
		if first[row.SessionID] == nil {
			first[row.SessionID] = row
			countries.add(row.Country)
		}
		urls.add(row.URLPath)
		referrers.add(row.ReferrerDomain)
		if row.EventName != "" {
			events++
		}
	}

	const rowSize = 320 // and some more, mostly
	w.b = slices.Grow(w.b, (len(rows)+len(first))*rowSize)
	w.name(`{"countries":`).tally(&countries).name(`,"urls":`).tally(&urls).name(`,"referrers":`).tally(&referrers)
	w.name(`,"events":[`)
	for i, row := range slices.Backward(rows) {
		w.modernRow(kindName(row), row)
		if first[row.SessionID] == row {
			w.name(",").modernRow("session", row)
		}
		if i > 0 {
			w.name(",")
		}
	}
	w.name("]")
	buckets := w.series(win, q)
	views, perMinute := sums(buckets)
	w.totals(views, perMinute, events, len(countries.keys))
}

func kindName(row *Row) string {
	if row.EventName != "" {
		return "event"
	}
	return "pageview"
}

func (w *writer) modernRow(kind string, row *Row) {
	w.name(`{"__type":"`).name(kind).name(`","sessionId":`).text(row.SessionID).name(`,"eventName":`).orNull(row.EventName)
	w.name(`,"createdAt":`).createdAt(row.CreatedAt)
	w.name(`,"browser":`).text(row.Browser).name(`,"os":`).text(row.OS).name(`,"device":`).text(row.Device)
	w.name(`,"country":`).orNull(row.Country).name(`,"urlPath":`).text(row.URLPath)
	w.name(`,"referrerDomain":`).referrer(row, row.ReferrerDomain)
	if w.hostnames {
		w.name(`,"hostname":`).orNull(row.Hostname)
	}
	w.name("}")
}

func (w *writer) totals(views, visitors, events, countries int) {
	w.name(`,"totals":{"views":`).number(int64(views)).name(`,"visitors":`).number(int64(visitors))
	w.name(`,"events":`).number(int64(events)).name(`,"countries":`).number(int64(countries)).name("}")
}

func sums(buckets []bucket) (views, visitors int) {
	for _, b := range buckets {
		views += b.views
		visitors += b.visitors
	}
	return views, visitors
}

func (w *writer) series(win *window, q question) []bucket {
	var buckets []bucket
	switch {
	case q.noSeries, q.hourly && w.database == ClickHouse:
	case q.hourly:
		buckets = win.counted(time.Hour)
	default:
		buckets = win.series()
	}
	stamp := w.seriesClock(q)
	views := buckets
	if w.shape == visitors && w.database == Postgres { // in no order
		views = slices.Clone(buckets)
		slices.SortFunc(views, func(a, b bucket) int { return int(shuffle(a.at)%1024) - int(shuffle(b.at)%1024) })
	}
	w.name(`,"series":{"views":`)
	list(w, views, func(b bucket) { w.point(stamp(b.at), b.views) })
	w.name(`,"visitors":`)
	list(w, buckets, func(b bucket) { w.point(stamp(b.at), b.visitors) })
	w.name("}")
	return buckets
}

func shuffle(at int64) uint32 {
	h := fnv.New32a()
	_, _ = h.Write(strconv.AppendInt(nil, at, 10))
	return h.Sum32()
}

func (w *writer) point(x string, y int) {
	w.name(`{"x":"`).name(x).name(`","y":`).number(int64(y)).name("}")
}

// seriesClock is how the series writes the beginning of a minute.
func (w *writer) seriesClock(q question) func(ms int64) string {
	zulu, naked := "2006-01-02T15:04:05Z", "2006-01-02 15:04:05"
	asked := q.zone
	if asked == nil {
		asked = time.UTC
	}
	at, layout := time.UnixMilli, naked
	switch {
	case w.database == ClickHouse:
		if w.shape == modern {
			asked, layout = time.UTC, zulu
		}
	case w.sessionX && (q.zone == nil || q.zoneIs == "utc"):
		// What is stored is off by the session's zone, and so is its clock.
		asked, layout = time.UTC, zulu
	case w.naive:
		at = func(ms int64) time.Time {
			_, offset := time.UnixMilli(ms).In(w.session).Zone()
			return time.UnixMilli(ms).Add(-time.Duration(offset) * time.Second)
		}
		if w.alwaysUTC {
			layout = zulu
		}
	}
	return func(ms int64) string { return at(ms).In(asked).Format(layout) }
}
