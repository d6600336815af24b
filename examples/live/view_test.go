package main

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

var noon = time.Date(2026, 11, 22, 12, 0, 30, 0, time.UTC)

const websiteID = "86d4095c-a2a8-4fc8-9521-103e858e2b41"

// busy is a reply with n page views and n events, the last of each at noon,
// their texts made by text.
func busy(n int, text func(kind string, i int) string) *umami.Realtime {
	rt := &umami.Realtime{
		Timestamp: noon, URLs: map[string]int{}, Referrers: map[string]int{}, Countries: map[string]int{},
		Totals: umami.Totals{Views: n, Events: n, Countries: 5}, Visitors: 3,
	}
	for i := range n {
		at := noon.Add(-time.Duration(i) * 10 * time.Second)
		path, referrer, country := text("path", i), text("referrer", i), text("country", i)
		rt.Pageviews = append(rt.Pageviews, umami.Pageview{
			SessionID: fmt.Sprint(i % 3), CreatedAt: at, URLPath: path, ReferrerDomain: referrer, Country: country, Browser: text("browser", i),
		})
		rt.Events = append(rt.Events, umami.Event{
			SessionID: fmt.Sprint(i % 3), CreatedAt: at, URLPath: path, EventName: text("event", i), Country: country,
		})
		rt.URLs[path] += 2
		rt.Referrers[referrer]++
		rt.Countries[country] += 2
	}
	for i := range 31 {
		rt.Series.Views = append(rt.Series.Views, umami.Point{Time: noon.Truncate(time.Minute).Add(time.Duration(i-30) * time.Minute), Count: i * i})
	}
	return rt
}

func ordinary(kind string, i int) string { return fmt.Sprintf("/%s-%d", kind, i%7) }

// shown is a model of a reply, in a window of w by h.
func shown(rt *umami.Realtime, w, h int) model {
	s := &setting.Site{Name: "stats.example.com", WebsiteID: websiteID}
	m := newModel(s, update{at: noon, diff: initial(rt)}, nil)
	m.width, m.height = w, h
	return m
}

// initial is the first diff of a poller, made of a reply that shows all.
func initial(rt *umami.Realtime) umami.Diff {
	return umami.Diff{Initial: true, Pageviews: rt.Pageviews, Events: rt.Events, Snapshot: rt}
}

// failing is the model after a poll that failed at noon.
func failing(m model, text string) model {
	return m.take(update{at: noon, failed: &umami.PollError{Err: errors.New(text), Failures: 1, Next: 10 * time.Second}})
}

var styles = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// text is what a render shows, without its colours; every other escape
// sequence stays.
func text(m model) string { return styles.ReplaceAllString(render(m), "") }

// requireFits holds a render against the window: no line may wrap or be
// missing, on terminals that join emoji and on those that don't.
func requireFits(t *testing.T, m model) {
	t.Helper()
	lines := strings.Split(render(m), "\n")
	require.Len(t, lines, m.height, "%dx%d", m.width, m.height)
	for _, l := range lines {
		require.Equal(t, m.width, ansi.StringWidthWc(l), "%dx%d: %q", m.width, m.height, l)
		require.LessOrEqual(t, ansi.StringWidth(l), m.width, "%dx%d: %q", m.width, m.height, l)
	}
}

var hostile = []string{
	"\x1b[31mred\x1b[2J", "\x1b]0;title\a", "\u009b31m", "new\r\nline\ttab\x00\x7f\b", "\u202eright to left", "\u2066\u200f\u061c\u2069",
	"\u200b\u2060\ufeff", "line\u2028separator", "\xff\xfe", "a" + strings.Repeat("\u0300", 300), strings.Repeat("長", 300),
	"👨\u200d👩\u200d👧 👍🏽 ❤\ufe0f 🇩🇪 1\ufe0f\u20e3", "क्षत्रिय", strings.Repeat("x", 500), "", "\u0300", "\U000e0041\ue000",
}

func TestRenderFitsEveryWindow(t *testing.T) {
	t.Parallel()
	evil := func(_ string, i int) string { return hostile[i%len(hostile)] }
	replies := map[string]*umami.Realtime{"busy": busy(40, ordinary), "hostile": busy(40, evil), "idle": busy(0, ordinary)}
	replies["idle"].Series.Views = nil
	replies["huge"] = busy(1, ordinary)
	replies["huge"].Totals.Views = math.MaxInt
	replies["huge"].Series.Views[3].Count = math.MaxInt
	replies["huge"].Series.Views[4].Count = -5
	for name, rt := range replies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, w := range []int{1, 2, 5, 20, 36, 40, 49, 50, 60, 62, 80, 100, 120, 300} {
				for _, h := range []int{1, 2, 3, 4, 10, 11, 13, 16, 24, 40, 80} {
					m := shown(rt, w, h)
					requireFits(t, m)
					requireFits(t, failing(m, "bad\r\n\x1b[31m gateway "+strings.Repeat("長", 300)))
					m.gaps = []umami.Gap{{From: noon, To: noon, Missed: math.MaxInt}}
					requireFits(t, m)
				}
			}
		})
	}
	assert.Empty(t, render(shown(replies["busy"], 0, 24)))
	assert.Empty(t, render(shown(replies["busy"], 80, 0)))
}

func TestPanelsByWindow(t *testing.T) {
	t.Parallel()
	const (
		header, totals, chart, activity, pages, referrers, countries, status = "stats.example.com", "Visitors now 3", "12:00",
			"Latest activity", "Top pages", "Referrers", "Countries", "● live"
	)
	all := []string{header, totals, chart, activity, pages, referrers, countries, status}
	for _, c := range []struct {
		w, h  int
		panel []string
	}{
		{120, 40, all},
		{80, 24, all},
		{300, 100, all},
		{40, 50, all},
		{40, 12, []string{header, totals, chart, activity, status}},
		{40, 8, []string{header, totals, activity, status}},
		{80, 14, []string{header, totals, chart, activity, status}},
		{120, 16, []string{header, totals, chart, activity, pages, referrers, status}},
		{80, 3, []string{header, totals, status}},
		{80, 2, []string{totals, status}},
		{80, 1, []string{totals}},
	} {
		got := text(shown(busy(40, ordinary), c.w, c.h))
		for _, panel := range all {
			assert.Equal(t, slices.Contains(c.panel, panel), strings.Contains(got, panel), "%q in %dx%d:\n%s", panel, c.w, c.h, got)
		}
	}
}

func TestRenderShowsTheReply(t *testing.T) {
	t.Parallel()
	rt := &umami.Realtime{
		Timestamp: noon,
		Pageviews: []umami.Pageview{
			{SessionID: "a", CreatedAt: noon.Add(-5 * time.Second), URLPath: "/pricing", ReferrerDomain: "example.org", Country: "DE", Browser: "firefox"},
			{SessionID: "b", CreatedAt: noon.Add(-20 * time.Minute), URLPath: "/old", Country: "FR", Browser: "chrome"},
			{SessionID: "a", CreatedAt: noon, URLPath: "/beacon", Performance: true},
		},
		Events:   []umami.Event{{SessionID: "c", CreatedAt: noon.Add(-time.Minute), EventName: "signup", URLPath: "/join", Country: "JP"}},
		URLs:     map[string]int{"/pricing": 12345, "/b": 2, "/a": 2},
		Series:   umami.Series{Views: []umami.Point{{Time: noon.Add(-30 * time.Second), Count: 8}, {Time: noon.Add(-10 * time.Minute), Count: 1}}},
		Totals:   umami.Totals{Views: 12, Events: 1, Countries: 3},
		Visitors: 3,
	}
	m := shown(rt, 120, 40)
	got := text(m)
	assert.Contains(t, got, "Visitors now 2   in 30 min: views 12  visitors 3  events 1  countries 3 ")
	assert.Regexp(t, `Latest activity .*\n5s   DE /pricing +example\.org +firefox .*\n1m   JP \[signup\] /join .*\n20m  FR /old +chrome`, got)
	assert.NotContains(t, got, "/beacon")
	assert.Regexp(t, `(?s)/pricing +12k.*/a +2.*/b +2`, got)
	assert.Contains(t, got, "11:30")

	rt.Truncated = true
	assert.Contains(t, text(m), "Visitors now 2   in 30 min: views 12  visitors 3+  events 1+  countries 3+ ")

	m = after(t, m, tick(noon.Add(90*time.Second)))
	got = text(m)
	assert.Regexp(t, `\n1m   DE /pricing`, got, "ages go on between diffs")
	assert.Regexp(t, `\n +11:32 +12:02`, got, "and the chart")
	m = after(t, m, tick(noon.Add(4*time.Minute+30*time.Second)))
	assert.Contains(t, text(m), "Visitors now 1 ", "and visitors leave")
	m = after(t, m, tick(noon.Add(24*time.Hour)))
	assert.Contains(t, text(m), "Visitors now 0 ")

	assert.Contains(t, text(shown(busy(0, ordinary), 80, 24)), "No visits in the last 30 minutes.")
	m.site.Name = ""
	assert.Contains(t, text(m), "simulated traffic")
}

// TestVisitorsNowOnABusySite has more sessions than any reply shows.
func TestVisitorsNowOnABusySite(t *testing.T) {
	t.Parallel()
	diff := func(at time.Time, from, to int) umami.Diff {
		d := umami.Diff{Snapshot: &umami.Realtime{Timestamp: at, Truncated: true}}
		for i := from; i < to; i++ {
			d.Pageviews = append(d.Pageviews, umami.Pageview{SessionID: fmt.Sprint(i), CreatedAt: at.Add(-time.Second)})
		}
		d.Snapshot.Pageviews = d.Pageviews
		return d
	}
	m := shown(diff(noon, 0, 100).Snapshot, 80, 24)
	for i := range 4 {
		at := noon.Add(time.Duration(i+1) * 10 * time.Second)
		m = after(t, m, update{at: at, diff: diff(at, 50*i+50, 50*i+150)})
	}
	assert.Contains(t, text(m), "Visitors now 300 ")

	at := noon.Add(time.Minute)
	lossy := diff(at, 300, 400)
	lossy.Gaps = []umami.Gap{{From: at.Add(-10 * time.Second), To: at.Add(-5 * time.Second), Missed: 12}}
	m = after(t, m, update{at: at, diff: lossy})
	assert.Contains(t, text(m), "Visitors now 400+ ")
	at = noon.Add(7 * time.Minute)
	m = after(t, m, update{at: at, diff: diff(at, 400, 500)})
	assert.Contains(t, text(m), "Visitors now 100 ", "all of the last 5 minutes were seen")
	assert.Len(t, m.seen, 100, "memory is bounded")

	stale := diff(at, 400, 500)
	stale.Stale = 3 * time.Minute
	m = after(t, m, update{at: at, diff: stale})
	assert.Contains(t, text(m), "Visitors now 100+ ")
	assert.Contains(t, text(m), "● live; newest 3m hidden by the server; missed 12 page views since 12:01 ")
}

func TestMissed(t *testing.T) {
	t.Parallel()
	gap := func(minute, missed int) umami.Gap {
		return umami.Gap{From: noon.Add(time.Duration(minute) * time.Minute), To: noon.Add(time.Duration(minute+1) * time.Minute), Missed: missed}
	}
	for want, gaps := range map[string][]umami.Gap{
		"":                                  {},
		"missed 1 page view since 12:00":    {gap(0, 1)},
		"missed 42 page views since 12:01":  {gap(1, 0), gap(3, 40), gap(2, 2)},
		"missed 40+ page views since 12:01": {gap(3, 40), gap(1, -1)},
		"missed visits since 12:05":         {gap(5, -1)},
		"missed visits since 12:06":         {gap(6, 0)},
	} {
		assert.Equal(t, want, missed(gaps, time.UTC))
	}
	m := shown(busy(5, ordinary), 80, 24)
	m = after(t, m, update{at: noon, diff: umami.Diff{Snapshot: busy(5, ordinary), Gaps: []umami.Gap{gap(-20, 7)}}})
	assert.Contains(t, text(m), "● live; missed 7 page views since 11:40 ")
	late := busy(5, ordinary)
	late.Timestamp = noon.Add(12 * time.Minute)
	m = after(t, m, update{at: late.Timestamp, diff: umami.Diff{Snapshot: late}})
	assert.NotContains(t, text(m), "missed", "the gap has left the window")
}

func TestChart(t *testing.T) {
	t.Parallel()
	rt := &umami.Realtime{Timestamp: noon, Series: umami.Series{Views: []umami.Point{
		{Time: noon.Add(-31 * time.Minute), Count: 99}, // before the window
		{Time: noon.Add(-10 * time.Minute), Count: 1},
		{Time: noon.Add(-30 * time.Second), Count: 80},
		{Time: noon.Add(time.Minute), Count: 99}, // after it
	}}}
	draw := func(w int) string {
		return ansi.Strip(strings.Join(chart(shown(rt, w, 0), newPalette(true), w, 4), "\n"))
	}
	assert.Equal(t, strings.Join([]string{
		"80                               █",
		"                                 █",
		"                       ▁         █", // one view is seen
		"   11:30                     12:00",
	}, "\n"), draw(34))
	assert.Contains(t, draw(65), "80"+strings.Repeat(" ", 61)+"██\n", "two cells for a minute")
	assert.Contains(t, draw(23), "80"+strings.Repeat(" ", 20)+"█\n", "the latest minutes in a narrow window")
	assert.Contains(t, draw(23), "   11:41          12:00")
}

func TestHostileTextIsHarmless(t *testing.T) {
	t.Parallel()
	for _, evil := range hostile {
		rt := busy(3, func(string, int) string { return evil })
		m := shown(rt, 120, 40)
		m = failing(m, "502 "+evil)
		got := text(m)
		for _, r := range strings.ReplaceAll(got, "\n", "") {
			require.True(t, unicode.IsGraphic(r), "%q shows %U", evil, r)
		}
		require.NotRegexp(t, `[\x{300}]{4}`, got)
		requireFits(t, m)
		if strings.ContainsFunc(evil, func(r rune) bool { return !unicode.IsGraphic(r) && !unicode.Is(unicode.Variation_Selector, r) }) {
			assert.Contains(t, got, "\uFFFD", "%q is seen", evil)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		w    int
		want string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"日本語", 6, "日本語"},
		{"日本語", 5, "日本…"},
		{"日本語", 4, "日…"},
		{"日本語", 1, "…"},
		{"abc", 0, ""},
		{"abc", -1, ""},
		{"", -1, ""},
		{"👍🏽👍🏽", 4, "👍…"},
	} {
		assert.Equal(t, c.want, cut(c.text, c.w), "%q in %d", c.text, c.w)
	}
}

func TestColoursFollowTheBackground(t *testing.T) {
	t.Parallel()
	m := shown(busy(5, ordinary), 80, 24)
	dark := render(m)
	m.dark = false
	light := render(m)
	assert.NotEqual(t, dark, light)
	assert.Equal(t, ansi.Strip(dark), ansi.Strip(light))
}

func TestAge(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Hour: "now", 999 * time.Millisecond: "now", time.Second: "1s", 59 * time.Second: "59s",
		time.Minute: "1m", 59 * time.Minute: "59m", time.Hour: "1h", 50 * time.Hour: "50h",
	} {
		assert.Equal(t, want, age(d))
	}
}
