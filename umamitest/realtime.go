package umamitest

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// realtime answers GET /api/realtime/{websiteId}.
func (s *Server) realtime(w *answer, r *http.Request, website string) {
	values := r.URL.Query()
	var q question
	if !s.admit(w, r, website, func() (ok bool) { q, ok = s.question(w, values); return ok }) {
		return
	}
	switch {
	case q.zoneIs != "" && q.zone == nil,
		s.database == ClickHouse && q.zoneIs == "utc",
		s.database == ClickHouse && q.zoneIs == "" && s.chZone,
		q.broken,
		s.filters && s.unanswerable(values):
		w.send(http.StatusInternalServerError, "", nil)
		return
	}
	w.send(http.StatusOK, jsonType, s.body(q, !strings.EqualFold(website, s.WebsiteID)))
}

// unanswerable says whether a query has filters that fail in the database: a
// segment or a cohort, of which there are none, and on ClickHouse the kind of
// event.
func (s *setting) unanswerable(query url.Values) bool {
	return query.Has("segment") || query.Has("cohort") || s.database == ClickHouse && query.Has("eventType")
}

// body makes the reply of now. A website that does not exist has no rows.
func (s *Server) body(q question, empty bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, now := s.happened(empty)
	asOf := now
	if s.lag > 0 && s.replica.IntN(3) == 0 {
		asOf = now.Add(-time.Duration(s.replica.Int64N(int64(s.lag) + 1)))
	}
	return s.reply(st, q, now, asOf)
}

// question reads a request's parameters. Where the version checks them and
// they don't pass, it answers 400.
func (s *Server) question(w *answer, values url.Values) (q question, ok bool) {
	for _, name := range s.required {
		if values.Get(name) == "" {
			s.missing(w, name)
			return q, false
		}
	}
	if text := values.Get("startAt"); text != "" && (s.fromStart || s.profile == CloudDocs) {
		at, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			s.fail(w, http.StatusBadRequest, "bad-request", "Bad request", [2]string{"startAt", "must be an integer"})
			return q, false
		}
		q.startAt = at
	}
	q.zoneIs = values.Get("timezone")
	if s.shape == lists || s.shape == document {
		q.zoneIs = "" // unknown to them
	}
	if q.zoneIs != "" {
		zone, err := time.LoadLocation(q.zoneIs)
		if err == nil && q.zoneIs != "Local" {
			q.zone = zone
		} else if strings.EqualFold(q.zoneIs, "utc") {
			q.zone = time.UTC
		} else if s.checkZone {
			s.fail(w, http.StatusBadRequest, "bad-request", "Bad request", [2]string{"timezone", "Invalid timezone"})
			return q, false
		}
	}
	if s.filters {
		q.hourly = values.Get("unit") == "hour"
		q.noSeries = values.Has("eventType") || values.Get("event") != ""
		keep, err := newFilter(values)
		q.keep, q.broken = keep, err != nil
	}
	return q, true
}
