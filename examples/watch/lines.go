package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	umami "github.com/seed721439b2/umami-go"
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
	return visible(text.Bytes())
}

// visible escapes what JSON may hold as it is but would act on a terminal, or
// not be seen: marks that turn the direction of writing, say. Such characters
// stand nowhere but in strings, and are the same when they are read.
func visible(text []byte) []byte {
	hidden := func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) }
	if !bytes.ContainsFunc(text, hidden) {
		return text
	}
	var escaped []byte
	for _, r := range string(text) {
		if !hidden(r) {
			escaped = utf8.AppendRune(escaped, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			escaped = fmt.Appendf(escaped, `\u%04x`, unit)
		}
	}
	return escaped
}
