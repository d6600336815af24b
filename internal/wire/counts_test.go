package wire_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// countsOnTheWire are values where a count should be; 7 is what the rows say.
var countsOnTheWire = map[string]int{
	`3`:              3,
	`0`:              0,
	`-0`:             0,
	`3.0`:            3,
	`3e2`:            300,
	`2147483647`:     2147483647,
	`"3"`:            3, // older ClickHouse quotes 64-bit numbers
	`"0"`:            0,
	`3.5`:            7,
	`-1`:             7,
	`"-1"`:           7,
	`2147483648`:     7, // no site has so many views in half an hour
	`9e18`:           7,
	`1e400`:          7,
	`1e-5`:           7,
	`null`:           7,
	`true`:           7,
	`false`:          7,
	`""`:             7,
	`"many"`:         7,
	`"NaN"`:          7,
	`"Infinity"`:     7,
	`[]`:             7,
	`[3]`:            7,
	`{}`:             7,
	`{"a":{"b":[]}}`: 7,
	`"function Object() { [native code] }11"`: 7,
	`"[object Object]1"`:                      7,
}

// The count of one key in each of the three maps, and the rows it is taken
// from where it is spoiled. It never costs the other keys, nor the reply.
func TestMapCounts(t *testing.T) {
	t.Parallel()
	rows := ""
	for _, session := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		rows += `{"__type":"session","sessionId":"` + session + `","country":"constructor"},
			{"__type":"pageview","sessionId":"` + session + `","country":"constructor","urlPath":"constructor","referrerDomain":"constructor"},`
	}
	rows += `{"__type":"event","sessionId":"a","eventName":"e","country":"constructor","urlPath":"/other","referrerDomain":"other"}`
	for value, want := range countsOnTheWire {
		counts := `{"kept":5,"constructor":` + value + `,"alsoKept":"6","notInRows":"function toString() { [native code] }1"}`
		r := decode(t, `{"events":[`+rows+`],"urls":`+counts+`,"referrers":`+counts+`,"countries":`+counts+`,"timestamp":1}`)
		kept := map[string]int{"kept": 5, "alsoKept": 6, "constructor": want}
		assert.Equal(t, kept, r.URLs, value)
		assert.Equal(t, kept, r.Referrers, value)
		assert.Equal(t, kept, r.Countries, value)
	}
}

// Of a name that repeats the last count counts, spoiled or not.
func TestMapCountsRepeated(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"events":[{"urlPath":"/a"}],
		"urls":{"/a":9,"/a":"x","/b":9,"/b":"x","/c":"x","/c":9},"timestamp":1}`)
	assert.Equal(t, map[string]int{"/a": 1, "/c": 9}, r.URLs)
}

// Maps that a server does not send are counted from the rows: paths and
// referrers by row, countries by session, what is empty left out.
func TestMapsFromRows(t *testing.T) {
	t.Parallel()
	rows := `{"sessionId":"a","country":"NZ","urlPath":"/","referrerDomain":"t.co"},
		{"sessionId":"a","country":"NZ","urlPath":"/","referrerDomain":null},
		{"sessionId":"b","country":"","urlPath":"","referrerDomain":""},
		{"sessionId":"c","country":"XX","urlPath":"/","eventName":"signup","referrerDomain":"t.co"},
		{"__type":"session","sessionId":"c","country":"XX","urlPath":"/","eventName":"signup","referrerDomain":"t.co"}`
	for _, maps := range []string{``, `,"urls":null,"referrers":null,"countries":null`} {
		r := decode(t, `{"events":[`+rows+`]`+maps+`,"timestamp":1}`)
		assert.Equal(t, map[string]int{"/": 3}, r.URLs)
		assert.Equal(t, map[string]int{"t.co": 2}, r.Referrers)
		assert.Equal(t, map[string]int{"NZ": 1, "XX": 1}, r.Countries)
	}
}

// Totals and visitors one by one: what is spoiled is computed from the rows.
func TestTotals(t *testing.T) {
	t.Parallel()
	rows := ""
	for _, session := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		rows += `{"sessionId":"` + session + `","country":"` + session + `"},{"sessionId":"` + session + `","eventName":"e"},`
	}
	rows += `null`
	for value, want := range countsOnTheWire {
		r := decode(t, `{"events":[`+rows+`],"visitors":`+visitorsOnTheWire(value)+`,
			"totals":{"views":`+value+`,"visitors":`+value+`,"events":`+value+`,"countries":`+value+`},"timestamp":1}`)
		assert.Equal(t, wire.Totals{Views: want, Visitors: want, Events: want, Countries: want}, r.Totals, value)
		assert.Equal(t, want, r.VisitorCount, value)
	}
	for _, totals := range []string{``, `,"totals":null`, `,"totals":[1]`, `,"totals":{}`} {
		r := decode(t, `{"events":[`+rows+`]`+totals+`,"timestamp":1}`)
		assert.Equal(t, wire.Totals{Views: 7, Visitors: 7, Events: 7, Countries: 7}, r.Totals, totals)
	}
}

// visitorsOnTheWire leaves out what is not a bad count but 2.12's list.
func visitorsOnTheWire(value string) string {
	if value[0] == '[' {
		return "null"
	}
	return value
}

// The views that the rows do not show count in the total where the server
// sends a series and no total.
func TestTotalFromSeries(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"events":[{"createdAt":"2026-11-22T08:50:30Z"}],"series":{"views":[
		{"x":"2026-11-22T08:49:00Z","y":40},{"x":"2026-11-22T08:50:00Z","y":2}]},"timestamp":1795337460000}`)
	assert.Equal(t, 42, r.Totals.Views)
}
