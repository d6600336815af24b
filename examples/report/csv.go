package main

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

// writeCSV writes one table: what each row counts, of what, and the counts,
// empty where they have no meaning.
func writeCSV(w io.Writer, r *Report) error {
	table := csv.NewWriter(w)
	row := func(kind, name, detail string, counts ...int) {
		record := []string{kind, cell(name), cell(detail), "", "", ""}
		for i, n := range counts {
			if n >= 0 {
				record[3+i] = strconv.Itoa(n)
			}
		}
		_ = table.Write(record) // Error tells
	}
	_ = table.Write([]string{"kind", "name", "detail", "pageviews", "events", "sessions"})
	row("total", interval(r.From, r.To), r.Site+" "+r.WebsiteID, r.Pageviews, r.Events, r.Sessions)
	if r.Ended != "" {
		row("ended", r.To.Format(time.RFC3339), r.Ended)
	}
	for _, g := range r.Gaps {
		row("missing", interval(g.From, g.To), string(g.Reason), g.Missed)
	}
	for _, m := range r.Minutes {
		row("minute", m.Time.Format(time.RFC3339), "", m.Pageviews, m.Events, m.Sessions)
	}
	for _, p := range r.Pages {
		row("page", p.Path, p.Title, p.Pageviews)
	}
	for _, c := range r.Referrers {
		row("referrer", c.Name, "", c.Count)
	}
	for _, c := range r.Countries {
		row("country", c.Name, "", -1, -1, c.Count)
	}
	for _, c := range r.EventNames {
		row("event", c.Name, "", -1, c.Count)
	}
	table.Flush()
	return table.Error()
}

// interval is as in ISO 8601.
func interval(from, to time.Time) string {
	return from.UTC().Format(time.RFC3339) + "/" + to.UTC().Format(time.RFC3339)
}

// cell makes text from outside harmless in a spreadsheet, which would take what
// begins with one of these characters for a formula. In many countries a cell
// begins after each semicolon, too, whatever the quotes.
func cell(text string) string {
	parts := strings.Split(setting.Clean(text), ";")
	for i, part := range parts {
		if strings.ContainsAny(firstRune(strings.TrimLeft(part, " \"\u00a0\u3000")), "=+-@＝＋－＠\t\r\n") {
			parts[i] = "'" + part
		}
	}
	return strings.Join(parts, ";")
}

func firstRune(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return s[:size]
}
