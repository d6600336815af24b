package umami_test

import (
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

// What a person copies leads to the API, as the server sees it.
func TestBaseURLPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"":                   "/api/realtime/" + site,
		"/":                  "/api/realtime/" + site,
		"/api":               "/api/realtime/" + site,
		"/api/":              "/api/realtime/" + site,
		"/stats":             "/stats/api/realtime/" + site,
		"/stats/":            "/stats/api/realtime/" + site,
		"/stats/api":         "/stats/api/realtime/" + site,
		"/stats/api/":        "/stats/api/realtime/" + site,
		"//stats//api//":     "/stats/api/realtime/" + site,
		"/a/./b/../stats":    "/a/stats/api/realtime/" + site,
		"/apiary":            "/apiary/api/realtime/" + site,
		"/api/stats":         "/api/stats/api/realtime/" + site,
		"/API":               "/API/api/realtime/" + site,
		"/v1":                "/v1/realtime/" + site,
		"/v1/":               "/v1/realtime/" + site,
		"/v1/us":             "/v1/us/realtime/" + site,
		"/v1/eu/":            "/v1/eu/realtime/" + site,
		"/proxy/v1":          "/proxy/v1/realtime/" + site,
		"/v10":               "/v10/api/realtime/" + site,
		"/with%20space":      "/with%20space/api/realtime/" + site,
		"/one%2Felement":     "/one%2Felement/api/realtime/" + site,
		"/one%2Felement/api": "/one%2Felement/api/realtime/" + site,
		"/日本":                "/%E6%97%A5%E6%9C%AC/api/realtime/" + site,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			saw := ""
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				saw = r.URL.EscapedPath()
				_, _ = w.Write([]byte(idle))
			}))
			defer srv.Close()
			c, err := umami.NewClient(srv.URL+path, umami.BearerToken(token))
			require.NoError(t, err)
			get(t, c)
			assert.Equal(t, want, saw)
		})
	}
}

func TestBaseURLOrigin(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		umami.CloudURL:                  "https://api.umami.is/v1/realtime/",
		umami.CloudURL + "/eu":          "https://api.umami.is/v1/eu/realtime/",
		"https://stats.example.com":     "https://stats.example.com/api/realtime/",
		"HTTPS://stats.example.com:444": "https://stats.example.com:444/api/realtime/",
		"http://127.0.0.1:3000":         "http://127.0.0.1:3000/api/realtime/",
		"http://[::1]:3000/stats/":      "http://[::1]:3000/stats/api/realtime/",
		"http://localhost/stats/api":    "http://localhost/stats/api/realtime/",
	} {
		t.Run(base, func(t *testing.T) {
			t.Parallel()
			saw := ""
			c, err := umami.NewClient(base, umami.BearerToken(token), umami.WithHTTPClient(&http.Client{
				Transport: transport(func(req *http.Request) (*http.Response, error) {
					u := *req.URL
					u.RawQuery = ""
					saw = u.String()
					return reply(200, idle), nil
				}),
			}))
			require.NoError(t, err)
			get(t, c)
			assert.Equal(t, want+site, saw)
		})
	}
}

func TestBaseURLBelowAPath(t *testing.T) {
	t.Parallel()
	mux, base := setup(t)
	calls := 0
	mux.HandleFunc("GET /realtime/"+site, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		_, _ = w.Write([]byte(idle))
	})
	for _, url := range []string{base, base + "/", base + "/api", base + "/api/"} {
		c, err := umami.NewClient(url, umami.BearerToken(token))
		require.NoError(t, err)
		get(t, c)
	}
	assert.Equal(t, 4, calls)
}

// None of these may repeat what could be a password.
func TestBaseURLRefused(t *testing.T) {
	t.Parallel()
	for _, base := range []string{
		"", " ", "/", "stats", "stats.example.com", "stats.example.com/s3cret", "localhost:3000", "//stats.example.com",
		"https://", "https:///api", "https://:443", "https:stats.example.com",
		"ftp://stats.example.com", "file:///s3cret", "ws://stats.example.com", "mailto:s3cret@example.com",
		"https://user:s3cret@stats.example.com", "https://s3cret@stats.example.com", "https://@stats.example.com",
		"https://stats.example.com?key=s3cret", "https://stats.example.com/api?", "https://stats.example.com/#s3cret",
		"http://user:s3#cret@host", "http://user:s3cret#x@host", "http://user:80#s3cret@host", "http://user:p%zzs3cret@host",
		"https://stats example.com/s3cret", "https://stats.example.com/%zzs3cret", "https://stats.example.com:s3cret",
		"https://stats.example.com:99999/s3cret", "https://stats.example.com/#", "https://stats.example.com/api#",
		"https://stats.example.com/api\n", "https://stats.example.com/api ", " https://stats.example.com", "https://[::1/s3cret",
		"https://stats.example.com\x00s3cret", "s3cret://stats.example.com",
	} {
		c, err := umami.NewClient(base, umami.BearerToken(token))
		require.ErrorIs(t, err, umami.ErrInvalidArgument, "%q", base)
		assert.Nil(t, c, "%q", base)
		assert.Regexp(t, `^umami: new client: invalid argument: the base URL `, err.Error(), "%q", base)
		assert.NotContains(t, err.Error(), "s3", "%q", base)
		assert.NotContains(t, err.Error(), "cret", "%q", base)
	}
}

func TestAuthRefused(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]umami.Auth{
		"no auth":                nil,
		"empty API key":          umami.APIKey(""),
		"blank API key":          umami.APIKey("  "),
		"API key and newline":    umami.APIKey("s3cret\n"),
		"API key after a space":  umami.APIKey(" s3cret"),
		"API key in two lines":   umami.APIKey("s3cret\r\nX-Other: 1"),
		"API key with NUL":       umami.APIKey("s3cret\x00"),
		"API key not ASCII":      umami.APIKey("s3cretключ"),
		"empty token":            umami.BearerToken(""),
		"blank token":            umami.BearerToken("\t"),
		"token and newline":      umami.BearerToken("s3cret\n"),
		"token with its scheme":  umami.BearerToken("Bearer s3cret"),
		"no username":            umami.Login("", "s3cret"),
		"no password":            umami.Login("s3cret", ""),
		"empty share id":         umami.ShareLink(""),
		"blank share id":         umami.ShareLink(" "),
		"share id and newline":   umami.ShareLink("s3cret\n"),
		"share id climbs":        umami.ShareLink(".."),
		"share id stays":         umami.ShareLink("."),
		"whole share link":       umami.ShareLink("https://stats.example.com/share/s3cret"),
		"share id and domain":    umami.ShareLink("s3cret/example.com"),
		"share id and query":     umami.ShareLink("s3cret?x"),
		"no function for tokens": umami.BearerTokenFunc(nil),
	} {
		c, err := umami.NewClient("https://stats.example.com", auth)
		require.ErrorIs(t, err, umami.ErrInvalidArgument, name)
		assert.Nil(t, c, name)
		assert.NotContains(t, err.Error(), "s3cret", name)
	}
}

func TestOptionsRefused(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]umami.Option{
		"nil option":           nil,
		"nil HTTP client":      umami.WithHTTPClient(nil),
		"nil logger":           umami.WithLogger(nil),
		"negative wait":        umami.WithRetry(umami.RetryPolicy{MinWait: -1}),
		"negative longest":     umami.WithRetry(umami.RetryPolicy{MaxWait: -time.Second}),
		"waits upside down":    umami.WithRetry(umami.RetryPolicy{MinWait: 2 * time.Second, MaxWait: time.Second}),
		"limit without window": umami.WithRateLimit(10, 0),
		"negative window":      umami.WithRateLimit(10, -time.Second),
		"no timeout":           umami.WithTimeout(0),
		"negative timeout":     umami.WithTimeout(-time.Second),
		"no bytes":             umami.WithMaxResponseBytes(0),
		"negative bytes":       umami.WithMaxResponseBytes(-1),
		"no user agent":        umami.WithUserAgent(""),
		"user agent in lines":  umami.WithUserAgent("a\r\nX-Other: 1"),
	} {
		good := umami.WithTimeout(time.Second)
		for _, opts := range [][]umami.Option{{opt}, {opt, good}, {good, opt}} {
			c, err := umami.NewClient("https://stats.example.com", umami.BearerToken(token), opts...)
			require.ErrorIs(t, err, umami.ErrInvalidArgument, name)
			assert.Nil(t, c, name)
		}
	}
}

func TestOptionsAtTheirLimits(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]umami.Option{
		"no limit":        umami.WithRateLimit(0, 0),
		"a limit below 0": umami.WithRateLimit(-1, -1),
		"no retries":      umami.WithRetry(umami.RetryPolicy{Max: math.MinInt}),
		"one wait":        umami.WithRetry(umami.RetryPolicy{MinWait: time.Second, MaxWait: time.Second}),
		"longest waits":   umami.WithRetry(umami.RetryPolicy{MinWait: math.MaxInt64, MaxWait: math.MaxInt64}),
		"any size":        umami.WithMaxResponseBytes(math.MaxInt64),
		"all the time":    umami.WithTimeout(math.MaxInt64),
	} {
		c := newClient(t, always(200, idle), umami.BearerToken(token), opt)
		_, err := c.GetRealtime(t.Context(), site, nil)
		assert.NoError(t, err, name)
	}
}

// WithTimeout says more than the HTTP client's own Timeout, wherever it stands.
func TestOptionsInAnyOrder(t *testing.T) {
	t.Parallel()
	var left time.Duration
	hc := &http.Client{Timeout: 3 * time.Minute, Transport: transport(func(req *http.Request) (*http.Response, error) {
		deadline, ok := req.Context().Deadline()
		assert.True(t, ok)
		left = time.Until(deadline)
		assert.Equal(t, "mine/1", req.Header.Get("User-Agent"))
		return reply(200, idle), nil
	})}
	base := []umami.Option{umami.WithHTTPClient(hc), umami.WithUserAgent("mine/1")}
	for name, tt := range map[string]struct {
		extra []umami.Option
		want  time.Duration
	}{
		"the HTTP client's": {nil, 3 * time.Minute},
		"WithTimeout's":     {[]umami.Option{umami.WithTimeout(7 * time.Minute)}, 7 * time.Minute},
	} {
		opts := slices.Concat(base, tt.extra)
		for range opts {
			opts = append(opts[1:], opts[0])
			c, err := umami.NewClient("http://umami.test", umami.BearerToken(token), opts...)
			require.NoError(t, err)
			get(t, c)
			assert.InDelta(t, tt.want, left, float64(time.Minute), name)
		}
	}
}
