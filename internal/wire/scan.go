package wire

import (
	"encoding/binary"
	"math/bits"
)

// scanner walks the bytes of a JSON text. It accepts what encoding/json
// accepts (RFC 8259, and broken UTF-8 within texts). What is no JSON it only
// tells from what is; notJSON finds the words for it.
type scanner struct {
	buf   []byte
	pos   int
	depth int // objects and arrays around pos
}

// maxDepth is how deep values may be nested, as for encoding/json.
const maxDepth = 10_000

// peek goes to the next value or delimiter and returns its first byte, '0' for
// any number and 0 at the end.
func (s *scanner) peek() byte {
	for ; s.pos < len(s.buf); s.pos++ {
		switch c := s.buf[s.pos]; {
		case c > '9':
			return c
		case c >= '0' || c == '-':
			return '0'
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return c
		}
	}
	return 0
}

// open enters an object or an array, at whose first byte pos is.
func (s *scanner) open() bool {
	s.pos++
	s.depth++
	return s.depth <= maxDepth
}

// more says whether another member or element follows, and goes there. first
// is whether none was read yet, end the byte that ends the object or array,
// which is left then.
func (s *scanner) more(first bool, end byte) (more, ok bool) {
	switch c := s.peek(); {
	case c == end:
		s.pos++
		s.depth--
		return false, true
	case first:
		return true, true
	case c == ',':
		s.pos++
		return true, true
	default:
		return false, false
	}
}

// colon goes past the colon between a name and its value.
func (s *scanner) colon() bool {
	if !s.at(':') && s.peek() != ':' {
		return false
	}
	s.pos++
	return true
}

// expect goes past a text without escapes, if it is the next value.
func (s *scanner) expect(text string) bool {
	end := s.pos + 1 + len(text)
	if end >= len(s.buf) || s.buf[s.pos] != '"' || s.buf[end] != '"' || string(s.buf[s.pos+1:end]) != text {
		return false
	}
	s.pos = end + 1
	return true
}

// quoted goes past a text and returns what is between the quotes. plain says that
// it is ASCII without escapes.
func (s *scanner) quoted() (raw []byte, plain, ok bool) {
	if s.peek() != '"' {
		return nil, false, false
	}
	start := s.pos + 1
	plain = true
	for i := start; ; {
		i += plainLen(s.buf[i:])
		if i == len(s.buf) {
			return nil, false, false
		}
		switch c := s.buf[i]; {
		case c == '"':
			s.pos = i + 1
			return s.buf[start:i], plain, true
		case c == '\\':
			n := escapeLen(s.buf[i:])
			if n == 0 {
				return nil, false, false
			}
			i += n
		case c < ' ':
			return nil, false, false
		default:
			i++
		}
		plain = false
	}
}

// plainLen is the number of bytes before the first that is a quote, a
// backslash, a control character or not ASCII. It looks at eight bytes at a
// time: in each byte of m the highest bit is set if the byte is one of those.
// What a subtraction borrows from the byte above may set that one's, too, but
// never in the first byte found.
func plainLen(b []byte) int {
	const ones, highest = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, backslash := x^ones*'"', x^ones*'\\'
		m := (x | (x - ones*' ') | (quote - ones) | (backslash - ones)) & highest
		if m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] < 0x80 && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// escapeLen is the length of the escape sequence that b begins with, 0 if it is
// none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if !isDigit(c) && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return 0
			}
		}
		return 6
	}
	return 0
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// number goes past a number and returns it.
func (s *scanner) number() (raw []byte, ok bool) {
	start := s.pos
	if s.at('-') {
		s.pos++
	}
	if s.at('0') {
		s.pos++
	} else if !s.digits() {
		return nil, false
	}
	if s.at('.') {
		s.pos++
		if !s.digits() {
			return nil, false
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if !s.digits() {
			return nil, false
		}
	}
	return s.buf[start:s.pos], true
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.buf) && s.buf[s.pos] == c }

// digits goes past digits and says whether there were any.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.buf) && isDigit(s.buf[s.pos]) {
		s.pos++
	}
	return s.pos > start
}

// skip goes past any value.
func (s *scanner) skip() bool {
	switch s.peek() {
	case '"':
		_, _, ok := s.quoted()
		return ok
	case '0':
		_, ok := s.number()
		return ok
	case 'n':
		return s.literal("null")
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case '{':
		return s.skipAll('}')
	case '[':
		return s.skipAll(']')
	}
	return false
}

// skipAll goes past an object or an array.
func (s *scanner) skipAll(end byte) bool {
	if !s.open() {
		return false
	}
	for first := true; ; first = false {
		more, ok := s.more(first, end)
		if !more {
			return ok
		}
		if end == '}' {
			if _, _, ok := s.quoted(); !ok || !s.colon() {
				return false
			}
		}
		if !s.skip() {
			return false
		}
	}
}

func (s *scanner) literal(word string) bool {
	end := s.pos + len(word)
	if end > len(s.buf) || string(s.buf[s.pos:end]) != word {
		return false
	}
	s.pos = end
	return true
}
