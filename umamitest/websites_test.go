package umamitest_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/umamitest"
)

const (
	websitePath = "/api/websites/" + umamitest.WebsiteID
	unknownSite = "/api/websites/550e8400-e29b-41d4-a716-446655440000"
)

// Since when the recorded website has no share link, but a Server's has one.
func unshared(body []byte) string {
	return strings.ReplaceAll(string(body), `"shareId":"`+umamitest.ShareID+`"`, `"shareId":null`)
}

func TestWebsitesAreAsRecorded(t *testing.T) {
	t.Parallel()
	list := load(t, "v3.1.0-postgres/websites.http")
	var sites []umamitest.Website
	for _, m := range regexp.MustCompile(`"id":"([^"]*)","name":"([^"]*)","domain":"([^"]*)".*?"createdAt":"([^"]*)"`).
		FindAllStringSubmatch(string(list.body), -1) {
		at, err := time.Parse(time.RFC3339, m[4])
		require.NoError(t, err)
		sites = append(sites, umamitest.Website{ID: m[1], Name: m[2], Domain: m[3], CreatedAt: at})
	}
	require.Len(t, sites, 10)
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithWebsites(sites...))
	for name, path := range map[string]string{
		"websites": "/api/websites", "website-get": websitePath, "website-get-unknown": unknownSite, "website-active-empty": unknownSite + "/active",
	} {
		want, got := load(t, "v3.1.0-postgres/"+name+".http"), ask(t, srv, path, admin)
		assert.Equal(t, want.status, got.status, name)
		assert.Equal(t, string(want.body), unshared(got.body), name)
		assert.Equal(t, comparable(want.header), comparable(got.header), name)
	}
}

func TestActiveVisitorsAreAsRecorded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rows, active string // seconds apart
		database     umamitest.Database
	}{
		{"v3.1.0-postgres/realtime-busy.http", "v3.1.0-postgres/website-active.http", umamitest.Postgres},
		{"v3.1.0-clickhouse/q-startAt-endAt.http", "v3.1.0-clickhouse/website-active.http", umamitest.ClickHouse},
	} {
		rows := load(t, tt.rows)
		now := time.UnixMilli(decode(t, rows.body).Timestamp)
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithClock(func() time.Time { return now }),
			umamitest.WithDatabase(tt.database))
		restore(t, srv, rows.body, time.UTC, false)
		assert.Equal(t, string(load(t, tt.active).body), string(ask(t, srv, websitePath+"/active", admin).body))
	}
}

func TestActiveVisitors(t *testing.T) {
	t.Parallel()
	clickHouse := umamitest.WithDatabase(umamitest.ClickHouse)
	for _, tt := range []struct {
		profile umamitest.Profile
		opts    []umamitest.Option
		want    string
	}{
		{umamitest.V2_0, nil, `[{"x":2}]`},
		{umamitest.V2_0, []umamitest.Option{clickHouse}, `{"x":2}`},
		{umamitest.V2_9, nil, `{"x":2}`},
		{umamitest.V2_12, []umamitest.Option{clickHouse}, `{"x":2}`},
		{umamitest.V2_13, nil, `{"x":2}`},
		{umamitest.V2_16, nil, `{"visitors":2}`},
		{umamitest.V3_4, nil, `{"visitors":2}`},
		{umamitest.SelfHostedDocs, nil, `{"visitors":2}`},
		{umamitest.Cloud, nil, `{"visitors":2}`},
	} {
		srv := atNoon(append(tt.opts, umamitest.WithProfile(tt.profile))...)
		srv.Visit(umamitest.Visit{SessionID: "gone", CreatedAt: noon.Add(-5*time.Minute - time.Millisecond)})
		srv.Visit(umamitest.Visit{SessionID: "old", CreatedAt: noon.Add(-5 * time.Minute)})
		srv.Visit(umamitest.Visit{SessionID: "new"})
		srv.Event("signup", umamitest.Visit{SessionID: "new"})
		srv.Visit(umamitest.Visit{SessionID: "late", VisibleAt: noon.Add(time.Second)})
		assert.Equal(t, tt.want, string(tell(t, srv, "/websites/"+umamitest.WebsiteID+"/active").body), tt.profile)
		none := strings.Replace(tt.want, "2", "0", 1)
		assert.Equal(t, none, string(tell(t, srv, "/websites/550e8400-e29b-41d4-a716-446655440000/active").body), tt.profile)
	}
}

func TestWebsitesByProfile(t *testing.T) {
	t.Parallel()
	const (
		times = `"createdAt":"2026-01-02T03:04:05.000Z","updatedAt":"2026-01-02T03:04:05.000Z","deletedAt":null`
		user  = `"userId":"41e2b680-648e-4b09-bcd7-3e2b10c06264"`
		by    = `"createdBy":"41e2b680-648e-4b09-bcd7-3e2b10c06264",`
		owner = `,"user":{"username":"admin","id":"41e2b680-648e-4b09-bcd7-3e2b10c06264"}`
		ids   = `{"id":"00000000-0000-4000-8000-000000000001","name":"Own","domain":"own.example",`
		team  = "00000000-0000-4000-8000-0000000000aa"
	)
	own := umamitest.Website{
		ID: "00000000-0000-4000-8000-000000000001", Name: "Own", Domain: "own.example",
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	ours := umamitest.Website{ID: "00000000-0000-4000-8000-000000000002", Name: "Ours", TeamID: team}
	mine := umamitest.Website{ID: umamitest.WebsiteID, Name: "Mine"}
	recent := ids + `"resetAt":null,` + user + `,"teamId":null,` + by + times + `,"replayEnabled":false,"replayConfig":null`
	middle := ids + `"shareId":null,"resetAt":null,` + user + `,"teamId":null,` + by + times
	type want struct {
		first   string // website of the list
		size    int
		teams   bool // includeTeams has an effect
		badPage string
	}
	zod := `"properties":{"page":{"errors":["Too small: expected number to be >0"]}}`
	for p, want := range map[umamitest.Profile]want{
		umamitest.V2_0: {
			ids + `"shareId":null,"resetAt":null,` + user + `,` + times + owner + "}", 100, false, "page must be a positive number",
		},
		umamitest.V2_9:  {middle + owner + "}", 100, false, "page must be a positive number"},
		umamitest.V2_13: {middle + owner + "}", 100, false, "page must be a positive number"},
		umamitest.V2_16: {middle + owner + "}", 10, false, `{"error":["page: Number must be greater than 0"]}`},
		umamitest.V3_0:  {middle + owner + "}", 20, true, zod},
		umamitest.V3_1:  {recent + owner + `,"shareId":null}`, 20, true, zod},
		umamitest.Cloud: {recent + owner + `,"shareId":null}`, 20, true, zod},
	} {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			srv := atNoon(umamitest.WithProfile(p), umamitest.WithWebsites(ours, own, mine))
			body := func(path string) string { return string(tell(t, srv, path).body) }
			list := body("/websites")
			assert.True(t, strings.HasPrefix(list, `{"data":[`+want.first+`,{"id":"`+umamitest.WebsiteID+`","name":"Mine","domain":"",`), list)
			assert.Regexp(t, `\],"count":2,"page":1,"pageSize":\d+\}$`, list)
			assert.Contains(t, list, `"pageSize":`+map[int]string{100: "100}", 20: "20}", 10: "10}"}[want.size])
			assert.JSONEq(t, `{"data":[],"count":2,"page":2,"pageSize":2}`, body("/websites?page=2&pageSize=2"))
			assert.Contains(t, body("/websites?page=2&pageSize=1"), `{"data":[{"id":"`+umamitest.WebsiteID)
			got := tell(t, srv, "/websites?page=0")
			assert.Equal(t, http.StatusBadRequest, got.status)
			assert.Contains(t, string(got.body), want.badPage)

			all := body("/websites?includeTeams=true")
			assert.Equal(t, want.teams, strings.Contains(all, `"name":"Ours","domain":"",`))
			if want.teams {
				assert.Contains(t, all, `"userId":null,"teamId":"`+team+`"`)
				assert.Contains(t, all, `"count":3`)
				assert.NotContains(t, all, `"user":`)
			}
			assert.Contains(t, body("/websites/"+strings.ToUpper(ours.ID)), `"name":"Ours"`)
			assert.NotContains(t, body("/websites/"+own.ID), `"user":`)
			assert.Equal(t, "null", body("/websites/00000000-0000-4000-8000-000000000003"))
			assert.Equal(t, http.StatusNotFound, tell(t, srv, "/websites/"+own.ID+"/stats").status)
		})
	}
	assert.Panics(t, func() { atNoon(umamitest.WithWebsites(umamitest.Website{Name: "no id"})) })
	assert.Panics(t, func() { atNoon(umamitest.WithWebsites(umamitest.Website{ID: own.ID, TeamID: "x"})) })
}

func TestWhoMaySeeWebsites(t *testing.T) {
	t.Parallel()
	for _, p := range umamitest.Profiles() {
		srv := atNoon(umamitest.WithProfile(p))
		if strings.HasSuffix(srv.URL, "/v1") {
			for _, path := range []string{"/v1/websites", "/v1/websites/" + umamitest.WebsiteID, "/v1/me"} {
				assert.Equal(t, 400, call{path: path}.do(t, srv).status, p)
				assert.Equal(t, 401, call{path: path, header: asAdmin}.do(t, srv).status, p)
				assert.Equal(t, 200, call{path: path, header: map[string]string{"X-Umami-Api-Key": umamitest.APIKey}}.do(t, srv).status, p)
			}
			continue
		}
		share := shareHeader(t, srv)
		for _, path := range []string{"/api/websites", websitePath, websitePath + "/active", unknownSite} {
			assert.Equal(t, 401, call{path: path}.do(t, srv).status, p)
			assert.Equal(t, 200, call{path: path, header: asAdmin}.do(t, srv).status, p)
			assert.Equal(t, 405, call{path: path, method: http.MethodDelete, header: asAdmin}.do(t, srv).status, p)
			shared := 200
			switch {
			case path == "/api/websites":
				shared = 401
			case path == unknownSite && (p == umamitest.V3_1 || p == umamitest.V3_4 || p == umamitest.SelfHostedDocs):
				shared = 401
			case path == unknownSite:
				shared = 500
			}
			assert.Equal(t, shared, call{path: path, header: share}.do(t, srv).status, "%v %s", p, path)
		}
		malformed := 500
		if p <= umamitest.V2_13 && p != umamitest.SelfHostedDocs {
			malformed = 400
		}
		assert.Equal(t, malformed, call{path: "/api/websites/x", header: asAdmin}.do(t, srv).status, p)
	}
}

// To 2.15 the holder of a share link is let in as nobody.
func TestMeTellsAShareLink(t *testing.T) {
	t.Parallel()
	for _, p := range umamitest.Profiles() {
		srv := atNoon(umamitest.WithProfile(p))
		if strings.HasSuffix(srv.URL, "/v1") {
			continue // Umami Cloud's key opens everything
		}
		want := `{"shareToken":{"websiteId":"` + umamitest.WebsiteID + `","iat":1795337000},"user":null}`
		if p <= umamitest.V2_13 && p != umamitest.SelfHostedDocs {
			want = "null"
		}
		got := call{path: "/api/me", header: shareHeader(t, srv)}.do(t, srv)
		assert.Equal(t, http.StatusOK, got.status, p)
		assert.Equal(t, want, string(got.body), p)
		srv.ExpireTokens()
		assert.Equal(t, http.StatusUnauthorized, call{path: "/api/me", header: asAdmin}.do(t, srv).status, p)
	}
}

// An API key is nobody's login token.
func TestMeTellsTheTokenThatWasSent(t *testing.T) {
	t.Parallel()
	got := ask(t, atNoon(umamitest.WithProfile(umamitest.V3_4)), "/api/me", "Bearer "+umamitest.APIKey)
	assert.Contains(t, string(got.body), `{"token":"`+umamitest.APIKey+`","shareToken":null,"user":{`)
	got = call{path: "/v1/me", header: map[string]string{"X-Umami-Api-Key": umamitest.APIKey}}.do(t, atNoon(umamitest.WithProfile(umamitest.Cloud)))
	assert.Contains(t, string(got.body), `{"token":null,"shareToken":null,"user":{`)
}
