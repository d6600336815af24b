package wire_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// Every way of writing a time that a server or document has, as JSON.
var layoutsOnTheWire = map[string]string{
	`"2026-11-22T08:49:53.109Z"`:      "2026-11-22T08:49:53.109Z", // PostgreSQL
	`"2026-11-22T08:49:53.000Z"`:      "2026-11-22T08:49:53Z",     // MySQL
	`"2026-11-22T08:49:53Z"`:          "2026-11-22T08:49:53Z",     // ClickHouse since 2.13
	`"2026-11-22 08:49:53"`:           "2026-11-22T08:49:53Z",     // ClickHouse before 2.13
	`"2026-11-22T08:49:53"`:           "2026-11-22T08:49:53Z",     // MySQL 2.13 and later, series
	`"2026-11-22 08:49:53.109"`:       "2026-11-22T08:49:53.109Z",
	`"2026-11-22T08:49:53.109"`:       "2026-11-22T08:49:53.109Z",
	`"2026-11-22 08:49:53Z"`:          "2026-11-22T08:49:53Z",
	`"2026-11-22T08:49:53.1091234Z"`:  "2026-11-22T08:49:53.1091234Z",
	`"2026-11-22T10:49:53+02:00"`:     "2026-11-22T08:49:53Z",
	`"2026-11-22 05:19:53.109-03:30"`: "2026-11-22T08:49:53.109Z",
	`1795337393109`:                   "2026-11-22T08:49:53.109Z", // milliseconds
	`1795337393109.0`:                 "2026-11-22T08:49:53.109Z",
	`1.795337393109e12`:               "2026-11-22T08:49:53.109Z",
	`"2026\u002d11-22T08:49:53Z"`:     "2026-11-22T08:49:53Z",
}

func TestRowTimes(t *testing.T) {
	t.Parallel()
	for text, want := range layoutsOnTheWire {
		r := decodeRows(t, `{"createdAt":`+text+`}`)
		require.Len(t, r.Pageviews, 1, text)
		assert.Equal(t, instant(t, want), r.Pageviews[0].CreatedAt, text)
	}
}

func TestZeroTimes(t *testing.T) {
	t.Parallel()
	for _, row := range []string{
		`{"createdAt":null}`, `{}`, `{"createdAt":"0000-00-00T00:00:00Z"}`, `{"createdAt":"0000-00-00 00:00:00"}`,
		`{"createdAt":"20000-00-00T00:00:00Z"}`, `{"createdAt":"0000-00-00"}`, `{"createdAt":"0001-01-01T00:00:00Z"}`,
	} {
		r := decodeRows(t, row)
		require.Len(t, r.Pageviews, 1, row)
		assert.True(t, r.Pageviews[0].CreatedAt.IsZero(), row)
	}
}

func TestNotTimes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`""`, `"now"`, `"2026-11-22"`, `"2026-11-22T08:49"`, `"08:49:53"`, `"2026-13-22T08:49:53Z"`, `"2026-11-22T08:49:53Zz"`,
		`"2026-02-29T08:49:53Z"`, `"2026-00-00 and more"`, `"1795337393109"`, `"10000-01-01T00:00:00Z"`, `"0001-01-02T00:00:00Z"`, `"9999-12-31T23:59:59Z"`,
		`1e400`, `9e15`, `-9e15`, `true`, `{}`, `[]`,
	} {
		for _, body := range []string{
			`{"events":[{"createdAt":%s}],"timestamp":1}`,
			`{"events":[],"series":{"views":[{"x":%s,"y":1}]},"timestamp":1}`,
			`{"events":[],"timestamp":%s}`,
		} {
			body = fmt.Sprintf(body, text)
			_, err := wire.Decode([]byte(body), time.UTC)
			require.Error(t, err, body)
		}
	}
}

// The server's clock is a number of milliseconds; a finer text is cut.
func TestTimestamp(t *testing.T) {
	t.Parallel()
	for text, want := range layoutsOnTheWire {
		assert.Equal(t, instant(t, want).Truncate(time.Millisecond), decode(t, `{"events":[],"timestamp":`+text+`}`).Timestamp, text)
	}
}

// Every layout in the series, with the x or the t of the published contract.
func TestSeriesTimes(t *testing.T) {
	t.Parallel()
	for text, want := range layoutsOnTheWire {
		for _, point := range []string{`{"x":%s,"y":3}`, `{"t":%s,"y":3}`, `{"x":null,"t":%s,"y":3}`, `{"y":3,"t":"2020-01-01T00:00:00Z","x":%s}`} {
			point = fmt.Sprintf(point, text)
			r := decode(t, `{"events":[],"series":{"views":[`+point+`],"visitors":[`+point+`]},"timestamp":1795337400000}`)
			points := []wire.Point{{Time: instant(t, want), Count: 3}}
			assert.Equal(t, points, r.Views, point)
			assert.Equal(t, points, r.Visitors, point)
		}
	}
}

func TestSeriesShapes(t *testing.T) {
	t.Parallel()
	at := func(clock string, count int) wire.Point {
		return wire.Point{Time: instant(t, "2026-11-22T"+clock+":00Z"), Count: count}
	}
	for _, tt := range []struct {
		name, views string
		want        []wire.Point
	}{
		{"unsorted, as 2.12 on PostgreSQL", `[{"x":"2026-11-22 09:00:00","y":17},{"x":"2026-11-22 08:49:00","y":4},{"x":"2026-11-22 08:55:00","y":2}]`, []wire.Point{at("08:49", 4), at("08:55", 2), at("09:00", 17)}},
		{"x null, as 2.15.0 on MySQL", `[{"x":null,"y":4},{"x":"2026-11-22T08:50:00Z","y":1}]`, []wire.Point{at("08:50", 1)}},
		{"no x", `[{"y":4}]`, []wire.Point{}},
		{"no y", `[{"x":"2026-11-22T08:50:00Z"}]`, []wire.Point{}},
		{"y null", `[{"x":"2026-11-22T08:50:00Z","y":null}]`, []wire.Point{}},
		{"y text", `[{"x":"2026-11-22T08:50:00Z","y":"12"},{"x":"2026-11-22T08:51:00Z","y":"many"}]`, []wire.Point{at("08:50", 12)}},
		{"y zero", `[{"x":"2026-11-22T08:50:00Z","y":0}]`, []wire.Point{at("08:50", 0)}},
		{"null points", `[null,{"x":"2026-11-22T08:50:00Z","y":1},null]`, []wire.Point{at("08:50", 1)}},
		{"null", `null`, []wire.Point{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := decode(t, `{"events":[],"series":{"views":`+tt.views+`},"timestamp":1795338315000}`)
			assert.Equal(t, tt.want, r.Views)
			assert.Empty(t, r.Visitors)
		})
	}
}

// Servers since 2.12 send a series. Where none comes, it is made of the rows.
func TestSeriesFromRows(t *testing.T) {
	t.Parallel()
	rows := `{"createdAt":"2026-11-22T08:50:59.999Z","sessionId":"a","hostname":"h"},
		{"createdAt":"2026-11-22T08:50:00Z","sessionId":"a","hostname":"h"},
		{"createdAt":"2026-11-22T08:50:30Z","sessionId":"b","hostname":null},
		{"createdAt":"2026-11-22T08:49:59.999Z","sessionId":"b","hostname":"h"},
		{"createdAt":"2026-11-22T08:48:00Z","sessionId":"b","hostname":"h","eventName":"signup"}`
	for _, series := range []string{``, `,"series":null`, `,"series":[]`, `,"series":"none"`} {
		r := decode(t, `{"events":[`+rows+`]`+series+`,"timestamp":1795338315000}`)
		first, second := instant(t, "2026-11-22T08:49:00Z"), instant(t, "2026-11-22T08:50:00Z")
		assert.Equal(t, []wire.Point{{Time: first, Count: 1}, {Time: second, Count: 2}}, r.Views, series)
		assert.Equal(t, []wire.Point{{Time: first, Count: 1}, {Time: second, Count: 1}}, r.Visitors, series)
		assert.Equal(t, 3, r.Totals.Views, "a performance row does not count")
		assert.False(t, r.SeriesSent)
	}
}
