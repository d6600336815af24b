package wire_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// A row that repeats the one before reads as if it stood alone: a space before
// a comma changes nothing.
func TestRepeatedRows(t *testing.T) {
	t.Parallel()
	const columns = `,"sessionId":"s","eventName":"e","createdAt":"2026-11-22T09:00:00.5Z","urlPath":"/é\"","hostname":null}`
	for _, rows := range [][]string{
		{`{"__type":"pageview"` + columns, `{"__type":"session"` + columns},
		{`{"__type":"event"` + columns, `{"__type":"session"` + columns, `{"__type":"session"` + columns, `{"__type":"pageview"` + columns},
		{`{"__type":"odd"` + columns, `{"__type":"pageview"` + columns},
		{`{"__type":7` + columns, `{"__type":null` + columns},
		{`{"__type":"pageview"` + columns, `null`, `{"__type":"event"` + columns},
		{`{"__type":"pageview"` + columns, `{"sessionId":"s"` + columns},
		{`{"sessionId":"s"` + columns, `{"__type":"event"` + columns},
		{`{"__type":"pageview","__type":"event"` + columns, `{"__type":"session","__type":"event"` + columns},
		{`{"__type":"pageview","sessionId":"s","__type":"event"}`, `{"__type":"session","sessionId":"s","__type":"event"}`},
		{`{"__type":"pageview"}`, `{"__type":"event"}`, `{"__type":"session"}`},
		{`{"__type":"pageview","odd":{"a":[{}]}}`, `{"__type":"event","odd":{"a":[{}]}}`},
		{`{"__type":"pageview","sessionId":"s"}`, `{"__type":"session","sessionId":"s","eventName":"e"}`},
		{`{"__type":"odd","urlPath":5}`, `{"__type":"odd","urlPath":5}`, `{"__type":"pageview","urlPath":"/"}`},
	} {
		var apart []string
		for i, row := range rows {
			first, rest, _ := strings.Cut(row, ",")
			apart = append(apart, first+strings.Repeat(" ", i)+","+rest)
			if rest == "" {
				apart[i] = strings.Repeat(" ", i) + row
			}
		}
		together := strings.Join(rows, ",")
		assert.Equal(t, decodeRows(t, strings.Join(apart, ",")), decodeRows(t, together), together)
		assert.Equal(t, decodeRows(t, strings.Join(apart, ",")), decodeRows(t, strings.Join(rows, " , ")), together)
	}
	// What is wrong in the first is so in the second, if that is a row of ours.
	at := refuse(t, `{"events":[{"__type":"odd","urlPath":5},{"__type":"pageview","urlPath":5}],"timestamp":1}`)
	assert.Equal(t, "/events/1/urlPath", at.Field)
	// The last row of one list is not the row before the first of another.
	r := decode(t, `{"pageviews":[{"__type":"pageview","urlPath":"/a"}],"events":[{"__type":"event","urlPath":"/a"}],"timestamp":1}`)
	assert.Equal(t, "/a", r.Events[0].URLPath)
}

// More texts than are shared, texts longer than what they are kept in, and the
// same text written in several ways.
func TestManyTexts(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	var want []string
	for i := range 3000 {
		path := "/" + strings.Repeat(strconv.Itoa(i%1500)+"/", 1+i%7)
		if i%100 == 0 {
			path += strings.Repeat("é", i)
		}
		want = append(want, path)
		written := path
		if i%3 == 0 {
			written = strings.ReplaceAll(strings.ReplaceAll(path, "/", `\/`), "é", `\u00e9`)
		}
		fmt.Fprintf(&rows, `{"urlPath":"%s","column%d":%d},`, written, i, i)
	}
	r := decodeRows(t, rows.String()+`null`)
	require.Len(t, r.Pageviews, len(want))
	for i := range want {
		require.Equal(t, want[i], r.Pageviews[i].URLPath)
	}
}

// What one call returned stays as it is while others reuse its buffers.
func TestRepliesShareNothing(t *testing.T) {
	t.Parallel()
	body := func(n int) []byte {
		var rows strings.Builder
		for i := range 20 {
			fmt.Fprintf(&rows, `{"sessionId":"session-%d-%d","urlPath":"\u002f%d","createdAt":"2026-11-22T09:00:%02dZ"},`, n, i, n, i)
		}
		return fmt.Appendf(nil, `{"events":[%snull],"urls":{"/%d":%d},"series":{"views":[{"x":"2026-11-22T09:00:00Z","y":%d}]},"timestamp":1795338061000}`,
			rows.String(), n, n, n)
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			var kept []*wire.Reply
			for n := g * 100; n < g*100+100; n++ {
				r, err := wire.Decode(body(n), time.UTC)
				_, cut := wire.Decode(body(n)[:400], time.UTC)
				if err != nil || cut == nil {
					t.Error(err, cut)
					return
				}
				kept = append(kept, r)
			}
			for i, r := range kept {
				n := g*100 + i
				assert.Equal(t, map[string]int{fmt.Sprintf("/%d", n): n}, r.URLs)
				assert.Equal(t, n, r.Views[0].Count)
				for j := range r.Pageviews {
					assert.Equal(t, fmt.Sprintf("session-%d-%d", n, 19-j), r.Pageviews[j].SessionID)
					assert.Equal(t, fmt.Sprintf("/%d", n), r.Pageviews[j].URLPath)
				}
				assert.Len(t, r.Sessions, 20)
			}
		})
	}
	all.Wait()
}
