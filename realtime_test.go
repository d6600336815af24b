package umami_test

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

// asked returns the query that GetRealtime sends for opts.
func asked(t *testing.T, opts *umami.RealtimeOptions) url.Values {
	t.Helper()
	s := &script{steps: []transport{always(200, idle)}}
	_, err := newClient(t, s, umami.BearerToken(token)).GetRealtime(t.Context(), site, opts)
	require.NoError(t, err)
	require.Len(t, s.sent, 1)
	u, err := url.Parse(s.sent[0].url)
	require.NoError(t, err)
	values, err := url.ParseQuery(u.RawQuery)
	require.NoError(t, err)
	return values
}

// refused returns the error of a call that sends nothing.
func refused(t *testing.T, websiteID string, opts *umami.RealtimeOptions) error {
	t.Helper()
	s := &script{steps: []transport{always(200, idle)}}
	_, err := newClient(t, s, umami.BearerToken(token)).GetRealtime(t.Context(), websiteID, opts)
	assert.Empty(t, s.requests())
	return err
}

func TestRealtimeRequest(t *testing.T) {
	t.Parallel()
	mux, base := setup(t)
	calls := 0
	mux.HandleFunc("/realtime/"+site, func(w http.ResponseWriter, r *http.Request) {
		calls++
		assert.Equal(t, http.MethodGet, r.Method)
		assert.Equal(t, "application/json", r.Header.Get("Accept"))
		assert.Regexp(t, `^umami-go/\d+\.\d+\.\d+$`, r.Header.Get("User-Agent"))
		assert.NotContains(t, r.Header, "Content-Type")
		assert.Zero(t, r.ContentLength)
		assert.Equal(t, "endAt=1710513700000&path=%2Fa+b%26c%3Dd&startAt=1710512100000&timezone=Europe%2FBerlin", r.URL.RawQuery)
		_, _ = w.Write([]byte(idle))
	})
	c, err := umami.NewClient(base, umami.BearerToken(token))
	require.NoError(t, err)
	opts := &umami.RealtimeOptions{
		StartAt: time.UnixMilli(1710512100000), EndAt: time.UnixMilli(1710513700000), Timezone: "Europe/Berlin",
		Filters: umami.Filters{Path: "/a b&c=d"},
	}
	before := *opts
	_, err = c.GetRealtime(t.Context(), site, opts)
	require.NoError(t, err)
	assert.Equal(t, 1, calls)
	assert.Equal(t, before, *opts, "the caller's options were changed")
}

// The query without filters is written in another way, and is the same.
func TestRealtimeQueryWithoutFilters(t *testing.T) {
	t.Parallel()
	opts := umami.RealtimeOptions{StartAt: time.UnixMilli(1710512100001), EndAt: time.UnixMilli(1710513700000), Timezone: "Etc/GMT+3"}
	plain := asked(t, &opts)
	opts.Path = "/"
	filtered := asked(t, &opts)
	assert.Equal(t, "/", filtered.Get("path"))
	filtered.Del("path")
	assert.Equal(t, filtered, plain)
}

func TestRealtimeDefaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // a bubble's clock begins in 2000
		now := time.Now()
		want := url.Values{
			"startAt":  {strconv.FormatInt(now.Add(-35*time.Minute).UnixMilli(), 10)},
			"endAt":    {strconv.FormatInt(now.Add(5*time.Minute).UnixMilli(), 10)},
			"timezone": {"UTC"},
		}
		assert.Equal(t, want, asked(t, nil))
		assert.Equal(t, want, asked(t, &umami.RealtimeOptions{}))
		time.Sleep(time.Hour)
		assert.Equal(t, strconv.FormatInt(now.Add(65*time.Minute).UnixMilli(), 10), asked(t, nil).Get("endAt"))
	})
}

func TestRealtimeRange(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1710513400123)
	tokyo := time.FixedZone("", 9*60*60)
	for name, tt := range map[string]struct {
		start, end         time.Time
		wantStart, wantEnd int64
	}{
		"both":          {at, at.Add(time.Second), 1710513400123, 1710513401123},
		"an instant":    {at, at, 1710513400123, 1710513400123},
		"in a zone":     {at.In(tokyo), at.In(tokyo), 1710513400123, 1710513400123},
		"within a ms":   {at.Add(999 * time.Microsecond), at.Add(time.Millisecond), 1710513400123, 1710513400124},
		"only start":    {at, time.Time{}, 1710513400123, 1710513400123 + 40*60*1000},
		"only end":      {time.Time{}, at, 1710513400123 - 40*60*1000, 1710513400123},
		"from 1970":     {time.Unix(0, 0), at, 0, 1710513400123},
		"to 2261":       {at, time.Date(2261, 12, 31, 23, 59, 59, 0, time.UTC), 1710513400123, 9214646399000},
		"years between": {at.AddDate(-9, 0, 0), at.AddDate(9, 0, 0), 1426430200123, 1994510200123},
	} {
		values := asked(t, &umami.RealtimeOptions{StartAt: tt.start, EndAt: tt.end})
		assert.Equal(t, strconv.FormatInt(tt.wantStart, 10), values.Get("startAt"), name)
		assert.Equal(t, strconv.FormatInt(tt.wantEnd, 10), values.Get("endAt"), name)
	}
	for name, opts := range map[string]umami.RealtimeOptions{
		"upside down":    {StartAt: at, EndAt: at.Add(-1)},
		"before 1970":    {StartAt: time.Unix(-1, 0), EndAt: at},
		"all before":     {StartAt: time.Unix(-2, 0), EndAt: time.Unix(-1, 0)},
		"into 2262":      {StartAt: at, EndAt: time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)},
		"the far future": {StartAt: time.Unix(1<<60, 0)},
		"the far past":   {StartAt: time.Date(-100, 1, 1, 0, 0, 0, 0, time.UTC)},
		"zero in 1970":   {StartAt: time.Time{}.In(tokyo).Add(1), EndAt: at},
	} {
		require.ErrorIs(t, refused(t, site, &opts), umami.ErrInvalidArgument, name)
	}
}

func TestRealtimeTimezone(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{
		"UTC", "Europe/Berlin", "Asia/Tokyo", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "Etc/GMT+5", "GMT", "EST5EDT",
	} {
		assert.Equal(t, zone, asked(t, &umami.RealtimeOptions{Timezone: zone}).Get("timezone"))
	}
	for _, zone := range []string{
		"Local", "localtime", "posixrules", "Factory", "posix/Europe/Berlin", "right/Europe/Berlin", "posix/UTC", "right/UTC",
		"utc", "europe/berlin", "EUROPE/BERLIN", "Europe/berlin", "local", "Europe", "Europe/", "Mars/Olympus", "CET/Berlin", "+02:00", "UTC+2",
		"UTC'", "UTC'; drop table website; --", `UTC"`, `UTC\`, "UTC;", "UTC--", "UTC ", " UTC", "\tUTC", "UTC\n", "Europe/Berlin\n", "Europe/Berlin\x00",
		"../x", "../UTC", "Europe/../UTC", "Europe/../../UTC", "/UTC", "/usr/share/zoneinfo/UTC", "./UTC", "Europe//Berlin", "Europe/./Berlin", "UTC/",
		`Europe\Berlin`, `..\UTC`, "zone.tab", "tzdata.zi", "leapseconds", "+VERSION", strings.Repeat("Europe/", 1000), "Europe/Berlin\u200b",
	} {
		err := refused(t, site, &umami.RealtimeOptions{Timezone: zone})
		require.ErrorIs(t, err, umami.ErrInvalidArgument, "%q", zone)
		assert.ErrorContains(t, err, "IANA", "%q", zone)
	}
}

// filterNames are those of the published contract (OpenAPI 3.3.1).
var filterNames = map[string]string{
	"Path": "path", "Referrer": "referrer", "Title": "title", "Query": "query", "OS": "os", "Browser": "browser",
	"Device": "device", "Country": "country", "Region": "region", "City": "city", "Tag": "tag", "Hostname": "hostname",
	"DistinctID": "distinctId", "Language": "language", "Event": "event", "UTMSource": "utmSource", "UTMMedium": "utmMedium",
	"UTMCampaign": "utmCampaign", "UTMContent": "utmContent", "UTMTerm": "utmTerm", "ExcludeBounce": "excludeBounce",
	"Segment": "segment", "Cohort": "cohort", "EventType": "eventType", "Match": "match",
}

func TestRealtimeFilters(t *testing.T) {
	t.Parallel()
	var all umami.Filters
	want := url.Values{}
	fields := reflect.TypeFor[umami.Filters]()
	require.Equal(t, len(filterNames), fields.NumField())
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		require.Contains(t, filterNames, name)
		value := fmt.Sprintf("neq.%s,ä &=+%%'#%d", name, i)
		if name == "Match" {
			value = "any"
		}
		reflect.ValueOf(&all).Elem().Field(i).SetString(value)
		want.Set(filterNames[name], value)
	}
	got := asked(t, &umami.RealtimeOptions{Filters: all})
	for _, name := range []string{"startAt", "endAt", "timezone"} {
		assert.NotEmpty(t, got.Get(name))
		got.Del(name)
	}
	assert.Equal(t, want, got)

	for _, match := range []string{"all", "any"} {
		assert.Equal(t, match, asked(t, &umami.RealtimeOptions{Filters: umami.Filters{Match: match}}).Get("match"))
	}
	for _, match := range []string{"All", "both", " "} {
		err := refused(t, site, &umami.RealtimeOptions{Filters: umami.Filters{Match: match}})
		require.ErrorIs(t, err, umami.ErrInvalidArgument, match)
	}
}

func TestRealtimeWebsiteID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		site, strings.ToUpper(site), "00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-FFFF-ffff-FFFFFFFFFFFF",
	} {
		s := &script{steps: []transport{always(200, idle)}}
		_, err := newClient(t, s, umami.BearerToken(token)).GetRealtime(t.Context(), id, nil)
		require.NoError(t, err)
		assert.Equal(t, []string{"GET /api/realtime/" + id}, s.requests(), "as it was given")
	}
	for _, id := range []string{
		"", " ", ".", "..", "/", "website", site + "\n", "\n" + site, site + " ", site + "/", site + "?a=b", site + "#", site[1:], site + "0",
		"{" + site + "}", "urn:uuid:" + site, strings.ReplaceAll(site, "-", ""), strings.ReplaceAll(site, "-", "_"),
		"g" + site[1:], "%35" + site[1:], "../" + site, site + "\x00", "５" + site[1:], site + "\n" + site,
	} {
		err := refused(t, id, nil)
		require.ErrorIs(t, err, umami.ErrInvalidArgument, "%q", id)
		assert.Regexp(t, "^umami: get realtime: invalid argument: websiteID ", err.Error(), "%q", id)
	}
}
