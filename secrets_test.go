package umami_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

const (
	secret = "s3cr3t-Kx9/Qw7+Zm" // of the caller
	traded = "tr4d3d-Lp2/Vb8+Ny" // what the server gives for it
	hash   = "$2b$10$h4shOfThePassword"
)

// auths are all that hold a secret.
func auths() map[string]umami.Auth {
	return map[string]umami.Auth{
		"BearerToken":     umami.BearerToken(secret),
		"APIKey":          umami.APIKey(secret),
		"Login":           umami.Login("admin", secret),
		"ShareLink":       umami.ShareLink(strings.ReplaceAll(secret, "/", "-")),
		"BearerTokenFunc": umami.BearerTokenFunc(func(context.Context) (string, error) { return secret, nil }),
	}
}

// spellings are the secrets in all forms that printing and marshalling know.
var spellings = sync.OnceValue(func() []string {
	var all []string
	for _, s := range []string{secret, strings.ReplaceAll(secret, "/", "-"), traded, hash} {
		all = append(all, s, s[:5], url.PathEscape(s), url.QueryEscape(s),
			hex.EncodeToString([]byte(s)), fmt.Sprintf("%X", s), strings.Trim(fmt.Sprintf("%d", []byte(s)), "[]"))
		for before := range 3 { // where it may stand in base64
			encoded := base64.StdEncoding.EncodeToString([]byte("xx"[:before] + s))
			encoded = encoded[(before*8+5)/6 : (before+len(s))*8/6]
			all = append(all, encoded, strings.NewReplacer("+", "-", "/", "_").Replace(encoded))
		}
	}
	return all
})

func assertNoSecret(t *testing.T, text, how string) {
	t.Helper()
	for _, s := range spellings() {
		if strings.Contains(text, s) {
			t.Errorf("%s shows the secret as %q: %q", how, s, text)
		}
	}
}

// assertShowsNoSecret prints and marshals v in every way.
func assertShowsNoSecret(t *testing.T, v any) {
	t.Helper()
	inside := struct {
		Exported any
		hidden   any
	}{v, v}
	for _, value := range []any{v, &v, []any{v}, map[string]any{"v": v}, inside, &inside} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%t", "% x", "%#q"} {
			assertNoSecret(t, fmt.Sprintf(verb, value), verb)
		}
		assertNoSecret(t, fmt.Sprint(value)+fmt.Sprintln(value), "Sprint")
		text, err := json.Marshal(value)
		if err == nil {
			assertNoSecret(t, string(text), "JSON")
		}
		var logged bytes.Buffer
		for _, h := range []slog.Handler{slog.NewJSONHandler(&logged, nil), slog.NewTextHandler(&logged, nil)} {
			slog.New(h).Error("failed", "value", value, slog.Group("group", slog.Any("value", value)))
		}
		assert.NotZero(t, logged.Len())
		assertNoSecret(t, logged.String(), "log")
		func() {
			defer func() { assertNoSecret(t, fmt.Sprint(recover()), "panic") }()
			panic(value)
		}()
	}
	_ = inside.hidden
}

func TestAuthShowsNoSecret(t *testing.T) {
	t.Parallel()
	for name, auth := range auths() {
		assertShowsNoSecret(t, auth)
		text, err := json.Marshal(auth)
		require.NoError(t, err)
		assert.Equal(t, `"`+name+`(REDACTED)"`, string(text))
		assert.Equal(t, name+"(REDACTED)", fmt.Sprint(auth))
	}
	for _, auth := range []umami.Auth{ // refused, they still hold it
		umami.BearerToken(secret + "\n"), umami.APIKey(secret + " "), umami.Login("", secret), umami.ShareLink(secret),
	} {
		assertShowsNoSecret(t, auth)
		_, err := umami.NewClient("https://stats.example.com", auth)
		assertShowsNoSecret(t, err)
		req, reqErr := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://umami.test", nil)
		require.NoError(t, reqErr)
		assertShowsNoSecret(t, auth.Authorize(t.Context(), req))
	}
}

// Not even with a token in hand, nor where a test library walks through it.
func TestClientShowsNoSecret(t *testing.T) {
	t.Parallel()
	for name, auth := range auths() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var clients [2]*umami.Client
				for i := range clients {
					clients[i] = newClient(t, transport(func(req *http.Request) (*http.Response, error) {
						if strings.HasPrefix(req.URL.Path, "/api/realtime/") {
							return reply(200, idle), nil
						}
						return tokenReply(traded)(req)
					}), auth)
					get(t, clients[i])
					synctest.Wait() // for the end of the login: some printers look everywhere
					assertShowsNoSecret(t, clients[i])
					assert.Equal(t, "umami.Client(http://umami.test/api)", fmt.Sprint(clients[i]))
				}
				var failed failure
				assert.Equal(&failed, clients[0], clients[1])
				assert.NotEmpty(t, failed.text, "two clients are two")
				assertNoSecret(t, failed.text, "assert.Equal")
			})
		})
	}
}

// failure is a test that failed, and its message.
type failure struct{ text string }

func (f *failure) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }

// echoes are servers, proxies and transports that repeat what they were asked.
var echoes = map[string]func(req *http.Request, dump string) (*http.Response, error){
	"400": func(_ *http.Request, dump string) (*http.Response, error) {
		return reply(400, `{"error":"`+dump+`"}`), nil
	},
	"401": func(_ *http.Request, dump string) (*http.Response, error) {
		return reply(401, jsonText(map[string]any{"error": map[string]any{"message": dump, "code": "unauthorized"}})), nil
	},
	"403, where the message is cut short": func(_ *http.Request, dump string) (*http.Response, error) {
		for _, s := range []string{secret, strings.ReplaceAll(secret, "/", "-"), traded} {
			if i := strings.Index(dump, s); i >= 0 {
				return reply(403, strings.Repeat("x", 192)+dump[i:]), nil
			}
		}
		return reply(403, dump), nil
	},
	"404": func(_ *http.Request, dump string) (*http.Response, error) {
		return reply(404, "<pre>"+dump+"</pre>"), nil
	},
	"502": func(_ *http.Request, dump string) (*http.Response, error) { return reply(502, dump), nil },
	"200 page": func(_ *http.Request, dump string) (*http.Response, error) {
		return reply(200, "<pre>"+dump+"</pre>"), nil
	},
	"200 text": func(_ *http.Request, dump string) (*http.Response, error) { return reply(200, dump), nil },
	"200 object": func(_ *http.Request, dump string) (*http.Response, error) {
		return reply(200, jsonText(map[string]any{"token": 5, "events": dump, "user": map[string]string{"password": dump}})), nil
	},
	"200 bad token": func(_ *http.Request, dump string) (*http.Response, error) {
		return reply(200, jsonText(map[string]any{"token": dump})), nil
	},
	"200 cut off": func(_ *http.Request, dump string) (*http.Response, error) {
		resp := reply(200, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"events":"`+dump), iotest.ErrReader(io.ErrUnexpectedEOF)))
		return resp, nil
	},
	"redirect elsewhere": func(req *http.Request, _ string) (*http.Response, error) {
		return reply(307, "", "Location", "https://u:"+url.QueryEscape(secret)+"@other.example.com"+req.URL.Path), nil
	},
	"redirect to no URL": func(req *http.Request, _ string) (*http.Response, error) {
		return reply(307, "", "Location", "http://[::1"+req.URL.Path), nil
	},
	"redirect for ever": func(req *http.Request, _ string) (*http.Response, error) {
		return reply(307, "", "Location", req.URL.Path), nil
	},
	"transport": func(req *http.Request, _ string) (*http.Response, error) {
		return nil, &url.Error{Op: "Get", URL: req.URL.String(), Err: &url.Error{Op: "Get", URL: req.URL.String(), Err: errors.New("reset")}}
	},
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestErrorsAndLogsShowNoSecret(t *testing.T) {
	t.Parallel()
	for authName, auth := range auths() {
		for stage, prefix := range map[string]string{"trade": "/api/", "call": "/api/realtime/"} {
			if stage == "trade" && authName != "Login" && authName != "ShareLink" {
				continue
			}
			for name, echo := range echoes {
				t.Run(authName+" "+stage+" "+name, func(t *testing.T) {
					t.Parallel()
					rt := transport(func(req *http.Request) (*http.Response, error) {
						if !strings.HasPrefix(req.URL.Path, prefix) {
							return tokenReply(traded)(req)
						}
						dump, err := httputil.DumpRequest(req, true)
						if err != nil {
							panic(err)
						}
						if stage == "trade" && strings.HasPrefix(name, "200") {
							dump = append(dump, traded+" "+hash...) // old servers show the whole user
						}
						return echo(req, string(dump))
					})
					var logged bytes.Buffer
					logger := slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
					err := getError(t, newClient(t, rt, auth, umami.WithLogger(logger),
						umami.WithRetry(umami.RetryPolicy{Max: 1, MinWait: 1, MaxWait: 1})))
					assert.NotZero(t, logged.Len())
					assertNoSecret(t, logged.String(), "the client's own log")
					for ; err != nil; err = errors.Unwrap(err) {
						assertShowsNoSecret(t, err)
					}
				})
			}
		}
	}
}

// Of what an Auth of the caller's puts into a request, a server may repeat a
// part alone.
func TestPartsOfACredentialAreHidden(t *testing.T) {
	t.Parallel()
	auth := &ownAuth{authorize: func(_ context.Context, req *http.Request) error {
		req.AddCookie(&http.Cookie{Name: "sid", Value: "S3cretOfTheCookie"})
		req.URL.RawQuery += "&apikey=S3cretOfTheQuery"
		return nil
	}}
	for name, echo := range map[string]func(*http.Request) *http.Response{
		"the cookie's value": func(req *http.Request) *http.Response {
			cookie, err := req.Cookie("sid")
			require.NoError(t, err)
			return reply(403, "bad session "+cookie.Value)
		},
		"the URL": func(req *http.Request) *http.Response { return reply(404, "Cannot GET "+req.URL.String()) },
		"a host made of": func(*http.Request) *http.Response {
			return reply(307, "", "Location", "http://S3cretOfTheCookie.example.com")
		},
	} {
		var logged bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		err := getError(t, newClient(t, transport(func(req *http.Request) (*http.Response, error) { return echo(req), nil }), auth,
			umami.WithLogger(logger), noRetry))
		for _, text := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), jsonText(err), logged.String()} {
			assert.NotContains(t, strings.ToLower(text), "s3cret", name)
		}
	}
}
