package wire

import (
	"errors"
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

// DecodeRows is Decode for callers that convert the rows themselves. take gets
// the reply without its rows, and pointers to them that are valid only until it
// returns.
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
		if err == nil && len(r.pairs) > mostCounts {
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
		if err == nil && len(*stamps) > mostItems {
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
