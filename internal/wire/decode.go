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

// Decode reads a body. zone is the time zone that was asked for, in which some
// servers write the series. Any error is an *Error.
func Decode(body []byte, zone *time.Location) (reply *Reply, err error) {
	err = DecodeRows(body, zone, func(r *Reply, rows Rows) {
		r.Pageviews, r.Events, r.Sessions = copyRows(rows.Pageviews), copyRows(rows.Events), copyRows(rows.Sessions)
		reply = r
	})
	return reply, err
}

// DecodeRows is Decode for who makes something else of the rows: take gets them
// apart from the reply, and they are gone when it returns.
func DecodeRows(body []byte, zone *time.Location, take func(*Reply, Rows)) error {
	r, err := newReader(body)
	if err != nil {
		return err
	}
	defer r.release()
	if err := r.document(&r.doc); err != nil {
		return r.explain(err)
	}
	reply := r.doc.normalise(&r.lists, zone)
	take(reply, r.lists.Rows)
	return nil
}

// document is a reply as it stands, before its versions are brought together.
type document struct {
	pageviews, events, sessions []Row
	hasPageviews, hasEvents     bool
	urls, referrers, countries  counts
	hasSeries                   bool
	views, visitors             []stamp
	totals                      struct{ views, visitors, events, countries number }
	visitorCount                number
	visitorList                 bool // visitors is a list of sessions: 2.12
	timestamp                   time.Time
	truncated, ours             bool // ours: written by this package's own user, not a server
}

func (d *document) reset() {
	for _, rows := range [][]Row{d.pageviews, d.events, d.sessions} {
		clear(rows)
	}
	*d = document{
		pageviews: d.pageviews[:0], events: d.events[:0], sessions: d.sessions[:0],
		views: d.views[:0], visitors: d.visitors[:0],
	}
}

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

func (r *reader) document(d *document) error {
	hasTruncated := false
	err := r.object(func(name string) error {
		switch name {
		case "pageviews":
			d.hasPageviews = true
			return r.rows(&d.pageviews)
		case "events":
			d.hasEvents = true
			return r.rows(&d.events)
		case "sessions":
			return r.rows(&d.sessions)
		case "visitors":
			if r.peek() == '[' {
				d.visitorList = true
				return r.rows(&d.sessions)
			}
			return r.number(&d.visitorCount)
		case "urls":
			return r.counts(&d.urls)
		case "referrers":
			return r.counts(&d.referrers)
		case "countries":
			return r.counts(&d.countries)
		case "series":
			return r.series(d)
		case "totals":
			return r.totals(d)
		case "timestamp":
			err := r.time(&d.timestamp)
			d.timestamp = d.timestamp.Truncate(time.Millisecond)
			return err
		case "truncated":
			hasTruncated = true
			d.truncated = r.peek() == 't'
		}
		return r.skip()
	})
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return err
	}
	d.ours = hasTruncated && d.hasPageviews && d.hasSeries // no server sends all three
	if !d.hasPageviews && !d.hasEvents || d.timestamp.IsZero() && !d.ours {
		return &Error{Err: errors.New("not a realtime reply: it lacks events or timestamp")}
	}
	for i := range d.pageviews {
		d.pageviews[i].settle(pageview)
	}
	for i := range d.events {
		if d.hasPageviews {
			d.events[i].settle(event)
		} else {
			d.events[i].settle(byColumns)
		}
	}
	for i := range d.sessions {
		d.sessions[i].settle(sessionCopy)
	}
	return nil
}

// settle completes a row once all its columns are known. list is the kind of
// the list it stands in.
func (row *Row) settle(list kind) {
	if row.kind == byColumns {
		row.kind = list
	}
	if row.kind == byColumns { // 2.12
		row.kind = pageview
		if row.EventName != "" {
			row.kind = event
		}
	}
	if row.ID == "" {
		row.ID = row.altID
	}
	if list == byColumns && row.kind == pageview && row.hostnameColumn && row.Hostname == "" {
		row.Performance = true
	}
}

func (r *reader) rows(rows *[]Row) error {
	clear(*rows)
	*rows = (*rows)[:0]
	r.tail = nil
	return r.array(func() error {
		if r.peek() == 'n' {
			return r.skip()
		}
		*rows = append(*rows, Row{})
		if err := r.row(*rows); err != nil {
			return err
		}
		return r.plausible(len(*rows))
	})
}

// A reply must not take far more memory than its text. Rows of servers are
// longer than leanest, in bytes, and there are not so many of anything else.
const (
	leanest = 100
	most    = 10_000
)

// plausible holds the number of rows read so far to the text they were read from.
func (r *reader) plausible(rows int) error {
	if rows > r.pos/leanest+most {
		return r.tooMany("rows")
	}
	return nil
}

func (r *reader) tooMany(what string) error {
	return &Error{Offset: int64(r.pos), Err: errors.New("more " + what + " than any server sends")}
}

// row reads the last of rows. Values that are not what they should be don't
// matter in a row of a type that is not ours.
func (r *reader) row(rows []Row) error {
	row := &rows[len(rows)-1]
	var wrong error // the first such value
	members, after := 0, 0
	err := r.object(func(name string) error {
		err := r.column(row, name)
		members++
		if name == "__type" {
			if members == 1 {
				after = r.pos
				r.repeat(rows)
			} else {
				after = 0
			}
		}
		if e, ok := err.(*Error); ok && e.within { //nolint:errorlint // as the reader made it
			if wrong == nil {
				wrong = err
			}
			return nil
		}
		return err
	})
	r.tail = nil
	if err == nil && wrong == nil && after > 0 {
		r.tail = r.buf[after:r.pos]
	}
	if err == nil && row.kind != unknown {
		err = wrong
	}
	return err
}

// repeat reads the rest of the last of rows, of which only __type is read, if
// it is to the byte the rest of the row before: so it is with the session
// copies since 2.13, which are up to half of a reply.
func (r *reader) repeat(rows []Row) {
	if len(r.tail) == 0 || !bytes.HasPrefix(r.buf[r.pos:], r.tail) {
		return
	}
	row, before := &rows[len(rows)-1], &rows[len(rows)-2]
	kind := row.kind
	*row = *before
	row.kind = kind
	r.pos += len(r.tail) - 1 // what ends the object ends this one, too
}

func (r *reader) column(row *Row, name string) error {
	switch name {
	case "__type":
		return r.kind(row)
	case "id":
		return r.text(&row.ID)
	case "__id":
		return r.text(&row.altID)
	case "key":
		return r.text(&row.Key)
	case "sessionId":
		return r.text(&row.SessionID)
	case "eventName":
		return r.text(&row.EventName)
	case "createdAt":
		return r.time(&row.CreatedAt)
	case "hostname":
		row.hostnameColumn = true
		return r.text(&row.Hostname)
	case "urlPath":
		return r.text(&row.URLPath)
	case "urlQuery":
		return r.text(&row.URLQuery)
	case "referrerDomain":
		return r.text(&row.ReferrerDomain)
	case "pageTitle":
		return r.text(&row.PageTitle)
	case "browser":
		return r.text(&row.Browser)
	case "os":
		return r.text(&row.OS)
	case "device":
		return r.text(&row.Device)
	case "country":
		return r.text(&row.Country)
	case "performance":
		row.Performance = r.peek() == 't'
	}
	return r.skip()
}

func (r *reader) kind(row *Row) error {
	var name string
	if k := r.peek(); k != '"' && k != 'n' {
		row.kind = unknown
		return r.skip()
	}
	if err := r.text(&name); err != nil {
		return err
	}
	switch name {
	case "pageview":
		row.kind = pageview
	case "event":
		row.kind = event
	case "session":
		row.kind = sessionCopy
	case "":
		row.kind = byColumns
	default:
		row.kind = unknown
	}
	return nil
}

// counts reads a map of counts. A visitor of the site can make the server send
// something else than a number for a key, so each value stands for itself.
func (r *reader) counts(c *counts) error {
	*c = counts{}
	if r.peek() == 'n' {
		return r.skip()
	}
	clear(r.pairs)
	r.pairs = r.pairs[:0]
	err := r.object(func(name string) error {
		var n number
		err := r.number(&n)
		if !n.ok {
			n.n, c.spoiled = spoiledCount, true
		}
		r.pairs = append(r.pairs, pair{name, n.n})
		if err == nil && len(r.pairs) > most {
			return r.tooMany("counts")
		}
		return err
	})
	c.byKey = make(map[string]int, len(r.pairs))
	for _, p := range r.pairs {
		c.byKey[p.key] = p.n
	}
	return err
}

func (r *reader) series(d *document) error {
	d.hasSeries = r.peek() == '{'
	if !d.hasSeries {
		return r.skip()
	}
	return r.object(func(name string) error {
		switch name {
		case "views":
			return r.stamps(&d.views)
		case "visitors":
			return r.stamps(&d.visitors)
		}
		return r.skip()
	})
}

// stamps reads points. One that is null, that has no time (MySQL on 2.15 sends
// null) or no count is left out.
func (r *reader) stamps(stamps *[]stamp) error {
	*stamps = (*stamps)[:0]
	return r.array(func() error {
		if r.peek() == 'n' {
			return r.skip()
		}
		var x, t stamp
		var y number
		err := r.object(func(name string) error {
			switch name {
			case "x":
				return r.stamp(&x)
			case "t":
				return r.stamp(&t)
			case "y":
				return r.number(&y)
			}
			return r.skip()
		})
		if x.at.IsZero() {
			x = t
		}
		if y.ok && !x.at.IsZero() {
			x.count = y.n
			*stamps = append(*stamps, x)
		}
		if err == nil && len(*stamps) > most {
			return r.tooMany("minutes")
		}
		return err
	})
}

func (r *reader) totals(d *document) error {
	if r.peek() != '{' {
		return r.skip()
	}
	return r.object(func(name string) error {
		switch name {
		case "views":
			return r.number(&d.totals.views)
		case "visitors":
			return r.number(&d.totals.visitors)
		case "events":
			return r.number(&d.totals.events)
		case "countries":
			return r.number(&d.totals.countries)
		}
		return r.skip()
	})
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
