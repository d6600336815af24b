package umamitest

import (
	"fmt"
	"net/http"
)

// Profile is the behaviour of one server version, or of a document.
// Where the versions that a Profile stands for differ, it behaves as the last
// of them.
type Profile int

// The profiles: the self-hosted document, the servers from old to new, the Cloud
// document, and Umami Cloud.
//
//nolint:staticcheck // ALL_CAPS: they are version numbers
const (
	// SelfHostedDocs answers as the self-hosted document prints it: page views,
	// sessions, and visitors as a number. Its window is the servers' 30
	// minutes, not the document's 5.
	SelfHostedDocs Profile = iota + 1
	// V2_0 is 2.0 to 2.8: three lists of all rows, with __id.
	V2_0
	// V2_9 is 2.9 to 2.11: three lists of all rows, with id.
	V2_9
	// V2_12 is 2.12: a list of rows (at most 50) and one of visitors.
	V2_12
	// V2_13 is 2.13.1 to 2.15: the oldest 100 rows.
	V2_13
	// V2_16 is 2.16 and 2.17: on Postgres the newest 100 rows, oldest first; on
	// ClickHouse the oldest 100.
	V2_16
	// V2_18 is 2.18.1 to 2.20: the newest 100 rows.
	V2_18
	// V3_0 is 3.0.0, which wants a time zone.
	V3_0
	// V3_1 is 3.1: with hostnames and performance beacons. Of 3.0.1 to 3.0.3,
	// which lack these two, it is the nearest.
	V3_1
	// V3_4 is 3.4: without performance beacons, with API keys, and every time
	// of the series marked as UTC.
	V3_4
	// CloudDocs answers as the Cloud document says: API keys, an API below /v1,
	// three required parameters, no hostnames, ClickHouse.
	CloudDocs
	// Cloud is Umami Cloud as the current version has it: API keys, an API
	// below /v1, ClickHouse.
	Cloud
)

// String is the name of the constant.
func (p Profile) String() string {
	if t, ok := profiles[p]; ok {
		return t.name
	}
	return fmt.Sprintf("Profile(%d)", int(p))
}

// Profiles lists all profiles, for tests that go through them.
func Profiles() []Profile {
	list := make([]Profile, 0, len(profiles))
	for p := SelfHostedDocs; p <= Cloud; p++ {
		list = append(list, p)
	}
	return list
}

// Database is what the server keeps its rows in.
type Database int

// The databases. Umami Cloud always has ClickHouse.
const (
	// Postgres keeps milliseconds; an absent column is null.
	Postgres Database = iota
	// ClickHouse keeps whole seconds; an absent column is "".
	ClickHouse
)

// String is the name of the constant.
func (d Database) String() string {
	if d == ClickHouse {
		return "ClickHouse"
	}
	return "Postgres"
}

// traits are what differs between profiles. Those that say so matter on one
// database only.
type traits struct {
	name string

	shape      shape
	md5ID      bool // rows have an __id beside the id
	limit      int  // rows shown at most; 0: all
	oldest     bool // shows the oldest rows, not the newest
	ascending  bool // Postgres: lists the oldest first and copies a session's newest row; ClickHouse: as oldest
	hostnames  bool // rows have a hostname
	beacons    bool // beacons are shown, as page views
	filters    bool // filters and unit have an effect
	fullMinute bool // the window starts at a full minute
	fromStart  bool // startAt narrows the window

	naive     bool // Postgres: what is stored is shifted by the session's zone
	sessionX  bool // Postgres: without a zone, the series has the session's clock, marked as UTC
	alwaysUTC bool // Postgres: the series is marked as UTC, whatever it is
	chZone    bool // ClickHouse: fails without a time zone

	required  []string // parameters
	checkZone bool     // 400 for an invalid time zone, which else fails in the database
	checkID   bool     // 400 for a malformed website id, likewise

	events      bool // GET /api/websites/{websiteId}/events lists them, not only counts
	eventsLimit int  // of which it lists so many at most, the newest; 0: all
	maxPageSize int  // of a list; a larger one is refused; 0: any
	activeList  bool // Postgres: active visitors are in a list
	teamSites   bool // a website tells its team
	shareTable  bool // a website's share link stands apart

	errors       errorStyle
	pagesRouter  bool   // no HEAD, and 401 before 405
	verifyMethod string // of /auth/verify; "": any
	cloud        bool   // an API below /v1, API keys only, ClickHouse
	apiKeys      bool   // an API key is good as a Bearer token
	shareContext bool   // a share token needs a second header; 401 for another website
	userRole     bool   // a login tells the user's role
	userTeams    bool   // and teams
}

type shape int

const (
	modern   shape = iota // events, series, totals (since 2.13)
	lists                 // pageviews, sessions, events (to 2.11)
	document              // pageviews, sessions, visitors (the self-hosted document)
	visitors              // events, visitors, series, totals (2.12)
)

type errorStyle int

const (
	envelope errorStyle = iota // {"error":{message,code,status}}
	bare                       // {"error":text or list}
	plain                      // text
)

// since3 says whether the version is 3.0 or later.
func (t *traits) since3() bool { return t.errors == envelope }

var profiles = map[Profile]traits{
	SelfHostedDocs: {
		name: "SelfHostedDocs", shape: document, fullMinute: true,
		verifyMethod: http.MethodPost, apiKeys: true, shareContext: true, userRole: true, userTeams: true,
		events: true, teamSites: true, shareTable: true,
	},
	V2_0: {
		name: "V2_0", shape: lists, md5ID: true, fromStart: true,
		required: []string{"startAt"}, checkID: true, errors: plain, pagesRouter: true,
		maxPageSize: 200, activeList: true,
	},
	V2_9: {
		name: "V2_9", shape: lists, fullMinute: true, fromStart: true,
		required: []string{"startAt"}, checkID: true, errors: plain, pagesRouter: true, userRole: true,
		maxPageSize: 200, teamSites: true,
	},
	V2_12: {
		name: "V2_12", shape: visitors, beacons: true, fullMinute: true,
		required: []string{"timezone"}, checkID: true, errors: plain, pagesRouter: true, userRole: true,
		maxPageSize: 200, teamSites: true,
	},
	V2_13: {
		name: "V2_13", limit: 100, oldest: true, beacons: true, fullMinute: true,
		checkZone: true, checkID: true, errors: plain, pagesRouter: true, userRole: true,
		events: true, eventsLimit: 1000, maxPageSize: 200, teamSites: true,
	},
	V2_16: {
		name: "V2_16", limit: 100, ascending: true, beacons: true, fullMinute: true, chZone: true,
		errors: bare, verifyMethod: http.MethodGet, userRole: true,
		events: true, eventsLimit: 1000, teamSites: true,
	},
	V2_18: {
		name: "V2_18", limit: 100, beacons: true, fullMinute: true, chZone: true,
		errors: bare, verifyMethod: http.MethodPost, userRole: true,
		events: true, teamSites: true,
	},
	V3_0: {
		name: "V3_0", limit: 100, beacons: true, fullMinute: true, naive: true, chZone: true,
		required: []string{"timezone"}, checkZone: true, verifyMethod: http.MethodPost, userRole: true,
		events: true, teamSites: true,
	},
	V3_1: {
		name: "V3_1", limit: 100, hostnames: true, beacons: true, filters: true, fullMinute: true,
		naive: true, sessionX: true,
		verifyMethod: http.MethodPost, shareContext: true, userRole: true, userTeams: true,
		events: true, teamSites: true, shareTable: true,
	},
	V3_4: {
		name: "V3_4", limit: 100, hostnames: true, filters: true, fullMinute: true, naive: true, alwaysUTC: true,
		verifyMethod: http.MethodPost, apiKeys: true, shareContext: true, userRole: true, userTeams: true,
		events: true, teamSites: true, shareTable: true,
	},
	CloudDocs: {
		name: "CloudDocs", limit: 100, fullMinute: true, required: []string{"startAt", "endAt", "timezone"},
		cloud: true, apiKeys: true,
		events: true, teamSites: true, shareTable: true,
	},
	Cloud: {
		name: "Cloud", limit: 100, hostnames: true, filters: true, fullMinute: true, cloud: true, apiKeys: true,
		events: true, teamSites: true, shareTable: true,
	},
}
