package umami_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// manySites are websites of the administrator, every third of a team.
func manySites(n int) (sites []umamitest.Website) {
	for i := range n {
		site := umamitest.Website{
			ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Name: fmt.Sprint("Site ", i), Domain: "example.org",
			CreatedAt: time.Date(2026, 1, 2, 3, 4, i, 567e6, time.UTC),
		}
		if i%3 == 0 {
			site.TeamID = "00000000-0000-4000-8000-0000000000aa"
		}
		sites = append(sites, site)
	}
	return sites
}

func TestListWebsitesOnEveryServer(t *testing.T) {
	t.Parallel()
	sites := manySites(30)
	for _, p := range umamitest.Profiles() {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(p), umamitest.WithWebsites(sites...))
		for _, tt := range []struct{ size, pages, teamPages int }{{0, 1, 1}, {7, 3, 5}, {1, 21, 31}, {100_000, 1, 1}} {
			for _, teams := range []bool{false, true} {
				before := len(srv.Requests())
				got, err := collect(srv.Client().ListWebsites(t.Context(), &umami.WebsitesOptions{IncludeTeams: teams, PageSize: tt.size}))
				require.NoError(t, err, p)
				shown := teams && (p >= umamitest.V3_0 || p == umamitest.SelfHostedDocs)
				var ids []string
				for _, w := range got {
					ids = append(ids, w.ID)
				}
				want, pages := []string{umamitest.WebsiteID}, tt.pages
				for _, site := range sites {
					if shown || site.TeamID == "" {
						want = append(want, site.ID)
					}
				}
				if shown {
					pages = tt.teamPages
				}
				assert.ElementsMatch(t, want, ids, p)
				asked := srv.Requests()[before:]
				assert.Len(t, asked, pages, "%v, pages of %d", p, tt.size)
				assert.Equal(t, map[bool]string{true: "true"}[teams], asked[0].Query.Get("includeTeams"))
			}
		}
		got, err := collect(srv.Client().ListWebsites(t.Context(), nil))
		require.NoError(t, err, p)
		assert.Equal(t, umami.Website{
			ID: sites[1].ID, Name: "Site 1", Domain: "example.org", UserID: "41e2b680-648e-4b09-bcd7-3e2b10c06264", CreatedAt: sites[1].CreatedAt,
		}, got[0])
	}
}

// Servers to 2.4 answer an array; one that knew no pages would repeat it.
func TestListWebsitesEnds(t *testing.T) {
	t.Parallel()
	const one, two = `{"id":"a","name":"A"}`, `{"id":"b","name":"B"}`
	for name, tt := range map[string]struct {
		answers []transport
		ids     string
		calls   int
	}{
		"an array":          {[]transport{always(200, "["+one+","+two+"]")}, "ab", 1},
		"an empty array":    {[]transport{always(200, "[]")}, "", 1},
		"an empty page":     {[]transport{always(200, `{"data":[],"count":0}`)}, "", 1},
		"the same page":     {[]transport{always(200, `{"data":[`+one+`],"count":9}`)}, "a", 3},
		"no count":          {[]transport{always(200, `{"data":[`+one+`]}`), always(200, `{"data":[`+two+`]}`), always(200, `{"data":[]}`)}, "ab", 3},
		"pushed on":         {[]transport{always(200, `{"data":[`+one+`],"count":2}`), always(200, `{"data":[`+one+`],"count":3}`), always(200, `{"data":[`+two+`],"count":3}`)}, "ab", 3},
		"some again":        {[]transport{always(200, `{"data":[`+one+`],"count":2}`), always(200, `{"data":[`+one+`,`+two+`],"count":2}`)}, "ab", 2},
		"more each time":    {[]transport{always(200, `{"data":[`+one+`],"count":2}`), always(200, `{"data":[`+two+`],"count":9}`)}, "ab", 2},
		"fewer than before": {[]transport{always(200, `{"data":[`+one+`],"count":2}`), always(200, `{"data":[],"count":1}`)}, "a", 2},
	} {
		s := &script{steps: tt.answers}
		got, err := collect(newClient(t, s, umami.BearerToken(token)).ListWebsites(t.Context(), nil))
		require.NoError(t, err, name)
		ids := ""
		for _, w := range got {
			ids += w.ID
		}
		assert.Equal(t, tt.ids, ids, name)
		assert.Len(t, s.requests(), tt.calls, name)
	}
}

func TestListWebsitesErrors(t *testing.T) {
	t.Parallel()
	s := &script{steps: []transport{always(200, `{"data":[{"id":"a"}],"count":2}`), always(401, unauthorized)}}
	c := newClient(t, s, umami.BearerToken(token))
	got, err := collect(c.ListWebsites(t.Context(), nil))
	assert.Len(t, got, 1, "what came before the error")
	require.ErrorIs(t, err, umami.ErrUnauthorized)
	require.ErrorContains(t, err, "umami: list websites: GET /api/websites: 401 Unauthorized: ")

	for range c.ListWebsites(t.Context(), nil) {
		break
	}
	assert.Len(t, s.requests(), 3, "who leaves the loop asks for nothing more")

	_, err = collect(c.ListWebsites(t.Context(), &umami.WebsitesOptions{PageSize: -1}))
	require.ErrorIs(t, err, umami.ErrInvalidArgument)
	assert.Len(t, s.requests(), 3)

	_, err = collect(newClient(t, always(200, `{"data":[{"id":"a"},{"name":"B"}]}`), umami.BearerToken(token)).ListWebsites(t.Context(), nil))
	e, ok := errors.AsType[*umami.DecodeError](err)
	require.True(t, ok)
	assert.Equal(t, "/data/1", e.Field)
	require.ErrorContains(t, err, "a website without an id")
}

func TestGetWebsite(t *testing.T) {
	t.Parallel()
	want := &umami.Website{
		ID: recordedSite, Name: "lab main", Domain: "main.example.com", UserID: "41e2b680-648e-4b09-bcd7-3e2b10c06264",
		CreatedAt: time.Date(2026, 11, 22, 8, 49, 51, 395e6, time.UTC),
	}
	s := &script{steps: []transport{recorded(t, "v3.1.0-postgres/website-get.http")}}
	got, err := newClient(t, s, umami.BearerToken(token)).GetWebsite(t.Context(), strings.ToUpper(recordedSite))
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Equal(t, []string{"GET /api/websites/" + strings.ToUpper(recordedSite)}, s.requests())
	for _, p := range umamitest.Profiles() {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(p), umamitest.WithWebsites(manySites(1)...))
		got, err := srv.Client().GetWebsite(t.Context(), srv.WebsiteID)
		require.NoError(t, err, p)
		assert.Equal(t, want, got, p)
		_, err = srv.Client().GetWebsite(t.Context(), site)
		require.ErrorIs(t, err, umami.ErrNotFound, p)
		require.EqualError(t, err, "umami: get website: not found: the server knows no website "+site)
		if p >= umamitest.V2_9 {
			got, err = srv.Client().GetWebsite(t.Context(), manySites(1)[0].ID)
			require.NoError(t, err, p)
			assert.Equal(t, "00000000-0000-4000-8000-0000000000aa", got.TeamID, p)
		}
	}
	got, err = newClient(t, recorded(t, "v3.1.0-postgres/website-get-unknown.http"), umami.BearerToken(token)).GetWebsite(t.Context(), site)
	require.ErrorIs(t, err, umami.ErrNotFound)
	assert.Nil(t, got)
	_, err = newClient(t, always(404, `{"error":{"message":"Not found","code":"not-found","status":404}}`), umami.BearerToken(token)).GetWebsite(t.Context(), site)
	require.ErrorIs(t, err, umami.ErrNotFound)
	_, err = newClient(t, always(200, `[]`), umami.BearerToken(token)).GetWebsite(t.Context(), site)
	_, ok := errors.AsType[*umami.DecodeError](err)
	assert.True(t, ok)
}

func TestGetActiveVisitors(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`[{"x":3}]`: 3, `{"x":3}`: 3, `{"visitors":3}`: 3, `[{"x":"3"}]`: 3, `{"x":"3"}`: 3, `{"visitors":"3"}`: 3, `{"visitors":0}`: 0,
	} {
		s := &script{steps: []transport{always(200, body)}}
		n, err := newClient(t, s, umami.BearerToken(token)).GetActiveVisitors(t.Context(), site)
		require.NoError(t, err, body)
		assert.Equal(t, want, n, body)
		assert.Equal(t, []string{"GET /api/websites/" + site + "/active"}, s.requests())
	}
	for _, p := range umamitest.Profiles() {
		for _, database := range []umamitest.Database{umamitest.Postgres, umamitest.ClickHouse} {
			srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(p), umamitest.WithDatabase(database))
			srv.Visit(umamitest.Visit{})
			v := srv.Visit(umamitest.Visit{CreatedAt: time.Now().Add(-time.Minute)})
			srv.Visit(umamitest.Visit{SessionID: v.SessionID})
			srv.Visit(umamitest.Visit{CreatedAt: time.Now().Add(-6 * time.Minute)})
			n, err := srv.Client().GetActiveVisitors(t.Context(), srv.WebsiteID)
			require.NoError(t, err, p)
			assert.Equal(t, 2, n, p)
			n, err = srv.Client().GetActiveVisitors(t.Context(), site)
			require.NoError(t, err, p)
			assert.Zero(t, n, p)
		}
	}
	_, err := newClient(t, always(200, `{"visitors":"many"}`), umami.BearerToken(token)).GetActiveVisitors(t.Context(), site)
	require.ErrorContains(t, err, "umami: get active visitors: GET /api/websites/"+site+"/active: ")
	_, ok := errors.AsType[*umami.DecodeError](err)
	assert.True(t, ok)
}

func TestWebsiteIDsAreChecked(t *testing.T) {
	t.Parallel()
	s := &script{steps: []transport{always(200, "null")}}
	c := newClient(t, s, umami.BearerToken(token))
	for _, id := range []string{"", "x", "..", "../users", site + "/"} {
		_, err := c.GetWebsite(t.Context(), id)
		require.ErrorIs(t, err, umami.ErrInvalidArgument, id)
		_, err = c.GetActiveVisitors(t.Context(), id)
		require.ErrorIs(t, err, umami.ErrInvalidArgument, id)
	}
	assert.Empty(t, s.requests())
}

func TestPingOnEveryServer(t *testing.T) {
	t.Parallel()
	for _, p := range umamitest.Profiles() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(p))
			ping := func(url string, auth umami.Auth) error {
				c, err := umami.NewClient(url, auth, umami.WithHTTPClient(srv.HTTPClient()), noRetry)
				require.NoError(t, err)
				return c.Ping(t.Context())
			}
			refused := func(auth umami.Auth) {
				t.Helper()
				err := ping(srv.URL, auth)
				require.ErrorIs(t, err, umami.ErrUnauthorized)
				require.ErrorContains(t, err, "umami: ping: the server refuses the credential: ")
				require.NotContains(t, err.Error(), "this website")
			}
			require.NoError(t, srv.Client().Ping(t.Context()))
			refused(umami.BearerToken("wrong"))
			refused(umami.APIKey("umami_wrong"))
			nowhere := "http://umami.test/nowhere"
			if cloud := strings.HasSuffix(srv.URL, "/v1"); !cloud {
				require.NoError(t, ping(srv.URL, umami.Login(umamitest.Username, umamitest.Password)))
				require.NoError(t, ping(srv.URL, umami.ShareLink(umamitest.ShareID)))
				refused(umami.Login(umamitest.Username, "wrong"))
				err := ping(srv.URL, umami.ShareLink("wrong"))
				require.ErrorContains(t, err, "umami: ping: the server refuses the credential: ")
				require.ErrorIs(t, err, umami.ErrNotFound)
				for _, auth := range []umami.Auth{umami.Login("u", "p"), umami.ShareLink("s")} {
					require.ErrorContains(t, ping(nowhere, auth), "umami: ping: no Umami server answers at http://umami.test/nowhere/api: ")
				}
			}
			require.ErrorContains(t, ping(nowhere, umami.BearerToken("t")), "umami: ping: no Umami server answers at http://umami.test/nowhere/api: ")
		})
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	const page = "<!DOCTYPE html><html></html>"
	me, verify, post := "GET /api/me", "GET /api/auth/verify", "POST /api/auth/verify"
	for name, tt := range map[string]struct {
		answers []transport
		calls   []string
		text    string // after "umami: ping: "; "": no error
		is      error
	}{
		"3.1":                {[]transport{recorded(t, "v3.1.0-postgres/me.http")}, []string{me}, "", nil},
		"3.1, no token":      {[]transport{recorded(t, "v3.1.0-postgres/me-no-token.http")}, []string{me}, "the server refuses the credential: GET /api/me: 401 Unauthorized: the credential is wrong or has expired", umami.ErrUnauthorized},
		"a share link":       {[]transport{always(200, `{"shareToken":{"websiteId":"w"},"user":null}`)}, []string{me}, "", nil},
		"a share link, 2.15": {[]transport{always(200, "null")}, []string{me}, "", nil},
		"2.5":                {[]transport{always(404, page), always(200, `{"id":"u","username":"admin"}`)}, []string{me, verify}, "", nil},
		"2.5, bad token":     {[]transport{always(404, page), always(401, "401 Unauthorized")}, []string{me, verify}, "the server refuses the credential: GET /api/auth/verify: 401 Unauthorized: \"401 Unauthorized\": the credential is wrong or has expired", umami.ErrUnauthorized},
		"by POST": {
			[]transport{always(404, page), recorded(t, "v3.1.0-postgres/verify-get.http"), recorded(t, "v3.1.0-postgres/verify-post.http")},
			[]string{me, verify, post},
			"", nil,
		},
		"Cloud, a token":    {[]transport{always(400, `{"error":{"message":"No API key specified."}}`)}, []string{me}, "the server refuses the credential: GET /api/me: 400 Bad Request: \"No API key specified.\": Umami Cloud takes an API key", umami.ErrBadRequest},
		"forbidden":         {[]transport{always(403, `{"error":"Forbidden"}`)}, []string{me}, "the server refuses the credential: ", umami.ErrForbidden},
		"a proxy's login":   {[]transport{always(401, page)}, []string{me}, "no Umami server answers at http://umami.test/api: GET /api/me: 401", umami.ErrUnauthorized},
		"nothing there":     {[]transport{always(404, page)}, []string{me, verify}, "no Umami server answers at http://umami.test/api: GET /api/auth/verify: 404", umami.ErrNotFound},
		"no POST either":    {[]transport{always(404, page), always(405, "")}, []string{me, verify, post}, "no Umami server answers at http://umami.test/api: POST /api/auth/verify: 405", nil},
		"a web page":        {[]transport{always(200, page)}, []string{me}, "no Umami server answers at http://umami.test/api: GET /api/me: ", nil},
		"another API":       {[]transport{always(200, `{"status":"ok"}`)}, []string{me}, "no Umami server answers at http://umami.test/api: GET /api/me: ", nil},
		"another API's me":  {[]transport{always(200, `{"user":"admin"}`)}, []string{me}, "no Umami server answers at http://umami.test/api: GET /api/me: ", nil},
		"a list":            {[]transport{always(200, `[]`)}, []string{me}, "no Umami server answers at http://umami.test/api: GET /api/me: ", nil},
		"failing":           {[]transport{always(502, page)}, []string{me}, "GET /api/me: 502", umami.ErrServer},
		"the network fails": {[]transport{fails(errors.New("no route"))}, []string{me}, "GET /api/me: ", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{steps: tt.answers}
			err := newClient(t, s, umami.BearerToken(token), noRetry).Ping(t.Context())
			assert.Equal(t, tt.calls, s.requests())
			if tt.text == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.True(t, strings.HasPrefix(err.Error(), "umami: ping: "+tt.text), err.Error())
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
		})
	}
}

// Since 2.16 /api/me repeats the token.
func TestPingHidesTheToken(t *testing.T) {
	t.Parallel()
	err := newClient(t, always(200, `{"token":"`+token+`","user":"`+token+`"}`), umami.BearerToken(token)).Ping(t.Context())
	e, ok := errors.AsType[*umami.DecodeError](err)
	require.True(t, ok)
	assert.Empty(t, e.Body)
	assert.NotContains(t, fmt.Sprintf("%+v", e), token)
}

// The token is replaced for a ping as for any call.
func TestPingRefreshes(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.InProcess())
	c, err := umami.NewClient(srv.URL, umami.Login(umamitest.Username, umamitest.Password), umami.WithHTTPClient(srv.HTTPClient()))
	require.NoError(t, err)
	require.NoError(t, c.Ping(t.Context()))
	srv.ExpireTokens()
	require.NoError(t, c.Ping(t.Context()))
	var paths []string
	for _, r := range srv.Requests() {
		paths = append(paths, fmt.Sprint(r.Method, " ", r.Path, " ", r.Status))
	}
	assert.Equal(t, []string{
		http.MethodPost + " /api/auth/login 200", "GET /api/me 200", "GET /api/me 401", "POST /api/auth/login 200", "GET /api/me 200",
	}, paths)
}

func TestVisitorsByURL(t *testing.T) {
	t.Parallel()
	view := func(session, path string) umami.Pageview { return umami.Pageview{SessionID: session, URLPath: path} }
	beacon := view("a", "/beacon")
	beacon.Performance = true
	rt := &umami.Realtime{
		Pageviews: []umami.Pageview{beacon, view("a", "/now"), view("b", "/now"), view("", "/nobody"), view("c", ""), view("a", "/before"), view("c", "/before")},
		Events:    []umami.Event{{SessionID: "d", URLPath: "/event"}},
	}
	assert.Equal(t, map[string]int{"/now": 2, "": 1}, rt.VisitorsByURL())
	assert.Equal(t, map[string]int{}, (&umami.Realtime{}).VisitorsByURL())

	// Taken from the file, not by the decoder.
	_, _, body := readRecording(t, "v2.13.2/realtime-slow.json")
	got, err := newClient(t, always(200, string(body)), umami.BearerToken(token)).GetRealtime(t.Context(), site, nil)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{
		"/docs/api#realtime": 3, "/café": 2, "/blog/hello-world": 2, "/emoji/😀": 1, "/path with space": 1, "/日本語/ページ": 1,
		"/": 1, `/a"quote's`: 1, "/日本/encoded": 1,
	}, got.VisitorsByURL())
}
