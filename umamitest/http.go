package umamitest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Request is one request as it came in.
type Request struct {
	Time   time.Time
	Method string
	Path   string
	Query  url.Values
	// Status is what was answered: 0 while it is under way, and for a fault
	// that answers nothing.
	Status int
}

// maxRequests is how many requests Requests tells of.
const maxRequests = 10_000

// Requests returns the requests so far, oldest first, at most the latest 10,000.
// Headers and bodies, which hold credentials, are not kept.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	latest := s.requests[max(0, len(s.requests)-maxRequests):]
	list := make([]Request, len(latest))
	for i, r := range latest {
		list[i] = *r
		list[i].Query = make(url.Values, len(r.Query))
		for name, values := range r.Query {
			list[i].Query[name] = slices.Clone(values)
		}
	}
	return list
}

// ServeHTTP answers one request. It panics with http.ErrAbortHandler where a
// fault breaks the connection.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Body == nil { // a caller that is no server may leave it out
		r.Body = http.NoBody
	}
	fault, record := s.arrive(r)
	w := &answer{ResponseWriter: rw, head: r.Method == http.MethodHead, sent: func(status int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		record.Status = status
	}}
	if fault != nil {
		fault(s, w, r)
		return
	}
	s.route(w, r)
}

// arrive notes a request and finds the fault that it meets, nil if none.
func (s *Server) arrive(r *http.Request) (fault func(*Server, *answer, *http.Request), record *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record = &Request{Time: s.now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.Query()}
	if len(s.requests) >= 2*maxRequests {
		s.requests = slices.Clone(s.requests[maxRequests:])
	}
	s.requests = append(s.requests, record)
	if len(s.faults) == 0 {
		return nil, record
	}
	fault = s.faults[0].serve
	if s.faults[0].left--; s.faults[0].left == 0 {
		s.faults = s.faults[1:]
	}
	return fault, record
}

// route finds what a request asks for.
func (s *Server) route(w *answer, r *http.Request) {
	if clean := cleanPath(r.URL.Path); clean != r.URL.Path {
		if r.URL.RawQuery != "" {
			clean += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", clean)
		w.Header().Set("Refresh", "0;url="+clean)
		w.Header()["Content-Type"] = nil // net/http would guess one
		w.WriteHeader(http.StatusPermanentRedirect)
		_, _ = w.Write([]byte(clean)) //nolint:gosec // no browser reads it
		return
	}
	root := "/api/"
	if s.cloud {
		root = "/v1/"
	}
	rest, found := strings.CutPrefix(r.URL.Path, root)
	if !found {
		w.page(http.StatusNotFound)
		return
	}
	parts := strings.Split(rest, "/")
	switch {
	case len(parts) == 2 && parts[0] == "realtime":
		s.realtime(w, r, parts[1])
	case parts[0] == "websites":
		s.websites(w, r, parts[1:])
	case rest == "me":
		s.me(w, r)
	case s.cloud:
		w.page(http.StatusNotFound)
	case rest == "auth/login":
		s.login(w, r)
	case rest == "auth/verify":
		s.verifyToken(w, r)
	case len(parts) == 2 && parts[0] == "share":
		s.share(w, r, parts[1])
	case rest == "heartbeat":
		w.json(`{"ok":true}`)
	case rest == "config":
		w.json(`{"cloudMode":false,"privateMode":false,"telemetryDisabled":true,"updatesDisabled":false,"currentVersion":true}`)
	default:
		w.page(http.StatusNotFound)
	}
}

// cleanPath is a path without double and trailing slashes.
func cleanPath(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	if len(p) > 1 {
		p = strings.TrimSuffix(p, "/")
	}
	return p
}

// admit checks what comes before the work of every call about a website, in
// the version's order, and answers the request if it goes no further. check is
// about the parameters, nil if there are none.
func (s *Server) admit(w *answer, r *http.Request, website string, check func() bool) bool {
	granted := s.access(r)
	theirs := !strings.EqualFold(website, s.WebsiteID)
	switch {
	case granted == nothing && (s.pagesRouter || s.cloud):
		s.unauthorized(w, r)
	case !s.allow(w, r, http.MethodGet):
	case s.checkID && !uuid.MatchString(website):
		s.fail(w, http.StatusBadRequest, "bad-request", "Bad request", [2]string{"websiteId", "must be a valid UUID"})
	case check != nil && !check():
	case granted == nothing, granted == oneSite && theirs && s.shareContext:
		s.unauthorized(w, r)
	case granted == oneSite && theirs, !uuid.MatchString(website):
		w.send(http.StatusInternalServerError, "", nil)
	default:
		return true
	}
	return false
}
