package main

import (
	"strings"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

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
	text = cut(setting.Clean(text), w-1)
	return span{text + strings.Repeat(" ", max(w-width(text), 0)), style}
}

// line sets spans one after the other into w cells.
func line(w int, spans ...span) string {
	var b strings.Builder
	for _, s := range spans {
		text := cut(setting.Clean(s.text), w)
		w -= width(text)
		b.WriteString(s.style.Render(text))
	}
	return b.String() + strings.Repeat(" ", max(w, 0))
}
