package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

// The lines: what the models marshal to, and what they are.
type (
	pageviewLine struct {
		Type string `json:"type"`
		umami.Pageview
	}
	eventLine struct {
		Type string `json:"type"`
		umami.Event
	}
	gapLine struct {
		Type string `json:"type"`
		umami.Gap
	}
)

// lines are the page views, events and gaps of a diff, oldest first, each a
// line of JSON.
func lines(d umami.Diff) []byte {
	type entry struct {
		at   time.Time
		line any
	}
	var entries []entry
	for _, g := range d.Gaps {
		entries = append(entries, entry{g.From, gapLine{"gap", g}})
	}
	for _, p := range d.Pageviews {
		entries = append(entries, entry{p.CreatedAt, pageviewLine{"pageview", p}})
	}
	for _, e := range d.Events {
		entries = append(entries, entry{e.CreatedAt, eventLine{"event", e}})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.at.Compare(b.at) })

	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	for _, e := range entries {
		if err := encoder.Encode(e.line); err != nil {
			panic(err) // the models can always be marshalled
		}
	}
	return setting.Visible(text.Bytes())
}
