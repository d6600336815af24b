package umami_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

// fullRealtime sets every field; fullRealtimeJSON is what it is as JSON.
func fullRealtime() umami.Realtime {
	at := time.Date(2026, time.November, 22, 9, 5, 20, 145e6, time.UTC)
	minute := at.Truncate(time.Minute)
	return umami.Realtime{
		Pageviews: []umami.Pageview{
			{
				ID: "v2", Key: "k2", SessionID: "s1", CreatedAt: at, Hostname: "x.example.com", URLPath: "/b", URLQuery: "q=1", ReferrerDomain: "t.co",
				PageTitle: "T", Browser: "chrome", OS: "Linux", Device: "desktop", Country: "NZ",
			},
			{SessionID: "s2", CreatedAt: minute, Performance: true},
		},
		Sessions: []umami.Session{
			{ID: "i1", SessionID: "s1", CreatedAt: at, Browser: "chrome", OS: "Linux", Device: "desktop", Country: "NZ"},
			{
				SessionID: "s2", CreatedAt: minute, Hostname: "x.example.com", URLPath: "/a", URLQuery: "q", ReferrerDomain: "t.co", PageTitle: "A",
				Browser: "ios", OS: "iOS", Device: "mobile", Country: "XX",
			},
		},
		Events: []umami.Event{
			{
				ID: "e1", Key: "k1", SessionID: "s1", EventName: "signup", CreatedAt: at, Hostname: "x.example.com", URLPath: "/a", URLQuery: "q",
				ReferrerDomain: "t.co", PageTitle: "A", Browser: "chrome", OS: "Linux", Device: "desktop", Country: "NZ",
			},
			{SessionID: "s1", EventName: "e"},
		},
		URLs: map[string]int{"/a": 2, "/b": 1}, Referrers: map[string]int{"t.co": 3}, Countries: map[string]int{"NZ": 1, "XX": 1},
		Series: umami.Series{
			Views:    []umami.Point{{Time: minute.Add(-7 * time.Hour), Count: 4}, {Time: minute, Count: 2}},
			Visitors: []umami.Point{{Time: minute, Count: 1}},
		},
		Totals:   umami.Totals{Views: 297, Visitors: 14, Events: 2, Countries: 5},
		Visitors: 3, Timestamp: at, Truncated: true, Raw: json.RawMessage(`{"not":"marshalled"}`),
	}
}

const fullRealtimeJSON = `{
	"pageviews": [
		{"id": "v2", "key": "k2", "sessionId": "s1", "createdAt": "2026-11-22T09:05:20.145Z", "hostname": "x.example.com", "urlPath": "/b", "urlQuery": "q=1",
			"referrerDomain": "t.co", "pageTitle": "T", "browser": "chrome", "os": "Linux", "device": "desktop", "country": "NZ"},
		{"sessionId": "s2", "createdAt": "2026-11-22T09:05:00Z", "urlPath": "", "referrerDomain": "", "browser": "", "os": "", "device": "", "country": "", "performance": true}
	],
	"sessions": [
		{"id": "i1", "sessionId": "s1", "createdAt": "2026-11-22T09:05:20.145Z", "browser": "chrome", "os": "Linux", "device": "desktop", "country": "NZ"},
		{"sessionId": "s2", "createdAt": "2026-11-22T09:05:00Z", "hostname": "x.example.com", "urlPath": "/a", "urlQuery": "q", "referrerDomain": "t.co", "pageTitle": "A",
			"browser": "ios", "os": "iOS", "device": "mobile", "country": "XX"}
	],
	"events": [
		{"id": "e1", "key": "k1", "sessionId": "s1", "eventName": "signup", "createdAt": "2026-11-22T09:05:20.145Z", "hostname": "x.example.com", "urlPath": "/a",
			"urlQuery": "q", "referrerDomain": "t.co", "pageTitle": "A", "browser": "chrome", "os": "Linux", "device": "desktop", "country": "NZ"},
		{"sessionId": "s1", "eventName": "e", "createdAt": "0001-01-01T00:00:00Z", "urlPath": "", "referrerDomain": "", "browser": "", "os": "", "device": "", "country": ""}
	],
	"urls": {"/a": 2, "/b": 1}, "referrers": {"t.co": 3}, "countries": {"NZ": 1, "XX": 1},
	"series": {
		"views": [{"x": "2026-11-22T02:05:00Z", "y": 4}, {"x": "2026-11-22T09:05:00Z", "y": 2}],
		"visitors": [{"x": "2026-11-22T09:05:00Z", "y": 1}]
	},
	"totals": {"views": 297, "visitors": 14, "events": 2, "countries": 5},
	"visitors": 3, "timestamp": 1795338320145, "truncated": true
}`

func TestRealtimeMarshal(t *testing.T) {
	t.Parallel()
	rt := fullRealtime()
	for _, v := range []any{rt, &rt} {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		assert.JSONEq(t, fullRealtimeJSON, string(data))
	}
}

func TestRealtimeReadsBack(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*umami.Realtime){
		"full":                       func(*umami.Realtime) {},
		"without its sessions":       func(rt *umami.Realtime) { rt.Sessions = []umami.Session{} },
		"without its page views":     func(rt *umami.Realtime) { rt.Pageviews = []umami.Pageview{} },
		"without counts":             func(rt *umami.Realtime) { rt.URLs, rt.Countries = map[string]int{}, map[string]int{} },
		"without a series":           func(rt *umami.Realtime) { rt.Series = umami.Series{Views: []umami.Point{}, Visitors: []umami.Point{}} },
		"without totals and numbers": func(rt *umami.Realtime) { rt.Totals, rt.Visitors, rt.Truncated = umami.Totals{}, 0, false },
		"without a timestamp":        func(rt *umami.Realtime) { rt.Timestamp = time.Time{} },
		"of more rows than the limit": func(rt *umami.Realtime) {
			rt.Events, rt.Truncated = slices.Repeat(rt.Events[:1], 120), false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := fullRealtime()
			change(&want)
			data, err := json.Marshal(want)
			require.NoError(t, err)
			var got umami.Realtime
			require.NoError(t, json.Unmarshal(data, &got))
			assert.Equal(t, string(data), string(got.Raw))
			want.Raw, got.Raw = nil, nil
			assert.Equal(t, want, got)
		})
	}
}

// A zero Realtime has lists and objects as every other, which a page can loop
// over, and reads back as one without rows.
func TestZeroRealtime(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(umami.Realtime{})
	require.NoError(t, err)
	assert.JSONEq(t, `{"pageviews":[],"sessions":[],"events":[],"urls":{},"referrers":{},"countries":{},"series":{"views":[],"visitors":[]},
		"totals":{"views":0,"visitors":0,"events":0,"countries":0},"visitors":0,"timestamp":-62135596800000,"truncated":false}`, string(data))
	var got umami.Realtime
	require.NoError(t, json.Unmarshal(data, &got))
	got.Raw = nil
	assert.Equal(t, umami.Realtime{
		Pageviews: []umami.Pageview{}, Sessions: []umami.Session{}, Events: []umami.Event{},
		URLs: map[string]int{}, Referrers: map[string]int{}, Countries: map[string]int{},
		Series: umami.Series{Views: []umami.Point{}, Visitors: []umami.Point{}},
	}, got)
}

// What cannot be read leaves the value alone.
func TestRealtimeUnmarshalRefuses(t *testing.T) {
	t.Parallel()
	for body, problem := range map[string]string{
		`{"events":[{"createdAt":"soon"}],"timestamp":1}`: "umami: decode realtime: /events/0/createdAt: not a time (byte 24)",
		`{"error":{"message":"Unauthorized"}}`:            "umami: decode realtime: not a realtime reply",
		`[]`:                                              "umami: decode realtime: an array where an object should be",
		`"text"`:                                          "umami: decode realtime: a string where an object should be",
		`<html>`:                                          "invalid character",
		`{"events":[],"timestamp":1}{}`:                   "invalid character",
		``:                                                "unexpected end",
	} {
		got := fullRealtime()
		require.ErrorContains(t, json.Unmarshal([]byte(body), &got), problem, body)
		assert.Equal(t, fullRealtime(), got, body)
	}
	got := fullRealtime()
	require.NoError(t, json.Unmarshal([]byte(`null`), &got))
	assert.Equal(t, fullRealtime(), got, "null leaves the value alone, as for every type")
}

// The documents' shapes, as short as they go.
func TestRealtimeDocuments(t *testing.T) {
	t.Parallel()
	var selfHosted, cloud umami.Realtime
	require.NoError(t, json.Unmarshal([]byte(`{
		"pageviews": [{"__id": "jj0e8400", "sessionId": "ff0e8400", "createdAt": "2024-03-15T14:35:42.000Z", "urlPath": "/products", "urlQuery": "category=electronics",
			"referrerDomain": "google.com", "pageTitle": "Products", "country": "US", "browser": "Chrome", "os": "Windows", "device": "desktop"}],
		"sessions": [{"__id": "ll0e8400", "sessionId": "ff0e8400", "createdAt": "2024-03-15T14:30:00.000Z", "country": "US", "browser": "Chrome", "os": "Windows", "device": "desktop"}],
		"visitors": 1, "timestamp": 1710513400000}`), &selfHosted))
	began, viewed := time.Date(2024, time.March, 15, 14, 30, 0, 0, time.UTC), time.Date(2024, time.March, 15, 14, 35, 42, 0, time.UTC)
	point := []umami.Point{{Time: viewed.Truncate(time.Minute), Count: 1}}
	selfHosted.Raw = nil
	assert.Equal(t, umami.Realtime{
		Pageviews: []umami.Pageview{{
			ID: "jj0e8400", SessionID: "ff0e8400", CreatedAt: viewed, URLPath: "/products", URLQuery: "category=electronics",
			ReferrerDomain: "google.com", PageTitle: "Products", Country: "US", Browser: "Chrome", OS: "Windows", Device: "desktop",
		}},
		Sessions: []umami.Session{{
			ID: "ll0e8400", SessionID: "ff0e8400", CreatedAt: began, Country: "US", Browser: "Chrome", OS: "Windows", Device: "desktop",
		}},
		Events: []umami.Event{}, URLs: map[string]int{"/products": 1}, Referrers: map[string]int{"google.com": 1}, Countries: map[string]int{"US": 1},
		Series: umami.Series{Views: point, Visitors: point}, Totals: umami.Totals{Views: 1, Visitors: 1, Countries: 1},
		Visitors: 1, Timestamp: time.Date(2024, time.March, 15, 14, 36, 40, 0, time.UTC),
	}, selfHosted)

	require.NoError(t, json.Unmarshal([]byte(`{"urls": {"/": 1}, "countries": {"PL": 2}, "events": [{"__type": "event", "os": "xxxx", "device": "xxxx", "country": "xx",
		"sessionId": "xxxxxxxx", "eventName": "xxx-button", "browser": "xxxxx", "createdAt": "0000-00-00T00:00:00Z", "urlPath": "x", "referrerDomain": ""}],
		"series": {"views": [{"x": "0000-00-00T00:00:00Z", "y": 3}, {"x": "20000-00-00T00:00:00Z", "y": 4}], "visitors": [{"x": "0000-00-00T00:00:00Z", "y": 2}]},
		"referrers": {"umami.is": 33}, "totals": {"visitors": 60, "views": 79, "events": 19, "countries": 22}, "timestamp": 1750970573667}`), &cloud))
	cloud.Raw = nil
	assert.Equal(t, umami.Realtime{
		Pageviews: []umami.Pageview{},
		Sessions:  []umami.Session{{SessionID: "xxxxxxxx", URLPath: "x", Browser: "xxxxx", OS: "xxxx", Device: "xxxx", Country: "xx"}},
		Events:    []umami.Event{{SessionID: "xxxxxxxx", EventName: "xxx-button", URLPath: "x", Browser: "xxxxx", OS: "xxxx", Device: "xxxx", Country: "xx"}},
		URLs:      map[string]int{"/": 1}, Referrers: map[string]int{"umami.is": 33}, Countries: map[string]int{"PL": 2},
		Series: umami.Series{Views: []umami.Point{}, Visitors: []umami.Point{}}, Totals: umami.Totals{Views: 79, Visitors: 60, Events: 19, Countries: 22},
		Visitors: 1, Timestamp: time.Date(2025, time.June, 26, 20, 42, 53, 667e6, time.UTC),
	}, cloud)
}

// Every recorded reply: a stored Raw is the reply again, and what was
// marshalled reads back equal. (The client is asked for another zone where the
// recording was, which Raw does not tell.)
func TestRecordingsReadBack(t *testing.T) {
	t.Parallel()
	for _, recorded := range recordings {
		t.Run(recorded.file, func(t *testing.T) {
			t.Parallel()
			rt, _ := getRecording(t, recorded.file, recorded.timezone)
			var stored umami.Realtime
			require.NoError(t, json.Unmarshal(rt.Raw, &stored))
			assert.Equal(t, rt, &stored)

			data, err := json.Marshal(rt)
			require.NoError(t, err)
			var back umami.Realtime
			require.NoError(t, json.Unmarshal(data, &back))
			assert.Equal(t, string(data), string(back.Raw))
			back.Raw = rt.Raw
			assert.Equal(t, rt, &back)
		})
	}
}

// Raw is the Realtime's own: neither the body nor another value shares it.
func TestRealtimeOwnsRaw(t *testing.T) {
	t.Parallel()
	body := []byte(`{"events":[],"timestamp":1}`)
	var one, other umami.Realtime
	require.NoError(t, one.UnmarshalJSON(body))
	require.NoError(t, other.UnmarshalJSON(body))
	body[2], other.Raw[3] = 'x', 'x'
	assert.JSONEq(t, `{"events":[],"timestamp":1}`, string(one.Raw))
}

// Whatever decodes reads back equal once it was marshalled.
func FuzzRealtimeJSON(f *testing.F) {
	for _, file := range []string{
		"v2.10.2/realtime-empty.json", "v2.12.1/realtime-empty.json", "v2.20.2/realtime-empty.json",
		"v3.1.0-postgres/after-backdated.json", "v3.1.0-postgres/hostile-referrers.json",
	} {
		body, err := os.ReadFile(filepath.Join(recordingsDir, filepath.FromSlash(file)))
		require.NoError(f, err)
		f.Add(body)
	}
	f.Add([]byte(fullRealtimeJSON))
	f.Fuzz(func(t *testing.T, body []byte) {
		var rt, back umami.Realtime
		if rt.UnmarshalJSON(body) != nil || string(body) == "null" {
			t.Skip()
		}
		data, err := json.Marshal(&rt)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &back))
		rt.Raw, back.Raw = nil, nil
		require.Equal(t, rt, back)
	})
}

// A site with more paths than any reply since 2.13 can hold: 2.12 counts those
// of all page views, and servers before it show all.
func TestManyPaths(t *testing.T) {
	t.Parallel()
	const n = 20_000
	var urls, rows []string
	for i := range n {
		urls = append(urls, fmt.Sprintf(`"/product/%d":1`, i))
		rows = append(rows, fmt.Sprintf(`{"id":"%d","sessionId":"s%d","createdAt":"2026-11-22T08:49:53.000Z","urlPath":"/product/%d","browser":"firefox","country":"DE"}`, i, i, i))
	}
	for version, body := range map[string]string{
		"2.12": `{"events":[],"visitors":[],"urls":{` + strings.Join(urls, ",") + `},"timestamp":1795337488224}`,
		"2.10": `{"pageviews":[` + strings.Join(rows, ",") + `],"sessions":[],"events":[],"timestamp":1795337488224}`,
	} {
		rt, err := newClient(t, always(200, body), umami.BearerToken(token)).GetRealtime(t.Context(), site, nil)
		require.NoError(t, err, version)
		assert.Len(t, rt.URLs, n, version)
		text, err := json.Marshal(rt)
		require.NoError(t, err)
		var again umami.Realtime
		require.NoError(t, json.Unmarshal(text, &again), version)
		assert.Equal(t, rt.URLs, again.URLs, version)
		assert.Len(t, again.Pageviews, len(rt.Pageviews), version)
	}
}
