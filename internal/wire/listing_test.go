package wire_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// recordedListing is the body of a recorded page of the events endpoint.
func recordedListing(tb testing.TB, name string) []byte {
	tb.Helper()
	file, err := os.ReadFile(filepath.Join("..", "..", "testdata", "recordings", filepath.FromSlash(name)))
	require.NoError(tb, err)
	if _, body, found := bytes.Cut(file, []byte("\r\n\r\n")); found {
		return body
	}
	return file
}

func decodeListing(t *testing.T, body string) *wire.Listing {
	t.Helper()
	l, err := wire.DecodeListing([]byte(body))
	require.NoError(t, err)
	return l
}

// Every column of every recorded row comes out as the file has it.
func TestRecordedListings(t *testing.T) {
	t.Parallel()
	type facts struct{ rows, count, events, performance, withData int }
	for name, want := range map[string]facts{
		"v3.1.0-postgres/backfill/kinds.events.json": {28, 28, 2, 2, 2},
		"v3.1.0-postgres/events-page-of-500.http":    {500, 1017, 130, 20, 59},
		"v3.1.0-postgres/events-past-the-end.http":   {0, 1017, 0, 0, 0},
		"v3.1.0-postgres/events-filter-path.http":    {5, 83, 1, 0, 0},
		"v3.1.0-clickhouse/events-page-of-500.http":  {108, 108, 30, 8, 21},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := recordedListing(t, name)
			var file struct {
				Data []map[string]any `json:"data"`
			}
			require.NoError(t, json.Unmarshal(body, &file))
			l := decodeListing(t, string(body))
			require.Len(t, l.Rows, len(file.Data))
			got := facts{rows: len(l.Rows), count: l.Count}
			for i, row := range l.Rows {
				was := file.Data[i]
				text := func(name string) string { s, _ := was[name].(string); return s } // null is ""
				at, err := time.Parse(time.RFC3339, text("createdAt"))
				require.NoError(t, err)
				assert.Equal(t, at.UTC(), row.CreatedAt)
				for name, value := range map[string]string{
					"id": row.ID, "websiteId": row.WebsiteID, "sessionId": row.SessionID, "hostname": row.Hostname, "urlPath": row.URLPath,
					"urlQuery": row.URLQuery, "referrerPath": row.ReferrerPath, "referrerQuery": row.ReferrerQuery,
					"referrerDomain": row.ReferrerDomain, "country": row.Country, "city": row.City, "device": row.Device, "os": row.OS,
					"browser": row.Browser, "pageTitle": row.PageTitle, "eventName": row.EventName,
				} {
					assert.Equal(t, text(name), value, "%s of row %d", name, i)
				}
				assert.EqualValues(t, was["eventType"], row.EventType)
				assert.Equal(t, was["hasData"] == true || was["hasData"] == 1.0, row.HasData)
				assert.Equal(t, row.EventType == 5, row.Performance)
				if row.EventName != "" {
					got.events++
				}
				if row.Performance {
					got.performance++
				}
				if row.HasData {
					got.withData++
				}
			}
			assert.Equal(t, want, got)
		})
	}
}

func TestListingColumns(t *testing.T) {
	t.Parallel()
	l := decodeListing(t, `{"data":[null,{},{"hasData":1},{"hasData":"1","eventType":"2"},{"hasData":0,"eventType":null},{"hasData":false},
		{"hasData":null,"eventType":{}},{"id":null,"new":[{"id":"x"}]}],"count":"8","pageSize":9}`)
	require.Len(t, l.Rows, 7)
	for i, want := range []bool{false, true, true, false, false, false, false} {
		assert.Equal(t, want, l.Rows[i].HasData, i)
	}
	assert.Equal(t, 2, l.Rows[2].EventType)
	assert.Equal(t, 8, l.Count)
	assert.Zero(t, decodeListing(t, `{"data":[]}`).Count)
	l = decodeListing(t, `{"data":[{}],"data":[{"id":"last"}]}`)
	require.Len(t, l.Rows, 1, "as for all names, the last counts")
	assert.Equal(t, "last", l.Rows[0].ID)
}

func TestNotListings(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]wire.Error{
		``:                     {Err: io.ErrUnexpectedEOF},
		`null`:                 {},
		`7`:                    {},
		`{}`:                   {},
		`{"data":null}`:        {},
		`{"data":{}}`:          {Field: "/data", Offset: 8},
		`{"data":[{"id":1}]}`:  {Field: "/data/0/id", Offset: 15},
		`{"data":["row"]}`:     {Field: "/data/0", Offset: 9},
		`{"data":[]} x`:        {Offset: 11},
		`{"error":"no"}`:       {},
		`[`:                    {Offset: 1, Err: io.ErrUnexpectedEOF},
		`<!DOCTYPE html>`:      {},
		`[]`:                   {Err: wire.ErrNoListing},
		`[{"x":"a","y":1}]`:    {Err: wire.ErrNoListing},
		`{"data":[{"createdAt`: {Field: "/data/0", Offset: 20, Err: io.ErrUnexpectedEOF},
	} {
		l, err := wire.DecodeListing([]byte(body))
		assert.Nil(t, l, body)
		var at *wire.Error
		require.ErrorAs(t, err, &at, body)
		assert.Equal(t, want.Field, at.Field, body)
		assert.Equal(t, want.Offset, at.Offset, body)
		if want.Err != nil {
			require.ErrorIs(t, at, want.Err, body)
		}
	}
}

// pageOf is a page whose rows are so many milliseconds after zero. Columns go
// into each row.
func pageOf(t *testing.T, count int, columns string, at ...int64) *wire.Listing {
	t.Helper()
	rows := make([]string, len(at))
	for i, ms := range at {
		rows[i] = fmt.Sprintf(`{"id":"%d","createdAt":%d%s}`, i, ms, columns)
	}
	return decodeListing(t, fmt.Sprintf(`{"data":[%s],"count":%d}`, strings.Join(rows, ","), count))
}

func TestSplit(t *testing.T) {
	t.Parallel()
	type spans = []wire.Span
	alone := func(from, to int64) wire.Span { return wire.Span{From: from, To: to, Instant: true} }
	for name, tt := range map[string]struct {
		count int
		rows  []int64
		asked wire.Span
		size  int
		whole int
		rest  spans
	}{
		"nothing":                    {0, nil, wire.Span{From: 0, To: 9}, 3, 0, nil},
		"nothing, whatever it says":  {5, nil, wire.Span{From: 0, To: 9}, 3, 0, nil},
		"not full":                   {2, []int64{8, 2}, wire.Span{From: 0, To: 9}, 3, 2, nil},
		"not full, in no order":      {2, []int64{2, 8, 99}, wire.Span{From: 0, To: 9}, 4, 3, nil},
		"more than were counted":     {1, []int64{8, 2}, wire.Span{From: 0, To: 9}, 3, 2, nil},
		"not counted":                {0, []int64{8, 2}, wire.Span{From: 0, To: 9}, 3, 2, nil},
		"full":                       {3, []int64{8, 6, 2}, wire.Span{From: 0, To: 9}, 3, 2, spans{{From: 0, To: 3}}},
		"cut by the server":          {7, []int64{8, 6, 2}, wire.Span{From: 0, To: 9}, 5, 2, spans{{From: 0, To: 3}}},
		"ties at the end":            {4, []int64{8, 6, 2, 2}, wire.Span{From: 0, To: 9}, 4, 2, spans{{From: 0, To: 3}}},
		"down to the start":          {3, []int64{8, 6, 2}, wire.Span{From: 2, To: 9}, 3, 2, spans{{From: 2, To: 3}}},
		"next to the end":            {3, []int64{9, 8, 8}, wire.Span{From: 0, To: 9}, 3, 0, spans{alone(7, 9), {From: 0, To: 7}}},
		"one instant":                {2, []int64{6, 6}, wire.Span{From: 0, To: 9}, 2, 0, spans{alone(5, 9), {From: 0, To: 5}}},
		"one instant, at the start":  {2, []int64{6, 6}, wire.Span{From: 6, To: 9}, 2, 0, spans{alone(6, 9)}},
		"an instant, more came":      {9, []int64{8, 6}, alone(6, 9), 2, 1, spans{{From: 6, To: 7}}},
		"an instant, all of it":      {2, []int64{6, 6}, alone(6, 6), 3, 2, nil},
		"two instants, too many":     {9, []int64{7, 6, 6}, alone(5, 7), 3, 1, spans{{From: 5, To: 6}}},
		"one row to a page":          {1, []int64{6}, wire.Span{From: 0, To: 9}, 1, 0, spans{alone(5, 9), {From: 0, To: 5}}},
		"more rows than were wanted": {9, []int64{9, 8, 7}, wire.Span{From: 0, To: 9}, 2, 2, spans{{From: 0, To: 8}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole, rest, err := pageOf(t, tt.count, "", tt.rows...).Split(tt.asked, tt.size)
			require.NoError(t, err)
			assert.Equal(t, tt.whole, whole)
			assert.Equal(t, tt.rest, rest)
		})
	}
}

// Servers from 2.13 to 2.18.0 list 1,000 rows at most and count no more.
func TestSplitAtTheOldCut(t *testing.T) {
	t.Parallel()
	thousand := make([]int64, 1000)
	for i := range thousand {
		thousand[i] = int64(2000 - i)
	}
	asked := wire.Span{From: 0, To: 3000}
	whole, rest, err := pageOf(t, 1000, "", thousand...).Split(asked, 5000)
	require.NoError(t, err)
	assert.Equal(t, 999, whole)
	assert.Equal(t, []wire.Span{{From: 0, To: 1002}}, rest)
	_, rest, err = pageOf(t, 999, "", thousand[:999]...).Split(asked, 5000)
	require.NoError(t, err)
	assert.Empty(t, rest)
	_, rest, err = pageOf(t, 1000, `,"hostname":null`, thousand...).Split(asked, 5000)
	require.NoError(t, err)
	assert.Empty(t, rest, "only servers since 3.0 have hostnames, and they cut nothing")
}

func TestSplitRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rows  []int64
		field string
	}{
		"before the range": {[]int64{8, 1}, "/data/1/createdAt"},
		"after the range":  {[]int64{11, 8}, "/data/0/createdAt"},
		"oldest first":     {[]int64{8, 9}, "/data/1/createdAt"},
	} {
		_, rest, err := pageOf(t, 2, "", tt.rows...).Split(wire.Span{From: 2, To: 10}, 2)
		var at *wire.Error
		require.ErrorAs(t, err, &at, name)
		assert.Equal(t, tt.field, at.Field, name)
		assert.Empty(t, rest, name)
	}
	_, _, err := pageOf(t, 7, "", 1500, 1500).Split(wire.Span{From: 1500, To: 1501, Instant: true}, 2)
	require.ErrorIs(t, err, wire.ErrCrowded)
	require.EqualError(t, err, "an instant holds more rows than the server shows at once: 7 of them, or more, at 1970-01-01T00:00:01.5Z")
}

// Any bytes are a page that keeps its promises, or a *wire.Error; and of any
// page, every row is either certain or asked for again, in less than before.
func FuzzDecodeListing(f *testing.F) {
	for _, file := range []string{
		"v3.1.0-postgres/backfill/kinds.events.json", "v3.1.0-postgres/events-page-1.http", "v3.1.0-postgres/events-past-the-end.http",
		"v3.1.0-clickhouse/events-page-1.http", "v3.1.0-clickhouse/events-page-2.http",
	} {
		body := recordedListing(f, file)
		f.Add(body, int64(0), int64(1)<<42, 5, false)
		f.Add(body, int64(0), int64(1)<<42, 500, false)
	}
	f.Add([]byte(`{"data":[{"createdAt":7},{"createdAt":7}],"count":5}`), int64(7), int64(9), 9, true)
	f.Add([]byte(`[{"x":"signup","t":"2024-01-01 00:00:00","y":3}]`), int64(0), int64(0), 1, false)
	f.Fuzz(func(t *testing.T, body []byte, from, to int64, size int, instant bool) {
		const most = 1 << 53 // of milliseconds: there is no later time
		if from < 0 || to < from || to > most || size < 1 {
			t.Skip()
		}
		before := bytes.Clone(body)
		l, err := wire.DecodeListing(body)
		require.Equal(t, before, body, "the body is the caller's")
		var at *wire.Error
		if err != nil {
			require.ErrorAs(t, err, &at)
			require.True(t, at.Offset >= 0 && at.Offset <= int64(len(body)))
			require.Nil(t, l)
			return
		}
		for i := range l.Rows {
			assertMarshals(t, l.Rows[i].CreatedAt)
		}
		asked := wire.Span{From: from, To: to, Instant: instant}
		whole, rest, err := l.Split(asked, size)
		if err != nil {
			require.Zero(t, whole)
			require.Empty(t, rest)
			if !asked.Instant {
				require.ErrorAs(t, err, &at)
			}
			return
		}
		require.LessOrEqual(t, whole, len(l.Rows))
		if len(rest) == 0 {
			require.Equal(t, len(l.Rows), whole)
			return
		}
		for i, span := range rest {
			require.True(t, asked.From <= span.From && span.From <= span.To && span.To <= asked.To)
			require.True(t, i == 0 || span.To < rest[i-1].From, "newest first, apart")
			require.True(t, span.To < asked.To || span.From > asked.From || span.Instant && !asked.Instant, "less than before")
		}
		for _, row := range l.Rows[whole:] {
			ms := row.CreatedAt.UnixMilli()
			require.True(t, rest[0].From <= ms && ms <= rest[0].To, "a row that is not certain is asked for again")
		}
	})
}
