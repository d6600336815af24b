package umami_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

// tokenReply is what a login and a share link are answered with.
func tokenReply(token string) transport {
	return always(200, `{"token":"`+token+`","user":{"id":"u"}}`)
}

// Exactly these headers are sent: nothing is missing and nothing else leaks.
func TestAuthHeaders(t *testing.T) {
	t.Parallel()
	const agent = "mine/1"
	for name, tt := range map[string]struct {
		auth umami.Auth
		want http.Header
	}{
		"BearerToken": {umami.BearerToken(token), http.Header{"Authorization": {"Bearer " + token}}},
		"APIKey": {
			umami.APIKey(token),
			http.Header{"Authorization": {"Bearer " + token}, "X-Umami-Api-Key": {token}},
		},
		"Login": {umami.Login("admin", "umami"), http.Header{"Authorization": {"Bearer traded"}}},
		"ShareLink": {
			umami.ShareLink("aBcDeFgH"),
			http.Header{"X-Umami-Share-Token": {"traded"}, "X-Umami-Share-Context": {"1"}},
		},
		"BearerTokenFunc": {
			umami.BearerTokenFunc(func(context.Context) (string, error) { return token, nil }),
			http.Header{"Authorization": {"Bearer " + token}},
		},
		"an importer's own": {
			&ownAuth{authorize: func(_ context.Context, req *http.Request) error {
				req.Header.Set("X-Gateway", "pass")
				return nil
			}},
			http.Header{"X-Gateway": {"pass"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{steps: []transport{func(req *http.Request) (*http.Response, error) {
				if strings.HasPrefix(req.URL.Path, "/api/realtime/") {
					return reply(200, idle), nil
				}
				return tokenReply("traded")(req)
			}}}
			get(t, newClient(t, s, tt.auth, umami.WithUserAgent(agent)))
			tt.want.Set("Accept", "application/json")
			tt.want.Set("User-Agent", agent)
			assert.Equal(t, tt.want, s.sent[len(s.sent)-1].header)
		})
	}
}

func TestLoginRequest(t *testing.T) {
	t.Parallel()
	const password = `p"ä<&>ss word\`
	mux, base := setup(t)
	mux.HandleFunc("POST /auth/login", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		var fields map[string]string
		assert.NoError(t, json.Unmarshal(body, &fields))
		assert.Equal(t, map[string]string{"username": "admin", "password": password}, fields)
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		assert.Equal(t, "application/json", r.Header.Get("Accept"))
		assert.Empty(t, r.Header.Get("Authorization"))
		assert.Empty(t, r.URL.RawQuery)
		assert.EqualValues(t, len(body), r.ContentLength)
		_, header, recorded := readRecording(t, "v3.1.0-postgres/login-ok.http")
		w.Header().Set("Content-Type", header.Get("Content-Type"))
		_, _ = w.Write(recorded)
	})
	mux.HandleFunc("GET /realtime/"+site, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer dG9rZW4tb25seS1mb3ItdGVzdHM=", r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(idle))
	})
	c, err := umami.NewClient(base, umami.Login("admin", password))
	require.NoError(t, err)
	get(t, c)
}

// tokens is a server whose token number n is good until it is retired. All
// callers with a retired token are refused at the same moment.
type tokens struct {
	issued, retired, logins, refused atomic.Int32
}

func (s *tokens) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(100 * time.Millisecond) // so that concurrent calls meet
	if !strings.HasPrefix(req.URL.Path, "/api/realtime/") {
		s.logins.Add(1)
		return tokenReply(strconv.Itoa(int(s.issued.Add(1))))(req)
	}
	sent := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ") + req.Header.Get("X-Umami-Share-Token")
	if n, _ := strconv.Atoi(sent); int32(n) <= s.retired.Load() {
		s.refused.Add(1)
		return reply(401, unauthorized), nil
	}
	return reply(200, idle), nil
}

func TestLoginIsShared(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]umami.Auth{
		"Login": umami.Login("admin", "umami"), "ShareLink": umami.ShareLink("aBcDeFgH"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const callers = 32
				var server tokens
				c := newClient(t, &server, auth)
				all := func() {
					var wg sync.WaitGroup
					for range callers {
						wg.Go(func() {
							_, err := c.GetRealtime(t.Context(), site, nil)
							assert.NoError(t, err)
						})
					}
					wg.Wait()
				}
				all()
				assert.EqualValues(t, 1, server.logins.Load(), "at first")
				all()
				assert.EqualValues(t, 1, server.logins.Load(), "with a good token")
				server.retired.Store(1)
				all()
				assert.EqualValues(t, 2, server.logins.Load(), "with a dead token")
				assert.EqualValues(t, callers, server.refused.Load())
			})
		})
	}
}

func TestLoginNewTokenAsDeadAsTheOld(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]umami.Auth{
		"POST /api/auth/login":    umami.Login("admin", "umami"),
		"GET /api/share/aBcDeFgH": umami.ShareLink("aBcDeFgH"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{steps: []transport{
				tokenReply("1"), always(401, unauthorized), tokenReply("2"), always(401, unauthorized),
				func(*http.Request) (*http.Response, error) { return nil, errors.New("one call too many") },
			}}
			err := getError(t, newClient(t, s, auth))
			require.ErrorIs(t, err, umami.ErrUnauthorized)
			apiErr, ok := errors.AsType[*umami.APIError](err)
			require.True(t, ok)
			assert.Equal(t, 2, apiErr.Attempts)
			assert.Equal(t, "/api/realtime/"+site, apiErr.Path)
			realtime := "GET /api/realtime/" + site
			assert.Equal(t, []string{name, realtime, name, realtime}, s.requests())
		})
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	recorded := func(file string) transport {
		status, header, body := readRecording(t, file)
		return func(*http.Request) (*http.Response, error) {
			resp := reply(status, string(body))
			resp.Header = header
			return resp, nil
		}
	}
	for name, tt := range map[string]struct {
		answer transport
		is     error
		says   string
	}{
		"wrong password": {recorded("v3.1.0-postgres/login-bad-password.http"), umami.ErrUnauthorized, "check the username and the password"},
		"wrong password, to 2.15": {
			always(401, "message.incorrect-username-password", "Content-Type", "text/plain"),
			umami.ErrUnauthorized, "check the username and the password",
		},
		"bad request":           {recorded("v3.1.0-postgres/login-missing-field.http"), umami.ErrBadRequest, "expected string"},
		"logins switched off":   {always(403, "Forbidden"), umami.ErrForbidden, "does not let this caller in"},
		"no database":           {recorded("v3.1.0-db-down/login.http"), umami.ErrServer, "database"},
		"proxy limits logins":   {always(429, "", "Retry-After", "60"), umami.ErrRateLimited, "try again in 1m0s"},
		"wrong base URL":        {always(404, "<html>"), umami.ErrNotFound, "check the base URL"},
		"second factor":         {always(200, `{"requiresTwoFactor":true,"partialToken":"p4rtial"}`), umami.ErrTwoFactorRequired, "use an API key"},
		"a page":                {always(200, "<!DOCTYPE html><title>s3cret</title>"), nil, "a web page: check the base URL"},
		"nothing":               {always(200, ""), nil, "no JSON object with a token"},
		"null":                  {always(200, "null"), nil, `at "/token": the token is empty`},
		"no token":              {always(200, `{"user":{"password":"s3cret"}}`), nil, `at "/token": the token is empty`},
		"an empty token":        {always(200, `{"token":""}`), nil, `at "/token": the token is empty`},
		"a token of two lines":  {always(200, `{"token":"a\ns3cret"}`), nil, `at "/token": the token holds`},
		"a number for a token":  {always(200, `{"token":5,"user":{"password":"s3cret"}}`), nil, "no JSON object with a token"},
		"a redirect to a page":  {always(302, "", "Location", "/login"), umami.ErrRedirectRefused, "turns the POST into a GET"},
		"a redirect elsewhere":  {always(307, "", "Location", "https://sso.example.com/"), umami.ErrRedirectRefused, "https://sso.example.com"},
		"a redirect to nowhere": {always(302, ""), nil, "302 Found: an unexpected redirect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{steps: []transport{tt.answer}}
			err := getError(t, newClient(t, s, umami.Login("admin", "umami")))
			require.ErrorContains(t, err, tt.says)
			assert.Regexp(t, `^umami: get realtime: authorize: log in: `, err.Error())
			assert.NotContains(t, err.Error(), "s3cret")
			assert.NotContains(t, err.Error(), "p4rtial")
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			assert.Equal(t, []string{"POST /api/auth/login"}, s.requests(), "sent again, or gone on without a token")
		})
	}
}

// A login counts even if its answer was lost, so it is sent again only where
// it never reached the server.
func TestLoginRetries(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first transport
		sent  int
	}{
		"nobody listens": {fails(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), 3},
		"no such host":   {fails(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host"}}), 3},
		"reset":          {fails(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), 1},
		"reset on write": {fails(&net.OpError{Op: "write", Err: syscall.EPIPE}), 1},
		"closed":         {fails(io.EOF), 1},
		"too slow":       {hangs, 1},
		"500":            {always(500, ""), 1},
		"503":            {always(503, ""), 1},
		"429":            {always(429, ""), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []transport{tt.first, tokenReply("1"), always(200, idle)}}
				_, err := newClient(t, s, umami.Login("admin", "umami")).GetRealtime(t.Context(), site, nil)
				assert.Equal(t, tt.sent == 1, err != nil, "%v", err)
				assert.Len(t, s.requests(), tt.sent)
				if tt.sent > 1 {
					assert.Equal(t, s.sent[0].body, s.sent[1].body)
				}
			})
		})
	}
}

// A redirect within the server keeps the method and the body of a login.
func TestLoginRedirectedWithinTheServer(t *testing.T) {
	t.Parallel()
	s := &script{steps: []transport{
		always(308, "", "Location", "/api/auth/login/"), tokenReply("1"), always(200, idle),
	}}
	get(t, newClient(t, s, umami.Login("admin", "umami")))
	assert.Equal(t, []string{"POST /api/auth/login", "POST /api/auth/login/", "GET /api/realtime/" + site}, s.requests())
	assert.Equal(t, s.sent[0].body, s.sent[1].body)
	assert.NotEmpty(t, s.sent[1].body)
}

func TestShareLinkRequest(t *testing.T) {
	t.Parallel()
	const id = "a%2Fb+ü" // not what Umami makes, but it must arrive as it stands
	mux, base := setup(t)
	mux.HandleFunc("GET /share/{id}", func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, id, r.PathValue("id"))
		assert.Empty(t, r.Header.Get("X-Umami-Share-Token"))
		assert.Empty(t, r.URL.RawQuery)
		_, _, recorded := readRecording(t, "v3.1.0-postgres/share-get.http")
		_, _ = w.Write(recorded)
	})
	mux.HandleFunc("GET /realtime/"+site, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "dG9rZW4tb25seS1mb3ItdGVzdHM=", r.Header.Get("X-Umami-Share-Token"))
		assert.Equal(t, "1", r.Header.Get("X-Umami-Share-Context"))
		assert.Empty(t, r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(idle))
	})
	c, err := umami.NewClient(base, umami.ShareLink(id))
	require.NoError(t, err)
	get(t, c)
}

// Two clients with one Login, or one ShareLink, ask their own servers and keep
// what they get to themselves.
func TestAuthOfTwoClients(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]umami.Auth{
		"Login": umami.Login("admin", "umami"), "ShareLink": umami.ShareLink("aBcDeFgH"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var clients []*umami.Client
			var scripts []*script
			for _, token := range []string{"of-a", "of-b"} {
				s := &script{steps: []transport{tokenReply(token), always(200, idle)}}
				scripts = append(scripts, s)
				clients = append(clients, newClient(t, s, auth))
			}
			for range 2 {
				get(t, clients[0])
				get(t, clients[1])
			}
			for i, other := range []string{"of-b", "of-a"} {
				assert.Len(t, scripts[i].requests(), 3)
				for _, r := range scripts[i].sent {
					for _, values := range r.header {
						assert.NotContains(t, strings.Join(values, " "), other)
					}
				}
			}
		})
	}
}

// A Login knows no server until it is given to NewClient.
func TestLoginWithoutClient(t *testing.T) {
	t.Parallel()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://umami.test", nil)
	require.NoError(t, err)
	for _, auth := range []umami.Auth{umami.Login("admin", "umami"), umami.ShareLink("aBcDeFgH")} {
		require.ErrorContains(t, auth.Authorize(t.Context(), req), "must itself be the Auth given to NewClient")
		assert.Empty(t, req.Header)
	}
}
