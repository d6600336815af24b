package umamitest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/umamitest"
)

const (
	eventsPath = "/api/websites/" + umamitest.WebsiteID + "/events"
	ever       = "?startAt=0&endAt=4102444800000"
)

// listing is a reply of the events endpoint as far as the tests look into it.
type listing struct {
	Data     []row `json:"data"`
	Count    int   `json:"count"`
	Page     int   `json:"page"`
	PageSize int   `json:"pageSize"`
}

func (l listing) paths() (list []string) {
	for _, r := range l.Data {
		list = append(list, r.URLPath)
	}
	return list
}

func (l listing) ids() (list []string) {
	for _, r := range l.Data {
		list = append(list, r.ID)
	}
	return list
}

func listingOf(t *testing.T, body []byte) listing {
	t.Helper()
	var l listing
	require.NoError(t, json.Unmarshal(body, &l))
	return l
}

func events(t *testing.T, srv *umamitest.Server, query string) listing {
	t.Helper()
	got := ask(t, srv, eventsPath+query, admin)
	require.Equal(t, http.StatusOK, got.status)
	return listingOf(t, got.body)
}

// restoreListing puts the rows of a reply into a server, and older ones for
// those that only its count tells.
func restoreListing(t *testing.T, srv *umamitest.Server, body []byte, like umamitest.Visit) {
	t.Helper()
	seen := listingOf(t, body)
	oldest := seen.Data[len(seen.Data)-1].CreatedAt
	for i := range seen.Count - len(seen.Data) {
		like.CreatedAt = oldest.Add(-time.Duration(i+1) * time.Second)
		srv.Visit(like)
	}
	for _, r := range slices.Backward(seen.Data) {
		put(srv, &r, r.EventType == int(umamitest.Beacon))
	}
}

func TestEventsAreAsRecorded(t *testing.T) {
	t.Parallel()
	kinds := load(t, "v3.1.0-postgres/backfill/kinds.events.json").body
	for _, tt := range []struct {
		recording string
		rows      string // the recording that has them
		query     string
		hidden    umamitest.Visit
	}{
		{"v3.1.0-postgres/events-page-1.http", "v3.1.0-postgres/events-page-of-500.http", "&pageSize=5", umamitest.Visit{}},
		{"v3.1.0-postgres/events-page-2.http", "v3.1.0-postgres/events-page-of-500.http", "&pageSize=5&page=2", umamitest.Visit{}},
		{"v3.1.0-postgres/events-page-of-500.http", "v3.1.0-postgres/events-page-of-500.http", "&pageSize=500&page=1", umamitest.Visit{}},
		{"v3.1.0-postgres/events-past-the-end.http", "v3.1.0-postgres/events-page-of-500.http", "&pageSize=500&page=9", umamitest.Visit{}},
		{
			"v3.1.0-postgres/events-filter-path.http", "v3.1.0-postgres/events-filter-path.http", "&pageSize=5&path=/pricing",
			umamitest.Visit{URLPath: "/pricing"},
		},
		{"v3.1.0-clickhouse/events-page-1.http", "v3.1.0-clickhouse/events-page-of-500.http", "&pageSize=5", umamitest.Visit{}},
		{"v3.1.0-clickhouse/events-page-2.http", "v3.1.0-clickhouse/events-page-of-500.http", "&pageSize=5&page=2", umamitest.Visit{}},
		{"v3.1.0-clickhouse/events-page-of-500.http", "v3.1.0-clickhouse/events-page-of-500.http", "&pageSize=500", umamitest.Visit{}},
		{"kinds", "kinds", "&pageSize=1000", umamitest.Visit{}},
	} {
		t.Run(tt.recording, func(t *testing.T) {
			t.Parallel()
			var want, rows recording
			if tt.recording == "kinds" {
				want.body, rows.body = kinds, kinds
			} else {
				want, rows = load(t, tt.recording), load(t, tt.rows)
			}
			database := umamitest.Postgres
			if strings.Contains(tt.recording, "clickhouse") {
				database = umamitest.ClickHouse
			}
			srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithDatabase(database),
				umamitest.WithClock(func() time.Time { return noon }))
			restoreListing(t, srv, rows.body, tt.hidden)
			got := ask(t, srv, eventsPath+ever+tt.query, admin)
			assertSameJSON(t, byTies(t, want.body), byTies(t, got.body))
			if want.header != nil {
				assert.Equal(t, comparable(want.header), comparable(got.header))
			}
		})
	}
}

// byTies takes the ids out of a listing and brings rows of the same instant
// into an order of their own.
func byTies(t *testing.T, body []byte) []byte {
	t.Helper()
	body = withoutIDs(body)
	var l struct {
		Data []json.RawMessage `json:"data"`
	}
	require.NoError(t, json.Unmarshal(body, &l))
	created := regexp.MustCompile(`"createdAt":"[^"]*"`)
	slices.SortStableFunc(l.Data, func(a, b json.RawMessage) int {
		if string(created.Find(a)) != string(created.Find(b)) {
			return 0
		}
		return strings.Compare(string(a), string(b))
	})
	_, rest, _ := strings.Cut(string(body), `],"count"`)
	data, err := json.Marshal(l.Data)
	require.NoError(t, err)
	return []byte(`{"data":` + string(data) + `,"count"` + rest)
}

// What one endpoint shows of all kinds of rows, the other shows, too.
func TestKindsAreAsRecorded(t *testing.T) {
	t.Parallel()
	rows := load(t, "v3.1.0-postgres/backfill/kinds.events.json").body
	want := load(t, "v3.1.0-postgres/backfill/kinds.realtime.json").body
	now := time.UnixMilli(decode(t, want).Timestamp)
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithClock(func() time.Time { return now }))
	restoreListing(t, srv, rows, umamitest.Visit{})
	assertSameJSON(t, want, ask(t, srv, path, admin).body)
}

func TestErrorsOfEventsAreAsRecorded(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.InProcess())
	srv.Visit(umamitest.Visit{})
	for name, path := range map[string]string{
		"events-no-range":        eventsPath,
		"events-page-0":          eventsPath + ever + "&page=0",
		"events-unknown-website": strings.Replace(eventsPath, "0fd211ef", "00000000", 1) + ever,
	} {
		want, got := load(t, "v3.1.0-postgres/"+name+".http"), call{path: path, header: asAdmin}.do(t, srv)
		assert.Equal(t, want.status, got.status, name)
		assert.Equal(t, string(want.body), string(got.body), name)
		assert.Equal(t, comparable(want.header), comparable(got.header), name)
	}
}

func TestEventsByProfile(t *testing.T) {
	t.Parallel()
	const (
		noRange = `{"error":{"message":"Bad request","code":"bad-request","status":400,` +
			`"errors":["Either startAt+endAt or startDate+endDate must be provided"]}}`
		tooSmall = `"properties":{"pageSize":{"errors":["Too small: expected number to be >0"]}}`
		notOne   = `"properties":{"page":{"errors":["Invalid input: expected number, received NaN"]}}`
	)
	old := []string{
		"id", "websiteId", "sessionId", "createdAt", "urlPath", "urlQuery", "referrerPath", "referrerQuery",
		"referrerDomain", "pageTitle", "eventType", "eventName",
	}
	full := append(slices.Clone(old), "hostname", "country", "city", "device", "os", "browser", "hasData")
	type want struct {
		keys             []string
		size             int // of a page that the request does not tell
		rows             int // of 1,200, in one page
		capped           int // the status of a page of 5,000
		beacons          int
		filtered         int // of 1,200, by a path that none has
		noRange          string
		noRangeStatus    int
		tooSmall, notOne string
	}
	current := want{full, 20, 1200, 200, 0, 0, noRange, 400, tooSmall, notOne}
	before := want{
		old, 10, 1200, 200, 1, 1200,
		`{"error":["startAt: Expected number, received nan","endAt: Expected number, received nan"]}`, 400,
		`{"error":["pageSize: Number must be greater than 0"]}`, `{"error":["page: Expected number, received nan"]}`,
	}
	with := func(w want, change func(*want)) want { change(&w); return w }
	for p, want := range map[umamitest.Profile]want{
		umamitest.SelfHostedDocs: current,
		umamitest.V2_13: {
			old, 10, 1000, 400, 1, 1000, "", 500, "pageSize must be a positive number", "page must be a number",
		},
		umamitest.V2_16:     with(before, func(w *want) { w.rows, w.filtered = 1000, 1000 }),
		umamitest.V2_18:     before,
		umamitest.V3_0:      with(current, func(w *want) { w.beacons = 1 }),
		umamitest.V3_1:      with(current, func(w *want) { w.beacons = 1 }),
		umamitest.V3_4:      current,
		umamitest.CloudDocs: current,
		umamitest.Cloud:     current,
	} {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			srv := atNoon(umamitest.WithProfile(p))
			for i := range 1200 {
				srv.Visit(umamitest.Visit{URLPath: "/a", CreatedAt: noon.Add(-time.Duration(i) * time.Second)})
			}
			get := func(query string) recording { return tell(t, srv, "/websites/"+umamitest.WebsiteID+"/events"+query) }
			list := func(query string) listing {
				got := get(query)
				require.Equal(t, http.StatusOK, got.status, string(got.body))
				return listingOf(t, got.body)
			}
			var keyed struct {
				Data []map[string]any `json:"data"`
			}
			require.NoError(t, json.Unmarshal(get(ever).body, &keyed))
			require.Len(t, keyed.Data, want.size)
			var keys []string
			for key := range keyed.Data[0] {
				keys = append(keys, key)
			}
			assert.ElementsMatch(t, want.keys, keys)
			assert.Equal(t, want.size, list(ever).PageSize)
			assert.Equal(t, want.rows, list(ever+"&pageSize=1").Count)

			large := get(ever + "&pageSize=5000")
			assert.Equal(t, want.capped, large.status)
			if want.capped == http.StatusOK {
				assert.Len(t, listingOf(t, large.body).Data, want.rows)
			} else {
				assert.Equal(t, "pageSize must be less than or equal to 200", string(large.body))
				assert.Len(t, list(ever+"&pageSize=200").Data, 200)
			}
			assert.Len(t, list(ever+"&pageSize=100&page=10").Data, 100)
			assert.Len(t, list(ever+"&pageSize=100&page=11").Data, min(want.rows-1000, 100))
			assert.Equal(t, want.filtered, list(ever+"&path=/b&domain=x&entry=x&exit=x").Count)

			got := get("?page=1")
			assert.Equal(t, want.noRangeStatus, got.status)
			assert.Equal(t, want.noRange, string(got.body))
			got = get(ever + "&pageSize=0")
			assert.Equal(t, http.StatusBadRequest, got.status)
			assert.Contains(t, string(got.body), want.tooSmall)
			got = get(ever + "&page=one")
			assert.Equal(t, http.StatusBadRequest, got.status)
			assert.Contains(t, string(got.body), want.notOne)

			late := fmt.Sprintf("?startAt=%d&endAt=%d", noon.UnixMilli()-999, noon.UnixMilli())
			shown := list(late).Count
			srv.Performance(umamitest.Visit{})
			assert.Equal(t, want.beacons, list(late).Count-shown)
		})
	}
}

// Before 2.13 the same path counts custom events.
func TestEventsBefore213(t *testing.T) {
	t.Parallel()
	for _, p := range []umamitest.Profile{umamitest.V2_0, umamitest.V2_9, umamitest.V2_12} {
		srv := atNoon(umamitest.WithProfile(p))
		assert.Equal(t, "[]", string(ask(t, srv, eventsPath+ever+"&unit=hour", admin).body), p)
		srv.Visit(umamitest.Visit{})
		srv.Event("signup", umamitest.Visit{CreatedAt: noon.Add(-time.Hour)})
		srv.Event("login", umamitest.Visit{})
		srv.Event("login", umamitest.Visit{})
		srv.Event("late", umamitest.Visit{VisibleAt: noon.Add(time.Second)})
		want := `[{"x":"signup","t":"2026-11-22 11:00:00","y":1},{"x":"login","t":"2026-11-22 12:00:00","y":2}]`
		assert.Equal(t, want, string(ask(t, srv, eventsPath+ever+"&unit=hour", admin).body), p)
		other := strings.Replace(eventsPath, "0fd211ef", "00000000", 1)
		assert.Equal(t, "[]", string(ask(t, srv, other+ever+"&unit=hour", admin).body), p)
		for query, problem := range map[string]string{
			"":                             "startAt is a required field",
			"?startAt=5":                   "endAt is a required field",
			"?startAt=5&endAt=x":           "endAt must be a number",
			"?startAt=5&endAt=5&p=1":       "endAt must be greater than 5",
			"?startAt=5&endAt=6":           "Invalid unit",
			"?startAt=5&endAt=6&unit=week": "Invalid unit",
		} {
			got := ask(t, srv, eventsPath+query, admin)
			assert.Equal(t, http.StatusBadRequest, got.status, query)
			assert.Equal(t, problem, string(got.body), query)
		}
		assert.Equal(t, http.StatusUnauthorized, ask(t, srv, eventsPath+ever+"&unit=hour", "").status, p)
	}
}

// tell asks a server of any profile, with a credential that it takes.
func tell(t *testing.T, srv *umamitest.Server, path string) recording {
	t.Helper()
	if strings.HasSuffix(srv.URL, "/v1") {
		return ask(t, srv, "/v1"+path, "Bearer "+umamitest.APIKey)
	}
	return ask(t, srv, "/api"+path, admin)
}

// Whoever reads page by page loses rows of the same instant and gets others
// twice; one page for the range is exact.
func TestPagesLoseRows(t *testing.T) {
	t.Parallel()
	for _, database := range []umamitest.Database{umamitest.Postgres, umamitest.ClickHouse} {
		srv := atNoon(umamitest.WithDatabase(database))
		var truth []string
		for i := range 1000 {
			v := umamitest.Visit{CreatedAt: noon.Add(-time.Duration(i/100) * time.Second), URLPath: strconv.Itoa(i)}
			truth = append(truth, srv.Visit(v).ID)
		}
		whole := events(t, srv, ever+"&pageSize=100000")
		assert.Equal(t, 1000, whole.Count)
		assert.ElementsMatch(t, truth, whole.ids())
		assert.True(t, slices.IsSortedFunc(whole.Data, func(a, b row) int { return b.CreatedAt.Compare(a.CreatedAt) }))
		again := events(t, srv, ever+"&pageSize=100000")
		assert.ElementsMatch(t, truth, again.ids())
		assert.NotEqual(t, whole.ids(), again.ids(), "ties change places")

		var read []string
		for page := 1; ; page++ {
			l := events(t, srv, fmt.Sprintf("%s&pageSize=70&page=%d", ever, page))
			if len(l.Data) == 0 {
				break
			}
			read = append(read, l.ids()...)
		}
		assert.Len(t, read, 1000)
		slices.Sort(read)
		read = slices.Compact(read)
		assert.Less(t, len(read), 950)
		assert.Greater(t, len(read), 500)

		// Pages that end between two seconds lose nothing.
		read = nil
		for page := 1; page <= 10; page++ {
			read = append(read, events(t, srv, fmt.Sprintf("%s&pageSize=100&page=%d", ever, page)).ids()...)
		}
		assert.ElementsMatch(t, truth, read)
	}
	first, second := shuffled(t), shuffled(t)
	assert.Equal(t, first, second, "the same calls to another server are answered the same")
}

func shuffled(t *testing.T) []string {
	t.Helper()
	srv := atNoon()
	for i := range 50 {
		srv.Visit(umamitest.Visit{URLPath: strconv.Itoa(i)})
	}
	first, second := events(t, srv, ever+"&pageSize=50"), events(t, srv, ever+"&pageSize=50")
	return append(first.paths(), second.paths()...)
}

// Rows of one instant around the limit of 1,000: any of them may be shown.
func TestLimitOfEvents(t *testing.T) {
	t.Parallel()
	srv := atNoon(umamitest.WithProfile(umamitest.V2_16))
	for i := range 1200 {
		srv.Visit(umamitest.Visit{URLPath: strconv.Itoa(i)})
	}
	first, second := events(t, srv, ever+"&pageSize=2000"), events(t, srv, ever+"&pageSize=2000")
	assert.Len(t, first.Data, 1000)
	assert.NotSubset(t, first.paths(), second.paths())
	assert.Empty(t, events(t, srv, ever+"&pageSize=500&page=3").Data)
	assert.Empty(t, events(t, srv, ever+"&pageSize=2147483647&page=2147483647").Data)
}

func TestRangeOfEvents(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }
	between := func(from, to int) string {
		return fmt.Sprintf("?startAt=%d&endAt=%d", at(from).UnixMilli(), at(to).UnixMilli())
	}
	for database, want := range map[umamitest.Database]map[string][]string{
		umamitest.Postgres: {
			between(-2000, -1000): {"/3", "/2", "/1"},
			between(-1999, -1000): {"/3", "/2"},
			between(-2000, -1001): {"/2", "/1"},
			between(-1499, -1001): nil,
			between(-1000, -2000): nil,
			between(0, 5000):      {"/4"},
		},
		umamitest.ClickHouse: { // /2 happened in the second of /1
			between(-2000, -1000): {"/1", "/2", "/3"},
			between(-1999, -1000): {"/3"},
			between(-2000, -2000): {"/1", "/2"},
		},
	} {
		srv := atNoon(umamitest.WithDatabase(database))
		srv.Visit(umamitest.Visit{URLPath: "/1", CreatedAt: at(-2000)})
		srv.Visit(umamitest.Visit{URLPath: "/2", CreatedAt: at(-1500)})
		srv.Visit(umamitest.Visit{URLPath: "/3", CreatedAt: at(-1000)})
		srv.Visit(umamitest.Visit{URLPath: "/4"})
		srv.Visit(umamitest.Visit{URLPath: "/future", CreatedAt: at(5000)})
		srv.Visit(umamitest.Visit{URLPath: "/late", CreatedAt: at(-1400), VisibleAt: at(1)})
		for query, paths := range want {
			l := events(t, srv, query)
			assert.Equal(t, len(paths), l.Count, "%v %s", database, query)
			if database == umamitest.Postgres {
				assert.Equal(t, paths, l.paths(), query)
			} else {
				assert.ElementsMatch(t, paths, l.paths(), query)
			}
		}
	}
}

func TestFiltersOfEvents(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	srv := atNoon()
	srv.Visit(umamitest.Visit{CreatedAt: at(-3), URLPath: "/a", Country: "PL", City: "Gdańsk"})
	srv.Visit(umamitest.Visit{CreatedAt: at(-2), URLPath: "/b", Country: "DE"})
	srv.Event("Signup", umamitest.Visit{CreatedAt: at(-1), URLPath: "/b/c", Country: "PL"})
	for query, want := range map[string][]string{
		"&country=PL":                {"/b/c", "/a"},
		"&city=Gda%C5%84sk":          {"/a"},
		"&path=neq./a":               {"/b/c", "/b"},
		"&event=Signup":              {"/b/c"},
		"&eventType=1":               {"/b", "/a"},
		"&search=SIGN":               {"/b/c"},
		"&search=b":                  {"/b"},
		"&search=b&country=PL":       nil,
		"&domain=x&entry=/x&exit=/x": {"/b/c", "/b", "/a"},
	} {
		l := events(t, srv, ever+query)
		assert.Equal(t, want, l.paths(), query)
		assert.Equal(t, len(want), l.Count, query)
	}
	for query, failing := range map[string]*umamitest.Server{
		"&path=re.(":   srv,
		"&segment=x":   srv,
		"&eventType=1": atNoon(umamitest.WithDatabase(umamitest.ClickHouse)),
	} {
		got := ask(t, failing, eventsPath+ever+query, admin)
		assert.Equal(t, http.StatusInternalServerError, got.status, query)
		assert.Empty(t, got.body)
	}
}

func TestWhoMayListEvents(t *testing.T) {
	t.Parallel()
	const theirs = "/api/websites/550e8400-e29b-41d4-a716-446655440000/events"
	for _, p := range umamitest.Profiles() {
		srv := atNoon(umamitest.WithProfile(p))
		srv.Visit(umamitest.Visit{})
		if strings.HasSuffix(srv.URL, "/v1") {
			own := "/v1/websites/" + umamitest.WebsiteID + "/events" + ever
			assert.Equal(t, 400, call{path: own}.do(t, srv).status, p)
			assert.Equal(t, 401, call{path: own, header: asAdmin}.do(t, srv).status, p)
			got := call{path: own, header: map[string]string{"X-Umami-Api-Key": umamitest.APIKey}}.do(t, srv)
			assert.Equal(t, 1, listingOf(t, got.body).Count, p)
			assert.Equal(t, 404, call{path: eventsPath + ever, header: asAdmin}.do(t, srv).status, p)
			continue
		}
		if p == umamitest.V2_0 || p == umamitest.V2_9 || p == umamitest.V2_12 {
			continue
		}
		share := shareHeader(t, srv)
		got := call{path: eventsPath + ever, header: share}.do(t, srv)
		assert.Equal(t, 1, listingOf(t, got.body).Count, p)
		assert.Equal(t, 401, call{path: eventsPath + ever}.do(t, srv).status, p)
		foreign := 500
		if p == umamitest.V3_1 || p == umamitest.V3_4 || p == umamitest.SelfHostedDocs {
			foreign = 401
		}
		assert.Equal(t, foreign, call{path: theirs + ever, header: share}.do(t, srv).status, p)
		malformed := 500
		if p == umamitest.V2_13 {
			malformed = 400
		}
		assert.Equal(t, malformed, call{path: "/api/websites/x/events" + ever, header: asAdmin}.do(t, srv).status, p)
		assert.Equal(t, 405, call{path: eventsPath, method: http.MethodPut, header: asAdmin}.do(t, srv).status, p)
		srv.ExpireTokens()
		assert.Equal(t, 401, call{path: eventsPath + ever, header: share}.do(t, srv).status, p)
		assert.Equal(t, 401, call{path: eventsPath + ever, header: asAdmin}.do(t, srv).status, p)
	}
}

func TestWithoutEvents(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		profile umamitest.Profile
		status  int
		body    string
	}{
		{umamitest.V3_1, 401, `{"error":{"message":"Unauthorized","code":"unauthorized","status":401}}`},
		{umamitest.V3_1, 403, `{"error":{"message":"Forbidden","code":"forbidden","status":403}}`},
		{umamitest.V3_1, 405, ""},
		{umamitest.V2_18, 401, `{"error":"Unauthorized"}`},
		{umamitest.V2_13, 403, "403 Forbidden"},
		{umamitest.V2_13, 405, "405 Method Not Allowed"},
		{umamitest.V2_12, 403, "403 Forbidden"},
	} {
		srv := atNoon(umamitest.WithProfile(tt.profile), umamitest.WithoutEvents(tt.status))
		got := ask(t, srv, eventsPath+ever, admin)
		assert.Equal(t, tt.status, got.status)
		assert.Equal(t, tt.body, string(got.body))
		got = ask(t, srv, path+"?timezone=UTC", admin)
		assert.Equal(t, http.StatusOK, got.status, "the rest goes on")
	}
	got := ask(t, atNoon(umamitest.WithoutEvents(404)), eventsPath+ever, admin)
	assert.Equal(t, http.StatusNotFound, got.status)
	assert.Contains(t, got.header.Get("Content-Type"), "text/html")
	assert.Panics(t, func() { umamitest.NewServer(umamitest.InProcess(), umamitest.WithoutEvents(200)) })
}

func TestFaultsOfEvents(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer()
	t.Cleanup(srv.Close)
	srv.Visit(umamitest.Visit{})
	srv.Fail(1, umamitest.Status(503, ""))
	srv.Fail(1, umamitest.Body("null"))
	assert.Equal(t, 503, ask(t, srv, eventsPath+ever, admin).status)
	assert.Equal(t, "null", string(ask(t, srv, eventsPath+ever, admin).body))
	assert.Equal(t, 1, events(t, srv, ever).Count)

	// Umami itself compresses nothing.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+eventsPath+ever, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", admin)
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, comparable(load(t, "v3.1.0-postgres/events-page-1.http").header), comparable(res.Header))
	assert.Equal(t, []string{"chunked"}, res.TransferEncoding)
}
