package wire_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// One row of every column, in each generation's words.
func TestColumns(t *testing.T) {
	t.Parallel()
	at := instant(t, "2026-11-22T09:05:20.145Z")
	for _, tt := range []struct {
		name, body string
		want       wire.Row
	}{
		{
			"2.0 to 2.8", `{"pageviews":[{"__id":"9e107d9d","websiteId":"w","sessionId":"s","createdAt":"2026-11-22T09:05:20.145Z","urlPath":"/p","urlQuery":"q=1",
				"referrerPath":"/x","referrerQuery":"","referrerDomain":"t.co","pageTitle":"T","eventType":1,"eventName":null,"__type":"pageview","timestamp":1795338320145}],"sessions":[],"events":[],"timestamp":1}`,
			wire.Row{ID: "9e107d9d", SessionID: "s", CreatedAt: at, URLPath: "/p", URLQuery: "q=1", ReferrerDomain: "t.co", PageTitle: "T"},
		},
		{
			"2.9 to 2.11", `{"pageviews":[{"id":"9e107d9d","websiteId":"w","sessionId":"s","createdAt":"2026-11-22T09:05:20.145Z","urlPath":"/p","urlQuery":"q=1",
				"referrerDomain":"t.co","pageTitle":"T","eventName":null,"__type":"pageview","timestamp":1795338320145}],"sessions":[],"events":[],"timestamp":1}`,
			wire.Row{ID: "9e107d9d", SessionID: "s", CreatedAt: at, URLPath: "/p", URLQuery: "q=1", ReferrerDomain: "t.co", PageTitle: "T"},
		},
		{
			"2.12", `{"visitors":[],"events":[{"id":"9e107d9d","websiteId":"w","sessionId":"s","createdAt":"2026-11-22T09:05:20.145Z","urlPath":"/p","urlQuery":"q=1",
				"referrerDomain":"t.co","pageTitle":"T","eventType":1,"eventName":null,"timestamp":1795338320.145}],"timestamp":1}`,
			wire.Row{ID: "9e107d9d", SessionID: "s", CreatedAt: at, URLPath: "/p", URLQuery: "q=1", ReferrerDomain: "t.co", PageTitle: "T"},
		},
		{
			"2.13 to 3.0", `{"events":[{"__type":"pageview","sessionId":"s","eventName":null,"createdAt":"2026-11-22T09:05:20.145Z","browser":"chrome","os":"Linux",
				"device":"desktop","country":"NZ","urlPath":"/p","referrerDomain":"t.co"}],"timestamp":1}`,
			wire.Row{SessionID: "s", CreatedAt: at, Browser: "chrome", OS: "Linux", Device: "desktop", Country: "NZ", URLPath: "/p", ReferrerDomain: "t.co"},
		},
		{
			"since 3.1", `{"events":[{"__type":"pageview","sessionId":"s","eventName":"","createdAt":"2026-11-22T09:05:20.145Z","browser":"chrome","os":"Linux",
				"device":"desktop","country":"NZ","urlPath":"/p","referrerDomain":"t.co","hostname":"x.example.com"}],"timestamp":1}`,
			wire.Row{
				SessionID: "s", CreatedAt: at, Browser: "chrome", OS: "Linux", Device: "desktop", Country: "NZ", URLPath: "/p",
				ReferrerDomain: "t.co", Hostname: "x.example.com",
			},
		},
		{"both ids", `{"pageviews":[{"id":"one","__id":"other"}],"timestamp":1}`, wire.Row{ID: "one"}},
		{"both ids, the other way round", `{"pageviews":[{"__id":"other","id":"one"}],"timestamp":1}`, wire.Row{ID: "one"}},
		{"id null", `{"pageviews":[{"__id":"other","id":null}],"timestamp":1}`, wire.Row{ID: "other"}},
		{"nothing", `{"pageviews":[{}],"timestamp":1}`, wire.Row{}},
		{"nulls", `{"events":[{"__type":null,"id":null,"__id":null,"sessionId":null,"eventName":null,"createdAt":null,"browser":null,"os":null,"device":null,
			"country":null,"urlPath":null,"urlQuery":null,"referrerDomain":null,"pageTitle":null}],"timestamp":1}`, wire.Row{}},
		{"empty texts", `{"events":[{"__type":"","id":"","__id":"","sessionId":"","eventName":"","browser":"","os":"","device":"",
			"country":"","urlPath":"","urlQuery":"","referrerDomain":"","pageTitle":""}],"timestamp":1}`, wire.Row{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assertRows(t, []wire.Row{tt.want}, decode(t, tt.body).Pageviews)
		})
	}
}

// What a row is: told by __type, else by the list it stands in, else by its
// eventName.
func TestKinds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body        string
		pageviews, events int
	}{
		{"by type", `{"events":[{"__type":"pageview"},{"__type":"event"},{"__type":"pageview","eventName":"odd"},{"__type":"event","eventName":null}],"timestamp":1}`, 2, 2},
		{"by name, 2.12", `{"visitors":[],"events":[{"eventName":null},{"eventName":""},{"eventName":"signup"},{}],"timestamp":1}`, 3, 1},
		{"by name, the column last", `{"events":[{"urlPath":"/","eventName":"signup"}],"timestamp":1}`, 0, 1},
		{"by list", `{"pageviews":[{"eventName":null},{"eventName":"odd"}],"events":[{"eventName":"signup"},{"eventName":null}],"timestamp":1}`, 2, 2},
		{"by list, events first", `{"timestamp":1,"events":[{"eventName":"signup"},{"eventName":null}],"pageviews":[{}]}`, 1, 2},
		{"by type, whatever the list", `{"pageviews":[{"__type":"event"}],"events":[{"__type":"pageview"}],"timestamp":1}`, 1, 1},
		{"the type last", `{"events":[{"eventName":"e","__type":"pageview"}],"timestamp":1}`, 1, 0},
		{"unknown types", `{"events":[{"__type":"identify"},{"__type":"Pageview"},{"__type":"link","eventName":"x"},{}],"timestamp":1}`, 1, 0},
		{"session copies", `{"events":[{"__type":"session"},{"__type":"session","eventName":"signup"},{"__type":"event"}],"timestamp":1}`, 0, 1},
		{"nulls between", `{"events":[null,{"__type":"event"},null],"pageviews":[null,{}],"sessions":[null],"timestamp":1}`, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := decode(t, tt.body)
			assert.Len(t, r.Pageviews, tt.pageviews)
			assert.Len(t, r.Events, tt.events)
		})
	}
}

// Rows come newest first, whatever their order on the wire. Rows of the same
// instant keep it, and alike rows are all kept.
func TestOrder(t *testing.T) {
	t.Parallel()
	row := `{"urlPath":"/%s","createdAt":"2026-11-22T09:05:%s"},`
	var rows strings.Builder
	for _, r := range [][2]string{{"b", "10.002Z"}, {"d1", "09Z"}, {"a", "10.010Z"}, {"d2", "09Z"}, {"d1", "09Z"}, {"c", "10Z"}} {
		fmt.Fprintf(&rows, row, r[0], r[1])
	}
	r := decodeRows(t, rows.String()+`{"urlPath":"/undated"}`)
	var paths []string
	for _, p := range r.Pageviews {
		paths = append(paths, p.URLPath)
	}
	assert.Equal(t, []string{"/a", "/b", "/c", "/d1", "/d2", "/d1", "/undated"}, paths)
}

// Performance beacons: page views of a reply that has the hostname column
// (since 3.1) and no hostname.
func TestPerformance(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"events":[{"__type":"pageview","hostname":null}],"timestamp":1}`:            true,
		`{"events":[{"__type":"pageview","hostname":""}],"timestamp":1}`:              true,
		`{"events":[{"hostname":"","__type":"pageview"}],"timestamp":1}`:              true,
		`{"events":[{"__type":"pageview","hostname":"x.example.com"}],"timestamp":1}`: false,
		`{"events":[{"__type":"pageview"}],"timestamp":1}`:                            false,
		`{"visitors":[],"events":[{"eventName":null}],"timestamp":1}`:                 false,
		`{"pageviews":[{"hostname":null}],"timestamp":1}`:                             false,
	} {
		r := decode(t, body)
		require.Len(t, r.Pageviews, 1, body)
		assert.Equal(t, want, r.Pageviews[0].Performance, body)
	}
	r := decodeRows(t, `{"__type":"event","eventName":"e","hostname":null}`)
	require.Len(t, r.Events, 1)
	assert.False(t, r.Events[0].Performance)
}

// The limit counts page views, events and rows of unknown kinds, but no
// session copies.
func TestTruncated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, head                     string
		pageviews, events, odd, copies int
		want                           bool
	}{
		{name: "99", pageviews: 60, events: 39},
		{name: "100", pageviews: 60, events: 40, want: true},
		{name: "130 with copies", pageviews: 70, events: 30, copies: 30, want: true},
		{name: "130 of which 31 are copies", pageviews: 69, events: 30, copies: 31},
		{name: "100 copies", copies: 100},
		{name: "100 with unknown kinds", pageviews: 99, odd: 1, want: true},
		{name: "events only", events: 100, want: true},
		{name: "2.12, 49", head: `"visitors":[],`, pageviews: 49},
		{name: "2.12, 50", head: `"visitors":[],`, pageviews: 49, events: 1, want: true},
		{name: "2.12, 99 visitors", head: `"visitors":[` + strings.Repeat(`{"id":"v"},`, 98) + `{"id":"w"}],`, pageviews: 49},
		{name: "before 2.12, any number", head: `"pageviews":[],`, pageviews: 300},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rows := strings.Repeat(`{"__type":"pageview"},`, tt.pageviews) + strings.Repeat(`{"__type":"event","eventName":"e"},`, tt.events) +
				strings.Repeat(`{"__type":"odd"},`, tt.odd) + strings.Repeat(`{"__type":"session","sessionId":"s"},`, tt.copies)
			r := decode(t, `{`+tt.head+`"events":[`+strings.TrimSuffix(rows, ",")+`],"timestamp":1}`)
			assert.Equal(t, tt.want, r.Truncated)
			assert.Len(t, r.Pageviews, tt.pageviews)
			assert.Len(t, r.Events, tt.events)
		})
	}
}

// The reply holds nothing of the body, which is the caller's to change.
func TestRowsAreTheirOwn(t *testing.T) {
	t.Parallel()
	body := []byte(`{"events":[{"urlPath":"/path","sessionId":"session"}],"urls":{"/path":1},"timestamp":1}`)
	r, err := wire.Decode(body, time.UTC)
	require.NoError(t, err)
	for i := range body {
		body[i] = 'x'
	}
	assert.Equal(t, "/path", r.Pageviews[0].URLPath)
	assert.Equal(t, "session", r.Pageviews[0].SessionID)
	assert.Equal(t, map[string]int{"/path": 1}, r.URLs)
}
