package wire_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// Any bytes are a reply that keeps its promises, or a *wire.Error.
func FuzzDecode(f *testing.F) {
	for _, file := range []string{
		"v2.10.2/realtime-empty.json", "v2.12.1/realtime-empty.json", "v2.20.2/realtime-empty.json",
		"v3.1.0-postgres/after-backdated.json", "v3.1.0-postgres/identical-pageviews.json", "v3.1.0-postgres/hostile-referrers.json",
	} {
		body, err := os.ReadFile(filepath.Join("..", "..", "testdata", "recordings", filepath.FromSlash(file)))
		require.NoError(f, err)
		f.Add(body, "UTC")
		f.Add(body, "Asia/Kathmandu")
	}
	f.Add([]byte(`{"visitors":[{"id":"v"}],"events":[{"eventName":"e"}],"series":{"views":[{"t":"2026-11-22 09:00:00","y":"3"}]},"timestamp":1.5e12}`), "Australia/Lord_Howe")
	f.Fuzz(func(t *testing.T, body []byte, zone string) {
		asked, err := time.LoadLocation(zone)
		if err != nil {
			t.Skip()
		}
		before := bytes.Clone(body)
		r, err := wire.Decode(body, asked)
		require.Equal(t, before, body, "the body is the caller's")
		if err != nil {
			var at *wire.Error
			require.ErrorAs(t, err, &at)
			require.True(t, at.Offset >= 0 && at.Offset <= int64(len(body)))
			require.Nil(t, r)
			return
		}
		assertReply(t, r)
	})
}

// assertReply holds any reply to what every reply promises.
func assertReply(t *testing.T, r *wire.Reply) {
	t.Helper()
	for _, rows := range [][]wire.Row{r.Pageviews, r.Events, r.Sessions} {
		assert.NotNil(t, rows)
		assert.True(t, slices.IsSortedFunc(rows, func(a, b wire.Row) int { return b.CreatedAt.Compare(a.CreatedAt) }), "newest first")
		for i := range rows {
			assertMarshals(t, rows[i].CreatedAt)
		}
	}
	for _, points := range [][]wire.Point{r.Views, r.Visitors} {
		assert.NotNil(t, points)
		assert.True(t, slices.IsSortedFunc(points, func(a, b wire.Point) int { return a.Time.Compare(b.Time) }), "oldest first")
		for _, p := range points {
			assert.GreaterOrEqual(t, p.Count, 0)
			assertMarshals(t, p.Time)
		}
	}
	for _, counts := range []map[string]int{r.URLs, r.Referrers, r.Countries} {
		assert.NotNil(t, counts)
		for _, n := range counts {
			assert.GreaterOrEqual(t, n, 0)
		}
	}
	for _, n := range []int{r.Totals.Views, r.Totals.Visitors, r.Totals.Events, r.Totals.Countries, r.VisitorCount} {
		assert.GreaterOrEqual(t, n, 0)
	}
	sessions := map[string]bool{}
	for _, s := range r.Sessions {
		assert.False(t, sessions[s.SessionID], "session %q twice", s.SessionID)
		sessions[s.SessionID] = true
	}
	assertMarshals(t, r.Timestamp)
	assert.Zero(t, r.Timestamp.Nanosecond()%int(time.Millisecond))
}

func assertMarshals(t *testing.T, at time.Time) {
	t.Helper()
	assert.Equal(t, time.UTC, at.Location())
	_, err := at.MarshalJSON()
	assert.NoError(t, err)
}

// A value is a time in the rows exactly if it is one in the series, and reads
// back when it was marshalled.
func FuzzTimes(f *testing.F) {
	for text := range layoutsOnTheWire {
		f.Add(text)
	}
	for _, text := range []string{`null`, `"0000-00-00T00:00:00Z"`, `"9999-12-31T23:59:59Z"`, `"0001-01-01 00:00:00"`, `-62135596800000`, `1e15`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !json.Valid([]byte(value)) {
			t.Skip()
		}
		row, errRow := wire.Decode([]byte(`{"events":[{"createdAt":`+value+`}],"timestamp":1}`), time.UTC)
		_, errPoint := wire.Decode([]byte(`{"events":[],"series":{"views":[{"x":`+value+`,"y":1}]},"timestamp":1}`), time.UTC)
		require.Equal(t, errRow == nil, errPoint == nil)
		if errRow != nil || len(row.Pageviews) != 1 {
			return
		}
		at := row.Pageviews[0].CreatedAt
		assertMarshals(t, at)
		// What is marshalled is the same time again.
		text, err := at.MarshalJSON()
		require.NoError(t, err)
		again := decodeRows(t, `{"createdAt":`+string(text)+`}`)
		assert.Equal(t, at, again.Pageviews[0].CreatedAt)
		assert.True(t, at.IsZero() || at.Year() > 1 && at.Year() < 9999)
	})
}
