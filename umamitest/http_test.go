package umamitest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/umamitest"
)

const (
	path      = "/api/realtime/" + umamitest.WebsiteID
	someOther = "/api/realtime/550e8400-e29b-41d4-a716-446655440000"
	goodLogin = `{"username":"` + umamitest.Username + `","password":"` + umamitest.Password + `"}`
)

// call is a request; a zero method is GET.
type call struct {
	method, path, body string
	header             map[string]string
}

var asAdmin = map[string]string{"Authorization": admin}

func (c call) do(t *testing.T, srv *umamitest.Server) recording {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), c.method, "http://umami.test"+c.path, strings.NewReader(c.body))
	require.NoError(t, err)
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	client := srv.HTTPClient()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return recording{res.StatusCode, res.Header, body}
}

func TestOtherAnswersAreAsRecorded(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.InProcess())
	for name, c := range map[string]call{
		"err-api-key-header":             {path: path, header: map[string]string{"X-Umami-Api-Key": umamitest.APIKey}},
		"err-bad-token":                  {path: path, header: map[string]string{"Authorization": "Bearer x"}},
		"err-malformed-website-id-admin": {path: "/api/realtime/x", header: asAdmin},
		"err-method-POST":                {path: path, method: http.MethodPost, header: asAdmin},
		"err-no-token":                   {path: path},
		"err-nonadmin-not-owner":         {path: someOther, header: shareHeader(t, srv)},
		"q-timezone-bad":                 {path: path + "?timezone=Mars/Olympus", header: asAdmin},
		"q-segment-bad":                  {path: path + "?segment=x", header: asAdmin},
		"head":                           {path: path, method: http.MethodHead, header: asAdmin},
		"trailing-slash":                 {path: path + "/", header: asAdmin},
		"config":                         {path: "/api/config"},
		"heartbeat":                      {path: "/api/heartbeat"},
		"login-bad-password":             {path: "/api/auth/login", method: http.MethodPost, body: `{"username":"admin","password":"x"}`},
		"login-missing-field":            {path: "/api/auth/login", method: http.MethodPost, body: `{"username":"admin"}`},
		"login-not-json":                 {path: "/api/auth/login", method: http.MethodPost, body: `hello`},
		"login-ok":                       {path: "/api/auth/login", method: http.MethodPost, body: goodLogin},
		"me":                             {path: "/api/me", header: asAdmin},
		"me-no-token":                    {path: "/api/me"},
		"verify-get":                     {path: "/api/auth/verify", header: asAdmin},
		"verify-post":                    {path: "/api/auth/verify", method: http.MethodPost, header: asAdmin},
		"share-get":                      {path: "/api/share/" + umamitest.ShareID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, got := load(t, "v3.1.0-postgres/"+name+".http"), c.do(t, srv)
			assert.Equal(t, want.status, got.status)
			assert.Equal(t, comparable(want.header), comparable(got.header))
			if name == "share-get" { // the recording has one dummy for all tokens
				got.body = []byte(strings.Replace(string(got.body), shareHeader(t, srv)["X-Umami-Share-Token"], umamitest.Token, 1))
			}
			assert.Equal(t, string(want.body), string(got.body))
		})
	}
}

func TestUnknownWebsiteIsEmptyForAdmins(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.InProcess())
	srv.Visit(umamitest.Visit{})
	got := call{path: someOther, header: asAdmin}.do(t, srv)
	want := load(t, "v3.1.0-postgres/err-unknown-website-admin.http")
	before, _, _ := strings.Cut(string(want.body), `"timestamp"`)
	assert.Equal(t, http.StatusOK, got.status)
	assert.Contains(t, string(got.body), before)
}

// shareHeader opens the share link.
func shareHeader(t *testing.T, srv *umamitest.Server) map[string]string {
	t.Helper()
	got := call{path: "/api/share/" + umamitest.ShareID}.do(t, srv)
	require.Equal(t, http.StatusOK, got.status)
	_, token, found := strings.Cut(string(got.body), `"token":"`)
	require.True(t, found)
	return map[string]string{"X-Umami-Share-Token": strings.TrimSuffix(token, `"}`), "X-Umami-Share-Context": "1"}
}

func TestErrorsByProfile(t *testing.T) {
	t.Parallel()
	const (
		envelope = `{"error":{"message":"Unauthorized","code":"unauthorized","status":401}}`
		required = `{"error":{"message":"Bad request","code":"bad-request","status":400,"errors":[],"properties":` +
			`{"%s":{"errors":["Invalid input: expected string, received undefined"]}}}}`
	)
	for p, want := range map[umamitest.Profile]struct {
		noToken   string
		malformed int
		zone      int
		missing   string // what a request without parameters is answered, "" where it is fine
		post      string
		login     string
	}{
		umamitest.SelfHostedDocs: {envelope, 500, 200, "", "", "incorrect-username-password"},
		umamitest.V2_0:           {"401 Unauthorized", 400, 200, "startAt is a required field", "405 Method Not Allowed", "message.incorrect-username-password"},
		umamitest.V2_9:           {"401 Unauthorized", 400, 200, "startAt is a required field", "405 Method Not Allowed", "message.incorrect-username-password"},
		umamitest.V2_12:          {"401 Unauthorized", 400, 500, "timezone is a required field", "405 Method Not Allowed", "message.incorrect-username-password"},
		umamitest.V2_13:          {"401 Unauthorized", 400, 400, "", "405 Method Not Allowed", "message.incorrect-username-password"},
		umamitest.V2_16:          {`{"error":"Unauthorized"}`, 500, 500, "", "", `{"error":"message.incorrect-username-password"}`},
		umamitest.V2_18:          {`{"error":"Unauthorized"}`, 500, 500, "", "", `{"error":"message.incorrect-username-password"}`},
		umamitest.V3_0:           {envelope, 500, 400, fmt.Sprintf(required, "timezone"), "", "incorrect-username-password"},
		umamitest.V3_1:           {envelope, 500, 500, "", "", "incorrect-username-password"},
		umamitest.V3_4:           {envelope, 500, 500, "", "", "incorrect-username-password"},
	} {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(p))
			const query = "?startAt=0&timezone=UTC"

			got := call{path: path + query}.do(t, srv)
			assert.Equal(t, http.StatusUnauthorized, got.status)
			assert.Equal(t, want.noToken, string(got.body))

			assert.Equal(t, want.malformed, call{path: "/api/realtime/x" + query, header: asAdmin}.do(t, srv).status)
			assert.Equal(t, want.zone, call{path: path + "?startAt=0&timezone=Mars/Olympus", header: asAdmin}.do(t, srv).status)
			assert.Equal(t, http.StatusOK, call{path: path + query, header: asAdmin}.do(t, srv).status)

			got = call{path: path, header: asAdmin}.do(t, srv)
			if want.missing == "" {
				assert.Equal(t, http.StatusOK, got.status)
			} else {
				assert.Equal(t, http.StatusBadRequest, got.status)
				assert.Equal(t, want.missing, string(got.body))
			}

			got = call{path: path + query, method: http.MethodDelete, header: asAdmin}.do(t, srv)
			assert.Equal(t, http.StatusMethodNotAllowed, got.status)
			assert.Equal(t, want.post, string(got.body))

			got = call{path: "/api/auth/login", method: http.MethodPost, body: `{"username":"admin","password":"x"}`}.do(t, srv)
			assert.Equal(t, http.StatusUnauthorized, got.status)
			assert.Contains(t, string(got.body), want.login)
		})
	}
}

func TestOutsideTheAPI(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.InProcess())
	for _, p := range []string{"/", "/realtime/" + umamitest.WebsiteID, "/v1/realtime/x", "/api/realtime", "/api/nothing"} {
		got := call{path: p, header: asAdmin}.do(t, srv)
		assert.Equal(t, http.StatusNotFound, got.status, p)
		assert.Contains(t, string(got.body), "<!DOCTYPE html>", p)
		assert.Contains(t, got.header.Get("Content-Type"), "text/html", p)
	}
	got := call{path: "/api//realtime/x/?a=b"}.do(t, srv)
	assert.Equal(t, http.StatusPermanentRedirect, got.status)
	assert.Equal(t, "/api/realtime/x?a=b", got.header.Get("Location"))
}

func TestWebsiteIDInCapitals(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.InProcess())
	srv.Visit(umamitest.Visit{URLPath: "/a"})
	got := call{path: "/api/realtime/" + strings.ToUpper(umamitest.WebsiteID), header: asAdmin}.do(t, srv)
	assert.Equal(t, http.StatusOK, got.status)
	assert.Contains(t, string(got.body), `"urls":{"/a":1}`)
}

func TestClickHouseFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		profile umamitest.Profile
		query   string
		status  int
	}{
		{umamitest.V2_13, "", 200},
		{umamitest.V2_16, "", 500},
		{umamitest.V2_18, "", 500},
		{umamitest.V2_18, "timezone=UTC", 200},
		{umamitest.V2_18, "timezone=utc", 500},
		{umamitest.V3_1, "", 200},
		{umamitest.V3_1, "timezone=utc", 500},
		{umamitest.V3_1, "eventType=2", 500},
	} {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(tt.profile), umamitest.WithDatabase(umamitest.ClickHouse))
		got := call{path: path + "?" + tt.query, header: asAdmin}.do(t, srv)
		assert.Equal(t, tt.status, got.status, "%v %s", tt.profile, tt.query)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	bearer := func(token string) map[string]string { return map[string]string{"Authorization": "Bearer " + token} }
	key := map[string]string{"X-Umami-Api-Key": umamitest.APIKey}
	for _, p := range umamitest.Profiles() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(p))
			status := func(header map[string]string) int {
				root := "/api"
				if strings.HasSuffix(srv.URL, "/v1") {
					root = "/v1"
				}
				p := root + "/realtime/" + umamitest.WebsiteID + "?startAt=0&endAt=1&timezone=UTC"
				return call{path: p, header: header}.do(t, srv).status
			}
			if p == umamitest.Cloud || p == umamitest.CloudDocs {
				assert.Equal(t, 200, status(key))
				assert.Equal(t, 200, status(bearer(umamitest.APIKey)))
				assert.Equal(t, 401, status(bearer(umamitest.Token)))
				assert.Equal(t, 401, status(map[string]string{"X-Umami-Api-Key": "x"}))
				assert.Equal(t, 400, status(nil))
				srv.ExpireTokens()
				assert.Equal(t, 200, status(key))
				return
			}
			assert.Equal(t, 401, status(nil))
			assert.Equal(t, 401, status(key))
			assert.Equal(t, 401, status(map[string]string{"Authorization": umamitest.Token}), "without Bearer")
			keys := 401
			if p == umamitest.V3_4 || p == umamitest.SelfHostedDocs {
				keys = 200
			}
			assert.Equal(t, keys, status(bearer(umamitest.APIKey)))
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				verified := call{path: "/api/auth/verify", method: method, header: bearer(umamitest.APIKey)}.do(t, srv)
				assert.NotEqual(t, 200, verified.status, "keys are no good below /auth")
			}

			assert.Equal(t, 200, status(bearer(umamitest.Token)))
			share := shareHeader(t, srv)
			assert.Equal(t, 200, status(share))
			srv.ExpireTokens()
			assert.Equal(t, 401, status(bearer(umamitest.Token)))
			assert.Equal(t, 401, status(share))

			login := call{path: "/api/auth/login", method: http.MethodPost, body: goodLogin}.do(t, srv)
			assert.Equal(t, 200, login.status)
			_, token, _ := strings.Cut(string(login.body), `"token":"`)
			token, _, _ = strings.Cut(token, `"`)
			assert.Equal(t, 200, status(bearer(token)))
			share = shareHeader(t, srv)
			assert.Equal(t, 200, status(share))

			delete(share, "X-Umami-Share-Context")
			without := 200
			if p == umamitest.V3_1 || p == umamitest.V3_4 || p == umamitest.SelfHostedDocs {
				without = 401
			}
			assert.Equal(t, without, status(share))
		})
	}
}

func TestUnknownShareLink(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.InProcess())
	assert.Equal(t, http.StatusNotFound, call{path: "/api/share/x"}.do(t, srv).status)
}

func TestWrongLogins(t *testing.T) {
	t.Parallel()
	for p, want := range map[umamitest.Profile]string{
		umamitest.V2_13: "password is a required field",
		umamitest.V2_16: `{"error":["password: Invalid input: expected string, received undefined"]}`,
	} {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(p))
		got := call{path: "/api/auth/login", method: http.MethodPost, body: `{"username":"admin"}`}.do(t, srv)
		assert.Equal(t, http.StatusBadRequest, got.status)
		assert.Equal(t, want, string(got.body))
		got = call{path: "/api/auth/login", header: asAdmin}.do(t, srv)
		assert.Equal(t, http.StatusMethodNotAllowed, got.status)
	}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	for p, want := range map[umamitest.Profile]struct {
		me        string
		get, post int // of /auth/verify
	}{
		umamitest.V2_0:  {`{"id":"41e2b680-648e-4b09-bcd7-3e2b10c06264","username":"admin","createdAt":`, 200, 200},
		umamitest.V2_13: {`{"id":"41e2b680-648e-4b09-bcd7-3e2b10c06264","username":"admin","role":"admin",`, 200, 200},
		umamitest.V2_16: {`{"token":"dG9rZW4tb25seS1mb3ItdGVzdHM=","shareToken":null,"user":{`, 200, 405},
		umamitest.V2_18: {`{"token":"dG9rZW4tb25seS1mb3ItdGVzdHM=","shareToken":null,"user":{`, 405, 200},
	} {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(p))
		assert.Contains(t, string(call{path: "/api/me", header: asAdmin}.do(t, srv).body), want.me, p)
		assert.Equal(t, want.get, call{path: "/api/auth/verify", header: asAdmin}.do(t, srv).status, p)
		assert.Equal(t, want.post, call{path: "/api/auth/verify", method: http.MethodPost, header: asAdmin}.do(t, srv).status, p)
		verb := http.MethodPost
		if want.post != 200 {
			verb = http.MethodGet
		}
		assert.Equal(t, 401, call{path: "/api/auth/verify", method: verb}.do(t, srv).status, p)
		assert.Equal(t, 405, call{path: "/api/me", method: http.MethodPut}.do(t, srv).status, p)
	}
}

// net/http must add nothing to the headers that Umami sends.
func TestHeadersOnASocket(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer()
	t.Cleanup(srv.Close)
	for name, c := range map[string]struct{ method, path string }{
		"realtime-empty":  {http.MethodGet, path},
		"head":            {http.MethodHead, path},
		"err-method-POST": {http.MethodPost, path},
		"trailing-slash":  {http.MethodGet, path + "/"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, srv.URL+c.path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", admin)
		res, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, comparable(load(t, "v3.1.0-postgres/"+name+".http").header), comparable(res.Header), name)
	}
}

func TestTwoFactor(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithTwoFactor())
	got := call{path: "/api/auth/login", method: http.MethodPost, body: goodLogin}.do(t, srv)
	assert.Equal(t, http.StatusOK, got.status)
	assert.Contains(t, string(got.body), `"requiresTwoFactor":true,"partialToken":"`)
	assert.NotContains(t, string(got.body), `"token"`)
}
