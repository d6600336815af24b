package wire

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Error says where a body is not the reply that it should be.
type Error struct {
	Field  string // JSON pointer (RFC 6901) to the value, cut if very long; "" for the whole body
	Offset int64  // bytes from the start of the body
	Err    error

	consumed bool // the body is JSON so far and can be read on
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%v (byte %d)", e.Err, e.Offset)
	}
	return fmt.Sprintf("%s: %v (byte %d)", e.Field, e.Err, e.Offset)
}

func (e *Error) Unwrap() error { return e.Err }

// Decode reads a body. zone is the time zone that was asked for, in which some
// servers write the series. Any error is an *Error.
func Decode(body []byte, zone *time.Location) (*Reply, error) {
	r, err := newReader(body)
	if err != nil {
		return nil, err
	}
	var d document
	if err := r.document(&d); err != nil {
		return nil, err
	}
	return d.normalise(zone), nil
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

// reader walks the tokens of one body, once.
type reader struct {
	dec    *jsontext.Decoder
	shared map[string]string // browsers, paths, session ids: few, and often repeated
}

func newReader(body []byte) (*reader, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, &Error{Err: fmt.Errorf("the body is empty: %w", io.ErrUnexpectedEOF)}
	}
	return &reader{
		// Umami is not ours to correct: names may repeat (the last one
		// counts) and texts may hold broken UTF-8, as for encoding/json.
		dec: jsontext.NewDecoder(bytes.NewBuffer(body),
			jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
		shared: make(map[string]string),
	}, nil
}

// end wants nothing more after the reply.
func (r *reader) end() error {
	at := r.dec.InputOffset()
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return &Error{Offset: at, Err: errors.New("more text after the reply")}
	}
	return nil
}

func (r *reader) document(d *document) error {
	if r.dec.PeekKind() != '{' {
		return r.unexpected("an object")
	}
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
			if r.dec.PeekKind() == '[' {
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
			d.truncated = r.dec.PeekKind() == 't'
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
	*rows = (*rows)[:0]
	return r.array(func() error {
		if r.dec.PeekKind() == 'n' {
			return r.skip()
		}
		*rows = append(*rows, Row{})
		n := len(*rows)
		err := r.row(&(*rows)[n-1])
		return cmp.Or(err, r.plausible(n))
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
	if int64(rows) > r.dec.InputOffset()/leanest+most {
		return r.tooMany("rows")
	}
	return nil
}

func (r *reader) tooMany(what string) error {
	return &Error{pointer(r.dec.StackPointer()), r.dec.InputOffset(), errors.New("more " + what + " than any server sends"), false}
}

// row reads a row. Values that are not what they should be don't matter in a
// row of a type that is not ours.
func (r *reader) row(row *Row) error {
	var wrong error // the first such value
	err := r.object(func(name string) error {
		err := r.column(row, name)
		if e, ok := errors.AsType[*Error](err); ok && e.consumed {
			wrong, err = cmp.Or(wrong, err), nil
		}
		return err
	})
	if err == nil && row.kind != unknown {
		err = wrong
	}
	return err
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
		row.Performance = r.dec.PeekKind() == 't'
	}
	return r.skip()
}

func (r *reader) kind(row *Row) error {
	var name string
	if k := r.dec.PeekKind(); k != '"' && k != 'n' {
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
	if r.dec.PeekKind() == 'n' {
		return r.skip()
	}
	c.byKey = make(map[string]int)
	return r.object(func(name string) error {
		var n number
		err := r.number(&n)
		if n.ok {
			c.byKey[name] = n.n
		} else {
			c.byKey[name], c.spoiled = spoiledCount, true
		}
		if err == nil && len(c.byKey) > most {
			return r.tooMany("counts")
		}
		return err
	})
}

func (r *reader) series(d *document) error {
	d.hasSeries = r.dec.PeekKind() == '{'
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
		if r.dec.PeekKind() == 'n' {
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
	if r.dec.PeekKind() != '{' {
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
	switch r.dec.PeekKind() {
	case '0', '"':
		token, err := r.dec.ReadToken()
		if err != nil {
			return r.fail(err)
		}
		n.n, n.ok = parseCount(token.String())
		return nil
	}
	return r.skip()
}

func parseCount(s string) (int, bool) {
	f, err := strconv.ParseFloat(s, 64)
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
func (r *reader) stamp(s *stamp) error {
	*s = stamp{}
	switch r.dec.PeekKind() {
	case 'n':
		return r.skip()
	case '0', '"':
	default:
		return r.unexpected("a time")
	}
	value, err := r.dec.ReadValue()
	if err != nil {
		return r.fail(err)
	}
	if value.Kind() == '0' {
		*s, err = parseMillis(string(value))
	} else {
		var room [len("2006-01-02T15:04:05.000000000-07:00")]byte
		unquoted, _ := jsontext.AppendUnquote(room[:0], value) // as in text
		*s, err = parseStamp(string(unquoted))
	}
	if err != nil {
		return r.wrong(value, err)
	}
	return nil
}

func (r *reader) text(s *string) error {
	*s = ""
	switch r.dec.PeekKind() {
	case 'n':
		return r.skip()
	case '"':
	default:
		return r.unexpected("a string")
	}
	value, err := r.dec.ReadValue()
	if err != nil {
		return r.fail(err)
	}
	if known, ok := r.shared[string(value)]; ok {
		*s = known
		return nil
	}
	// The value is valid, so the only possible error is about UTF-8, and the
	// text then holds U+FFFD in its place.
	text, _ := jsontext.AppendUnquote(nil, value)
	*s = string(text)
	r.shared[string(value)] = *s
	return nil
}

// object calls member for each name, which must consume the value.
func (r *reader) object(member func(name string) error) error {
	if r.dec.PeekKind() != '{' {
		return r.unexpected("an object")
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.fail(err)
	}
	for r.dec.PeekKind() != '}' {
		name, err := r.dec.ReadToken()
		if err != nil {
			return r.fail(err)
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return r.fail(err)
}

// array calls element for each value, which it must consume. null is empty.
func (r *reader) array(element func() error) error {
	switch r.dec.PeekKind() {
	case 'n':
		return r.skip()
	case '[':
	default:
		return r.unexpected("an array")
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.fail(err)
	}
	for r.dec.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return r.fail(err)
}

func (r *reader) skip() error { return r.fail(r.dec.SkipValue()) }

// unexpected says that the next value is not what it should be, unless it is
// not even JSON.
func (r *reader) unexpected(want string) error {
	value, err := r.dec.ReadValue()
	if err != nil {
		return r.fail(err)
	}
	return r.wrong(value, fmt.Errorf("%s where %s should be", kindName(value.Kind()), want))
}

// wrong says what is wrong with the value just read.
func (r *reader) wrong(value jsontext.Value, err error) error {
	return &Error{pointer(r.dec.StackPointer()), r.dec.InputOffset() - int64(len(value)), err, true}
}

// pointer keeps the pointer to a deeply nested value readable.
func pointer(p jsontext.Pointer) string {
	const most = 200
	if len(p) <= most {
		return string(p)
	}
	return strings.ToValidUTF8(string(p[:most]), "") + "…"
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	default:
		return "an array"
	}
}

func (r *reader) fail(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &Error{pointer(syntax.JSONPointer), syntax.ByteOffset, syntax.Err, false}
	}
	return &Error{pointer(r.dec.StackPointer()), r.dec.InputOffset(), err, false}
}
