package wire

import "bytes"

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
