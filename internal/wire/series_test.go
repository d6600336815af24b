package wire_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// The same two views, at 08:49 and 08:51 UTC, as each server writes them.
func TestSeriesByServer(t *testing.T) {
	t.Parallel()
	const rows = `{"events":[{"createdAt":"2026-11-22T08:51:20.500Z","hostname":"h"},{"createdAt":"2026-11-22T08:49:53.109Z","hostname":"h"}],`
	for _, tt := range []struct{ name, asked, first, second string }{
		{"PostgreSQL 2.12 to 3.0.0", "UTC", "2026-11-22 08:49:00", "2026-11-22 08:51:00"},
		{"PostgreSQL 2.12 to 3.1, Tokyo asked for", "Asia/Tokyo", "2026-11-22 17:49:00", "2026-11-22 17:51:00"},
		{"PostgreSQL 2.13.0", "UTC", "2026-11-22T08:49:00.000Z", "2026-11-22T08:51:00.000Z"},
		{"PostgreSQL 3.0.1 to 3.1, session in Tokyo", "UTC", "2026-11-22T17:49:00Z", "2026-11-22T17:51:00Z"},
		{"PostgreSQL 3.0.1 to 3.1, session in Tokyo, UTC asked for", "UTC", "2026-11-21 23:49:00", "2026-11-21 23:51:00"},
		{"PostgreSQL since 3.4", "UTC", "2026-11-22T08:49:00Z", "2026-11-22T08:51:00Z"},
		{"PostgreSQL since 3.4, session in Tehran", "UTC", "2026-11-22T05:19:00Z", "2026-11-22T05:21:00Z"},
		{"PostgreSQL since 3.4, Tokyo asked for", "Asia/Tokyo", "2026-11-22T17:49:00Z", "2026-11-22T17:51:00Z"},
		{"PostgreSQL since 3.4, session in Tehran, Tokyo asked for", "Asia/Tokyo", "2026-11-22T14:19:00Z", "2026-11-22T14:21:00Z"},
		{"MySQL", "America/New_York", "2026-11-22T03:49:00", "2026-11-22T03:51:00"},
		{"ClickHouse 2.12", "Asia/Kathmandu", "2026-11-22 14:34:00", "2026-11-22 14:36:00"},
		{"ClickHouse since 2.13, whatever is asked for", "Asia/Tokyo", "2026-11-22T08:49:00Z", "2026-11-22T08:51:00Z"},
		{"Cloud", "Europe/Berlin", "2026-11-22T08:49:00Z", "2026-11-22T08:51:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			series := `[{"x":"` + tt.first + `","y":1},{"x":"` + tt.second + `","y":1}]`
			r, err := wire.Decode([]byte(rows+`"series":{"views":`+series+`,"visitors":`+series+`},"timestamp":1795337490874}`), loadZone(t, tt.asked))
			require.NoError(t, err)
			want := []wire.Point{{Time: instant(t, "2026-11-22T08:49:00Z"), Count: 1}, {Time: instant(t, "2026-11-22T08:51:00Z"), Count: 1}}
			assert.Equal(t, want, r.Views)
			assert.Equal(t, want, r.Visitors)
		})
	}
}

// What no clock explains stays as labelled: a series of another day, a shift
// that no zone has, views that the rows contradict.
func TestSeriesWithoutExplanation(t *testing.T) {
	t.Parallel()
	const rows = `{"events":[{"createdAt":"2026-11-22T08:49:53Z","hostname":"h"}],`
	for _, tt := range []struct{ name, asked, label, want string }{
		{"a shift that no zone has", "UTC", "2026-11-22T07:59:00Z", "2026-11-22T07:59:00Z"},
		{"a year ago", "UTC", "2025-11-22T08:49:00Z", "2025-11-22T08:49:00Z"},
		{"a year ago, without a zone", "Asia/Tokyo", "2025-11-22 17:49:00", "2025-11-22T08:49:00Z"},
		{"an hour and a minute behind", "UTC", "2026-11-22T07:48:00Z", "2026-11-22T07:48:00Z"},
		{"the end of time", "Pacific/Pago_Pago", "9998-12-31T23:59:59", "9999-01-01T10:59:59Z"},
		{"a view that the rows lack", "UTC", `2026-11-22T17:49:00Z","y":1},{"x":"2026-11-22T17:31:00Z`, "2026-11-22T17:31:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := wire.Decode([]byte(rows+`"series":{"views":[{"x":"`+tt.label+`","y":1}]},"timestamp":1795337490874}`), loadZone(t, tt.asked))
			require.NoError(t, err)
			assert.Equal(t, wire.Point{Time: instant(t, tt.want), Count: 1}, r.Views[0])
		})
	}
}

// The visitors are read by the same clock as the views, also where there are
// no views to hold against the rows.
func TestSeriesOfVisitorsAlone(t *testing.T) {
	t.Parallel()
	body := `{"events":[],"series":{"views":[],"visitors":[{"x":"2026-11-22T17:21:00Z","y":2},{"x":"2026-11-22T17:51:00Z","y":2}]},"timestamp":1795337490874}`
	r := decode(t, body)
	assert.Equal(t, []wire.Point{
		{Time: instant(t, "2026-11-22T08:21:00Z"), Count: 2}, {Time: instant(t, "2026-11-22T08:51:00Z"), Count: 2},
	}, r.Visitors)
}
