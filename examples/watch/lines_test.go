package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
)

func TestLines(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	got := string(lines(umami.Diff{
		Pageviews: []umami.Pageview{
			{Key: "k1", SessionID: "s", CreatedAt: noon.Add(time.Second), URLPath: "/a", URLQuery: "x=<1>&y=2"},
			{Key: "k3", SessionID: "s", CreatedAt: noon.Add(3 * time.Second), URLPath: "/c", Performance: true},
		},
		Events: []umami.Event{{Key: "k2", SessionID: "s", CreatedAt: noon.Add(2 * time.Second), URLPath: "/b", EventName: "buy"}},
		Gaps:   []umami.Gap{{From: noon, To: noon.Add(time.Second), Reason: umami.GapTruncated, Missed: 7}},
	}))
	const rest = `"referrerDomain":"","browser":"","os":"","device":"","country":""`
	assert.Equal(t, strings.Join([]string{
		`{"type":"gap","from":"2026-11-22T12:00:00Z","to":"2026-11-22T12:00:01Z","reason":"truncated","missed":7}`,
		`{"type":"pageview","key":"k1","sessionId":"s","createdAt":"2026-11-22T12:00:01Z","urlPath":"/a","urlQuery":"x=<1>&y=2",` + rest + `}`,
		`{"type":"event","key":"k2","sessionId":"s","eventName":"buy","createdAt":"2026-11-22T12:00:02Z","urlPath":"/b",` + rest + `}`,
		`{"type":"pageview","key":"k3","sessionId":"s","createdAt":"2026-11-22T12:00:03Z","urlPath":"/c",` + rest + `,"performance":true}`,
		"",
	}, "\n"), got)
	assert.Empty(t, lines(umami.Diff{}))
}

func TestHostileTextIsHarmlessAndWhole(t *testing.T) {
	t.Parallel()
	const evil = "a\x1b[31m\u009b31m\r\n\t\x00\x7f\u202e\u2066\u200f\u200b\u2028\ufeff\U000e0041\ue000\"\\ 日本語 é"
	line := lines(umami.Diff{Pageviews: []umami.Pageview{{URLPath: evil}}})
	assert.Equal(t, 1, bytes.Count(line, []byte("\n")))
	for _, escaped := range []string{`\u001b[31m`, `\u009b31m`, `\u007f`, `\u202e`, `\u200b`, `\udb40\udc41`} {
		assert.Contains(t, string(line), escaped)
	}
	assert.Empty(t, strings.Trim(string(line), `{}",:\/[]0123456789 abcdefghijklmnopqrstuvwxyzIDLPOSTUQRAZ日本語é-`+"\n"))
	var read umami.Pageview
	require.NoError(t, json.Unmarshal(line, &read))
	assert.Equal(t, evil, read.URLPath)
}
