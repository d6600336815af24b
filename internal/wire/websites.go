package wire

import (
	"cmp"
	"errors"
	"time"
)

// Website is a website as every server since 2.0 tells of it.
type Website struct {
	ID, Name, Domain   string
	UserID, TeamID     string
	CreatedAt, ResetAt time.Time
}

// DecodeWebsites reads a list of websites: a page, or all of them in an array
// (to 2.4). count is how many there are, 0 where the page does not say. Any
// error is an *Error.
func DecodeWebsites(body []byte) (sites []Website, count int, err error) {
	r, err := newReader(body)
	if err != nil {
		return nil, 0, err
	}
	defer r.release()
	data := func() error {
		sites = nil
		return r.array(func() error {
			sites = append(sites, Website{})
			err := r.website(&sites[len(sites)-1])
			return cmp.Or(err, r.plausible(len(sites)))
		})
	}
	if r.peek() != '[' {
		count, err = r.page("websites", data)
	} else if err = data(); err == nil {
		count, err = len(sites), r.end()
	}
	if err != nil {
		return nil, 0, r.explain(err)
	}
	return sites, count, nil
}

// DecodeWebsite reads one website, nil where the reply is null. Any error is an
// *Error.
func DecodeWebsite(body []byte) (*Website, error) {
	r, err := newReader(body)
	if err != nil {
		return nil, err
	}
	defer r.release()
	site := &Website{}
	if r.peek() == 'n' {
		site, err = nil, r.skip()
	} else {
		err = r.website(site)
	}
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, r.explain(err)
	}
	return site, nil
}

func (r *reader) website(site *Website) error {
	r.peek()
	start := r.pos
	err := r.object(func(name string) error {
		switch name {
		case "id":
			return r.text(&site.ID)
		case "name":
			return r.text(&site.Name)
		case "domain":
			return r.text(&site.Domain)
		case "userId":
			return r.text(&site.UserID)
		case "teamId":
			return r.text(&site.TeamID)
		case "createdAt":
			return r.time(&site.CreatedAt)
		case "resetAt":
			return r.time(&site.ResetAt)
		}
		return r.skip()
	})
	if err == nil && site.ID == "" {
		err = wrong(start, errors.New("a website without an id"))
	}
	return err
}

// DecodeActive reads the number of active visitors: [{"x":3}] (to 2.6),
// {"x":3} (to 2.15) or {"visitors":3}. Any error is an *Error.
func DecodeActive(body []byte) (int, error) {
	r, err := newReader(body)
	if err != nil {
		return 0, err
	}
	defer r.release()
	var n number
	count := func() error {
		return r.object(func(name string) error {
			if name == "visitors" || name == "x" {
				return r.number(&n)
			}
			return r.skip()
		})
	}
	if r.peek() == '[' {
		err = r.array(count)
	} else {
		err = count()
	}
	if err == nil {
		err = r.end()
	}
	if err == nil && !n.ok {
		err = &Error{Err: errors.New("not a number of visitors")}
	}
	if err != nil {
		return 0, r.explain(err)
	}
	return n.n, nil
}
