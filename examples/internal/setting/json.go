package setting

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Visible escapes in a text of JSON what it may hold as it is but would act on
// a terminal, or not be seen: marks that turn the direction of writing, say.
// Such characters stand nowhere but in strings, and are the same when they are
// read.
func Visible(text []byte) []byte {
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
