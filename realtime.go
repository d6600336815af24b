package umami

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"
	_ "time/tzdata" // time zones are checked and read on machines without a database, too

	"github.com/seed721439b2/umami-go/internal/wire"
)

// RealtimeOptions narrows GetRealtime. nil and the zero value ask for
// everything of the last 30 minutes.
type RealtimeOptions struct {
	// StartAt and EndAt limit the range; they are sent in milliseconds. Servers
	// before 2.12 show the rows since StartAt, later ones always the last 30
	// minutes. If both are zero, they are the last 30 minutes with 5 more on
	// either side, for clocks that differ; if one is, it is 40 minutes from the
	// other. Both must lie between 1970 and 2261, and StartAt not after EndAt.
	StartAt time.Time `url:"startAt,unixmilli"`
	EndAt   time.Time `url:"endAt,unixmilli"`
	// Timezone is the IANA name of the zone in which the server counts minutes,
	// spelled as in the IANA database; "" is UTC. The times of the Series are
	// true instants whatever the zone.
	Timezone string `url:"timezone"`
	Filters
}

// Filters select rows, in GetRealtime on servers since 3.0.1 and in ListEvents
// since 3.0; older servers ignore them. The list is that of the API that Umami has
// published since 3.3; earlier servers may not know all of them.
//
// A filter is a value, or an operator and a value: "eq." (as without), "neq.",
// "c." (contains), "dnc." (does not contain), "re." or "nre." (matches a regular
// expression, or does not). For equality, several values may be given with commas
// between them. "" is no filter.
type Filters struct {
	Path          string `url:"path,omitempty"`     // as in URLPath: "/pricing"
	Referrer      string `url:"referrer,omitempty"` // a domain, as in ReferrerDomain
	Title         string `url:"title,omitempty"`    // of the page
	Query         string `url:"query,omitempty"`    // as in URLQuery, without "?"
	OS            string `url:"os,omitempty"`       // as in OS, Browser and Device of a row
	Browser       string `url:"browser,omitempty"`
	Device        string `url:"device,omitempty"`
	Country       string `url:"country,omitempty"` // an ISO 3166-1 code, as in Countries
	Region        string `url:"region,omitempty"`  // an ISO 3166-2 code
	City          string `url:"city,omitempty"`
	Tag           string `url:"tag,omitempty"` // that the tracker was given
	Hostname      string `url:"hostname,omitempty"`
	DistinctID    string `url:"distinctId,omitempty"` // that the tracker was given
	Language      string `url:"language,omitempty"`   // "en-US"
	Event         string `url:"event,omitempty"`      // a custom event's name; 3.1 then sends an empty Series
	UTMSource     string `url:"utmSource,omitempty"`  // and the others: parameters of the page's query
	UTMMedium     string `url:"utmMedium,omitempty"`
	UTMCampaign   string `url:"utmCampaign,omitempty"`
	UTMContent    string `url:"utmContent,omitempty"`
	UTMTerm       string `url:"utmTerm,omitempty"`
	ExcludeBounce string `url:"excludeBounce,omitempty"` // "true" leaves out bounces
	Segment       string `url:"segment,omitempty"`       // its id; 3.1 answers 500 for one that it does not know
	Cohort        string `url:"cohort,omitempty"`        // its id, likewise
	EventType     string `url:"eventType,omitempty"`     // a number as in WebsiteEvent; 3.1 answers 500 on ClickHouse
	Match         string `url:"match,omitempty"`         // "all" (default) or "any" of the filters
}

const (
	realtimeWindow = 30 * time.Minute // of every server since 2.0
	clockMargin    = 5 * time.Minute
)

// GetRealtime returns what the website's visitors did in the last 30 minutes.
// websiteID is the website's UUID; opts may be nil. It calls
// GET /api/realtime/{websiteId}, and is safe for concurrent use.
//
// To an administrator, the server shows a website that does not exist as an idle
// one; GetWebsite tells them apart. The errors are:
//
//   - ErrInvalidArgument for a bad argument; nothing was sent
//   - *APIError for a response that is not 2xx; it matches ErrUnauthorized also if
//     the website is not the caller's to see
//   - *DecodeError for a 2xx that is not a realtime reply
//   - ErrResponseTooLarge and ErrRedirectRefused
//   - what the Auth failed with, such as ErrTwoFactorRequired
//   - the context's error
//   - otherwise the transport's error at the last attempt, without the *url.Error
//     that net/http puts around it
//
// The last two also wrap the *APIError of an earlier attempt, if there was one.
func (c *Client) GetRealtime(ctx context.Context, websiteID string, opts *RealtimeOptions) (*Realtime, error) {
	rt, err := c.getRealtime(ctx, websiteID, opts)
	if err != nil {
		return nil, fmt.Errorf("umami: get realtime: %w", err)
	}
	return rt, nil
}

func (c *Client) getRealtime(ctx context.Context, websiteID string, opts *RealtimeOptions) (*Realtime, error) {
	if err := checkWebsiteID(websiteID); err != nil {
		return nil, err
	}
	var o RealtimeOptions
	if opts != nil {
		o = *opts
	}
	var rt *Realtime
	err := c.fetchRealtime(ctx, websiteID, o, time.Now(), func(body []byte, zone *time.Location) error {
		return wire.DecodeRows(body, zone, func(reply *wire.Reply, rows wire.Rows) {
			rt = newRealtime(reply, rows, body)
		})
	})
	return rt, err
}

// fetchRealtime asks for a reply and has it decoded. The range is reckoned from
// now.
func (c *Client) fetchRealtime(
	ctx context.Context, websiteID string, o RealtimeOptions, now time.Time, decode func(body []byte, zone *time.Location) error,
) error {
	zone, err := o.complete(now)
	if err != nil {
		return err
	}
	r, err := c.realtimeRequest(websiteID, &o)
	if err != nil {
		return err
	}
	body, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	if err := decode(body, zone); err != nil {
		return newDecodeError(r, body, err)
	}
	return nil
}

// realtimeRequest writes a query without filters by itself: most have none, and
// walking two dozen empty fields by reflection would cost them more than all the
// rest.
func (c *Client) realtimeRequest(websiteID string, o *RealtimeOptions) (*request, error) {
	if o.Filters != (Filters{}) {
		return c.getRequest(o, "realtime", websiteID)
	}
	r := c.request(http.MethodGet, "realtime", websiteID)
	r.url.RawQuery = "endAt=" + strconv.FormatInt(o.EndAt.UnixMilli(), 10) +
		"&startAt=" + strconv.FormatInt(o.StartAt.UnixMilli(), 10) +
		"&timezone=" + url.QueryEscape(o.Timezone)
	return r, nil
}

// complete fills in what was left out, checks the rest, and returns the zone.
func (o *RealtimeOptions) complete(now time.Time) (*time.Location, error) {
	const whole = realtimeWindow + 2*clockMargin
	switch {
	case o.StartAt.IsZero() && o.EndAt.IsZero():
		o.EndAt = now.Add(clockMargin)
		o.StartAt = o.EndAt.Add(-whole)
	case o.StartAt.IsZero():
		o.StartAt = o.EndAt.Add(-whole)
	case o.EndAt.IsZero():
		o.EndAt = o.StartAt.Add(whole)
	}
	if err := checkQuery(o.StartAt, o.EndAt, o.Filters); err != nil {
		return nil, err
	}
	if o.Timezone == "" {
		o.Timezone = "UTC" // in capitals: ClickHouse answers 500 for utc
	}
	return loadZone(o.Timezone)
}

// tooLate is what go-querystring cannot write: it counts nanoseconds.
var tooLate = time.Date(2262, time.January, 1, 0, 0, 0, 0, time.UTC)

// checkQuery refuses what no server can be asked for.
func checkQuery(start, end time.Time, f Filters) error {
	if start.Unix() < 0 || !end.Before(tooLate) { // a Year overflows where int has 32 bits
		return fmt.Errorf("%w: StartAt and EndAt must lie between 1970 and 2261", ErrInvalidArgument)
	}
	if start.After(end) {
		return fmt.Errorf("%w: StartAt is after EndAt", ErrInvalidArgument)
	}
	if f.Match != "" && f.Match != "all" && f.Match != "any" {
		return fmt.Errorf("%w: Match is %q, not all or any", ErrInvalidArgument, f.Match)
	}
	return nil
}

// zoneName is how the IANA database spells all its names. A system's folder of
// zones also finds files of other kinds, such as posixrules and right/UTC, and
// on some systems names in the wrong letters.
var zoneName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*$`)

// zones are those asked for so far: reading one from the database takes longer
// than the reply.
var zones sync.Map // of *time.Location by name

// loadZone accepts the names of the IANA database. Several server versions put
// the name into SQL as it comes.
func loadZone(name string) (*time.Location, error) {
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || !zoneName.MatchString(name) || name == "Local" || name == "Factory" {
		return nil, fmt.Errorf("%w: Timezone %q is not an IANA name such as Europe/Berlin", ErrInvalidArgument, name)
	}
	zones.Store(name, zone)
	return zone, nil
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func checkWebsiteID(id string) error {
	if !uuid.MatchString(id) {
		return fmt.Errorf("%w: websiteID %q is not a UUID; the website's settings page shows it", ErrInvalidArgument, id)
	}
	return nil
}
