package wire_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// assertLikeEncodingJSON holds a body against encoding/json: it is JSON for
// both or for neither, and where it is a reply its rows say the same.
func assertLikeEncodingJSON(t *testing.T, body []byte) {
	t.Helper()
	r, err := wire.Decode(body, time.UTC)
	if !json.Valid(body) {
		require.Error(t, err, "%q", body)
		return
	}
	if err != nil {
		assert.Regexp(t, "should be|not a time|not a realtime reply", err.Error(), "%q", body)
		return
	}
	var doc map[string]any // in a struct, names would match in any case
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // one may be too large for a float64
	require.NoError(t, dec.Decode(&doc))
	var want, got []string
	for _, list := range []string{"pageviews", "events"} {
		rows, _ := doc[list].([]any)
		for _, row := range rows {
			columns, ok := row.(map[string]any)
			switch columns["__type"] {
			case nil, "", "pageview", "event":
			default:
				ok = false
			}
			if ok {
				want = append(want, texts(func(name string) string { s, _ := columns[name].(string); return s }))
			}
		}
	}
	for _, rows := range [][]wire.Row{r.Pageviews, r.Events} {
		for i := range rows {
			row := &rows[i]
			got = append(got, texts(func(name string) string {
				return map[string]string{
					"sessionId": row.SessionID, "eventName": row.EventName, "hostname": row.Hostname,
					"urlPath": row.URLPath, "urlQuery": row.URLQuery, "referrerDomain": row.ReferrerDomain, "pageTitle": row.PageTitle,
					"browser": row.Browser, "os": row.OS, "device": row.Device, "country": row.Country,
				}[name]
			}))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got, "%q", body)
	for name, counts := range map[string]map[string]int{"urls": r.URLs, "referrers": r.Referrers, "countries": r.Countries} {
		sent, _ := doc[name].(map[string]any)
		for key, value := range sent {
			if number, ok := value.(json.Number); ok {
				if n, err := strconv.ParseUint(number.String(), 10, 31); err == nil {
					require.EqualValues(t, n, counts[key], "%q", body)
				}
			}
		}
	}
}

func texts(column func(string) string) string {
	var all []string
	for _, name := range []string{
		"sessionId", "eventName", "hostname", "urlPath", "urlQuery", "referrerDomain", "pageTitle", "browser", "os", "device", "country",
	} {
		all = append(all, strconv.Quote(column(name)))
	}
	return strings.Join(all, " ")
}

func FuzzLikeEncodingJSON(f *testing.F) {
	for _, file := range []string{
		"v2.10.2/realtime-empty.json", "v2.12.1/realtime-empty.json", "v3.1.0-postgres/after-backdated.json", "v3.1.0-postgres/hostile-referrers.json",
	} {
		body, err := os.ReadFile(filepath.Join("..", "..", "testdata", "recordings", filepath.FromSlash(file)))
		require.NoError(f, err)
		f.Add(body)
	}
	f.Add([]byte(`{"events":[{"__type":"pageview","urlPath":"\u00e9\"\\\ud83d\ude00\ud800","browser":"` + "\xff" + `"},` +
		`{"__type":"session","urlPath":"\u00e9\"\\\ud83d\ude00\ud800","browser":"` + "\xff" + `"}],"urls":{"\/":1e1,"":-0},"timestamp":1.5E+12} `))
	f.Fuzz(func(t *testing.T, body []byte) { assertLikeEncodingJSON(t, body) })
}

// Each byte at each place of a text that the decoder reads eight bytes at a
// time, and each two bytes in place of a value.
func TestBytesLikeEncodingJSON(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for before := range 9 {
			for _, after := range []int{0, 9} {
				text := strings.Repeat("a", before) + string([]byte{byte(c)}) + strings.Repeat("b", after)
				assertLikeEncodingJSON(t, []byte(`{"events":[{"urlPath":"`+text+`"}],"timestamp":1}`))
				assertLikeEncodingJSON(t, []byte(`{"events":[],"urls":{"`+text+`":7},"timestamp":1}`))
			}
		}
		for _, d := range []byte(" \n\x00\"\\/-+.0123456789abefnrtu[]{}:,_\x7f\x80\xff") {
			body := []byte(`{"events":[],"odd":` + string([]byte{byte(c), d}) + `,"timestamp":1}`)
			if _, err := wire.Decode(body, time.UTC); json.Valid(body) != (err == nil) {
				t.Errorf("%q: %v", body, err)
			}
		}
	}
}

func TestValuesLikeEncodingJSON(t *testing.T) {
	t.Parallel()
	values := []string{
		`0`, `-0`, `-`, `00`, `01`, `-01`, `1.`, `.1`, `1.0`, `1.e1`, `1e`, `1e+`, `1e-1`, `1E+01`, `-1.5e400`, `+1`, `1_0`, `0x1`, `1a`, `--1`, `1.2.3`, `1e1e1`,
		`null`, `nul`, `nulll`, `Null`, `true`, `tru`, `truefalse`, `false`, `fals`, `NaN`, `Infinity`, `undefined`,
		`""`, `"`, `"\`, `"\"`, `"\""`, `"\a"`, `"\u"`, `"\u00"`, `"\u00g0"`, `"\u00e9"`, `"\u00E9"`, `"\uD83D\uDE00"`, `"\uD83D"`, `"\uD83D\u"`, `"\uDE00\uD83D"`, `'a'`,
		`"\b\f\n\r\t\/"`, "\"\xe2\x28\xa1\"", "\"\xe2\"", "\"\xed\xa0\x80\"", "\"\u2028\"", "\"\x7f\"", `"é"`,
		`[]`, `[`, `]`, `[,]`, `[1,]`, `[1,,2]`, `[1 2]`, `[[]]`, `[]]`, "[\v1]", "[\u00a01]", "[\r\n\t 1 ]", `[1}`, `{]`,
		`{}`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a" 1}`, `{"a"::1}`, `{:1}`, `{1:1}`, `{"a":1 "b":2}`, `{"a":1,"a":2}`, `{ "a" : 1 , "b" : [ { } ] }`, `{"a":1}}`, `{null:1}`,
		`/**/1`, `1//`, `#`, "\ufeff1",
	}
	for _, depth := range []int{9_997, 9_998, 9_999, 10_000, 10_001} {
		values = append(values, strings.Repeat(`[`, depth)+strings.Repeat(`]`, depth), strings.Repeat(`{"":`, depth)+`1`+strings.Repeat(`}`, depth))
	}
	for _, value := range values {
		for _, body := range []string{
			`{"odd":%s,"events":[],"timestamp":1}`, `{"events":[{"odd":%s}],"timestamp":1}`, `{"events":[{"__type":"odd","urlPath":%s}],"timestamp":1}`,
			`{"events":[{"urlPath":%s}],"timestamp":1}`, `{"events":[],"urls":{"/":%s},"timestamp":1}`, `{"events":[],"totals":%s,"timestamp":1}`,
			`{"events":[],"timestamp":1,"timestamp":%s}`, `{"events":%s,"timestamp":1}`, `%s`,
		} {
			assertLikeEncodingJSON(t, fmt.Appendf(nil, body, value))
		}
	}
}

// Where the decoder differs from encoding/json into structs, it does on
// purpose.
func TestUnlikeEncodingJSON(t *testing.T) {
	t.Parallel()
	type structs struct {
		Events []struct {
			URLPath   string    `json:"urlPath"`
			CreatedAt time.Time `json:"createdAt"`
		} `json:"events"`
		URLs      map[string]int `json:"urls"`
		Timestamp int64          `json:"timestamp"`
	}
	for name, tt := range map[string]struct {
		body string
		path string
		fail bool // encoding/json does
	}{
		"names match letter by letter":      {body: `{"events":[{"URLPATH":"/a"}],"timestamp":1}`},
		"of a name that repeats all counts": {body: `{"events":[{"urlPath":"/a","urlPath":null}],"timestamp":1}`},
		"a count is not a number":           {body: `{"events":[{"urlPath":"/a"}],"urls":{"/a":"x"},"timestamp":1}`, path: "/a", fail: true},
		"a time names no zone":              {body: `{"events":[{"urlPath":"/a","createdAt":"2026-11-22 09:00:00"}],"timestamp":1}`, path: "/a", fail: true},
		"a time is a number":                {body: `{"events":[{"urlPath":"/a","createdAt":1795338000000}],"timestamp":1}`, path: "/a", fail: true},
		"a row is of a foreign type":        {body: `{"events":[{"urlPath":"/a"},{"__type":"odd","urlPath":[]}],"timestamp":1}`, path: "/a", fail: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := decode(t, tt.body)
			require.Len(t, r.Pageviews, 1)
			assert.Equal(t, tt.path, r.Pageviews[0].URLPath)
			var other structs
			if err := json.Unmarshal([]byte(tt.body), &other); tt.fail {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
				assert.Equal(t, "/a", other.Events[0].URLPath)
			}
		})
	}
}
