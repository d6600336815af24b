package umami

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// WebsitesOptions are the settings of ListWebsites; nil means the zero value.
type WebsitesOptions struct {
	// IncludeTeams also lists the websites of the caller's teams, on servers
	// since 3.0.
	IncludeTeams bool
	// PageSize is how many are asked for at once; default 100. More than 200 is
	// lowered to that, which is all that servers before 2.16 allow.
	PageSize int
}

// websitesQuery is the query of a page of websites, for go-querystring.
type websitesQuery struct {
	Page         int  `url:"page"`
	PageSize     int  `url:"pageSize"`
	IncludeTeams bool `url:"includeTeams,omitempty"`
}

// ListWebsites returns the websites of the credential's user, each once, in the
// server's order. opts may be nil. It calls GET /api/websites page by page, asking
// for the next when the last is used up, and stops at the number that the first
// page gives as the total, or at 100,000 if it gives none.
//
// An error comes as the last pair. The errors are those of GetRealtime; a share
// link, which has no websites to list, gets ErrUnauthorized.
//
// Each range over the sequence sends new requests. It is safe for concurrent use.
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
		given, repeats := make(map[string]struct{}), 0 // pages without a new one
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
			// It knows no pages and repeats the first, unless new websites have
			// pushed those of a page onto the next.
			if repeats++; len(given) > before {
				repeats = 0
			}
			if len(sites) == 0 || repeats == 2 {
				return
			}
		}
	}
}

func (c *Client) websitesPage(ctx context.Context, q websitesQuery) (sites []wire.Website, count int, err error) {
	r, err := c.getRequest(q, "websites")
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
// To an administrator, a website that does not exist is ErrNotFound, without an
// *APIError, as the server answers 200 and null; others get ErrUnauthorized, as for
// a website that is not theirs. The other errors are those of GetRealtime.
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

// GetActiveVisitors returns how many visitors were active on the website in the
// last 5 minutes, counted by the server over all rows. websiteID is the website's
// UUID. It calls GET /api/websites/{websiteId}/active.
//
// The errors are those of GetRealtime. For a website that does not exist, an
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

// Ping returns nil if an Umami server answers and accepts the credential. It calls
// GET /api/me, or /api/auth/verify on servers before 2.6, which lack it.
//
// The error says which of the two failed: no Umami server answers there (a
// *DecodeError, or an *APIError such as ErrNotFound), or it refuses the credential
// (an *APIError, usually ErrUnauthorized). Anything else, such as ErrServer or an
// error of the network, leaves both open.
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
	r.secretReply = true // since 2.16 the reply repeats the token
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
