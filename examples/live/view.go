package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

const (
	window = 30 * time.Minute // what a reply covers
	active = 5 * time.Minute  // who did something in these is here now, as Umami counts it
)

// isNow says whether who was active at an instant counts as here.
func isNow(at, now time.Time) bool { return at.After(now.Add(-active)) }

type palette struct{ plain, accent, event, dim, good, bad lipgloss.Style }

func newPalette(dark bool) palette {
	choose := lipgloss.LightDark(dark)
	colour := func(light, dark string) lipgloss.Style {
		return lipgloss.NewStyle().Foreground(choose(lipgloss.Color(light), lipgloss.Color(dark)))
	}
	return palette{
		plain:  lipgloss.NewStyle(),
		accent: colour("#0550ae", "#58a6ff"),
		event:  colour("#8250df", "#d2a8ff"),
		dim:    colour("#57606a", "#8b949e"),
		good:   colour("#1a7f37", "#3fb950"),
		bad:    colour("#cf222e", "#ff7b72"),
	}
}

// render draws the model: height lines, each of them width cells wide.
func render(m model) string {
	w, h, p := m.width, m.height, newPalette(m.dark)
	if w < 1 || h < 1 {
		return ""
	}
	lines := []string{totalsLine(m, p, w)}
	if h >= 3 {
		lines = []string{headerLine(m, p, w), lines[0]}
	}
	rest := h - len(lines) - 1
	if rest >= 8 {
		height := min(max(rest/3, 4), 12)
		lines = append(lines, chart(m, p, w, height)...)
		rest -= height
	}
	lines = append(lines, panels(m, p, w, rest)...)
	if h >= 2 {
		lines = append(lines, statusLine(m, p, w))
	}
	return strings.Join(lines, "\n")
}

// panels shares what is left of the window between the latest activity and the
// top lists, which a small window does not have.
func panels(m model, p palette, w, h int) []string {
	const gap = "  "
	rt := m.last.diff.Snapshot
	lists := []func(w, h int) []string{
		func(w, h int) []string { return top("Top pages", rt.URLs, p, w, h) },
		func(w, h int) []string { return top("Referrers", rt.Referrers, p, w, h) },
		func(w, h int) []string { return top("Countries", rt.Countries, p, w, h) },
	}
	stacked := func(w, h int) (lines []string) {
		n := min(len(lists), h/4)
		for i := range n {
			lines = append(lines, lists[i](w, h*(i+1)/n-h*i/n)...)
		}
		return lines
	}
	switch {
	case w >= 100 && h >= 4: // at the side of the activity
		side := min(w/3, 60)
		lines := activity(m, p, w-side-len(gap), h)
		for i, list := range stacked(side, h) {
			lines[i] += gap + list
		}
		return lines
	case w >= 60 && h >= 12: // below it, side by side
		low := min(h/2, 12)
		each := (w - 2*len(gap)) / 3
		left, middle, right := lists[0](each, low), lists[1](each, low), lists[2](w-2*each-2*len(gap), low)
		lines := activity(m, p, w, h-low)
		for i := range low {
			lines = append(lines, left[i]+gap+middle[i]+gap+right[i])
		}
		return lines
	case w < 60 && h >= 14: // below it, one after the other
		return append(activity(m, p, w, h-h/2), stacked(w, h/2)...)
	}
	return activity(m, p, w, h)
}

func headerLine(m model, p palette, w int) string {
	name := span{"Umami live  ", p.accent.Bold(true)}
	if m.site.Name == "" {
		return line(w, name, span{"simulated traffic", p.event.Bold(true)})
	}
	return line(w, name, span{m.site.Name + "  ", p.plain}, span{m.site.WebsiteID, p.dim})
}

func totalsLine(m model, p palette, w int) string {
	rt := m.last.diff.Snapshot
	here, atLeast, more := 0, "", ""
	for _, at := range m.seen {
		if isNow(at, m.known()) {
			here++
		}
	}
	if m.last.diff.Stale > 0 || slices.ContainsFunc(m.gaps, func(g umami.Gap) bool { return isNow(g.To, m.known()) }) {
		atLeast = "+"
	}
	if rt.Truncated { // the server counts these in the rows that it shows
		more = "+"
	}
	var spans []span
	used := 0
	for _, item := range []struct{ what, number string }{
		{"Visitors now ", short(here) + atLeast},
		{"   in 30 min: views ", short(rt.Totals.Views)},
		{"  visitors ", short(rt.Visitors) + more},
		{"  events ", short(rt.Totals.Events) + more},
		{"  countries ", short(rt.Totals.Countries) + more},
	} {
		used += width(item.what) + width(item.number)
		if used > w && spans != nil { // left out rather than cut
			break
		}
		spans = append(spans, span{item.what, p.plain}, span{item.number, p.accent.Bold(true)})
	}
	return line(w, spans...)
}

func statusLine(m model, p palette, w int) string {
	what, style := "● live", p.good
	if m.failed != nil {
		// The header has the address already.
		text := setting.OneLine(m.failed.Err)
		if _, after, found := strings.Cut(text, m.site.WebsiteID+": "); found {
			text = after
		}
		what, style = "✗ failing: "+text, p.bad
		if old := m.now.Sub(m.since); old >= time.Second {
			what = "✗ failing for " + age(old) + ": " + text
		}
	}
	for _, text := range []string{hidden(m.last.diff.Stale), missed(m.gaps, m.now.Location())} {
		if text != "" {
			what += "; " + text
		}
	}
	quit := "q quits"
	if w < 40 {
		quit = ""
	}
	return line(w, column(what, style, w-width(quit)), span{quit, p.dim})
}

// chart draws the page views of each minute as columns.
func chart(m model, p palette, w, h int) []string {
	now := m.known()
	start := now.Truncate(time.Minute).Add(-window)
	counts := make([]int, window/time.Minute+1)
	for _, point := range m.last.diff.Snapshot.Series.Views {
		if i := int(point.Time.Sub(start) / time.Minute); !point.Time.Before(start) && i < len(counts) {
			counts[i] += max(point.Count, 0)
		}
	}
	highest := slices.Max(counts)
	label := width(short(highest))
	cells := max(w-label-1, 1)
	counts = counts[max(0, len(counts)-cells):] // a very narrow window has the latest minutes

	var lines []string
	if h >= 6 {
		lines = append(lines, title("Page views by minute", p, w))
	}
	rows := h - len(lines) - 1
	for row := rows - 1; row >= 0; row-- {
		bar := make([]rune, cells)
		for x := range bar {
			eighths := 0
			if count := counts[x*len(counts)/cells]; count > 0 {
				eighths = int(float64(count)/float64(highest)*float64(rows*8)+0.999) - row*8 // one view is seen, too
			}
			bar[x] = []rune(" ▁▂▃▄▅▆▇█")[min(max(eighths, 0), 8)]
		}
		scale := ""
		if row == rows-1 {
			scale = short(highest)
		}
		lines = append(lines, line(w, column(scale, p.dim, label+1), span{string(bar), p.accent}))
	}
	clock := func(t time.Time) string { return t.In(m.now.Location()).Format("15:04") }
	from, to := clock(now.Add(-time.Duration(len(counts)-1)*time.Minute)), clock(now)
	space := strings.Repeat(" ", max(cells-len(from)-len(to), 1))
	return append(lines, line(w, column("", p.dim, label+1), span{from + space + to, p.dim}))
}

// activity lists the latest visits, newest first.
func activity(m model, p palette, w, h int) []string {
	if h < 1 {
		return nil
	}
	const when, country = 5, 3
	referrer, browser := 0, 0
	if w >= 50 {
		browser = 10
	}
	if w >= 60 {
		referrer = min(w/4, 30)
	}
	lines := []string{title("Latest activity", p, w)}
	if len(m.rows) == 0 {
		lines = append(lines, line(w, span{"No visits in the last 30 minutes.", p.dim}))
	}
	for _, v := range slices.Backward(m.rows) {
		path, event, name := w-when-country-referrer-browser, "", 0
		if v.event != "" {
			event = "[" + v.event + "]"
			name = min(width(setting.Clean(event))+1, path/2)
		}
		lines = append(lines, line(w,
			column(age(m.clock().Sub(v.at)), p.dim, when),
			column(v.country, p.accent, country),
			column(event, p.event, name),
			column(v.path, p.plain, path-name),
			column(v.referrer, p.dim, referrer),
			column(v.browser, p.dim, browser),
		))
	}
	return fill(lines, w, h)
}

// top lists the names with the highest counts.
func top(name string, counts map[string]int, p palette, w, h int) []string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	const number = 6
	lines := []string{title(name, p, w)}
	for _, n := range names {
		lines = append(lines, line(w, column(n, p.plain, w-number),
			span{fmt.Sprintf("%*s", number, short(counts[n])), p.accent}))
	}
	return fill(lines, w, h)
}

func title(name string, p palette, w int) string {
	return line(w, span{name + " ", p.accent}, span{strings.Repeat("─", max(w-width(name)-1, 0)), p.dim})
}

// fill cuts the lines of a panel to its height, or adds empty ones.
func fill(lines []string, w, h int) []string {
	for len(lines) < h {
		lines = append(lines, line(w))
	}
	return lines[:h]
}

// age is a duration in a few characters. What the future holds is now.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%dh", d/time.Hour)
}

// short is a count in at most five characters.
func short(n int) string {
	switch {
	case n < 10_000:
		return fmt.Sprint(n)
	case n < 10_000_000:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprintf("%dM", n/1_000_000)
}
