package wire

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Listing is one page of the rows of a span, newest first.
type Listing struct {
	Rows  []ListingRow
	Count int // rows of the whole span as the server counts them, 0 where it does not say
}

// ListingRow is a Row with what only listings tell.
type ListingRow struct {
	Row
	WebsiteID, City             string
	ReferrerPath, ReferrerQuery string
	EventType                   int
	HasData                     bool
}

// Span is a stretch of time in milliseconds since 1970, both ends included.
type Span struct {
	From, To int64
	// Instant says that From is the instant of all rows that are left in it:
	// only a larger page can show them.
	Instant bool
}

var (
	// ErrNoListing is the reply of a server before 2.13.
	ErrNoListing = errors.New("this server has no list of events: it is older than 2.13")
	// ErrCrowded is an instant with more rows than fit on a page.
	ErrCrowded = errors.New("an instant holds more rows than the server shows at once")
)

// DecodeListing reads a page. Any error is an *Error; it wraps ErrNoListing
// where the reply is what older servers answer at the same path: a series.
func DecodeListing(body []byte) (*Listing, error) {
	r, err := newReader(body)
	if err != nil {
		return nil, err
	}
	defer r.release()
	if r.peek() == '[' {
		if err := r.skip(); err != nil {
			return nil, r.explain(err)
		}
		return nil, &Error{Err: ErrNoListing}
	}
	l := &Listing{}
	l.Count, err = r.page("events", func() error { return r.listingRows(&l.Rows) })
	if err != nil {
		return nil, r.explain(err)
	}
	return l, nil
}

// page reads a page of a list, with data for its rows, to the end of the body.
// count is of the whole list, 0 where the page does not say.
func (r *reader) page(what string, data func() error) (count int, err error) {
	hasData := false
	err = r.object(func(name string) error {
		switch name {
		case "data":
			hasData = r.peek() == '['
			return data()
		case "count":
			var n number
			err := r.number(&n)
			count = n.or(0)
			return err
		}
		return r.skip()
	})
	if err == nil {
		err = r.end()
	}
	if err == nil && !hasData {
		err = &Error{Err: errors.New("not a list of " + what + ": it lacks data")}
	}
	return count, err
}

func (r *reader) listingRows(rows *[]ListingRow) error {
	*rows = (*rows)[:0]
	return r.array(func() error {
		if r.peek() == 'n' {
			return r.skip()
		}
		*rows = append(*rows, ListingRow{})
		row := &(*rows)[len(*rows)-1]
		err := r.object(func(name string) error { return r.listingColumn(row, name) })
		row.settle(byColumns) // as realtime shows it: the kind of a row is told by its columns
		return cmp.Or(err, r.plausible(len(*rows)))
	})
}

func (r *reader) listingColumn(row *ListingRow, name string) error {
	var n number
	switch name {
	case "websiteId":
		return r.text(&row.WebsiteID)
	case "city":
		return r.text(&row.City)
	case "referrerPath":
		return r.text(&row.ReferrerPath)
	case "referrerQuery":
		return r.text(&row.ReferrerQuery)
	case "eventType":
		err := r.number(&n)
		row.EventType = n.or(0)
		return err
	case "hasData": // a boolean on PostgreSQL, 0 or 1 on ClickHouse
		if row.HasData = r.peek() == 't'; row.HasData {
			return r.skip()
		}
		err := r.number(&n)
		row.HasData = n.or(0) > 0
		return err
	}
	return r.column(&row.Row, name)
}

// oldCut is how many rows of a span servers from 2.13 to 2.18.0 list at most,
// whatever is asked; their count is cut, too.
const oldCut = 1000

// CountIsCut says that Count may be of a part of the rows only.
func (l *Listing) CountIsCut() bool { return l.Count == oldCut }

// full says whether the page may have left something out.
func (l *Listing) full(size int) bool {
	n := len(l.Rows)
	if n == 0 {
		return false
	}
	cut := n == oldCut && !l.Rows[0].hostnameColumn // which servers since 3.0 have
	return cut || n >= size || n < l.Count
}

// Split tells what the page says for certain about the span that was asked
// for, where at most size rows were. The first whole rows are all there are of
// their time; rest are the spans in which more rows may be, newest first, none
// if the page holds everything.
//
// A page that came back full may have left out any of the rows that share the
// instant of its oldest one, so that instant is asked for again with what is
// older. Where all of the page is one instant, that is asked for alone, and if
// not even then all of it is shown, the error wraps ErrCrowded. Any other error
// is an *Error: the server did not list the newest rows of the span.
func (l *Listing) Split(asked Span, size int) (whole int, rest []Span, err error) {
	n := len(l.Rows)
	if !l.full(size) {
		return n, nil, nil
	}
	if err := l.check(asked); err != nil {
		return 0, nil, err
	}
	oldest := l.Rows[n-1].CreatedAt.UnixMilli()
	whole = slices.IndexFunc(l.Rows, func(row ListingRow) bool { return row.CreatedAt.UnixMilli() == oldest })
	// A database may keep less than a millisecond, which no reply shows, while a
	// span ends on a whole one: it takes in the millisecond after.
	switch to := oldest + 1; {
	case whole > 0 && to < asked.To:
		return whole, []Span{{From: asked.From, To: to}}, nil
	case whole > 0 && asked.Instant: // so crowded that it must do without
		return whole, []Span{{From: asked.From, To: oldest}}, nil
	case asked.Instant:
		return 0, nil, fmt.Errorf("%w: %d of them, or more, at %s", ErrCrowded, max(n, l.Count), l.Rows[0].CreatedAt.Format(time.RFC3339Nano))
	}
	rest = []Span{{From: max(oldest-1, asked.From), To: asked.To, Instant: true}}
	if oldest > asked.From {
		rest = append(rest, Span{From: asked.From, To: oldest - 1})
	}
	return 0, rest, nil
}

// check refuses a full page that is not the newest part of the span: what it
// leaves out could be anywhere.
func (l *Listing) check(asked Span) error {
	for i := range l.Rows {
		at := l.Rows[i].CreatedAt
		if ms := at.UnixMilli(); ms < asked.From || ms > asked.To {
			return &Error{Field: fmt.Sprintf("/data/%d/createdAt", i), Err: errors.New("not within the range that was asked for")}
		}
		if i > 0 && at.After(l.Rows[i-1].CreatedAt) {
			return &Error{Field: fmt.Sprintf("/data/%d/createdAt", i), Err: errors.New("not newest first, on a page that is full")}
		}
	}
	return nil
}
