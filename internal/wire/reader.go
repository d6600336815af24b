package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
	"time"
)

// reader walks the values of one body, once.
type reader struct {
	scanner
	texts texts
	doc   document
	lists lists
	tail  []byte // of the row before, what comes after its __type, if that came first and but once
	day   day    // of the time read last
	pairs []pair // of the map of counts read last
}

// pair is a key and its count.
type pair struct {
	key string
	n   int
}

// readers are kept for their buffers, of which no reply holds any part.
var readers = sync.Pool{New: func() any {
	r := new(reader)
	r.texts.reset()
	r.lists.at = make(map[string]int)
	return r
}}

func newReader(body []byte) (*reader, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, &Error{Err: fmt.Errorf("the body is empty: %w", io.ErrUnexpectedEOF)}
	}
	r := readers.Get().(*reader)
	r.scanner = scanner{buf: body}
	return r, nil
}

// release gives the reader back, with nothing of the body or the reply in it.
func (r *reader) release() {
	const most = 1 << 10 // of anything, of the 200 rows of a full reply
	d := &r.doc
	if max(cap(d.pageviews), cap(d.events), cap(d.sessions), cap(d.views), cap(d.visitors), cap(r.pairs), cap(r.texts.known)) > most {
		return
	}
	r.scanner, r.tail = scanner{}, nil
	r.texts.reset()
	d.reset()
	r.lists.reset()
	clear(r.pairs)
	readers.Put(r)
}

// end wants nothing more after the reply.
func (r *reader) end() error {
	at := int64(r.pos)
	if r.peek(); r.pos < len(r.buf) {
		return &Error{Offset: at, Err: errors.New("more text after the reply")}
	}
	return nil
}

// A reply must not take far more memory than its text. Rows of servers are
// longer than leanest, in bytes; servers to 2.12 count more paths than they show
// rows, but fewer than mostCounts; and of anything else there are fewer than
// mostItems.
const (
	leanest    = 100
	mostCounts = 1 << 17
	mostItems  = 10_000
)

// plausible holds the number of rows read so far to the text they were read from.
func (r *reader) plausible(rows int) error {
	if rows > r.pos/leanest+mostItems {
		return r.tooMany("rows")
	}
	return nil
}

func (r *reader) tooMany(what string) error {
	return &Error{Offset: int64(r.pos), Err: errors.New("more " + what + " than any server sends")}
}

// number reads a count, which may be a string of digits (older ClickHouse).
// Anything else is skipped and leaves n not ok.
func (r *reader) number(n *number) error {
	*n = number{}
	switch r.peek() {
	case '0':
		raw, ok := r.scanner.number()
		if !ok {
			return errNotJSON
		}
		n.n, n.ok = parseCount(raw)
	case '"':
		raw, plain, ok := r.quoted()
		if !ok {
			return errNotJSON
		}
		if !plain {
			raw = unquote(raw)
		}
		n.n, n.ok = parseCount(raw)
	default:
		return r.skip()
	}
	return nil
}

func parseCount(b []byte) (int, bool) {
	if n, ok := digits(b); ok && n <= math.MaxInt32 {
		return int(n), true
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f > math.MaxInt32 {
		return 0, false
	}
	return int(f), true
}

func (r *reader) time(t *time.Time) error {
	var s stamp
	err := r.stamp(&s)
	*t = s.at
	return err
}

// stamp reads a time: a text in one of the wire's layouts, or milliseconds
// since 1970. null leaves it zero.
func (r *reader) stamp(s *stamp) (err error) {
	*s = stamp{}
	first := r.peek()
	start := r.pos
	switch first {
	case 'n':
		return r.skip()
	case '0':
		raw, ok := r.scanner.number()
		if !ok {
			return errNotJSON
		}
		*s, err = parseMillis(raw)
	case '"':
		raw, plain, ok := r.quoted()
		if !ok {
			return errNotJSON
		}
		if !plain {
			raw = unquote(raw)
		}
		*s, err = r.day.parseStamp(raw)
	default:
		return r.unexpected("a time")
	}
	if err != nil {
		return wrong(start, err)
	}
	return nil
}

// text reads a text; null is empty.
func (r *reader) text(s *string) error {
	t := &r.texts
	if before := t.known[t.known[t.last].value].string; r.expect(before) {
		*s = before
		return nil
	}
	*s = ""
	switch r.peek() {
	case 'n':
		return r.skip()
	case '"':
	default:
		return r.unexpected("a string")
	}
	raw, plain, ok := r.quoted()
	if !ok {
		return errNotJSON
	}
	var i uint32
	*s, i = t.find(raw, plain)
	t.known[t.last].value = i
	return nil
}

// name reads a name and the colon after it.
func (r *reader) name() (name string, err error) {
	t := &r.texts
	if next := t.known[t.last].next; r.expect(t.known[next].string) {
		name, t.last = t.known[next].string, next
	} else {
		raw, plain, ok := r.quoted()
		if !ok {
			return "", errNotJSON
		}
		before := t.last
		name, t.last = t.find(raw, plain)
		t.known[before].next = t.last
	}
	return name, must(r.colon())
}

// object calls member for each name, which must consume the value.
func (r *reader) object(member func(name string) error) error {
	if r.peek() != '{' {
		return r.unexpected("an object")
	}
	if !r.open() {
		return errNotJSON
	}
	for first := true; ; first = false {
		if more, ok := r.more(first, '}'); !more {
			return must(ok)
		}
		name, err := r.name()
		if err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
}

// array calls element for each value, which it must consume. null is empty.
func (r *reader) array(element func() error) error {
	switch r.peek() {
	case 'n':
		return r.skip()
	case '[':
	default:
		return r.unexpected("an array")
	}
	if !r.open() {
		return errNotJSON
	}
	for first := true; ; first = false {
		if more, ok := r.more(first, ']'); !more {
			return must(ok)
		}
		if err := element(); err != nil {
			return err
		}
	}
}

func (r *reader) skip() error { return must(r.scanner.skip()) }

// must makes an error of what the scanner did not accept.
func must(ok bool) error {
	if !ok {
		return errNotJSON
	}
	return nil
}

// unexpected says that the next value is not what it should be, unless it is
// not even JSON.
func (r *reader) unexpected(want string) error {
	first, start := r.peek(), r.pos
	if err := r.skip(); err != nil {
		return err
	}
	return wrong(start, fmt.Errorf("%s where %s should be", kindName(first), want))
}

// wrong says what is wrong with the value that begins at start.
func wrong(start int, err error) error {
	return &Error{Offset: int64(start), Err: err, within: true}
}
