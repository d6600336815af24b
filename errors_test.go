package umami_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

var byStatus = []error{
	umami.ErrBadRequest, umami.ErrUnauthorized, umami.ErrForbidden, umami.ErrNotFound, umami.ErrRateLimited, umami.ErrServer,
}

// recorded answers as a server once did.
func recorded(t *testing.T, file string) transport {
	t.Helper()
	status, header, body := readRecording(t, file)
	return func(*http.Request) (*http.Response, error) {
		resp := reply(status, string(body))
		resp.Header = header.Clone()
		return resp, nil
	}
}

func TestAPIError(t *testing.T) {
	t.Parallel()
	const (
		wrong    = "the credential is wrong or has expired, or this website is not the caller's to see (Umami answers 401 for both)"
		failing  = "the server, or a proxy in front of it, is failing: see its log"
		database = "Umami sends this when it cannot reach its database, or cannot use a filter or an id: see the server's log"
		base     = "no such call there: check the base URL"
		unusable = "an unexpected redirect: check the base URL"
	)
	for name, tt := range map[string]struct {
		answer        transport
		status        int
		is            error
		code, message string
		text          string // after "GET /path: "
	}{
		"3.1, no token": {
			recorded(t, "v3.1.0-postgres/err-no-token.http"), 401, umami.ErrUnauthorized, "unauthorized", "Unauthorized",
			"401 Unauthorized: " + wrong,
		},
		"3.1, bad token": {
			recorded(t, "v3.1.0-postgres/err-bad-token.http"), 401, umami.ErrUnauthorized, "unauthorized", "Unauthorized",
			"401 Unauthorized: " + wrong,
		},
		"3.1, key in Cloud's header": {
			recorded(t, "v3.1.0-postgres/err-api-key-header.http"), 401, umami.ErrUnauthorized, "unauthorized", "Unauthorized",
			"401 Unauthorized: " + wrong,
		},
		"3.1, another's website": {
			recorded(t, "v3.1.0-postgres/err-nonadmin-not-owner.http"), 401, umami.ErrUnauthorized, "unauthorized", "Unauthorized",
			"401 Unauthorized: " + wrong,
		},
		"3.1, malformed id": {
			recorded(t, "v3.1.0-postgres/err-malformed-website-id-admin.http"), 500, umami.ErrServer, "", "",
			"500 Internal Server Error: " + database,
		},
		"3.1, bad time zone": {
			recorded(t, "v3.1.0-postgres/q-timezone-bad.http"), 500, umami.ErrServer, "", "",
			"500 Internal Server Error: " + database,
		},
		"3.1, bad segment": {
			recorded(t, "v3.1.0-postgres/q-segment-bad.http"), 500, umami.ErrServer, "", "",
			"500 Internal Server Error: " + database,
		},
		"3.1, no database": {
			recorded(t, "v3.1.0-db-down/realtime.http"), 500, umami.ErrServer, "", "",
			"500 Internal Server Error: " + database,
		},
		"3.1, method": {
			recorded(t, "v3.1.0-postgres/err-method-POST.http"), 405, nil, "", "", "405 Method Not Allowed: " + base,
		},
		"3.1, parameter missing": {
			recorded(t, "v3.1.0-postgres/events-no-range.http"), 400, umami.ErrBadRequest, "bad-request",
			"Bad request; Either startAt+endAt or startDate+endDate must be provided",
			`400 Bad Request: "Bad request; Either startAt+endAt or startDate+endDate must be provided"`,
		},
		"3.1, properties": {
			recorded(t, "v3.1.0-postgres/login-missing-field.http"), 400, umami.ErrBadRequest, "bad-request",
			`Bad request; {"password":{"errors":["Invalid input: expected string, received undefined"]}}`,
			`400 Bad Request: "Bad request; {\"password\":{\"errors\":[\"Invalid input: expected string, received undefined\"]}}"`,
		},
		"2.17, list": {
			always(400, `{"error":["timezone: Required","unit: Invalid"]}`), 400, umami.ErrBadRequest, "", "timezone: Required; unit: Invalid",
			`400 Bad Request: "timezone: Required; unit: Invalid"`,
		},
		"2.16, word": {
			always(401, `{"error":"Unauthorized"}`), 401, umami.ErrUnauthorized, "", "Unauthorized", "401 Unauthorized: " + wrong,
		},
		"2.16, ZodError": {
			always(400, `{"error":{"issues":[{"code":"invalid_type","path":["timezone"],"message":"Required"}],"name":"ZodError"}}`),
			400, umami.ErrBadRequest, "", `{"issues":[{"code":"invalid_type","path":["timezone"],"message":"Required"}],"name":"ZodError"}`,
			`400 Bad Request: "{\"issues\":[{\"code\":\"invalid_type\",\"path\":[\"timezone\"],\"message\":\"Required\"}],\"name\":\"ZodError\"}"`,
		},
		"2.15, text":  {always(401, "401 Unauthorized"), 401, umami.ErrUnauthorized, "", "401 Unauthorized", `401 Unauthorized: "401 Unauthorized": ` + wrong},
		"2.15, yup":   {always(400, "startAt is a required field"), 400, umami.ErrBadRequest, "", "startAt is a required field", `400 Bad Request: "startAt is a required field"`},
		"Cloud, text": {always(400, "No API key specified."), 400, umami.ErrBadRequest, "", "No API key specified.", `400 Bad Request: "No API key specified.": Umami Cloud takes an API key: use APIKey`},
		"Cloud, JSON": {
			always(400, `{"error":{"message":"No API key specified.","code":"bad-request","status":400}}`), 400, umami.ErrBadRequest, "bad-request",
			"No API key specified.", `400 Bad Request: "No API key specified.": Umami Cloud takes an API key: use APIKey`,
		},
		"Cloud, bad key":        {always(401, `{"error":"Invalid API key."}`), 401, umami.ErrUnauthorized, "", "Invalid API key.", `401 Unauthorized: "Invalid API key.": ` + wrong},
		"a gateway's message":   {always(403, `{"message":"quota"}`), 403, umami.ErrForbidden, "", "quota", `403 Forbidden: "quota": the server, or a proxy in front of it, does not let this caller in`},
		"429":                   {always(429, ""), 429, umami.ErrRateLimited, "", "", "429 Too Many Requests: too many calls: lower the rate with WithRateLimit"},
		"429 that tells":        {always(429, "", "Retry-After", "90"), 429, umami.ErrRateLimited, "", "", "429 Too Many Requests: too many calls: try again in 1m30s, or lower the rate with WithRateLimit"},
		"a proxy's 502":         {always(502, "<html><h1>502 Bad Gateway</h1>nginx</html>"), 502, umami.ErrServer, "", "", "502 Bad Gateway: " + failing},
		"a page with a mark":    {always(503, "\ufeff\n <!DOCTYPE html>"), 503, umami.ErrServer, "", "", "503 Service Unavailable: " + failing},
		"404 page":              {always(404, "\n  <!DOCTYPE html>…"), 404, umami.ErrNotFound, "", "", "404 Not Found: " + base},
		"304":                   {always(304, ""), 304, nil, "", "", "304 Not Modified: " + unusable},
		"302 to nowhere":        {always(302, ""), 302, nil, "", "", "302 Found: " + unusable},
		"308 to no URL":         {always(308, "", "Location", "http://[::1"), 308, nil, "", "", "308 Permanent Redirect: " + unusable},
		"a status without name": {always(599, ""), 599, umami.ErrServer, "", "", "599: " + failing},
		"418":                   {always(418, ""), 418, nil, "", "", "418 I'm a teapot"},
		"numbers for words":     {always(400, `{"error":{"message":5,"code":7}}`), 400, umami.ErrBadRequest, "", `{"message":5,"code":7}`, `400 Bad Request: "{\"message\":5,\"code\":7}"`},
		"JSON of another":       {always(400, `["a",1]`), 400, umami.ErrBadRequest, "", `["a",1]`, `400 Bad Request: "[\"a\",1]"`},
		"no text":               {always(400, "\xff\xfe\x00"), 400, umami.ErrBadRequest, "", "\ufffd\x00", "400 Bad Request: \"\ufffd\\x00\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := getError(t, newClient(t, tt.answer, umami.BearerToken(token), noRetry))
			apiErr, ok := errors.AsType[*umami.APIError](err)
			require.True(t, ok, err)
			var as *umami.APIError
			require.ErrorAs(t, err, &as)
			assert.Same(t, apiErr, as)

			assert.Equal(t, tt.status, apiErr.StatusCode)
			assert.Equal(t, tt.code, apiErr.Code)
			assert.Equal(t, tt.message, apiErr.Message)
			assert.Equal(t, http.MethodGet, apiErr.Method)
			assert.Equal(t, "/api/realtime/"+site, apiErr.Path)
			assert.Equal(t, 1, apiErr.Attempts)
			for _, kind := range byStatus {
				assert.Equal(t, kind == tt.is, errors.Is(err, kind), kind) //nolint:errorlint // which of them
			}
			resp, respErr := tt.answer(nil)
			require.NoError(t, respErr)
			var body bytes.Buffer
			_, respErr = body.ReadFrom(resp.Body)
			require.NoError(t, respErr)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, body.String(), string(apiErr.Body))

			assert.Equal(t, "umami: get realtime: GET /api/realtime/"+site+": "+tt.text, err.Error())
		})
	}
}

// A long message is cut for people, not for programs, and no letter in two.
func TestAPIErrorLongMessage(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 2000)
	err := getError(t, newClient(t, always(400, `{"error":"`+long+`"}`), umami.BearerToken(token)))
	apiErr, ok := errors.AsType[*umami.APIError](err)
	require.True(t, ok)
	assert.Equal(t, long, apiErr.Message)
	assert.Less(t, len(err.Error()), 400)
	assert.True(t, strings.HasSuffix(err.Error(), `ä…"`), err)

	err = getError(t, newClient(t, always(400, "x"+long), umami.BearerToken(token)))
	assert.True(t, strings.HasSuffix(err.Error(), `ä…"`), err)
	apiErr, ok = errors.AsType[*umami.APIError](err)
	require.True(t, ok)
	assert.Equal(t, "x"+long, apiErr.Message)
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Error("failed", "error", err)
	assert.Less(t, logged.Len(), 1000)
	logged.Reset()
	slog.New(slog.NewTextHandler(&logged, nil)).Error("failed", "error", apiErr)
	assert.Less(t, logged.Len(), 1000)
}

// What else than texts is in an envelope costs neither the message nor the code.
func TestAPIErrorOddEnvelopes(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][2]string{
		`{"error":null,"message":"x"}`: {"", "x"},
		`{"error":{"message":"Bad request","code":"bad-request","errors":[{"x":1},"y"]}}`: {"bad-request", "Bad request; y"},
		`{"error":{"code":"just-code"}}`: {"just-code", `{"code":"just-code"}`},
	} {
		apiErr, ok := errors.AsType[*umami.APIError](getError(t, newClient(t, always(400, body), umami.BearerToken(token))))
		require.True(t, ok)
		assert.Equal(t, want, [2]string{apiErr.Code, apiErr.Message}, body)
	}
}

func TestErrorsInALog(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]transport{
		"APIError":    always(400, `{"error":"m3ssage","rows":"b0dy"}`),
		"DecodeError": always(200, `{"events":5,"rows":"..........................b0dy"}`),
	} {
		err := getError(t, newClient(t, answer, umami.BearerToken(token)))
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Error("failed", "wrapped", err, "itself", inner(err))
		assert.NotContains(t, logged.String(), "b0dy", name)
		assert.Contains(t, logged.String(), "itself.method=GET itself.path=/api/realtime/"+site, name)
		assert.NotContains(t, logged.String(), "timezone", name)
		if name == "APIError" {
			assert.Contains(t, logged.String(), "itself.status=400 itself.code=\"\" itself.message=m3ssage", name)
			assert.Contains(t, logged.String(), "itself.attempts=1", name)
		}
	}
}

func inner(err error) error {
	for errors.Unwrap(err) != nil {
		if _, ok := err.(slog.LogValuer); ok { // this one, not one that it wraps
			break
		}
		err = errors.Unwrap(err)
	}
	return err
}

func TestAPIErrorRetryAfter(t *testing.T) {
	t.Parallel()
	err := getError(t, newClient(t, always(503, "", "Retry-After", "3600"), umami.BearerToken(token), noRetry))
	apiErr, ok := errors.AsType[*umami.APIError](err)
	require.True(t, ok)
	assert.Equal(t, time.Hour, apiErr.RetryAfter, "what it asked for, not what is waited")
}

// A success that is not a reply says where, and keeps what came.
func TestDecodeError(t *testing.T) {
	t.Parallel()
	const prefix = "umami: get realtime: GET /sub/api/realtime/" + site + ": the answer is not what Umami sends: "
	long := strings.Repeat(`{"a":1},`, 1000)
	for name, tt := range map[string]struct {
		status      int
		body, field string
		offset      int64
		says        string
	}{
		"a page":       {200, "<!DOCTYPE html><title>Log in</title>", "", 0, "a web page: check the base URL, or whether a proxy asks for a login"},
		"nothing":      {200, "", "", 0, "(byte 0)"},
		"204":          {204, "", "", 0, "(byte 0)"},
		"blanks":       {200, " \n", "", 0, ""},
		"null":         {200, "null", "", 0, ""},
		"a list":       {200, "[]", "", 0, ""},
		"a text":       {200, `"ok"`, "", 0, ""},
		"another API":  {200, `{"status":"ok"}`, "", 0, ""},
		"wrong list":   {200, `{"events":5,"timestamp":1}`, "/events", 10, `"{\"events\":5,\"timestamp\":1}"`},
		"wrong row":    {200, `{"events":[{"createdAt":"x"}],"timestamp":1}`, "/events/0/createdAt", -1, ""},
		"cut off":      {200, `{"events":[],"timestamp":179533748`, "", -1, ""},
		"broken":       {200, `{"events":[` + long + `}`, "", -1, ""},
		"more behind":  {200, idle + "<!-- served by -->", "", int64(len(idle)), ""},
		"two replies":  {200, idle + idle, "", int64(len(idle)), ""},
		"a prefix":     {200, ")]}'\n" + idle, "", 0, ""},
		"partial":      {206, idle[:40], "", -1, ""},
		"created":      {201, "{}", "", 0, ""},
		"unknown 2xx":  {299, "?", "", 0, ""},
		"not in UTF-8": {200, "\xff\xfe{\x00", "", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mux, base := setup(t)
			mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				if tt.status != http.StatusNoContent {
					_, _ = w.Write([]byte(tt.body))
				}
			})
			c, err := umami.NewClient(base, umami.BearerToken(token))
			require.NoError(t, err)
			err = getError(t, c)
			decodeErr, ok := errors.AsType[*umami.DecodeError](err)
			require.True(t, ok, err)
			_, ok = errors.AsType[*umami.APIError](err)
			assert.False(t, ok)
			assert.True(t, strings.HasPrefix(err.Error(), prefix), err)
			assert.Contains(t, err.Error(), tt.says)
			assert.Equal(t, tt.body, string(decodeErr.Body))
			if tt.field != "" {
				assert.Equal(t, tt.field, decodeErr.Field)
				assert.Contains(t, err.Error(), fmt.Sprintf("at %q: ", tt.field))
			}
			if tt.offset >= 0 {
				assert.Equal(t, tt.offset, decodeErr.Offset, err)
			}
			assert.LessOrEqual(t, decodeErr.Offset, int64(len(tt.body)))
			assert.LessOrEqual(t, len(decodeErr.Excerpt), 48)
			assert.Contains(t, tt.body, decodeErr.Excerpt)
			assert.NotContains(t, err.Error(), "timezone=", "the query")
			for _, kind := range byStatus {
				assert.NotErrorIs(t, err, kind)
			}
		})
	}
}

// A body that the network cuts off is no reply either, however it was sent.
func TestDecodeErrorCutOff(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"Content-Length too long", "chunks without an end"} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, buf, err := http.NewResponseController(w).Hijack()
			if !assert.NoError(t, err) {
				return
			}
			head := "Content-Length: 9999\r\n\r\n" + idle
			if how == "chunks without an end" {
				head = fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(idle), idle)
			}
			_, _ = buf.WriteString("HTTP/1.1 200 OK\r\n" + head)
			_ = buf.Flush()
			_ = conn.Close()
		}))
		defer srv.Close()
		c, err := umami.NewClient(srv.URL, umami.BearerToken(token), noRetry)
		require.NoError(t, err)
		err = getError(t, c)
		decodeErr, ok := errors.AsType[*umami.DecodeError](err)
		require.True(t, ok, err)
		assert.Contains(t, err.Error(), "the body broke off: unexpected EOF", how)
		assert.Len(t, decodeErr.Body, len(idle), "whole, as it looks, but nobody knows")
		assert.EqualValues(t, len(idle), decodeErr.Offset)
	}
}
