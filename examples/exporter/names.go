package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

const (
	other   = "other"   // the label of whatever has no series of its own
	unknown = "unknown" // and of what the server does not tell
)

// names are those with series of their own: the most viewed of the first poll's
// 30 minutes, and while places are free, those that come later, too. A name
// keeps its place until the exporter ends, so that no series comes and goes and
// no counter falls. Visitors may send any path, so there is a limit.
type names struct {
	limit int
	has   map[string]bool
}

func newNames(limit int) *names { return &names{limit, make(map[string]bool)} }

// label is what a name is counted under.
func (n *names) label(name string) string {
	if n.has[name] {
		return name
	}
	return other
}

// admit gives free places to the names with the highest counts, and returns
// those that got one.
func (n *names) admit(counts map[string]int) (admitted []string) {
	byCount := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for _, name := range byCount {
		if len(n.has) >= n.limit {
			break
		}
		if !n.has[name] && name != other {
			n.has[name] = true
			admitted = append(admitted, name)
		}
	}
	return admitted
}

// pageName is a path as a label: harmless where it is shown, and not too long.
func pageName(path string) string {
	const longest = 120
	clean := []rune(setting.Clean(strings.ToValidUTF8(path, "\uFFFD")))
	if len(clean) > longest {
		return string(clean[:longest]) + "…"
	}
	return cmp.Or(string(clean), unknown)
}

// countryName is a country's code as a label.
func countryName(code string) string {
	letter := func(c byte) bool { return 'A' <= c && c <= 'Z' }
	switch {
	case code == "":
		return unknown
	case len(code) == 2 && letter(code[0]) && letter(code[1]):
		return code
	}
	return other
}
