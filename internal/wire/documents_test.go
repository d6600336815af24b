package wire_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// The example of the self-hosted document, as printed.
func TestSelfHostedDocument(t *testing.T) {
	t.Parallel()
	r := decode(t, `{
"pageviews": [
{
"__id": "jj0e8400-e29b-41d4-a716-446655440014",
"sessionId": "ff0e8400-e29b-41d4-a716-446655440010",
"createdAt": "2024-03-15T14:35:42.000Z",
"urlPath": "/products",
"urlQuery": "category=electronics",
"referrerDomain": "google.com",
"pageTitle": "Products",
"country": "US",
"browser": "Chrome",
"os": "Windows",
"device": "desktop"
},
{
"__id": "kk0e8400-e29b-41d4-a716-446655440015",
"sessionId": "gg0e8400-e29b-41d4-a716-446655440011",
"createdAt": "2024-03-15T14:36:15.000Z",
"urlPath": "/",
"urlQuery": "",
"referrerDomain": "",
"pageTitle": "Home",
"country": "GB",
"browser": "Safari",
"os": "Mac OS",
"device": "desktop"
}
],
"sessions": [
{
"__id": "ll0e8400-e29b-41d4-a716-446655440016",
"sessionId": "ff0e8400-e29b-41d4-a716-446655440010",
"createdAt": "2024-03-15T14:30:00.000Z",
"country": "US",
"browser": "Chrome",
"os": "Windows",
"device": "desktop"
},
{
"__id": "mm0e8400-e29b-41d4-a716-446655440017",
"sessionId": "gg0e8400-e29b-41d4-a716-446655440011",
"createdAt": "2024-03-15T14:33:20.000Z",
"country": "GB",
"browser": "Safari",
"os": "Mac OS",
"device": "desktop"
}
],
"visitors": 2,
"timestamp": 1710513400000
}`)

	products := wire.Row{
		ID: "jj0e8400-e29b-41d4-a716-446655440014", SessionID: "ff0e8400-e29b-41d4-a716-446655440010",
		CreatedAt: instant(t, "2024-03-15T14:35:42Z"), URLPath: "/products", URLQuery: "category=electronics",
		ReferrerDomain: "google.com", PageTitle: "Products", Country: "US", Browser: "Chrome", OS: "Windows", Device: "desktop",
	}
	home := wire.Row{
		ID: "kk0e8400-e29b-41d4-a716-446655440015", SessionID: "gg0e8400-e29b-41d4-a716-446655440011",
		CreatedAt: instant(t, "2024-03-15T14:36:15Z"), URLPath: "/", PageTitle: "Home",
		Country: "GB", Browser: "Safari", OS: "Mac OS", Device: "desktop",
	}
	american := wire.Row{
		ID: "ll0e8400-e29b-41d4-a716-446655440016", SessionID: "ff0e8400-e29b-41d4-a716-446655440010",
		CreatedAt: instant(t, "2024-03-15T14:30:00Z"), Country: "US", Browser: "Chrome", OS: "Windows", Device: "desktop",
	}
	british := wire.Row{
		ID: "mm0e8400-e29b-41d4-a716-446655440017", SessionID: "gg0e8400-e29b-41d4-a716-446655440011",
		CreatedAt: instant(t, "2024-03-15T14:33:20Z"), Country: "GB", Browser: "Safari", OS: "Mac OS", Device: "desktop",
	}
	assertRows(t, []wire.Row{home, products}, r.Pageviews)
	assertRows(t, []wire.Row{british, american}, r.Sessions)
	assert.Empty(t, r.Events)
	assert.Equal(t, 2, r.VisitorCount)
	assert.Equal(t, instant(t, "2024-03-15T14:36:40Z"), r.Timestamp)
	assert.False(t, r.Truncated)

	// The document has no counts and no series: they come from the rows.
	assert.Equal(t, map[string]int{"/products": 1, "/": 1}, r.URLs)
	assert.Equal(t, map[string]int{"google.com": 1}, r.Referrers)
	assert.Equal(t, map[string]int{"US": 1, "GB": 1}, r.Countries)
	assert.Equal(t, wire.Totals{Views: 2, Visitors: 2, Countries: 2}, r.Totals)
	points := []wire.Point{{Time: instant(t, "2024-03-15T14:35:00Z"), Count: 1}, {Time: instant(t, "2024-03-15T14:36:00Z"), Count: 1}}
	assert.Equal(t, points, r.Views)
	assert.Equal(t, points, r.Visitors)
	assert.False(t, r.SeriesSent)
}

// The example of the Cloud document, with its trailing commas taken out. Its
// dates are zeros: the zero time for the row, and no point of the series.
func TestCloudDocument(t *testing.T) {
	t.Parallel()
	r := decode(t, `{
  "urls" : {
    "/" : 1,
    "/contact" : 2
  },
  "countries" : {
    "PL" : 2,
    "DE" : 5
  },
  "events" : [
    {
      "__type" : "event",
      "os" : "xxxx",
      "device" : "xxxx",
      "country" : "xx",
      "sessionId" : "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
      "eventName" : "xxx-xxx-xxx-button",
      "browser" : "xxxxx",
      "createdAt" : "0000-00-00T00:00:00Z",
      "urlPath" : "x",
      "referrerDomain" : ""
    }
  ],
  "series" : {
    "views" : [
      {
        "x" : "0000-00-00T00:00:00Z",
        "y" : 3
      },
      {
        "x" : "20000-00-00T00:00:00Z",
        "y" : 4
      }
    ],
    "visitors" : [
      {
        "x" : "0000-00-00T00:00:00Z",
        "y" : 2
      },
      {
        "x" : "0000-00-00T00:00:00Z",
        "y" : 4
      }
    ]
  },
  "referrers" : {
    "umami.nuxt.dev" : 2,
    "umami.is" : 33
  },
  "totals" : {
    "visitors" : 60,
    "views" : 79,
    "events" : 19,
    "countries" : 22
  },
  "timestamp" : 1750970573667
}`)

	assertRows(t, []wire.Row{{
		SessionID: "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", EventName: "xxx-xxx-xxx-button",
		URLPath: "x", Browser: "xxxxx", OS: "xxxx", Device: "xxxx", Country: "xx",
	}}, r.Events)
	assertRows(t, []wire.Row{{
		SessionID: "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
		URLPath:   "x", Browser: "xxxxx", OS: "xxxx", Device: "xxxx", Country: "xx",
	}}, r.Sessions)
	assert.Empty(t, r.Pageviews)
	assert.Equal(t, map[string]int{"/": 1, "/contact": 2}, r.URLs)
	assert.Equal(t, map[string]int{"PL": 2, "DE": 5}, r.Countries)
	assert.Equal(t, map[string]int{"umami.nuxt.dev": 2, "umami.is": 33}, r.Referrers)
	assert.Equal(t, wire.Totals{Views: 79, Visitors: 60, Events: 19, Countries: 22}, r.Totals)
	assert.Empty(t, r.Views)
	assert.Empty(t, r.Visitors)
	assert.True(t, r.SeriesSent)
	assert.Equal(t, 1, r.VisitorCount)
	assert.Equal(t, instant(t, "2025-06-26T20:42:53.667Z"), r.Timestamp)
	assert.False(t, r.Truncated)
}

// assertRows compares all that a row says.
func assertRows(t *testing.T, want, got []wire.Row) {
	t.Helper()
	type said struct {
		ID, SessionID, EventName, Hostname, URLPath, URLQuery, ReferrerDomain, PageTitle string
		Browser, OS, Device, Country                                                     string
		CreatedAt                                                                        time.Time
		Performance                                                                      bool
	}
	plain := func(rows []wire.Row) []said {
		all := []said{}
		for i := range rows {
			r := &rows[i]
			all = append(all, said{
				r.ID, r.SessionID, r.EventName, r.Hostname, r.URLPath, r.URLQuery, r.ReferrerDomain, r.PageTitle,
				r.Browser, r.OS, r.Device, r.Country, r.CreatedAt, r.Performance,
			})
		}
		return all
	}
	assert.Equal(t, plain(want), plain(got))
}
