package umami

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// EventsOptions narrows ListEvents. nil and the zero value ask for everything
// of the last 30 minutes.
type EventsOptions struct {
	// StartAt and EndAt are the range, both included, to the millisecond
	// (ClickHouse keeps whole seconds). If EndAt is zero, it is now by the local
	// clock, when the loop begins; if StartAt is zero, it is 30 minutes before
	// EndAt. Both must lie between 1970 and 2261, and StartAt not after EndAt.
	StartAt, EndAt time.Time
	// PageSize is how many rows are asked for at once, at most 100,000. The
	// default is 5,000, about 2.5 MB, or fewer if WithMaxResponseBytes allows less
	// than 2 KB for each. Servers from 2.13 to 2.15 get 200, which is all that they
	// allow. If more rows share one instant, larger pages are asked for.
	PageSize int
	// Filters select rows, as in GetRealtime.
	Filters
}

const (
	usualPageSize = 5_000
	mostPageSize  = 100_000
	oldPageSize   = 200 // the most that servers before 2.16 take, of any list

	rowBytes = 2 << 10 // of a long one
)

// pageSize is how many rows are asked for where the caller does not say.
func (c *Client) pageSize() int { return int(min(max(c.sender.MaxBytes/rowBytes, 1), usualPageSize)) }

func (o *EventsOptions) complete(now time.Time) error {
	if o.EndAt.IsZero() {
		o.EndAt = now
	}
	if o.StartAt.IsZero() {
		o.StartAt = o.EndAt.Add(-realtimeWindow)
	}
	if o.PageSize < 0 || o.PageSize > mostPageSize {
		return fmt.Errorf("%w: PageSize is %d, not 1 to %d, or 0 for the default", ErrInvalidArgument, o.PageSize, mostPageSize)
	}
	return checkQuery(o.StartAt, o.EndAt, o.Filters)
}

// ListEvents returns the website's page views, custom events and other rows of
// a range, newest first, each once, including those that the limit of the realtime
// reply hides. websiteID is the website's UUID; opts may be nil. It calls
// GET /api/websites/{websiteId}/events, which lists events on servers since 2.13.
//
// The range is read in one page if it fits, otherwise from newest to oldest in
// several, split by time. That is exact, unlike reading by page number: servers
// shuffle the rows of one instant from page to page, so that some are lost and
// others repeated. Rows that arrive after their part of the range was read are
// missed. At most one page is in memory; the next one is asked for when its rows
// are taken.
//
// An error comes as the last pair. The errors are those of GetRealtime, and:
//
//   - on servers before 2.13, which have no such list, a *DecodeError or an
//     *APIError that matches ErrBadRequest
//   - ErrCrowded if one instant has as many rows as can be listed, or more: 200 on
//     servers from 2.13 to 2.15, 1,000 on those to 2.18.0, and later 20,000 or four
//     times PageSize, whichever is larger
//   - ErrResponseTooLarge for a page above the client's limit: raise that, or take
//     a smaller PageSize
//
// Each range over the sequence sends new requests. It is safe for concurrent use.
func (c *Client) ListEvents(ctx context.Context, websiteID string, opts *EventsOptions) iter.Seq2[WebsiteEvent, error] {
	var o EventsOptions
	if opts != nil {
		o = *opts
	}
	return func(yield func(WebsiteEvent, error) bool) {
		for row, err := range c.listEvents(ctx, websiteID, o, c.do) {
			if err != nil {
				yield(WebsiteEvent{}, fmt.Errorf("umami: list events: %w", err))
				return
			}
			if !yield(newWebsiteEvent(row), nil) {
				return
			}
		}
	}
}

// sending is how a request is sent: Client.do, or a way that leaves the
// credential as it is.
type sending func(context.Context, *request) ([]byte, error)

// listEvents gives the rows of a range, newest first, each once, and at last
// the error if there is one.
func (c *Client) listEvents(ctx context.Context, websiteID string, o EventsOptions, do sending) iter.Seq2[*wire.ListingRow, error] {
	return func(yield func(*wire.ListingRow, error) bool) {
		err := checkWebsiteID(websiteID)
		if err == nil {
			o.PageSize = cmp.Or(o.PageSize, c.pageSize())
			err = o.complete(time.Now())
		}
		if err != nil {
			yield(nil, err)
			return
		}
		most := 4 * max(o.PageSize, usualPageSize) // for an instant
		given := make(map[string]int64)            // times of the rows that the next page may show again, by id
		spans := []wire.Span{{From: o.StartAt.UnixMilli(), To: o.EndAt.UnixMilli()}}
		for len(spans) > 0 {
			size := min(o.PageSize, most)
			if spans[0].Instant {
				size = most
			}
			page, rest, err := c.eventsPage(ctx, websiteID, spans[0], size, o.Filters, do)
			if size > oldPageSize && faults(err, "pageSize") {
				most = oldPageSize
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page.Rows {
				row := &page.Rows[i]
				if _, again := given[row.ID]; again && row.ID != "" {
					continue
				}
				given[row.ID] = row.CreatedAt.UnixMilli()
				if !yield(row, nil) {
					return
				}
			}
			spans = append(rest, spans[1:]...)
			maps.DeleteFunc(given, func(_ string, at int64) bool { return len(spans) == 0 || at > spans[0].To })
		}
	}
}

// eventsQuery is the query of a page of events, for go-querystring.
type eventsQuery struct {
	StartAt  int64 `url:"startAt"`
	EndAt    int64 `url:"endAt"`
	Page     int   `url:"page"`
	PageSize int   `url:"pageSize"`
	Filters
}

// eventsPage asks for the newest rows of a span, at most size of them. The page
// keeps those among which nothing can be missing; rest are the spans in which
// more rows may be.
func (c *Client) eventsPage(
	ctx context.Context, websiteID string, span wire.Span, size int, f Filters, do sending,
) (page *wire.Listing, rest []wire.Span, err error) {
	r, err := c.getRequest(eventsQuery{span.From, span.To, 1, size, f}, "websites", websiteID, "events")
	if err != nil {
		return nil, nil, err
	}
	body, err := do(ctx, r)
	if faults(err, "Invalid unit") { // which the series of most servers before 2.13 needs
		err = fmt.Errorf("%w: %w", err, wire.ErrNoListing)
	}
	if err != nil {
		return nil, nil, err
	}
	page, err = wire.DecodeListing(body)
	if err != nil {
		return nil, nil, newDecodeError(r, body, err)
	}
	whole, rest, err := page.Split(span, size)
	if wrong, ok := errors.AsType[*wire.Error](err); ok {
		return nil, nil, newDecodeError(r, body, wrong)
	}
	page.Rows = page.Rows[:whole]
	return page, rest, err
}

// faults says whether err is a 400 that finds fault with a parameter.
func faults(err error, parameter string) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.StatusCode == http.StatusBadRequest && strings.Contains(e.Message, parameter)
}
