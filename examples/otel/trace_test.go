package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// split are the spans of calls and those of attempts, each in their order, and
// how the attempts fared.
func split(spans tracetest.SpanStubs) (calls, attempts tracetest.SpanStubs, results []string) {
	for _, s := range spans {
		if s.Name != "HTTP GET" && s.Name != "HTTP POST" {
			calls = append(calls, s)
			continue
		}
		attempts = append(attempts, s)
		result := s.Name[len("HTTP "):]
		for _, name := range []attribute.Key{"url.full", "http.response.status_code", "error.type"} {
			for _, a := range s.Attributes {
				if a.Key == name {
					result += " " + strings.TrimPrefix(a.Value.String(), "http://umami.test")
				}
			}
		}
		results = append(results, result)
	}
	return calls, attempts, results
}

const (
	realtime = "GET /api/realtime/" + umamitest.WebsiteID
	login    = "POST /api/auth/login"
)

func TestAttemptsStandBelowTheirCall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		auth     umami.Auth
		prepare  func(*umamitest.Server)
		failed   string // the error.type of the call
		attempts []string
	}{
		"at once": {
			auth: umami.BearerToken(umamitest.Token), prepare: func(*umamitest.Server) {},
			attempts: []string{realtime + " 200"},
		},
		"retries": {
			auth: umami.BearerToken(umamitest.Token),
			prepare: func(srv *umamitest.Server) {
				srv.Fail(1, umamitest.Page(502))
				srv.Fail(1, umamitest.Reset())
				srv.Fail(1, umamitest.Cut())
			},
			attempts: []string{realtime + " 502 502", realtime + " *errors.errorString", realtime + " 200 *errors.errorString", realtime + " 200"},
		},
		"in vain": {
			auth:    umami.BearerToken(umamitest.Token),
			prepare: func(srv *umamitest.Server) { srv.Fail(4, umamitest.Status(500, "")) },
			failed:  "500", attempts: []string{realtime + " 500 500", realtime + " 500 500", realtime + " 500 500", realtime + " 500 500"},
		},
		"refused": {
			auth: umami.BearerToken("wrong"), prepare: func(*umamitest.Server) {},
			failed: "401", attempts: []string{realtime + " 401 401"},
		},
		"login": {
			auth: umami.Login(umamitest.Username, umamitest.Password), prepare: func(*umamitest.Server) {},
			attempts: []string{login + " 200", realtime + " 200"},
		},
		"login again": {
			auth: umami.Login(umamitest.Username, umamitest.Password),
			prepare: func(srv *umamitest.Server) {
				srv.Fail(1, umamitest.Delay(0))
				srv.Fail(1, umamitest.ExpiredToken())
			},
			attempts: []string{login + " 200", realtime + " 401 401", login + " 200", realtime + " 200"},
		},
		"share link": {
			auth: umami.ShareLink(umamitest.ShareID), prepare: func(*umamitest.Server) {},
			attempts: []string{"GET /api/share/REDACTED 200", realtime + " 200"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess())
				defer srv.Close()
				c.prepare(srv)
				w := watchClient(t, srv, srv.HTTPClient().Transport, c.auth)
				rt, err := w.getRealtime(t.Context(), srv.WebsiteID)
				calls, attempts, results := split(w.spans.GetSpans())
				assert.Equal(t, c.attempts, results)
				assert.Len(t, srv.Requests(), len(attempts))
				require.Len(t, calls, 1)
				for _, a := range attempts {
					assert.Equal(t, calls[0].SpanContext.SpanID(), a.Parent.SpanID())
					assert.Equal(t, calls[0].SpanContext.TraceID(), a.SpanContext.TraceID())
				}
				if c.failed == "" {
					require.NoError(t, err)
					assert.NotNil(t, rt)
					assert.Equal(t, codes.Unset, calls[0].Status.Code)
				} else {
					require.Error(t, err)
					assert.Equal(t, codes.Error, calls[0].Status.Code)
					assert.Equal(t, err.Error(), calls[0].Status.Description)
				}
				assert.Equal(t, map[string]uint64{c.failed: 1}, w.counts(t, "umami.call.duration", "error.type"))
				sum := uint64(0)
				for _, n := range w.counts(t, "http.client.request.duration", "http.response.status_code") {
					sum += n
				}
				assert.EqualValues(t, len(attempts), sum)
			})
		})
	}
}

// A Poller gives its polls no context of their own, so each attempt is a trace
// of its own; none is a child of a span that lasts as long as the polling.
func TestPollerAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		defer srv.Close()
		w := watchClient(t, srv, srv.HTTPClient().Transport, umami.BearerToken(umamitest.Token))
		poller, err := w.client.NewPoller(srv.WebsiteID, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range poller.Start(ctx) {
		}
		_, attempts, _ := split(w.spans.GetSpans())
		assert.Len(t, attempts, len(srv.Requests()))
		assert.GreaterOrEqual(t, len(attempts), 5)
		for _, a := range attempts {
			assert.False(t, a.Parent.IsValid())
		}
	})
}

// chatty is a proxy that repeats in each error, and each page, what it was sent.
type chatty struct {
	next http.RoundTripper
	sent []string
}

func (c *chatty) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := fmt.Sprint(req.Method, req.URL, req.Header)
	if req.Body != nil {
		text, _ := io.ReadAll(req.Body)
		_ = req.Body.Close()
		sent += string(text)
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(strings.NewReader(string(text)))
	}
	c.sent = append(c.sent, sent)
	switch req.Header.Get("User-Agent") {
	case "error":
		return nil, errors.New("malformed header: " + sent)
	case "body":
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{}, Request: req,
			Body: io.NopCloser(io.MultiReader(strings.NewReader("{"), failing{errors.New("malformed trailer: " + sent)})),
		}, nil
	case "page":
		return &http.Response{
			StatusCode: http.StatusBadGateway, Status: "502 " + sent, Header: http.Header{"X-Sent": {sent}}, Request: req,
			Body: io.NopCloser(strings.NewReader(sent)),
		}, nil
	}
	return c.next.RoundTrip(req)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Nothing that is exported holds a secret, in any of the forms it is sent in.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	const rotating = "rotating-token-for-tests"
	auths := map[string]struct {
		auth   umami.Auth
		secret string
	}{
		"token":       {umami.BearerToken(umamitest.Token), umamitest.Token},
		"wrong token": {umami.BearerToken("wrong~token/of=tests"), "wrong~token/of=tests"},
		"key":         {umami.APIKey(umamitest.APIKey), umamitest.APIKey},
		"login":       {umami.Login(umamitest.Username, umamitest.Password), umamitest.Token},
		"wrong login": {umami.Login("somebody", "pass word?&=ü\"'"), "pass word?&=ü\"'"},
		"share link":  {umami.ShareLink(umamitest.ShareID), umamitest.ShareID},
		"wrong share": {umami.ShareLink("wrong~sh%20are"), "wrong~sh%20are"},
		"share token": {umami.ShareLink(umamitest.ShareID), "c2hhcmUtb25seS1mb3ItdGVzdHM="},
		"function":    {umami.BearerTokenFunc(func(context.Context) (string, error) { return rotating, nil }), rotating},
	}
	for name, a := range auths {
		for _, fault := range []string{"none", "error", "body", "page"} {
			t.Run(name+" "+fault, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(umamitest.V3_4))
					defer srv.Close()
					base := &chatty{next: srv.HTTPClient().Transport}
					w := watchClient(t, srv, base, a.auth, umami.WithUserAgent(fault))
					_, err := w.getRealtime(t.Context(), srv.WebsiteID)
					if fault != "none" {
						require.Error(t, err)
					}
					spans, err := json.Marshal(w.spans.GetSpans())
					require.NoError(t, err)
					metrics, err := json.Marshal(w.measured(t))
					require.NoError(t, err)
					exported := string(spans) + string(metrics) + fmt.Sprintf("%+v %+v", w.spans.GetSpans(), w.measured(t))
					require.True(t, strings.Contains(exported, "umami.GetRealtime") && strings.Contains(exported, "http.client.request.duration"))
					for _, form := range forms(a.secret) {
						if at := strings.Index(exported, form); at >= 0 {
							assert.Fail(t, "a secret", "%q in …%s…", form, exported[max(at-200, 0):min(at+200, len(exported))])
						}
					}
				})
			})
		}
	}
}

// forms are how a secret may be written.
func forms(secret string) []string {
	quoted := strconv.Quote(secret)
	all := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), quoted[1 : len(quoted)-1], strings.ReplaceAll(secret, `"`, `\"`),
		hex.EncodeToString([]byte(secret)),
	}
	for _, text := range []string{secret, umamitest.Username + ":" + secret, "Bearer " + secret} {
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			all = append(all, e.EncodeToString([]byte(text)))
		}
	}
	return all
}

// Tracing changes nothing for the client: neither its errors nor its requests.
func TestTheClientSeesTheSame(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"none", "error", "body", "page"} {
		synctest.Test(t, func(t *testing.T) {
			srv := umamitest.NewServer(umamitest.InProcess())
			defer srv.Close()
			base := &chatty{next: srv.HTTPClient().Transport}
			auth := umami.ShareLink(umamitest.ShareID)
			opts := []umami.Option{umami.WithUserAgent(fault), umami.WithRetry(umami.RetryPolicy{Max: -1})}
			plain, err := umami.NewClient(srv.URL, auth, append(opts, umami.WithHTTPClient(&http.Client{Transport: base}))...)
			require.NoError(t, err)
			_, want := plain.GetRealtime(t.Context(), srv.WebsiteID, nil)
			sent := base.sent
			base.sent = nil
			_, got := watchClient(t, srv, base, auth, opts...).getRealtime(t.Context(), srv.WebsiteID)
			assert.Equal(t, fmt.Sprint(want), fmt.Sprint(got))
			assert.Equal(t, sent, base.sent, "no header is added")
			assert.NotEmpty(t, sent)
		})
	}
}
