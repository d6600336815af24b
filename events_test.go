package umami_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/internal/wire"
	"github.com/seed721439b2/umami-go/umamitest"
)

// collect takes all of a sequence, up to its error.
func collect[T any](seq iter.Seq2[T, error]) (list []T, err error) {
	for v, err := range seq {
		if err != nil {
			return list, err
		}
		list = append(list, v)
	}
	return list, nil
}

func eventIDs(events []umami.WebsiteEvent) []string {
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	return ids
}

// queries tells what was asked of an endpoint.
func (s *script) queries(t *testing.T) []url.Values {
	t.Helper()
	var list []url.Values
	for _, r := range s.sent {
		u, err := url.Parse(r.url)
		require.NoError(t, err)
		list = append(list, u.Query())
	}
	return list
}

// 3,999 rows of one second of a real server: its pages repeat and lose rows,
// and ListEvents does not.
func TestListEventsExact(t *testing.T) {
	t.Parallel()
	file, err := os.Open(filepath.Join(recordingsDir, "v3.1.0-postgres/backfill/paging-ties.jsonl.gz"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, file.Close()) })
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	var pages []json.RawMessage
	byPage := map[string]bool{}
	truth := map[string]bool{}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var call struct {
			Body json.RawMessage `json:"body"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &call))
		var page struct {
			Data []umami.WebsiteEvent `json:"data"`
		}
		require.NoError(t, json.Unmarshal(call.Body, &page))
		pages = append(pages, call.Body)
		for _, e := range page.Data {
			if len(pages) < 9 {
				byPage[e.ID] = true
			}
			truth[e.ID] = true
		}
	}
	require.NoError(t, lines.Err())
	require.Len(t, pages, 9)
	require.Len(t, truth, 3999)
	assert.Len(t, byPage, 2055, "page by page, half is lost")

	answer := func(req *http.Request) (*http.Response, error) {
		switch size := req.URL.Query().Get("pageSize"); size {
		case "500":
			return reply(200, string(pages[0])), nil
		case "5000", "20000":
			return reply(200, string(pages[8])), nil
		default:
			return nil, errors.New("a page of " + size)
		}
	}
	for size, asked := range map[int][]string{
		0:   {"1795340059000-1795340059900: 5000"},
		500: {"1795340059000-1795340059900: 500", "1795340059000-1795340059900: 20000"},
	} {
		s := &script{steps: []transport{answer}}
		got, err := collect(newClient(t, s, umami.BearerToken(token)).ListEvents(t.Context(), site, &umami.EventsOptions{
			StartAt: time.UnixMilli(1795340059000), EndAt: time.UnixMilli(1795340059900), PageSize: size,
		}))
		require.NoError(t, err)
		require.Len(t, eventIDs(got), 3999)
		for _, e := range got {
			assert.True(t, truth[e.ID])
			delete(truth, e.ID)
		}
		assert.Empty(t, truth, "each once")
		for _, e := range got {
			truth[e.ID] = true
		}
		var sent []string
		for _, q := range s.queries(t) {
			assert.Equal(t, "1", q.Get("page"))
			sent = append(sent, q.Get("startAt")+"-"+q.Get("endAt")+": "+q.Get("pageSize"))
		}
		assert.Equal(t, asked, sent)
	}
}

// busyServer is a server with rows of many instants up to now, up to crowd in
// each and three times that in a second.
func busyServer(rows, crowd int, opts ...umamitest.Option) (*umamitest.Server, time.Time) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	srv := umamitest.NewServer(append(opts, umamitest.InProcess(), umamitest.WithClock(func() time.Time { return now }))...)
	random := rand.New(rand.NewPCG(7, uint64(rows)))
	for at := now; rows > 0; at = at.Add(-time.Duration(500+random.IntN(1000)) * time.Millisecond) {
		for range min(rows, 1+random.IntN(crowd)) {
			v := umamitest.Visit{
				CreatedAt: at, URLPath: "/" + strconv.Itoa(rows), URLQuery: "q=1", PageTitle: "T", ReferrerDomain: "example.org",
				ReferrerPath: "/r", Country: "PL", City: "Gdańsk", HasData: rows%3 == 0,
			}
			if rows%5 == 0 {
				srv.Event("signup", v)
			} else {
				srv.Visit(v)
			}
			rows--
		}
	}
	return srv, now
}

func TestListEventsOnEveryServer(t *testing.T) {
	t.Parallel()
	for _, p := range umamitest.Profiles() {
		if p >= umamitest.V2_0 && p <= umamitest.V2_12 {
			continue // lists none
		}
		for _, database := range []umamitest.Database{umamitest.Postgres, umamitest.ClickHouse} {
			t.Run(fmt.Sprint(p, database), func(t *testing.T) {
				t.Parallel()
				since3 := p == umamitest.SelfHostedDocs || p >= umamitest.V3_0
				for _, tt := range []struct{ rows, crowd, size int }{
					{2500, 60, 0}, {2500, 60, 100}, {600, 40, 7}, {60, 4, 1}, {1000, 50, 0}, {0, 1, 0},
				} {
					srv, now := busyServer(tt.rows, tt.crowd, umamitest.WithProfile(p), umamitest.WithDatabase(database))
					truth := srv.Truth()
					o := &umami.EventsOptions{StartAt: now.Add(-time.Hour), EndAt: now, PageSize: tt.size}
					if tt.rows > 0 { // a closed range, which leaves out the ends
						first, last := truth[0].CreatedAt, truth[tt.rows-1].CreatedAt
						truth = slices.DeleteFunc(truth, func(r umamitest.Row) bool { return r.CreatedAt.Equal(first) || r.CreatedAt.Equal(last) })
						o.StartAt, o.EndAt = truth[0].CreatedAt, truth[len(truth)-1].CreatedAt
					}
					got, err := collect(srv.Client().ListEvents(t.Context(), srv.WebsiteID, o))
					require.NoError(t, err)
					assert.True(t, slices.IsSortedFunc(got, func(a, b umami.WebsiteEvent) int { return b.CreatedAt.Compare(a.CreatedAt) }), "newest first")
					byID := map[string]umami.WebsiteEvent{}
					for _, e := range got {
						byID[e.ID] = e
					}
					require.Len(t, eventIDs(got), len(truth))
					for _, r := range truth {
						want := umami.WebsiteEvent{
							ID: r.ID, WebsiteID: srv.WebsiteID, SessionID: r.SessionID, CreatedAt: r.CreatedAt, Hostname: r.Hostname, URLPath: r.URLPath,
							URLQuery: r.URLQuery, ReferrerPath: r.ReferrerPath, ReferrerDomain: r.ReferrerDomain, PageTitle: r.PageTitle,
							Browser: r.Browser, OS: r.OS, Device: r.Device, Country: r.Country, City: r.City,
							EventType: int(r.Kind), EventName: r.EventName, HasData: r.HasData,
						}
						if !since3 {
							want.Hostname, want.Browser, want.OS, want.Device, want.Country, want.City, want.HasData = "", "", "", "", "", "", false
						}
						require.Equal(t, want, byID[r.ID])
					}
				}
			})
		}
	}
}

// An instant with more rows than a page is asked for alone, and only what no
// page of the server holds is an error, after all that is newer.
func TestListEventsCrowdedInstant(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		profile umamitest.Profile
		rows    int
		size    int
		says    string // "": all come
	}{
		{umamitest.V2_13, 199, 0, ""},
		{umamitest.V2_13, 201, 0, "201 of them, or more, at 2026-11-22T11:59:58.5Z"},
		{umamitest.V2_16, 999, 10, ""},
		{umamitest.V2_16, 1001, 0, "1000 of them, or more, at 2026-11-22T11:59:58.5Z"},
		{umamitest.V2_18, 6000, 0, ""},
		{umamitest.V3_1, 1000, 0, ""},
		{umamitest.V3_1, 6000, 5, ""},
		{umamitest.Cloud, 5000, 0, ""},
	} {
		now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(tt.profile), umamitest.WithClock(func() time.Time { return now }))
		newest := srv.Visit(umamitest.Visit{CreatedAt: now.Add(-time.Second)})
		for range tt.rows {
			srv.Visit(umamitest.Visit{CreatedAt: now.Add(-1500 * time.Millisecond)})
		}
		oldest := srv.Visit(umamitest.Visit{CreatedAt: now.Add(-3 * time.Second)})
		got, err := collect(srv.Client().ListEvents(t.Context(), srv.WebsiteID, &umami.EventsOptions{EndAt: now, PageSize: tt.size}))
		require.NotEmpty(t, got)
		assert.Equal(t, newest.ID, got[0].ID)
		if tt.says != "" {
			require.ErrorIs(t, err, umami.ErrCrowded)
			require.EqualError(t, err, "umami: list events: an instant holds more rows than the server shows at once: "+tt.says)
			assert.Len(t, got, 1)
			continue
		}
		require.NoError(t, err, "%+v", tt)
		ids := eventIDs(got)
		assert.Equal(t, oldest.ID, ids[len(ids)-1])
		slices.Sort(ids)
		assert.Len(t, slices.Compact(ids), tt.rows+2, "%+v", tt)
	}
}

// finely is a server that keeps microseconds and shows milliseconds, and lists
// at most cut rows, whatever is asked.
type finely struct {
	at     []int64 // microseconds since 1970, newest first
	cut    int
	random *rand.Rand

	served int // rows so far
	most   int // rows of a page
}

func (f *finely) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	number := func(name string) int64 { n, _ := strconv.ParseInt(q.Get(name), 10, 64); return n }
	var found []int
	for i, at := range f.at {
		if number("startAt")*1000 <= at && at <= number("endAt")*1000 {
			found = append(found, i)
		}
	}
	f.random.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	slices.SortStableFunc(found, func(i, j int) int { return int(f.at[j] - f.at[i]) })
	count := len(found)
	if f.cut > 0 {
		found = found[:min(count, f.cut)]
	}
	found = found[:min(len(found), int(number("pageSize")))]
	f.served += len(found)
	f.most = max(f.most, len(found))
	var rows []string
	for _, i := range found {
		rows = append(rows, fmt.Sprintf(`{"id":"%d","createdAt":%q}`, i, time.UnixMilli(f.at[i]/1000).UTC().Format("2006-01-02T15:04:05.000Z")))
	}
	return reply(200, fmt.Sprintf(`{"data":[%s],"count":%d,"page":1}`, strings.Join(rows, ","), count)), nil
}

// A database may keep more than a reply shows.
func TestListEventsFinerThanShown(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		f := &finely{random: random, cut: []int{0, 0, 50}[random.IntN(3)]}
		at := int64(1_795_340_059_000_000)
		dense := 2000
		if f.cut == 0 { // else an instant could hold more than is shown
			dense = 10 << random.IntN(9)
		}
		for range random.IntN(300) {
			f.at = append(f.at, at)
			at -= int64(random.IntN(2)) * int64(random.IntN(dense))
		}
		size := []int{0, 1, 2, 7, 40, 60, 299}[random.IntN(7)]
		got, err := collect(newClient(t, f, umami.BearerToken(token)).ListEvents(t.Context(), site, &umami.EventsOptions{
			StartAt: time.UnixMicro(at), EndAt: time.UnixMilli(1_795_340_059_000), PageSize: size,
		}))
		require.NoError(t, err, "seed %d", seed)
		ids := eventIDs(got)
		slices.Sort(ids)
		require.Len(t, slices.Compact(ids), len(f.at), "seed %d", seed)
		require.Len(t, eventIDs(got), len(f.at), "seed %d", seed)
		require.True(t, slices.IsSortedFunc(got, func(a, b umami.WebsiteEvent) int { return b.CreatedAt.Compare(a.CreatedAt) }), "seed %d", seed)
	}
}

// No row is held but those of one page: the next is asked for only when all
// that is certain of the last was taken.
func TestListEventsHoldsOnePage(t *testing.T) {
	t.Parallel()
	f := &finely{random: rand.New(rand.NewPCG(1, 1))}
	for i := range int64(2000) {
		f.at = append(f.at, 1_795_340_059_000_000-i/3*1000)
	}
	taken, held := 0, 0
	for _, err := range newClient(t, f, umami.BearerToken(token)).ListEvents(t.Context(), site, &umami.EventsOptions{
		EndAt: time.UnixMilli(1_795_340_059_000), PageSize: 100,
	}) {
		require.NoError(t, err)
		taken++
		held = max(held, f.served-taken)
	}
	assert.Equal(t, 2000, taken)
	assert.Equal(t, 100, f.most)
	// What a page leaves uncertain comes again with the next.
	again := f.served - taken
	assert.Less(t, again, 100)
	assert.Less(t, held, 100+again)
}

// endless is a server with a row in every millisecond.
func endless(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	to, _ := strconv.ParseInt(q.Get("endAt"), 10, 64)
	size, _ := strconv.ParseInt(q.Get("pageSize"), 10, 64)
	var rows strings.Builder
	for ms := to; ms > to-size; ms-- {
		fmt.Fprintf(&rows, `,{"id":"00000000-0000-4000-8000-%012d","createdAt":%d}`, ms, ms)
	}
	return reply(200, `{"data":[`+rows.String()[1:]+`],"count":9999999999}`), nil
}

// Memory does not grow with the range.
//
//nolint:paralleltest // others would use memory at the same time
func TestListEventsMemoryIsFlat(t *testing.T) {
	const early, late = 10_000, 60_000
	var before, after uint64
	n := 0
	for _, err := range newClient(t, transport(endless), umami.BearerToken(token)).ListEvents(t.Context(), site, &umami.EventsOptions{
		StartAt: time.UnixMilli(0), EndAt: time.UnixMilli(1<<40 - 1), PageSize: 1000,
	}) {
		require.NoError(t, err)
		n++
		if n == early {
			before = heap()
		}
		if n == late {
			after = heap()
			break
		}
	}
	assert.Less(t, after, before+1<<20, "the ids alone would be 4 MB")
}

// Rows without an id cannot be told apart and all count.
func TestListEventsWithoutIDs(t *testing.T) {
	t.Parallel()
	const body = `{"data":[{"createdAt":7},{"createdAt":7},{"createdAt":6}],"count":3}`
	got, err := collect(newClient(t, always(200, body), umami.BearerToken(token)).ListEvents(t.Context(), site, nil))
	require.NoError(t, err)
	assert.Len(t, got, 3)
}

func TestListEventsDefaults(t *testing.T) {
	t.Parallel()
	const none = `{"data":[],"count":0,"page":1,"pageSize":5000}`
	synctest.Test(t, func(t *testing.T) {
		asked := func(opts *umami.EventsOptions) url.Values {
			s := &script{steps: []transport{always(200, none)}}
			got, err := collect(newClient(t, s, umami.BearerToken(token)).ListEvents(t.Context(), site, opts))
			require.NoError(t, err)
			assert.Empty(t, got)
			assert.Equal(t, []string{"GET /api/websites/" + site + "/events"}, s.requests())
			return s.queries(t)[0]
		}
		now := time.Now()
		ms := func(at time.Time) []string { return []string{strconv.FormatInt(at.UnixMilli(), 10)} }
		want := url.Values{"startAt": ms(now.Add(-30 * time.Minute)), "endAt": ms(now), "page": {"1"}, "pageSize": {"5000"}}
		assert.Equal(t, want, asked(nil))
		assert.Equal(t, want, asked(&umami.EventsOptions{}))
		want["startAt"] = ms(now.Add(-time.Hour))
		assert.Equal(t, want, asked(&umami.EventsOptions{StartAt: now.Add(-time.Hour)}))
		want["startAt"], want["endAt"] = ms(now.Add(-time.Hour)), ms(now.Add(-30*time.Minute))
		assert.Equal(t, want, asked(&umami.EventsOptions{EndAt: now.Add(-30 * time.Minute)}))
		want["startAt"], want["pageSize"], want["path"], want["match"] = want["endAt"], []string{"100000"}, []string{"/a b"}, []string{"any"}
		at := now.Add(-30 * time.Minute)
		assert.Equal(t, want, asked(&umami.EventsOptions{
			StartAt: at, EndAt: at, PageSize: 100_000, Filters: umami.Filters{Path: "/a b", Match: "any"},
		}))
	})
}

func TestListEventsRefused(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1710513400123)
	for name, tt := range map[string]struct {
		site string
		opts umami.EventsOptions
	}{
		"no UUID":      {"", umami.EventsOptions{}},
		"upside down":  {site, umami.EventsOptions{StartAt: at, EndAt: at.Add(-time.Millisecond)}},
		"before 1970":  {site, umami.EventsOptions{StartAt: time.Unix(-1, 0), EndAt: at}},
		"from nowhere": {site, umami.EventsOptions{EndAt: time.Unix(60, 0)}},
		"too far":      {site, umami.EventsOptions{EndAt: time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)}},
		"below 0":      {site, umami.EventsOptions{PageSize: -1}},
		"too long":     {site, umami.EventsOptions{PageSize: 100_001}},
		"match":        {site, umami.EventsOptions{Filters: umami.Filters{Match: "none"}}},
	} {
		s := &script{steps: []transport{always(200, `{"data":[]}`)}}
		pairs := 0
		for e, err := range newClient(t, s, umami.BearerToken(token)).ListEvents(t.Context(), tt.site, &tt.opts) {
			pairs++
			require.ErrorIs(t, err, umami.ErrInvalidArgument, name)
			require.ErrorContains(t, err, "umami: list events: ", name)
			assert.Zero(t, e, name)
		}
		assert.Equal(t, 1, pairs, name)
		assert.Empty(t, s.requests(), name)
	}
}

// Servers from 2.13 to 2.15 want no page above 200.
func TestListEventsOnServersThatWantShortPages(t *testing.T) {
	t.Parallel()
	srv, now := busyServer(1000, 20, umamitest.WithProfile(umamitest.V2_13))
	got, err := collect(srv.Client().ListEvents(t.Context(), srv.WebsiteID, &umami.EventsOptions{StartAt: now.Add(-24 * time.Hour), EndAt: now}))
	require.NoError(t, err)
	assert.Len(t, got, 1000)
	var sizes []string
	for _, r := range srv.Requests() {
		sizes = append(sizes, r.Query.Get("pageSize"))
	}
	assert.Equal(t, []string{"5000", "200"}, sizes[:2])
	assert.NotContains(t, sizes[1:], "5000", "it is learnt once")
	assert.LessOrEqual(t, len(sizes), 8)

	// Any other 400 is the caller's to hear, and so is this one for a page that is short.
	for _, body := range []string{"startAt must be a number", "pageSize must be a positive number"} {
		s := &script{steps: []transport{always(400, body)}}
		_, err := collect(newClient(t, s, umami.BearerToken(token)).ListEvents(t.Context(), site, &umami.EventsOptions{PageSize: 200}))
		require.ErrorIs(t, err, umami.ErrBadRequest)
		assert.Len(t, s.requests(), 1)
	}
}

func TestListEventsErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer transport
		is     error
		text   string
	}{
		"401":           {always(401, unauthorized), umami.ErrUnauthorized, ": 401 Unauthorized: the credential is wrong"},
		"404":           {always(404, "<!DOCTYPE html>"), umami.ErrNotFound, ": 404 Not Found: no such call there"},
		"before 2.13":   {always(200, `[{"x":"signup","t":"2024-01-01 00:00:00","y":3}]`), wire.ErrNoListing, "this server has no list of events: it is older than 2.13"},
		"without unit":  {always(400, "Invalid unit"), wire.ErrNoListing, "this server has no list of events: it is older than 2.13"},
		"a page":        {always(200, "<!DOCTYPE html>"), nil, "a web page: check the base URL"},
		"another thing": {always(200, idle), nil, "not a list of events: it lacks data"},
		"not in range": {
			always(200, `{"data":[{"createdAt":7}],"count":2}`), nil,
			`at "/data/0/createdAt": not within the range that was asked for`,
		},
	} {
		_, err := collect(newClient(t, tt.answer, umami.BearerToken(token)).ListEvents(t.Context(), site, nil))
		require.ErrorContains(t, err, "umami: list events: GET /api/websites/"+site+"/events: ", name)
		require.ErrorContains(t, err, tt.text, name)
		if tt.is != nil {
			require.ErrorIs(t, err, tt.is, name)
		}
		if !strings.HasPrefix(name, "4") && !strings.HasSuffix(name, "unit") {
			e, ok := errors.AsType[*umami.DecodeError](err)
			require.True(t, ok, name)
			assert.NotEmpty(t, e.Body, name)
		}
	}
	for _, p := range []umamitest.Profile{umamitest.V2_0, umamitest.V2_9, umamitest.V2_12} {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(p))
		_, err := collect(srv.Client().ListEvents(t.Context(), srv.WebsiteID, nil))
		require.ErrorIs(t, err, wire.ErrNoListing, p)
	}
}

// What was read before an error is the caller's; a token that ends meanwhile is
// replaced; who leaves the loop asks for nothing more.
func TestListEventsMeanwhile(t *testing.T) {
	t.Parallel()
	srv, now := busyServer(300, 3)
	login, err := umami.NewClient(srv.URL, umami.Login(umamitest.Username, umamitest.Password), umami.WithHTTPClient(srv.HTTPClient()), noRetry)
	require.NoError(t, err)
	opts := &umami.EventsOptions{StartAt: now.Add(-24 * time.Hour), EndAt: now, PageSize: 50}
	list := func(ctx context.Context, after func(n int)) (n int, err error) {
		for _, err := range login.ListEvents(ctx, srv.WebsiteID, opts) {
			if err != nil {
				return n, err
			}
			n++
			after(n)
		}
		return n, nil
	}
	n, err := list(t.Context(), func(n int) {
		if n%60 == 0 {
			srv.ExpireTokens()
		}
	})
	require.NoError(t, err)
	assert.Equal(t, 300, n)

	n, err = list(t.Context(), func(n int) {
		if n == 1 {
			srv.Fail(1, umamitest.Status(503, "down"))
		}
	})
	require.ErrorIs(t, err, umami.ErrServer)
	assert.Greater(t, n, 40)
	assert.LessOrEqual(t, n, 50)

	ctx, cancel := context.WithCancel(t.Context())
	_, err = list(ctx, func(int) { cancel() })
	require.ErrorIs(t, err, context.Canceled)

	before := len(srv.Requests())
	events := login.ListEvents(t.Context(), srv.WebsiteID, opts)
	for range 2 { // each loop asks anew
		for _, err := range events {
			require.NoError(t, err)
			break
		}
	}
	assert.Len(t, srv.Requests(), before+2)
}

// A row is marshalled under the wire's names and reads back equal.
func TestWebsiteEventJSON(t *testing.T) {
	t.Parallel()
	_, _, body := readRecording(t, "v3.1.0-postgres/backfill/kinds.events.json")
	got, err := collect(newClient(t, always(200, string(body)), umami.BearerToken(token)).ListEvents(t.Context(), site, nil))
	require.NoError(t, err)
	require.Len(t, got, 28)
	var file struct {
		Data []map[string]any `json:"data"`
	}
	require.NoError(t, json.Unmarshal(body, &file))
	for i, e := range got {
		text, err := json.Marshal(e)
		require.NoError(t, err)
		var back umami.WebsiteEvent
		require.NoError(t, json.Unmarshal(text, &back))
		assert.Equal(t, e, back)
		var names map[string]any
		require.NoError(t, json.Unmarshal(text, &names))
		for name := range file.Data[i] {
			assert.Contains(t, names, name)
		}
		assert.Len(t, names, len(file.Data[i]))
	}
}
