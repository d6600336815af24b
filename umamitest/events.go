package umamitest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WithoutEvents makes the server refuse GET /api/websites/{websiteId}/events
// with a status, whatever the credential: 404 and 405 as if it did not exist,
// 401, 403 and any other in the form of the version's own errors. Default: it
// lists the rows, in profiles of 2.13 and later; earlier ones answer it, too,
// but with an array that counts custom events by name and hour.
func WithoutEvents(status int) Option { return func(s *Server) { s.noEvents = status } }

// listingRequest is what a request to the events endpoint asks for.
type listingRequest struct {
	from, to int64 // milliseconds since 1970, both included
	paging
	keep   func(*Row) bool // nil: every row
	broken bool            // something that the database refuses
}

// listEvents answers GET /api/websites/{websiteId}/events.
func (s *Server) listEvents(w *answer, r *http.Request, website string) {
	if s.noEvents != 0 {
		s.refuse(w, s.noEvents)
		return
	}
	if !s.events {
		s.countEvents(w, r, website)
		return
	}
	var q listingRequest
	if !s.admit(w, r, website, func() (ok bool) { q, ok = s.listingRequest(w, r.URL.Query()); return ok }) {
		return
	}
	if q.broken {
		w.send(http.StatusInternalServerError, "", nil)
		return
	}
	w.send(http.StatusOK, jsonType, s.listing(q, !strings.EqualFold(website, s.WebsiteID)))
}

// refuse answers a status as the version does.
func (s *Server) refuse(w *answer, status int) {
	switch status {
	case http.StatusNotFound:
		w.page(status)
	case http.StatusMethodNotAllowed:
		s.notAllowed(w)
	default:
		text := http.StatusText(status)
		s.fail(w, status, strings.ReplaceAll(strings.ToLower(text), " ", "-"), text)
	}
}

// listing makes the reply of now. A website other than WebsiteID has no rows.
func (s *Server) listing(q listingRequest, empty bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, now := s.happened(empty)
	s.listings++
	return s.listed(st, q, now, s.listings)
}

// countEvents answers the events endpoint as servers before 2.13 do.
func (s *Server) countEvents(w *answer, r *http.Request, website string) {
	var from, to int64
	if !s.admit(w, r, website, func() (ok bool) { from, to, ok = s.seriesRange(w, r.URL.Query()); return ok }) {
		return
	}
	counts := []eventCount{}
	if strings.EqualFold(website, s.WebsiteID) {
		counts = s.eventCounts(from, to)
	}
	w.send(http.StatusOK, jsonType, marshal(counts))
}

// eventCount is how often a custom event happened within an hour.
type eventCount struct {
	X string `json:"x"`
	T string `json:"t"`
	Y int    `json:"y"`
}

func (s *Server) eventCounts(from, to int64) []eventCount {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.catchUp(now)
	counts := []eventCount{}
	win := window{store: &s.store, from: from, to: to, asOf: now.UnixMilli()}
	for _, e := range win.within() {
		if e.Kind != CustomEvent || !win.shows(e) {
			continue
		}
		c := eventCount{e.EventName, e.CreatedAt.Format("2006-01-02 15:00:00"), 1}
		i := slices.IndexFunc(counts, func(old eventCount) bool { return old.X == c.X && old.T == c.T })
		if i < 0 {
			counts = append(counts, c)
		} else {
			counts[i].Y++
		}
	}
	return counts
}

// seriesRange reads the range of a request to servers before 2.13, or answers
// 400.
func (s *Server) seriesRange(w *answer, values url.Values) (from, to int64, ok bool) {
	for _, field := range []struct {
		name  string
		value *int64
	}{{"startAt", &from}, {"endAt", &to}} {
		if !values.Has(field.name) {
			s.missing(w, field.name)
			return 0, 0, false
		}
		ms, err := strconv.ParseInt(values.Get(field.name), 10, 64)
		if err != nil {
			s.fail(w, http.StatusBadRequest, "", "Bad request", [2]string{field.name, s.notANumber()})
			return 0, 0, false
		}
		*field.value = ms
	}
	if to <= from {
		s.fail(w, http.StatusBadRequest, "", "Bad request", [2]string{"endAt", fmt.Sprintf("must be greater than %d", from)})
		return 0, 0, false
	}
	if !slices.Contains([]string{"minute", "hour", "day", "month", "year"}, values.Get("unit")) {
		s.fail(w, http.StatusBadRequest, "", "Invalid unit")
		return 0, 0, false
	}
	return from, to, true
}

// listingRequest reads a request's parameters. Where the version checks them
// and they don't pass, it answers 400.
func (s *Server) listingRequest(w *answer, values url.Values) (q listingRequest, ok bool) {
	var found problems
	missing := false
	for _, field := range []struct {
		name  string
		value *int64
	}{{"startAt", &q.from}, {"endAt", &q.to}} {
		ms, err := strconv.ParseInt(values.Get(field.name), 10, 64)
		switch {
		case err == nil:
			*field.value = ms
		case s.pagesRouter: // it does not check them
			q.broken = true
		case s.since3() && !values.Has(field.name):
			missing = true
		default:
			found.add(field.name, s.notANumber())
		}
	}
	q.paging = s.paging(values, s.usualPageSize(), &found)
	if missing && len(found) == 0 {
		found.add("", "Either startAt+endAt or startDate+endDate must be provided")
	}
	if len(found) > 0 {
		s.fail(w, http.StatusBadRequest, "bad-request", "Bad request", found...)
		return q, false
	}
	if s.since3() { // before, filters change nothing
		keep, err := newFilter(values)
		q.keep = keep
		q.broken = err != nil || s.unanswerable(values)
	}
	if search := values.Get("search"); search != "" && !s.pagesRouter {
		q.keep = both(q.keep, searched(strings.ToLower(search)))
	}
	return q, true
}

// searched keeps the events and the pages whose name holds a text.
func searched(text string) func(*Row) bool {
	return func(r *Row) bool {
		return r.Kind == CustomEvent && strings.Contains(strings.ToLower(r.EventName), text) ||
			r.Kind == Pageview && strings.Contains(strings.ToLower(r.URLPath), text)
	}
}

// both keeps what two filters keep; the first may be nil.
func both(a, b func(*Row) bool) func(*Row) bool {
	if a == nil {
		return b
	}
	return func(r *Row) bool { return a(r) && b(r) }
}

// listed is the body of a reply of the events endpoint, made from the rows that
// were visible at asOf. Rows of the same instant stand in an order that depends
// on call alone.
func (s *setting) listed(st *store, q listingRequest, asOf time.Time, call uint64) []byte {
	win := window{store: st, from: q.from, to: q.to, asOf: asOf.UnixMilli(), beacons: s.beacons, keep: q.keep}
	rows, count := win.page(q.paging, s.eventsLimit, rand.New(rand.NewPCG(call, 0))) //nolint:gosec // it must repeat itself
	const rowSize = 640
	w := writer{setting: s, b: make([]byte, 0, len(rows)*rowSize+64)}
	w.name(`{"data":`)
	list(&w, rows, w.event)
	w.name(`,"count":`).number(int64(count))
	w.name(`,"page":`).number(int64(q.page)).name(`,"pageSize":`).number(int64(q.size)).name("}")
	return w.b
}

// page gives the rows of one page, newest first, and counts all. limit is how
// many there can be at most, the newest; 0: any number.
func (w *window) page(p paging, limit int, random *rand.Rand) (rows []*Row, count int) {
	within := w.within()
	for _, e := range within {
		if w.shows(e) {
			count++
		}
	}
	if limit > 0 {
		count = min(count, limit)
	}
	from, to := p.part(count)
	if from == to {
		return nil, count
	}
	rows = make([]*Row, 0, to-from)
	var tied []*Row // rows of one instant
	at := 0         // place of the first of them in the list
	for i := len(within) - 1; i >= 0 && at < to; {
		tied = tied[:0]
		for instant := within[i].created; i >= 0 && within[i].created == instant; i-- {
			if w.shows(within[i]) {
				tied = append(tied, within[i].Row)
			}
		}
		if end := at + len(tied); end > from {
			random.Shuffle(len(tied), func(a, b int) { tied[a], tied[b] = tied[b], tied[a] })
			rows = append(rows, tied[max(from-at, 0):min(to, end)-at]...)
		}
		at += len(tied)
	}
	return rows, count
}

// event writes a row as the events endpoint does.
func (w *writer) event(row *Row) {
	w.name(`{"id":`).text(row.ID).name(`,"websiteId":`).text(w.website).name(`,"sessionId":`).text(row.SessionID)
	w.name(`,"createdAt":`).createdAt(row.CreatedAt)
	if w.since3() {
		w.name(`,"hostname":`).orNull(row.Hostname)
	}
	w.address(row)
	if w.since3() {
		w.name(`,"country":`).orNull(row.Country).name(`,"city":`).orNull(row.City)
		w.name(`,"device":`).text(row.Device).name(`,"os":`).text(row.OS).name(`,"browser":`).text(row.Browser)
	}
	w.content(row)
	if w.since3() {
		w.name(`,"hasData":`).flag(row.HasData)
	}
	w.name("}")
}

// address writes where a visitor is and came from.
func (w *writer) address(row *Row) {
	w.name(`,"urlPath":`).text(row.URLPath).name(`,"urlQuery":`)
	if row.Kind == Beacon {
		w.orNull(row.URLQuery)
	} else {
		w.text(row.URLQuery)
	}
	w.name(`,"referrerPath":`).referrer(row, row.ReferrerPath).name(`,"referrerQuery":`).referrer(row, row.ReferrerQuery)
	w.name(`,"referrerDomain":`).referrer(row, row.ReferrerDomain)
}

// content writes what a visitor sees or does.
func (w *writer) content(row *Row) {
	w.name(`,"pageTitle":`).orNull(row.PageTitle).name(`,"eventType":`).number(int64(row.Kind))
	w.name(`,"eventName":`).orNull(row.EventName)
}

// flag writes a condition as the database does.
func (w *writer) flag(is bool) {
	switch {
	case w.database == Postgres:
		w.b = strconv.AppendBool(w.b, is)
	case is:
		w.name("1")
	default:
		w.name("0")
	}
}
