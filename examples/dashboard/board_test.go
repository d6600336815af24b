package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
)

func snapshot(views int, series ...umami.Point) *umami.Realtime {
	return &umami.Realtime{Timestamp: noon, Totals: umami.Totals{Views: views}, Series: umami.Series{Views: series}}
}

func TestTextThatDeceives(t *testing.T) {
	t.Parallel()
	const evil, shownAs = "/a\u202egpj.exe\u2066\x1b", "/a\uFFFDgpj.exe\uFFFD\uFFFD"
	var b board
	b.take(umami.Diff{
		Pageviews: []umami.Pageview{{SessionID: "a", Key: "1", CreatedAt: noon, URLPath: evil, PageTitle: evil, ReferrerDomain: evil, Country: evil, Browser: evil, Device: evil}},
		Events:    []umami.Event{{SessionID: "a", Key: "2", CreatedAt: noon, URLPath: evil, EventName: evil}},
		Snapshot:  snapshot(1),
	}, noon)
	s := b.state(noon)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "\u202e")
	assert.Equal(t, []count{{shownAs, 1}}, s.Pages)
	assert.Equal(t, shown{"1", noon.UnixMilli(), "", shownAs, shownAs, shownAs, shownAs, shownAs, shownAs}, s.Latest[1])
	assert.Equal(t, shownAs, s.Latest[0].Event)
}

func TestBoard(t *testing.T) {
	t.Parallel()
	ours := noon.Add(time.Hour) // our clock is wrong, which is of no matter
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	var b board
	assert.Equal(t, state{Latest: []shown{}}, b.state(ours), "before the first poll")
	b.take(umami.Diff{
		Pageviews: []umami.Pageview{
			{SessionID: "a", Key: "1", CreatedAt: ago(20 * time.Minute), URLPath: "/", ReferrerDomain: "bing.com", Country: "DE"},
			{SessionID: "b", Key: "2", CreatedAt: ago(4 * time.Minute), URLPath: "/x", PageTitle: "X", Country: "PL", Browser: "ios", Device: "mobile"},
			{SessionID: "b", Key: "3", CreatedAt: ago(4 * time.Minute), URLPath: "/beacon", Performance: true},
			{SessionID: "b", Key: "4", CreatedAt: ago(time.Minute), URLPath: "/x", Country: "PL"},
		},
		Events:   []umami.Event{{SessionID: "b", Key: "5", CreatedAt: ago(2 * time.Minute), EventName: "buy", URLPath: "/x"}},
		Snapshot: snapshot(3, umami.Point{Time: ago(30 * time.Second), Count: 1}, umami.Point{Time: ago(40 * time.Minute), Count: 9}),
	}, ours)

	s := b.state(ours)
	assert.True(t, s.Ready)
	assert.Equal(t, 1, s.Now)
	assert.Equal(t, 2, s.Visitors)
	assert.Equal(t, 3, s.Pageviews)
	assert.Equal(t, 1, s.Events)
	assert.False(t, s.AtLeast)
	assert.Equal(t, []count{{"/x", 2}, {"/", 1}}, s.Pages)
	assert.Equal(t, []count{{"bing.com", 1}}, s.Referrers)
	assert.Equal(t, []count{{"DE", 1}, {"PL", 1}}, s.Countries)
	require.Len(t, s.Latest, 4)
	assert.Equal(t, shown{Key: "5", Time: ago(2 * time.Minute).UnixMilli(), Event: "buy", Path: "/x"}, s.Latest[1])
	assert.Equal(t, shown{Key: "2", Time: ago(4 * time.Minute).UnixMilli(), Path: "/x", Title: "X", Country: "PL", Browser: "ios", Device: "mobile"}, s.Latest[2])
	assert.Equal(t, noon.Truncate(time.Minute).UnixMilli(), s.Minute)
	require.Len(t, s.Views, 30)
	assert.Equal(t, 1, s.Views[29])
	assert.Zero(t, s.Views[0], "what is before the window is not drawn")

	// Time passes without a diff: nothing happened.
	s = b.state(ours.Add(3 * time.Minute))
	assert.Equal(t, 1, s.Now)
	assert.Equal(t, 1, s.Views[26])
	s = b.state(ours.Add(4 * time.Minute))
	assert.Zero(t, s.Now)
	assert.Equal(t, 2, s.Visitors)
	s = b.state(ours.Add(10 * time.Minute))
	assert.Equal(t, 1, s.Visitors)
	assert.Empty(t, s.Referrers)
	assert.NotNil(t, s.Referrers, "a page expects a list")
	assert.Empty(t, b.state(ours.Add(30*time.Minute)).Latest)
}

func TestBoardInTrouble(t *testing.T) {
	t.Parallel()
	var b board
	b.fail(&umami.PollError{Next: time.Second}, noon)
	assert.Equal(t, state{Since: noon.UnixMilli(), Latest: []shown{}}, b.state(noon))

	row := umami.Pageview{SessionID: "a", CreatedAt: noon, URLPath: "/"}
	b.take(umami.Diff{Pageviews: []umami.Pageview{row}, Snapshot: snapshot(1)}, noon)
	assert.Zero(t, b.state(noon).Since)
	b.fail(&umami.PollError{Next: 10 * time.Second}, noon.Add(time.Minute))
	b.fail(&umami.PollError{Next: time.Minute}, noon.Add(2*time.Minute))
	s := b.state(noon.Add(3 * time.Minute))
	assert.Equal(t, noon.Add(time.Minute).UnixMilli(), s.Since, "the first of the failures")
	assert.Equal(t, noon.Add(time.Minute).Truncate(time.Minute).UnixMilli(), s.Minute, "and what was known then")
	s = b.state(noon.Add(4 * time.Minute))
	assert.Zero(t, s.Since, "the next poll would have failed by now")

	// Gaps, and servers that hide the newest, make numbers a least.
	gap := umami.Gap{From: noon.Add(-2 * time.Minute), To: noon, Missed: 7}
	b.take(umami.Diff{Gaps: []umami.Gap{gap, {From: noon, To: noon, Missed: -1}}, Snapshot: snapshot(1)}, noon)
	s = b.state(noon)
	assert.True(t, s.AtLeast)
	assert.Equal(t, 7, s.Missed)
	assert.False(t, b.state(noon.Add(window+time.Second)).AtLeast)
	b.take(umami.Diff{Stale: time.Second, Snapshot: snapshot(1)}, noon)
	assert.True(t, b.state(noon).AtLeast)
}

func TestBoardIsBounded(t *testing.T) {
	t.Parallel()
	var b board
	views := make([]umami.Pageview, most+5)
	for i := range views {
		views[i] = umami.Pageview{SessionID: fmt.Sprint(i % 3), CreatedAt: noon.Add(time.Duration(i-len(views)) * time.Millisecond), URLPath: fmt.Sprint("/", i%20)}
	}
	b.take(umami.Diff{Pageviews: views, Snapshot: snapshot(len(views))}, noon)
	s := b.state(noon)
	assert.Len(t, b.visits, most)
	assert.True(t, s.AtLeast)
	assert.Len(t, s.Latest, rows)
	assert.Len(t, s.Pages, places)
	assert.Equal(t, []count{{"/0", most / 20}, {"/1", most / 20}}, s.Pages[:2])
}
