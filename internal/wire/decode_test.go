package wire_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

func decode(t *testing.T, body string) *wire.Reply {
	t.Helper()
	r, err := wire.Decode([]byte(body), time.UTC)
	require.NoError(t, err)
	return r
}

// decodeRows decodes a reply (2.13 and later) of these rows.
func decodeRows(t *testing.T, rows string) *wire.Reply {
	t.Helper()
	return decode(t, `{"events":[`+rows+`],"timestamp":1710513400000}`)
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	require.NoError(t, err)
	return at.UTC()
}

func TestEmptyReplies(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"self-hosted document": `{"pageviews":[],"sessions":[],"visitors":0,"timestamp":1795338330594}`,
		"2.0 to 2.11":          `{"pageviews":[],"sessions":[],"events":[],"timestamp":1795338330594}`,
		"2.12":                 `{"countries":{},"visitors":[],"urls":{},"referrers":{},"events":[],"series":{"views":[],"visitors":[]},"totals":{"views":0,"visitors":0,"events":0,"countries":0},"timestamp":1795338330594}`,
		"since 2.13":           `{"countries":{},"urls":{},"referrers":{},"events":[],"series":{"views":[],"visitors":[]},"totals":{"views":0,"visitors":0,"events":0,"countries":0},"timestamp":1795338330594}`,
		"all null":             `{"countries":null,"urls":null,"referrers":null,"events":null,"pageviews":null,"sessions":null,"series":null,"totals":null,"visitors":null,"timestamp":1795338330594}`,
		"spaced":               " \r\n\t{ \"events\" : [ ] , \"timestamp\" : 1795338330594 } \r\n\t",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := decode(t, body)
			assert.Equal(t, instant(t, "2026-11-22T09:05:30.594Z"), r.Timestamp)
			r.Timestamp, r.Limit, r.SeriesSent = time.Time{}, 0, false
			assert.Equal(t, &wire.Reply{
				Pageviews: []wire.Row{}, Events: []wire.Row{}, Sessions: []wire.Row{},
				URLs: map[string]int{}, Referrers: map[string]int{}, Countries: map[string]int{},
				Views: []wire.Point{}, Visitors: []wire.Point{},
			}, r)
		})
	}
}

// Keys in any order, and what no version sends.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	r := decode(t, `{
		"future": {"deep": [1, {"x": null}], "events": [1]},
		"timestamp": 1710513400000,
		"totals": {"future": [], "views": 7, "countries": 2, "visitors": 4, "events": 3},
		"events": [{"future": {"a": [[]]}, "createdAt": "2024-03-15T14:35:42Z", "urlPath": "/", "__type": "pageview"}],
		"series": {"future": 1, "visitors": [], "views": [{"z": [], "y": 7, "x": "2024-03-15T14:35:00Z", "t": null}]},
		"truncated": true
	}`)
	assert.Equal(t, wire.Totals{Views: 7, Visitors: 4, Events: 3, Countries: 2}, r.Totals)
	assert.Len(t, r.Pageviews, 1)
	assert.Equal(t, []wire.Point{{Time: instant(t, "2024-03-15T14:35:00Z"), Count: 7}}, r.Views)
	assert.False(t, r.Truncated, "one row is not the limit, whatever another server's key says")
}

// Of names that repeat the last one counts, as for encoding/json.
func TestRepeatedNames(t *testing.T) {
	t.Parallel()
	r := decode(t, `{
		"events": [{"urlPath": "/lost"}],
		"urls": {"/": 1, "/lost": 5},
		"urls": {"/": 2, "/": 3},
		"timestamp": 1,
		"timestamp": 1710513400000,
		"events": [{"urlPath": "/a", "urlPath": null, "sessionId": "x", "sessionId": "s", "createdAt": null, "createdAt": "2024-03-15T14:35:42Z"}]
	}`)
	require.Len(t, r.Pageviews, 1)
	assert.Empty(t, r.Pageviews[0].URLPath)
	assert.Equal(t, "s", r.Pageviews[0].SessionID)
	assert.Equal(t, instant(t, "2024-03-15T14:35:42Z"), r.Pageviews[0].CreatedAt)
	assert.Equal(t, map[string]int{"/": 3}, r.URLs)
	assert.Equal(t, int64(1710513400000), r.Timestamp.UnixMilli())
}

// A lone surrogate or a broken byte is U+FFFD, as for encoding/json.
func TestBrokenText(t *testing.T) {
	t.Parallel()
	r := decode(t, "{\"events\":[{\"eventName\":\"a\\ud800b\",\"urlPath\":\"/\xff\",\"country\":\"\\u0000\",\"browser\":\"\\ud83d\\ude00\"}],"+
		"\"urls\":{\"/\xff\":2},\"referrers\":{\"\\udc00\":1},\"timestamp\":1}")
	require.Len(t, r.Events, 1)
	assert.Equal(t, "a\uFFFDb", r.Events[0].EventName)
	assert.Equal(t, "/\uFFFD", r.Events[0].URLPath)
	assert.Equal(t, "\x00", r.Events[0].Country)
	assert.Equal(t, "😀", r.Events[0].Browser)
	assert.Equal(t, map[string]int{"/\uFFFD": 2}, r.URLs)
	assert.Equal(t, map[string]int{"\uFFFD": 1}, r.Referrers)
}
