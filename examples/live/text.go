package main

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// clean makes text from outside harmless on a terminal: what would move the
// cursor, change a colour, turn the direction of writing or not be seen at all
// becomes U+FFFD. A heap of accents on one letter is cut off, because it would
// reach into other lines.
func clean(s string) string {
	accents := 0
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Variation_Selector, r):
			return -1 // terminals do not agree on the width with it
		case unicode.In(r, unicode.Mn, unicode.Me):
			if accents++; accents > 3 {
				return -1
			}
			return r
		}
		accents = 0
		if !unicode.IsGraphic(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// oneLine is the text of an error in one line, harmless.
func oneLine(err error) string {
	return clean(strings.Join(strings.Fields(err.Error()), " "))
}

// width is how many cells a text takes at most. Terminals differ on joined
// emoji; those that don't join them need the most room.
func width(s string) int { return ansi.StringWidthWc(s) }

// cut shortens a text to w cells.
func cut(s string, w int) string {
	if width(s) <= w {
		return s
	}
	const more = "…"
	end, used := 0, width(more)
	for i, r := range s {
		if used += width(string(r)); used > w {
			break
		}
		end = i + utf8.RuneLen(r)
	}
	if w < width(more) {
		return ""
	}
	return s[:end] + more
}

// span is a piece of a line in one style. All that the view draws goes through
// line, so no text can leave its place.
type span struct {
	text  string
	style lipgloss.Style
}

// column is a span of exactly w cells, the last of which is left empty.
func column(text string, style lipgloss.Style, w int) span {
	text = cut(clean(text), w-1)
	return span{text + strings.Repeat(" ", max(w-width(text), 0)), style}
}

// line sets spans one after the other into w cells.
func line(w int, spans ...span) string {
	var b strings.Builder
	for _, s := range spans {
		text := cut(clean(s.text), w)
		w -= width(text)
		b.WriteString(s.style.Render(text))
	}
	return b.String() + strings.Repeat(" ", max(w, 0))
}
