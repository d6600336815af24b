package setting

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"

	umami "github.com/seed721439b2/umami-go"
)

// Clean makes text from outside harmless on a terminal: what would move the
// cursor, change a colour, turn the direction of writing or not be seen at all
// becomes U+FFFD. A heap of accents on one letter is cut off, because it would
// reach into other lines.
func Clean(s string) string {
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

// OneLine is the text of an error in one line, harmless.
func OneLine(err error) string {
	return Clean(strings.Join(strings.Fields(err.Error()), " "))
}

// Trouble tells of failed polls: a line when a trouble begins or becomes
// another, and one when it is over. It is safe for concurrent use.
type Trouble struct {
	program string
	out     io.Writer

	mu   sync.Mutex
	last string
}

// NewTrouble makes a Trouble that writes to out in the name of a program.
func NewTrouble(program string, out io.Writer) *Trouble {
	return &Trouble{program: program, out: out}
}

// Failed takes note of a failed poll. One that ends the polling is left to who
// asks the poller why it ended.
func (t *Trouble) Failed(e *umami.PollError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := OneLine(e.Err); e.Next > 0 && text != t.last {
		t.last = text
		fmt.Fprintf(t.out, "%s: %s; trying again\n", t.program, text)
	}
}

// Over takes note that a poll has worked.
func (t *Trouble) Over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != "" {
		t.last = ""
		fmt.Fprintf(t.out, "%s: the server answers again\n", t.program)
	}
}
