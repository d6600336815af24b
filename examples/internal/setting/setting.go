// Package setting is what the example programs share: the website that the
// environment names, and how troubles are told on a terminal.
package setting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// Site is a website to read, and how.
type Site struct {
	Name       string // the server's host; "" where the traffic is simulated
	Client     *umami.Client
	WebsiteID  string        // "" until Choose, where the environment names none
	Credential string        // the variables it came from, for messages
	Interval   time.Duration // between polls

	base       string // what NewClient takes
	auth       umami.Auth
	simulation *umamitest.Server // nil for a real server
}

// credentials are the ways in, each by the variables that it needs.
var credentials = []struct {
	vars []string
	auth func(values []string) umami.Auth
}{
	{[]string{"UMAMI_API_KEY"}, func(v []string) umami.Auth { return umami.APIKey(v[0]) }},
	{[]string{"UMAMI_TOKEN"}, func(v []string) umami.Auth { return umami.BearerToken(v[0]) }},
	{[]string{"UMAMI_USERNAME", "UMAMI_PASSWORD"}, func(v []string) umami.Auth { return umami.Login(v[0], v[1]) }},
	{[]string{"UMAMI_SHARE_ID"}, func(v []string) umami.Auth { return umami.ShareLink(v[0]) }},
}

var uuid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// Read reads the environment; a variable that is set but empty counts as not
// set. With none set, the site is simulated. Its errors name the variable and
// never show its value, unless that is no secret.
func Read(getenv func(string) string) (*Site, error) {
	var auth umami.Auth
	var from []string
	for _, c := range credentials {
		var values, missing []string
		for _, name := range c.vars {
			values = append(values, getenv(name))
			if getenv(name) == "" {
				missing = append(missing, name)
			}
		}
		switch len(missing) {
		case 0:
			auth = c.auth(values)
			from = append(from, strings.Join(c.vars, " and "))
		case len(c.vars): // not this one
		default:
			return nil, fmt.Errorf("%s is not set: %s go together", missing[0], strings.Join(c.vars, " and "))
		}
	}
	base, website := getenv("UMAMI_URL"), getenv("UMAMI_WEBSITE_ID")
	switch {
	case base == "" && website == "" && auth == nil:
		return simulated(), nil
	case auth == nil:
		return nil, errors.New("no credential: set UMAMI_API_KEY, UMAMI_TOKEN, UMAMI_USERNAME and UMAMI_PASSWORD, or UMAMI_SHARE_ID")
	case len(from) > 1:
		return nil, fmt.Errorf("more than one credential: unset all but one of %s", strings.Join(from, ", "))
	case base == "" && from[0] != "UMAMI_API_KEY":
		return nil, fmt.Errorf("UMAMI_URL is not set: set it to the address of your server (Umami Cloud takes UMAMI_API_KEY, not %s)", from[0])
	case website == "" && from[0] == "UMAMI_SHARE_ID":
		return nil, errors.New("UMAMI_WEBSITE_ID is not set: set it to the website's ID, which a share link does not tell")
	case website != "" && !uuid.MatchString(website):
		return nil, fmt.Errorf("UMAMI_WEBSITE_ID %q is not a website ID: it looks like 86d4095c-a2a8-4fc8-9521-103e858e2b41", website)
	}
	if base == "" {
		base = umami.CloudURL
	}
	// A poll that fails is told, and the next one comes soon: that is retry
	// enough.
	client, err := umami.NewClient(base, auth, umami.WithRetry(umami.RetryPolicy{Max: -1}))
	if err != nil {
		setting := from[0]
		if _, err := umami.NewClient(base, umami.BearerToken("any")); err != nil {
			setting = "UMAMI_URL"
		}
		return nil, fmt.Errorf("%s cannot be used: %w", setting, err)
	}
	host, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	return &Site{
		Name: host.Host, Client: client, WebsiteID: website, Credential: from[0], Interval: 10 * time.Second,
		base: base, auth: auth,
	}, nil
}

// simulated makes the same traffic in each process, as it comes from the seed
// and the clock alone: a program that is started again finds what it left.
func simulated() *Site {
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{Seed: 1, Rate: 3}))
	return &Site{
		Client: srv.Client(), WebsiteID: srv.WebsiteID, Interval: 2 * time.Second,
		base: srv.URL, auth: umami.BearerToken(umamitest.Token), simulation: srv,
	}
}

// NewClient makes another client of the site, with options of its own, whose
// requests are sent by what wrap makes of a transport.
func (s *Site) NewClient(wrap func(http.RoundTripper) http.RoundTripper, opts ...umami.Option) (*umami.Client, error) {
	transport := http.DefaultTransport
	if s.simulation != nil {
		transport = s.simulation.HTTPClient().Transport
	}
	opts = append(opts, umami.WithHTTPClient(&http.Client{Transport: wrap(transport)}))
	return umami.NewClient(s.base, s.auth, opts...)
}

// Choose finds the website where the environment names none: the only one that
// the credential's owner has. Of several it lists all on out, for the user to
// choose. One that the environment names must exist: to an administrator, an
// unknown website looks like an idle one.
func (s *Site) Choose(ctx context.Context, out io.Writer) error {
	if s.WebsiteID != "" {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if _, err := s.Client.GetWebsite(ctx, s.WebsiteID); errors.Is(err, umami.ErrNotFound) && !isAnswer(err) {
			return fmt.Errorf("%s has no website %s: check UMAMI_WEBSITE_ID", s.Name, s.WebsiteID)
		}
		return nil // else the first poll tells
	}
	var sites []umami.Website
	for w, err := range s.Client.ListWebsites(ctx, &umami.WebsitesOptions{IncludeTeams: true}) {
		if err != nil {
			return s.Explain(err)
		}
		sites = append(sites, w)
	}
	switch len(sites) {
	case 0:
		return fmt.Errorf("%s has no website for %s: make one, or set UMAMI_WEBSITE_ID to another's", s.Name, s.Credential)
	case 1:
		s.WebsiteID = sites[0].ID
		return nil
	}
	for _, w := range sites {
		fmt.Fprintf(out, "%s  %s  %s\n", Clean(w.ID), Clean(w.Domain), Clean(w.Name))
	}
	return errors.New("UMAMI_WEBSITE_ID is not set: set it to the first word of one of these lines")
}

// Close ends what Read began.
func (s *Site) Close() {
	if s.simulation != nil {
		s.simulation.Close()
	}
}

// isAnswer says whether err is an answer that is not a success.
func isAnswer(err error) bool {
	_, ok := errors.AsType[*umami.APIError](err)
	return ok
}

// Explain adds the setting to look at to an error that ends the program.
func (s *Site) Explain(err error) error {
	refused, _ := errors.AsType[*umami.APIError](err)
	_, odd := errors.AsType[*umami.DecodeError](err)
	switch {
	case errors.Is(err, umami.ErrUnauthorized) && refused != nil && strings.HasSuffix(refused.Path, "/auth/login"):
		return fmt.Errorf("%w; check %s", err, s.Credential)
	case errors.Is(err, umami.ErrTwoFactorRequired):
		return fmt.Errorf("%w: set UMAMI_API_KEY or UMAMI_TOKEN instead of %s", err, s.Credential)
	case errors.Is(err, umami.ErrUnauthorized), errors.Is(err, umami.ErrForbidden), errors.Is(err, umami.ErrBadRequest):
		return fmt.Errorf("%w; check %s and UMAMI_WEBSITE_ID", err, s.Credential)
	case errors.Is(err, umami.ErrNotFound) && s.Credential == "UMAMI_SHARE_ID":
		return fmt.Errorf("%w; check UMAMI_SHARE_ID and UMAMI_URL", err)
	case errors.Is(err, umami.ErrRateLimited), errors.Is(err, umami.ErrServer): // no setting's fault
		return fmt.Errorf("cannot read %s: %w", s.Name, err)
	case refused != nil, odd:
		return fmt.Errorf("cannot read %s: %w; check UMAMI_URL", s.Name, err)
	default:
		return fmt.Errorf("cannot read %s: %w; check UMAMI_URL and the network", s.Name, err)
	}
}
