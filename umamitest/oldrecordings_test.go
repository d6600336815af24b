package umamitest_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/umamitest"
)

// The ids of rows and of the website are not the recorded ones.
var (
	rowID     = regexp.MustCompile(`"id":"[^"]*"(,"websiteId":"[^"]*","sessionId")`)
	websiteID = regexp.MustCompile(`"websiteId":"[^"]*"`)
)

func withoutIDs(body []byte) []byte {
	return websiteID.ReplaceAll(rowID.ReplaceAll(body, []byte(`"id":""$1`)), []byte(`"websiteId":""`))
}

// restoreOld puts what a reply of 2.12 or before shows into a server.
func restoreOld(t *testing.T, srv *umamitest.Server, seen *reply) {
	t.Helper()
	sessions := make(map[string]row)
	var rows []row
	for _, s := range slices.Concat(seen.Sessions, seen.visitors(t)) {
		sessions[s.ID] = s
	}
	rows = append(rows, seen.Pageviews...)
	rows = append(rows, seen.Events...)
	slices.Reverse(rows)
	slices.SortStableFunc(rows, func(a, b row) int { return a.CreatedAt.Compare(b.CreatedAt) })
	if seen.visitors(t) != nil { // the rows that began the sessions are cut off
		for id, s := range sessions {
			s.SessionID = id
			put(srv, &s, false)
		}
	}
	for _, r := range rows {
		s := sessions[r.SessionID]
		r.Browser, r.OS, r.Device, r.Country, r.Screen, r.Language = s.Browser, s.OS, s.Device, s.Country, s.Screen, s.Language
		put(srv, &r, r.EventType == int(umamitest.Beacon))
	}
}

func replay(t *testing.T, name, query string, p umamitest.Profile) (want, got recording) {
	t.Helper()
	want = load(t, name)
	seen := decode(t, want.body)
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(p),
		umamitest.WithClock(func() time.Time { return time.UnixMilli(seen.Timestamp) }))
	restoreOld(t, srv, &seen)
	return want, ask(t, srv, "/api/realtime/"+srv.WebsiteID+"?"+query, admin)
}

func TestRepliesBefore212AreAsRecorded(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"v2.10.2/realtime-slow.json", "v2.10.2/realtime-empty.json"} {
		want, got := replay(t, name, "startAt=0", umamitest.V2_9)
		assertSameJSON(t, withoutIDs(want.body), withoutIDs(got.body))
	}
}

func TestRepliesOf212AreAsRecorded(t *testing.T) {
	t.Parallel()
	want, got := replay(t, "v2.12.1/realtime-empty.json", "timezone=UTC", umamitest.V2_12)
	assertSameJSON(t, want.body, got.body)

	for name, query := range map[string]string{
		"v2.12.1/realtime-busy.json":       "timezone=UTC",
		"v2.12.1/realtime-busy-tokyo.json": "timezone=Asia/Tokyo",
	} {
		want, got := replay(t, name, query, umamitest.V2_12)
		var wanted, gotten map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(withoutIDs(want.body), &wanted))
		require.NoError(t, json.Unmarshal(withoutIDs(got.body), &gotten))
		// Of what the rows shown don't tell, at least the form is the same.
		series, totals := wanted["series"], wanted["totals"]
		assert.Regexp(t, `^\{"views":\[(\{"x":"2026-11-22 \d\d:\d\d:00","y":\d+\},?)+\],"visitors":\[`, string(series))
		assert.Regexp(t, `^\{"views":\[(\{"x":"2026-11-22 \d\d:\d\d:00","y":\d+\},?)+\],"visitors":\[`, string(gotten["series"]))
		assert.Regexp(t, `^\{"views":\d+,"visitors":14,"events":\d+,"countries":11\}$`, string(totals))
		assert.Regexp(t, `^\{"views":\d+,"visitors":14,"events":\d+,"countries":11\}$`, string(gotten["totals"]))
		for _, key := range []string{"series", "totals", "urls", "referrers"} {
			assert.Contains(t, gotten, key)
			delete(wanted, key)
			delete(gotten, key)
		}
		for key := range wanted {
			assert.JSONEq(t, string(wanted[key]), string(gotten[key]), key)
		}
		assert.Len(t, gotten, len(wanted))
	}
}

func TestSelfHostedDocument(t *testing.T) {
	t.Parallel()
	at := func(clock string) time.Time {
		parsed, err := time.Parse(time.RFC3339, "2024-03-15T"+clock+"Z")
		require.NoError(t, err)
		return parsed
	}
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(umamitest.SelfHostedDocs),
		umamitest.WithClock(func() time.Time { return time.UnixMilli(1710513400000) }))
	first := umamitest.Visit{
		SessionID: "ff0e8400-e29b-41d4-a716-446655440010", CreatedAt: at("14:30:00"),
		Country: "US", Browser: "Chrome", OS: "Windows", Device: "desktop",
	}
	second := umamitest.Visit{
		SessionID: "gg0e8400-e29b-41d4-a716-446655440011", CreatedAt: at("14:33:20"),
		Country: "GB", Browser: "Safari", OS: "Mac OS", Device: "desktop",
	}
	// Sessions begin before their page views: with an event, which the
	// document's reply does not show.
	srv.Event("begin", first)
	srv.Event("begin", second)
	srv.Visit(umamitest.Visit{
		SessionID: first.SessionID, CreatedAt: at("14:35:42"), URLPath: "/products", URLQuery: "category=electronics",
		ReferrerDomain: "google.com", PageTitle: "Products",
	})
	srv.Visit(umamitest.Visit{SessionID: second.SessionID, CreatedAt: at("14:36:15"), URLPath: "/", PageTitle: "Home"})

	got := ask(t, srv, "/api/realtime/"+srv.WebsiteID, admin)
	body := regexp.MustCompile(`"__id":"[^"]*"`).ReplaceAllString(string(got.body), `"__id":""`)
	assert.JSONEq(t, `{
		"pageviews": [
			{"__id":"","sessionId":"ff0e8400-e29b-41d4-a716-446655440010","createdAt":"2024-03-15T14:35:42.000Z",
				"urlPath":"/products","urlQuery":"category=electronics","referrerDomain":"google.com","pageTitle":"Products",
				"country":"US","browser":"Chrome","os":"Windows","device":"desktop"},
			{"__id":"","sessionId":"gg0e8400-e29b-41d4-a716-446655440011","createdAt":"2024-03-15T14:36:15.000Z",
				"urlPath":"/","urlQuery":"","referrerDomain":"","pageTitle":"Home",
				"country":"GB","browser":"Safari","os":"Mac OS","device":"desktop"}
		],
		"sessions": [
			{"__id":"","sessionId":"ff0e8400-e29b-41d4-a716-446655440010","createdAt":"2024-03-15T14:30:00.000Z",
				"country":"US","browser":"Chrome","os":"Windows","device":"desktop"},
			{"__id":"","sessionId":"gg0e8400-e29b-41d4-a716-446655440011","createdAt":"2024-03-15T14:33:20.000Z",
				"country":"GB","browser":"Safari","os":"Mac OS","device":"desktop"}
		],
		"visitors": 2,
		"timestamp": 1710513400000
	}`, body)
}

func TestCloudDocument(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1750970573667)
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(umamitest.CloudDocs),
		umamitest.WithClock(func() time.Time { return now }))
	srv.Visit(umamitest.Visit{SessionID: "s1", URLPath: "/", ReferrerDomain: "umami.is", Country: "PL"})
	srv.Event("cta", umamitest.Visit{SessionID: "s1", URLPath: "/contact"})

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		srv.URL+"/realtime/"+srv.WebsiteID+"?startAt=1234567890000&endAt=1234567899999&timezone=Europe/Berlin", nil)
	require.NoError(t, err)
	req.Header.Set("X-Umami-Api-Key", umamitest.APIKey)
	got := send(t, srv, req)
	assert.JSONEq(t, `{
		"urls": {"/": 1, "/contact": 1},
		"countries": {"PL": 1},
		"events": [
			{"__type":"event","os":"Windows 10","device":"desktop","country":"PL","sessionId":"s1","eventName":"cta",
				"browser":"chrome","createdAt":"2025-06-26T20:42:53Z","urlPath":"/contact","referrerDomain":""},
			{"__type":"pageview","os":"Windows 10","device":"desktop","country":"PL","sessionId":"s1","eventName":"",
				"browser":"chrome","createdAt":"2025-06-26T20:42:53Z","urlPath":"/","referrerDomain":"umami.is"},
			{"__type":"session","os":"Windows 10","device":"desktop","country":"PL","sessionId":"s1","eventName":"",
				"browser":"chrome","createdAt":"2025-06-26T20:42:53Z","urlPath":"/","referrerDomain":"umami.is"}
		],
		"series": {"views":[{"x":"2025-06-26T20:42:00Z","y":1}],"visitors":[{"x":"2025-06-26T20:42:00Z","y":1}]},
		"referrers": {"umami.is": 1},
		"totals": {"visitors":1,"views":1,"events":1,"countries":1},
		"timestamp": 1750970573667
	}`, string(got.body))
}
