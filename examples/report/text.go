package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

// most is how many of each list text and HTML show. JSON and CSV have all.
const most = 10

func writeJSON(w io.Writer, r *Report) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return err
	}
	_, err := w.Write(setting.Visible(text.Bytes()))
	return err
}

// writeText writes what a person reads on a terminal or in a mail.
func writeText(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Umami report  %s  %s\n%s\n\n", r.Site, r.WebsiteID, period(r))
	fmt.Fprintf(&b, "Page views %6d\nEvents     %6d\nSessions   %6d\n", r.Pageviews, r.Events, r.Sessions)
	for _, line := range notes(r) {
		fmt.Fprintf(&b, "%s\n", line)
	}

	spans := grouped(r.Minutes, 60)
	highest := 0
	for _, s := range spans {
		highest = max(highest, s.Pageviews)
	}
	fmt.Fprintf(&b, "\nPage views by %s, %d at most\n", spans.each(), highest)
	for _, s := range spans {
		b.WriteRune(bar(s.Pageviews, highest))
	}
	first, last := clock(spans[0].Time), clock(spans[len(spans)-1].Time)
	fmt.Fprintf(&b, "\n%s%*s\n", first, max(len(spans)-len(first), len(last)+1), last)

	pages := make([]Count, len(r.Pages))
	for i, p := range r.Pages {
		pages[i] = Count{strings.TrimRight(p.Path+"  "+p.Title, " "), p.Pageviews}
	}
	for _, list := range []struct {
		title string
		rows  []Count
	}{{"Top pages", pages}, {"Referrers", r.Referrers}, {"Countries, by sessions", r.Countries}, {"Events", r.EventNames}} {
		if len(list.rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", list.title)
		for _, row := range list.rows[:min(most, len(list.rows))] {
			fmt.Fprintf(&b, "%6d  %s\n", row.Count, cut(cmp.Or(setting.Clean(row.Name), "unknown"), 70))
		}
		if more := len(list.rows) - most; more > 0 {
			fmt.Fprintf(&b, "        and %d more\n", more)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// bar is a column of the chart, one character high.
func bar(count, highest int) rune {
	if count == 0 {
		return ' '
	}
	return []rune("▁▂▃▄▅▆▇█")[(count*8-1)/highest]
}

func cut(s string, length int) string {
	if utf8.RuneCountInString(s) <= length {
		return s
	}
	return string([]rune(s)[:length-1]) + "…"
}

func clock(t time.Time) string { return t.Format("15:04") }

// length is how long a report is: 30m, 1h30m, 45s.
func length(r *Report) string {
	text := r.To.Sub(r.From).Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func period(r *Report) string {
	from, to := r.From.Format(time.DateTime), r.To.Format(time.DateTime)
	if from[:len(time.DateOnly)] == to[:len(time.DateOnly)] {
		to = r.To.Format(time.TimeOnly)
	}
	return fmt.Sprintf("%s to %s UTC (%s)", from, to, length(r))
}

// notes say what is missing in a report; there are none where nothing is.
func notes(r *Report) (lines []string) {
	if r.Ended != "" {
		lines = append(lines, "Ended early: "+setting.Clean(r.Ended))
	}
	for _, g := range r.Gaps {
		lines = append(lines, fmt.Sprintf("Missing: %s from %s to %s UTC (%s)",
			missed([]umami.Gap{g}), g.From.UTC().Format(time.DateTime), g.To.UTC().Format(time.DateTime), g.Reason))
	}
	if r.FailedPolls > 0 {
		lines = append(lines, fmt.Sprintf("Polls that failed: %d", r.FailedPolls))
	}
	return lines
}

// missed is how many page views gaps hide.
func missed(gaps []umami.Gap) string {
	views, more := 0, ""
	for _, g := range gaps {
		if g.Missed < 0 {
			more = "or more " // nobody can know
		}
		views += max(g.Missed, 0)
	}
	if views == 0 {
		return "an unknown number of visits"
	}
	return fmt.Sprintf("%d %spage views", views, more)
}
