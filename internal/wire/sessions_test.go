package wire_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// Sessions since 2.13 are those of the rows, each told by its oldest row. The
// copies that the server adds move from reply to reply and never count.
func TestSessionsOfRows(t *testing.T) {
	t.Parallel()
	const (
		landing = `{"__type":"pageview","sessionId":"a","createdAt":"2026-11-22T09:01:00Z","urlPath":"/landing","referrerDomain":"t.co","hostname":"h","browser":"chrome","os":"Linux","device":"desktop","country":"NZ"}`
		later   = `{"__type":"pageview","sessionId":"a","createdAt":"2026-11-22T09:03:00Z","urlPath":"/later","referrerDomain":null,"hostname":"h","browser":"chrome","os":"Linux","device":"desktop","country":"NZ"}`
		signup  = `{"__type":"event","sessionId":"b","createdAt":"2026-11-22T09:02:00Z","urlPath":"/signup","eventName":"signup","hostname":"h"}`
	)
	copyOf := func(row string) string {
		for _, kind := range []string{`"pageview"`, `"event"`} {
			if head := `{"__type":` + kind; row[:len(head)] == head {
				return `{"__type":"session"` + row[len(head):]
			}
		}
		t.Fatal("no such row")
		return ""
	}
	a := wire.Row{
		SessionID: "a", CreatedAt: instant(t, "2026-11-22T09:01:00Z"), URLPath: "/landing", ReferrerDomain: "t.co",
		Hostname: "h", Browser: "chrome", OS: "Linux", Device: "desktop", Country: "NZ",
	}
	b := wire.Row{SessionID: "b", CreatedAt: instant(t, "2026-11-22T09:02:00Z"), URLPath: "/signup", Hostname: "h"}

	for name, rows := range map[string]string{
		"newest first, copies after their rows (most versions)":   later + "," + signup + "," + copyOf(signup) + "," + landing + "," + copyOf(landing),
		"oldest first, copies of the newest rows (2.16 and 2.17)": landing + "," + signup + "," + copyOf(signup) + "," + later + "," + copyOf(later),
		"no copies":                         later + "," + signup + "," + landing,
		"copies alone, of hidden rows":      copyOf(signup) + "," + copyOf(landing),
		"a copy of an older row, not shown": later + "," + signup + "," + copyOf(landing),
		"copies twice":                      copyOf(landing) + "," + copyOf(signup) + "," + landing + "," + copyOf(landing) + "," + signup,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := decodeRows(t, rows)
			assertRows(t, []wire.Row{b, a}, r.Sessions)
			assert.Equal(t, 2, r.VisitorCount)
		})
	}
}

func TestRowsWithoutSession(t *testing.T) {
	t.Parallel()
	r := decodeRows(t, `{"__type":"pageview"},{"__type":"session","sessionId":null},{"__type":"event","sessionId":""}`)
	assert.Len(t, r.Pageviews, 1)
	assert.Len(t, r.Events, 1)
	assert.Empty(t, r.Sessions)
	assert.Zero(t, r.VisitorCount)
}

// Servers before 2.13 list sessions, by their own id, and when they began.
func TestListedSessions(t *testing.T) {
	t.Parallel()
	const (
		started = `{"id":"s1","websiteId":"w","hostname":null,"browser":"ios","os":"iOS","device":"tablet","screen":"820x1180","language":"fr-FR","country":"FR","subdivision1":null,"city":null,"createdAt":"2026-11-22T08:59:50.721Z","__type":"session","timestamp":1795337990721}`
		view    = `{"id":"v1","sessionId":"s1","createdAt":"2026-11-22T08:58:00Z","urlPath":"/"}`
		other   = `{"id":"v2","sessionId":"s0","createdAt":"2026-11-22T09:01:00Z","urlPath":"/other"}`
	)
	listed := wire.Row{
		ID: "s1", SessionID: "s1", CreatedAt: instant(t, "2026-11-22T08:59:50.721Z"),
		Browser: "ios", OS: "iOS", Device: "tablet", Country: "FR",
	}
	older := wire.Row{SessionID: "s0", CreatedAt: instant(t, "2026-11-22T09:01:00Z"), URLPath: "/other"}
	for name, body := range map[string]string{
		// The session list holds only those that began in the window.
		"2.0 to 2.11": `{"pageviews":[` + other + `,` + view + `],"sessions":[` + started + `],"events":[],"timestamp":1}`,
		"2.12":        `{"visitors":[` + started + `],"events":[` + other + `,` + view + `],"timestamp":1}`,
		"twice":       `{"visitors":[` + started + `,` + started + `],"events":[` + other + `],"timestamp":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := decode(t, body)
			assertRows(t, []wire.Row{older, listed}, r.Sessions)
			assert.Equal(t, 2, r.VisitorCount)
			assert.Equal(t, map[string]int{"FR": 1}, r.Countries)
		})
	}
}

// The list of the self-hosted document has an id beside the session's.
func TestDocumentedSessions(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"pageviews":[],"sessions":[{"__id":"row","sessionId":"s"},{"sessionId":"r"}],"visitors":9,"timestamp":1}`)
	require.Len(t, r.Sessions, 2)
	assertRows(t, []wire.Row{{ID: "row", SessionID: "s"}, {SessionID: "r"}}, r.Sessions)
	assert.Equal(t, 9, r.VisitorCount, "as the server says")
}
