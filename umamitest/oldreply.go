package umamitest

import (
	"crypto/md5" //nolint:gosec // the servers' own way to make an __id, no secret in it
	"encoding/hex"
	"slices"
	"strconv"
	"time"
)

// visitors writes what 2.12 sends: every row is counted, 50 are shown.
func (w *writer) visitors(win *window, q question) {
	const shown = 50
	rows, sessions := win.all(), win.begun()
	var urls, referrers, countries tally
	events := 0
	for _, row := range rows {
		urls.add(row.URLPath)
		referrers.add(row.ReferrerDomain)
		if row.EventName != "" {
			events++
		}
	}
	for _, s := range sessions {
		countries.add(s.first.Country)
	}
	w.name(`{"countries":`).tally(&countries).name(`,"visitors":`)
	list(w, sessions[:min(shown, len(sessions))], func(s session) { w.oldSession(s.first) })
	w.name(`,"urls":`).tally(&urls).name(`,"referrers":`).tally(&referrers).name(`,"events":`)
	list(w, rows[:min(shown, len(rows))], w.oldRow)
	w.series(win, q)
	w.totals(len(rows)-events, len(sessions), events, len(countries.keys))
}

// lists writes what servers to 2.11 send.
func (w *writer) lists(win *window) {
	var pageviews, events []*Row
	for _, row := range win.all() {
		if row.EventName != "" {
			events = append(events, row)
		} else {
			pageviews = append(pageviews, row)
		}
	}
	w.name(`{"pageviews":`)
	list(w, pageviews, w.oldRow)
	w.name(`,"sessions":`)
	list(w, win.begun(), func(s session) { w.oldSession(s.first) })
	w.name(`,"events":`)
	list(w, events, w.oldRow)
}

// oldRow writes a row as servers to 2.12 do.
func (w *writer) oldRow(row *Row) {
	w.name(`{"id":`).text(row.ID).name(`,"websiteId":`).text(w.website).name(`,"sessionId":`).text(row.SessionID)
	w.name(`,"createdAt":`).createdAt(row.CreatedAt)
	w.address(row)
	w.content(row)
	w.oldEnd(kindName(row), row.ID, row.CreatedAt)
}

// oldSession writes a session as servers to 2.12 do. Its hostname is empty,
// and so are the regions, in all recordings.
func (w *writer) oldSession(row *Row) {
	w.name(`{"id":`).text(row.SessionID).name(`,"websiteId":`).text(w.website).name(`,"hostname":`).orNull("")
	w.name(`,"browser":`).text(row.Browser).name(`,"os":`).text(row.OS).name(`,"device":`).text(row.Device)
	w.name(`,"screen":`).text(row.Screen).name(`,"language":`).text(row.Language).name(`,"country":`).orNull(row.Country)
	w.name(`,"subdivision1":`).orNull("").name(`,"subdivision2":`).orNull("").name(`,"city":`).orNull(row.City)
	w.name(`,"createdAt":`).createdAt(row.CreatedAt)
	w.oldEnd("session", row.SessionID, row.CreatedAt)
}

// oldEnd writes the keys that the server's own code adds to a row: to 2.11 a
// type and milliseconds, in 2.12 seconds.
func (w *writer) oldEnd(kind, id string, at time.Time) {
	if w.md5ID {
		sum := md5.Sum([]byte(kind + id)) //nolint:gosec // see the import
		w.name(`,"__id":"`).name(hex.EncodeToString(sum[:])).name(`"`)
	}
	if w.shape == lists {
		w.name(`,"__type":"`).name(kind).name(`","timestamp":`).number(at.UnixMilli()).name("}")
		return
	}
	w.name(`,"timestamp":`)
	w.b = strconv.AppendFloat(w.b, float64(at.UnixMilli())/1000, 'f', -1, 64)
	w.name("}")
}

// document writes the reply that the self-hosted document prints, oldest
// first as in its example.
func (w *writer) document(win *window) {
	rows := win.all()
	slices.Reverse(rows)
	var pageviews, active []*Row
	seen := make(map[string]bool)
	for _, row := range rows {
		if row.EventName == "" {
			pageviews = append(pageviews, row)
		}
		if !seen[row.SessionID] {
			seen[row.SessionID] = true
			active = append(active, win.byID[row.SessionID])
		}
	}
	w.name(`{"pageviews":`)
	list(w, pageviews, func(row *Row) {
		w.name(`{"__id":`).text(row.ID).name(`,"sessionId":`).text(row.SessionID).name(`,"createdAt":`).createdAt(row.CreatedAt)
		w.name(`,"urlPath":`).text(row.URLPath).name(`,"urlQuery":`).text(row.URLQuery)
		w.name(`,"referrerDomain":`).text(row.ReferrerDomain).name(`,"pageTitle":`).text(row.PageTitle)
		w.documentEnd(row)
	})
	w.name(`,"sessions":`)
	list(w, active, func(row *Row) {
		w.name(`{"__id":`).text(row.SessionID).name(`,"sessionId":`).text(row.SessionID)
		w.name(`,"createdAt":`).createdAt(row.CreatedAt)
		w.documentEnd(row)
	})
	w.name(`,"visitors":`).number(int64(len(active)))
}

func (w *writer) documentEnd(row *Row) {
	w.name(`,"country":`).text(row.Country).name(`,"browser":`).text(row.Browser)
	w.name(`,"os":`).text(row.OS).name(`,"device":`).text(row.Device).name("}")
}
