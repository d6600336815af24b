package umami

import (
	"cmp"
	"context"
	"encoding/json"
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
	// (ClickHouse keeps whole seconds). Zero: EndAt is now by the local clock,
	// StartAt 30 minutes before EndAt. StartAt must not be after EndAt, neither
	// before 1970.
	StartAt, EndAt time.Time
	// PageSize is the most rows asked for at once, at most 100,000. The default
	// is 5,000, about 2.5 MB, or less where WithMaxResponseBytes allows less than
	// 2 KB for each. An instant with more rows is asked for with larger pages.
	PageSize int
	// Filters are as of GetRealtime. Servers before 3.0 ignore them.
	Filters
}

const (
	usualPageSize = 5_000
	mostPageSize  = 100_000
	oldPageSize   = 200 // the most that servers from 2.13 to 2.15 take

	rowBytes = 2 << 10 // of a long one
)

// pageSize is the default.
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
// a range, newest first, each once. websiteID is the website's UUID; opts may be
// nil. It calls GET /api/websites/{websiteId}/events, which servers have since
// 2.13; it shows the rows, too, that the limit of the realtime reply hides.
//
// The range is read in one page or, where that comes back full, from its newest
// instant to its oldest in several, which is exact where reading page after page
// is not: the server shuffles rows of the same instant from page to page, and
// loses some and repeats others. Rows that arrive late, once the newer part is
// read, are not seen. No more than one page is in memory, and the next one is
// asked for once its rows are taken.
//
// An error is the last pair. A bad argument is ErrInvalidArgument before
// anything is sent; an answer that is not a success an *APIError; one that is
// not a list of events a *DecodeError, which is what servers before 2.13 give,
// too. ErrCrowded is an instant with more rows than the server lists: 200 on
// servers from 2.13 to 2.15, 1,000 to 2.18.0, and later the 20,000, or four
// pages if that is more, that are asked for. A page above the client's limit is
// ErrResponseTooLarge: raise that, or take a smaller PageSize.
//
// Each range loop over the sequence asks anew. It is safe for concurrent use.
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
			if size > oldPageSize && refusesPageSize(err) {
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
	r, err := c.get(eventsQuery{span.From, span.To, 1, size, f}, "websites", websiteID, "events")
	if err != nil {
		return nil, nil, err
	}
	body, err := do(ctx, r)
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

// refusesPageSize tells the answer of servers from 2.13 to 2.15 to a page that
// is too long for them.
func refusesPageSize(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.StatusCode == http.StatusBadRequest && strings.Contains(e.Message, "pageSize")
}

// WebsitesOptions are the settings of ListWebsites; nil means the zero value.
type WebsitesOptions struct {
	// IncludeTeams also lists the websites of the caller's teams, on servers
	// since 3.0.
	IncludeTeams bool
	// PageSize is how many are asked for at once; default 100, and never more
	// than 200, which is what servers before 2.16 take.
	PageSize int
}

// websitesQuery is the query of a page of websites, for go-querystring.
type websitesQuery struct {
	Page         int  `url:"page"`
	PageSize     int  `url:"pageSize"`
	IncludeTeams bool `url:"includeTeams,omitempty"`
}

// ListWebsites returns the websites of the user whose credential it is, each
// once, in the server's order. opts may be nil. It calls GET /api/websites,
// page by page; the next page is asked for once the websites of the last are
// taken. It ends with as many as the first page counts.
//
// An error is the last pair; they are those of ListEvents. A share link has no
// websites to list: ErrUnauthorized.
//
// Each range loop over the sequence asks anew. It is safe for concurrent use.
func (c *Client) ListWebsites(ctx context.Context, opts *WebsitesOptions) iter.Seq2[Website, error] {
	var o WebsitesOptions
	if opts != nil {
		o = *opts
	}
	return func(yield func(Website, error) bool) {
		for site, err := range c.listWebsites(ctx, o) {
			if err != nil {
				yield(Website{}, fmt.Errorf("umami: list websites: %w", err))
				return
			}
			if !yield(Website(site), nil) {
				return
			}
		}
	}
}

func (c *Client) listWebsites(ctx context.Context, o WebsitesOptions) iter.Seq2[wire.Website, error] {
	return func(yield func(wire.Website, error) bool) {
		const usual, mostWebsites = 100, 100_000 // the latter where the server counts none
		if o.PageSize < 0 {
			yield(wire.Website{}, fmt.Errorf("%w: PageSize is negative", ErrInvalidArgument))
			return
		}
		if o.PageSize == 0 {
			o.PageSize = usual
		}
		q := websitesQuery{PageSize: min(o.PageSize, oldPageSize), IncludeTeams: o.IncludeTeams}
		given := make(map[string]struct{})
		for total := mostWebsites; len(given) < total; {
			q.Page++
			sites, count, err := c.websitesPage(ctx, q)
			if err != nil {
				yield(wire.Website{}, err)
				return
			}
			if q.Page == 1 {
				total = cmp.Or(count, mostWebsites)
			}
			before := len(given)
			for _, site := range sites {
				if _, again := given[site.ID]; again {
					continue
				}
				given[site.ID] = struct{}{}
				if !yield(site, nil) {
					return
				}
			}
			if len(given) == before { // it knows no pages, and repeats the first
				return
			}
		}
	}
}

func (c *Client) websitesPage(ctx context.Context, q websitesQuery) (sites []wire.Website, count int, err error) {
	r, err := c.get(q, "websites")
	if err != nil {
		return nil, 0, err
	}
	body, err := c.do(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	sites, count, err = wire.DecodeWebsites(body)
	if err != nil {
		return nil, 0, newDecodeError(r, body, err)
	}
	return sites, count, nil
}

// GetWebsite returns a website, given its UUID. It calls
// GET /api/websites/{websiteId}.
//
// A website that does not exist is ErrNotFound for an administrator, whom the
// server answers null; others get ErrUnauthorized, as for a website that is not
// theirs. The other errors are those of GetRealtime.
func (c *Client) GetWebsite(ctx context.Context, websiteID string) (*Website, error) {
	site, err := c.getWebsite(ctx, websiteID)
	if err != nil {
		return nil, fmt.Errorf("umami: get website: %w", err)
	}
	return site, nil
}

func (c *Client) getWebsite(ctx context.Context, websiteID string) (*Website, error) {
	r, body, err := c.ofWebsite(ctx, websiteID)
	if err != nil {
		return nil, err
	}
	site, err := wire.DecodeWebsite(body)
	if err != nil {
		return nil, newDecodeError(r, body, err)
	}
	if site == nil {
		return nil, fmt.Errorf("%w: the server knows no website %s", ErrNotFound, websiteID)
	}
	return (*Website)(site), nil
}

// ofWebsite asks for what elements name below a website.
func (c *Client) ofWebsite(ctx context.Context, websiteID string, elements ...string) (*request, []byte, error) {
	if err := checkWebsiteID(websiteID); err != nil {
		return nil, nil, err
	}
	r := c.request(http.MethodGet, append([]string{"websites", websiteID}, elements...)...)
	body, err := c.do(ctx, r)
	return r, body, err
}

// GetActiveVisitors returns how many visitors did something on the website in
// the last 5 minutes, counted by the server over all rows. websiteID is the
// website's UUID. It calls GET /api/websites/{websiteId}/active.
//
// The errors are those of GetRealtime. For a website that does not exist an
// administrator gets 0, as the server sends it.
func (c *Client) GetActiveVisitors(ctx context.Context, websiteID string) (int, error) {
	n, err := c.getActiveVisitors(ctx, websiteID)
	if err != nil {
		return 0, fmt.Errorf("umami: get active visitors: %w", err)
	}
	return n, nil
}

func (c *Client) getActiveVisitors(ctx context.Context, websiteID string) (int, error) {
	r, body, err := c.ofWebsite(ctx, websiteID, "active")
	if err != nil {
		return 0, err
	}
	n, err := wire.DecodeActive(body)
	if err != nil {
		return 0, newDecodeError(r, body, err)
	}
	return n, nil
}

// Ping returns nil if there is an Umami server and it knows the credential. It
// calls GET /api/me, or /api/auth/verify on servers before 2.6, which lack it.
//
// Its error says which of the two it is: that no Umami answers there (a
// *DecodeError, or an *APIError such as ErrNotFound), or that Umami refuses the
// credential (ErrUnauthorized mostly). Other errors, such as ErrServer and those
// of the network, leave both open.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.ping(ctx); err != nil {
		return fmt.Errorf("umami: ping: %w", err)
	}
	return nil
}

func (c *Client) ping(ctx context.Context) error {
	err := c.whoAmI(ctx, http.MethodGet, "me")
	if answered(err, http.StatusNotFound, "/me") {
		err = c.whoAmI(ctx, http.MethodGet, "auth", "verify")
	}
	if answered(err, http.StatusMethodNotAllowed, "/auth/verify") { // since 2.18
		err = c.whoAmI(ctx, http.MethodPost, "auth", "verify")
	}
	refused, ok := errors.AsType[*APIError](err)
	if !ok {
		if _, other := errors.AsType[*DecodeError](err); other {
			return fmt.Errorf("no Umami server answers at %v: %w", c.root, err)
		}
		return err
	}
	switch refused.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
	default:
		return err
	}
	// Umami answers 404 to a share link that it does not know, but in its own
	// words; a page comes from elsewhere.
	if isPage(refused.Body) || refused.StatusCode == http.StatusMethodNotAllowed ||
		refused.StatusCode == http.StatusNotFound && !strings.HasSuffix(refused.Path, "/share/…") {
		return fmt.Errorf("no Umami server answers at %v: %w", c.root, err)
	}
	return fmt.Errorf("the server refuses the credential: %w", err)
}

// answered says whether err is an answer of the path with the status.
func answered(err error, status int, path string) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.StatusCode == status && strings.HasSuffix(e.Path, path)
}

// whoAmI asks for the user and checks that the reply is Umami's: the user (to
// 2.15), or an object that holds the user or the token of a share link. A share
// link is nobody to servers to 2.15, which answer null.
func (c *Client) whoAmI(ctx context.Context, method string, elements ...string) error {
	r := c.request(method, elements...)
	r.secret = true // since 2.16 the reply repeats the token
	body, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	var me *struct {
		ID         string          `json:"id"`
		User       json.RawMessage `json:"user"`
		ShareToken json.RawMessage `json:"shareToken"`
	}
	switch err := json.Unmarshal(body, &me); {
	case err != nil:
		return newDecodeError(r, body, errors.New("not a JSON object"))
	case me != nil && me.ID == "" && !isObject(me.User) && !isObject(me.ShareToken):
		return newDecodeError(r, body, errors.New("it tells neither a user nor a share link"))
	}
	return nil
}

func isObject(value json.RawMessage) bool { return len(value) > 0 && value[0] == '{' }
