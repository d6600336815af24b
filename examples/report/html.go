package main

import (
	"crypto/sha256"
	_ "embed" // the page and its style are part of the program
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

var (
	//go:embed page.html
	pageText string
	//go:embed style.css
	style string

	page = template.Must(template.New("page").Funcs(template.FuncMap{
		"clock": clock, "rfc3339": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}).Parse(pageText))
)

// policy lets the page have its own style and its charts, and nothing else: no
// script, nothing from elsewhere, should a title ever get out of its place.
func policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// chart is a picture of the minutes, for wide and narrow windows, light and
// dark, and its text for who cannot see it.
type chart struct {
	Each, Text         string
	Wide               template.URL
	WideDark           template.Srcset
	Narrow, NarrowDark template.Srcset
}

// list is a table of counts.
type list struct {
	Title       string
	Name, Count string // what the columns are
	Rows        []listRow
	More        int
}

type listRow struct {
	Count
	Detail  string
	Percent string // of the largest
}

// writeHTML writes one page that needs nothing else.
func writeHTML(w io.Writer, r *Report) error {
	c, err := newChart(r)
	if err != nil {
		return err
	}
	pages := make([]listRow, len(r.Pages))
	for i, p := range r.Pages {
		pages[i] = listRow{Count: Count{p.Path, p.Pageviews}, Detail: p.Title}
	}
	return page.Execute(w, struct {
		*Report
		Policy string
		Style  template.CSS
		Period string
		Notes  []string
		Chart  chart
		Spans  spans
		Lists  []list
	}{
		r, policy(), template.CSS(style), period(r), notes(r), c, grouped(r.Minutes, 60),
		[]list{
			newList("Pages", "Path", "Views", pages), newList("Referrers", "Domain", "Views", counted(r.Referrers)),
			newList("Countries", "Country code", "Sessions", counted(r.Countries)), newList("Events", "Name", "Times", counted(r.EventNames)),
		},
	})
}

func newChart(r *Report) (c chart, err error) {
	s := grouped(r.Minutes, 60)
	highest := s[0]
	for _, m := range s {
		if m.Pageviews > highest.Pageviews {
			highest = m
		}
	}
	c.Each = s.each()
	c.Text = fmt.Sprintf("Page views and events by %s from %s to %s UTC. Most page views, %d, at %s.",
		c.Each, clock(s[0].Time), clock(s[len(s)-1].Time), highest.Pageviews, clock(highest.Time))
	draw := func(width, height int, dark bool) (url string) {
		if err != nil {
			return ""
		}
		var svg []byte
		svg, err = drawing(s, width, height, dark)
		// As an image it can neither run a script nor fetch anything, and its style
		// needs no leave from the page's policy.
		return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(svg)
	}
	c.Wide, c.WideDark = template.URL(draw(960, 260, false)), template.Srcset(draw(960, 260, true))
	c.Narrow, c.NarrowDark = template.Srcset(draw(400, 220, false)), template.Srcset(draw(400, 220, true))
	return c, err
}

func counted(counts []Count) []listRow {
	rows := make([]listRow, len(counts))
	for i, c := range counts {
		rows[i].Count = c
	}
	return rows
}

func newList(title, name, count string, rows []listRow) list {
	l := list{Title: title, Name: name, Count: count, Rows: rows[:min(most, len(rows))], More: max(len(rows)-most, 0)}
	for i := range l.Rows {
		row := &l.Rows[i]
		row.Percent = strconv.Itoa(100*row.Count.Count/max(rows[0].Count.Count, 1)) + "%"
		row.Name, row.Detail = cut(setting.Clean(row.Name), 120), cut(setting.Clean(row.Detail), 80)
		if strings.TrimSpace(row.Name) == "" {
			row.Name = "unknown"
		}
	}
	return l
}
