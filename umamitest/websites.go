package umamitest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Website is a website of the server.
type Website struct {
	// ID is a UUID. A Website with the id WebsiteID replaces the one that
	// exists from the start.
	ID     string
	Name   string
	Domain string
	// TeamID is the team that it belongs to, a UUID. Empty: it is the
	// administrator's own.
	TeamID    string
	CreatedAt time.Time
}

// WithWebsites adds websites, which have no rows. Default: WebsiteID is the
// only one. NewServer panics if an id is not a UUID.
//
// GET /api/websites lists the administrator's own, since 3.0 with includeTeams
// those of teams, too. Servers to 2.4, which no Profile imitates, list them
// as an array; a Fault made by Body can answer one.
func WithWebsites(sites ...Website) Option {
	return func(s *Server) {
		for _, site := range sites {
			if !uuid.MatchString(site.ID) || site.TeamID != "" && !uuid.MatchString(site.TeamID) {
				panic(fmt.Sprintf("umamitest: the ids of the website %q are not UUIDs", site.Name))
			}
			site.ID = strings.ToLower(site.ID)
			s.sites = slices.DeleteFunc(s.sites, func(old Website) bool { return old.ID == site.ID })
			s.sites = append(s.sites, site)
		}
		slices.SortFunc(s.sites, func(a, b Website) int { return strings.Compare(a.ID, b.ID) })
	}
}

// firstSite is the website that every Server has.
var firstSite = Website{
	ID: WebsiteID, Name: "lab main", Domain: "main.example.com",
	CreatedAt: time.Date(2026, 11, 22, 8, 49, 51, 395e6, time.UTC),
}

// websites answers the calls below /api/websites.
func (s *Server) websites(w *answer, r *http.Request, path []string) {
	switch {
	case len(path) == 0:
		s.listWebsites(w, r)
	case len(path) == 1:
		s.website(w, r, path[0])
	case len(path) == 2 && path[1] == "active":
		s.active(w, r, path[0])
	case len(path) == 2 && path[1] == "events":
		s.listEvents(w, r, path[0])
	default:
		w.page(http.StatusNotFound)
	}
}

// listWebsites answers GET /api/websites.
func (s *Server) listWebsites(w *answer, r *http.Request) {
	granted := s.access(r)
	if granted != everything && (s.pagesRouter || s.cloud) {
		s.unauthorized(w, r)
		return
	}
	if !s.allow(w, r, http.MethodGet) {
		return
	}
	values := r.URL.Query()
	size := s.usualPageSize()
	if s.pagesRouter {
		size = 100
	}
	var found problems
	p := s.paging(values, size, &found)
	if len(found) > 0 {
		s.fail(w, http.StatusBadRequest, "bad-request", "Bad request", found...)
		return
	}
	if granted != everything { // a share link has no websites
		s.unauthorized(w, r)
		return
	}
	// Whatever the parameter says, it is there or not.
	teams := s.since3() && values.Get("includeTeams") != ""
	var sites []Website
	for _, site := range s.sites {
		if teams || site.TeamID == "" {
			sites = append(sites, site)
		}
	}
	from, to := p.part(len(sites))
	wr := writer{setting: &s.setting}
	wr.name(`{"data":`)
	list(&wr, sites[from:to], func(site Website) { wr.site(site, !teams) })
	wr.name(`,"count":`).number(int64(len(sites))).name(`,"page":`).number(int64(p.page))
	wr.name(`,"pageSize":`).number(int64(p.size)).name("}")
	w.send(http.StatusOK, jsonType, wr.b)
}

// website answers GET /api/websites/{websiteId}.
func (s *Server) website(w *answer, r *http.Request, id string) {
	if !s.admit(w, r, id, nil) {
		return
	}
	i := slices.IndexFunc(s.sites, func(site Website) bool { return strings.EqualFold(site.ID, id) })
	if i < 0 {
		w.json("null")
		return
	}
	wr := writer{setting: &s.setting}
	wr.site(s.sites[i], false)
	w.send(http.StatusOK, jsonType, wr.b)
}

// site writes a website as the version does, in a list with its owner.
func (w *writer) site(site Website, owner bool) {
	share := "null"
	if site.ID == WebsiteID && !w.cloud {
		share = `"` + ShareID + `"`
	}
	user, team := `"`+userID+`"`, "null"
	if site.TeamID != "" {
		user, team = "null", `"`+strings.ToLower(site.TeamID)+`"`
	}
	w.name(`{"id":`).text(site.ID).name(`,"name":`).text(site.Name).name(`,"domain":`).text(site.Domain)
	if !w.shareTable {
		w.name(`,"shareId":`).name(share)
	}
	w.name(`,"resetAt":null,"userId":`).name(user)
	if w.teamSites {
		w.name(`,"teamId":`).name(team).name(`,"createdBy":"` + userID + `"`)
	}
	at := site.CreatedAt.UTC().Format(`"2006-01-02T15:04:05.000Z"`)
	w.name(`,"createdAt":`).name(at).name(`,"updatedAt":`).name(at).name(`,"deletedAt":null`)
	if w.shareTable {
		w.name(`,"replayEnabled":false,"replayConfig":null`)
	}
	if owner {
		w.name(`,"user":{"username":"` + Username + `","id":"` + userID + `"}`)
	}
	if w.shareTable {
		w.name(`,"shareId":`).name(share)
	}
	w.name("}")
}

// active answers GET /api/websites/{websiteId}/active.
func (s *Server) active(w *answer, r *http.Request, website string) {
	if !s.admit(w, r, website, nil) {
		return
	}
	n := 0
	if strings.EqualFold(website, s.WebsiteID) {
		n = s.activeSessions()
	}
	format := `{"visitors":%d}`
	switch {
	case s.activeList && s.database == Postgres:
		format = `[{"x":%d}]`
	case s.pagesRouter:
		format = `{"x":%d}`
	}
	w.json(fmt.Sprintf(format, n))
}

// activeSessions counts the sessions that have a row of the last 5 minutes.
func (s *Server) activeSessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.catchUp(now)
	const span = 5 * time.Minute
	win := window{
		store: &s.store, from: now.Add(-span).UnixMilli(), to: now.UnixMilli(), asOf: now.UnixMilli(), beacons: true,
	}
	seen := make(map[string]struct{})
	for _, e := range win.within() {
		if win.shows(e) {
			seen[e.SessionID] = struct{}{}
		}
	}
	return len(seen)
}
