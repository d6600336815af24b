package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
	"github.com/seed721439b2/umami-go/umamitest"
)

// listWebsites gives the website that the environment names, or else all of the
// account.
func listWebsites(ctx context.Context, s *setting.Site) ([]string, error) {
	if s.WebsiteID != "" { // a credential that is wrong is better known now than by each replica, again and again
		if _, err := s.Client.GetRealtime(ctx, s.WebsiteID, nil); err != nil {
			return nil, s.Explain(err)
		}
		return []string{s.WebsiteID}, nil
	}
	var all []string
	for w, err := range s.Client.ListWebsites(ctx, &umami.WebsitesOptions{IncludeTeams: true}) {
		if err != nil {
			return nil, s.Explain(err)
		}
		all = append(all, w.ID)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no website for %s: make one, or set UMAMI_WEBSITE_ID to another's", s.Name, s.Credential)
	}
	return all, nil
}

// farm is a server of many websites: a fake server for each.
type farm map[string]*umamitest.Server

// RoundTrip answers for the website that the path names.
func (f farm) RoundTrip(req *http.Request) (*http.Response, error) {
	for id, server := range f {
		if strings.Contains(req.URL.Path, id) {
			own := req.Clone(req.Context())
			own.URL.Path, own.URL.RawPath = strings.Replace(req.URL.Path, id, server.WebsiteID, 1), ""
			return server.HTTPClient().Transport.RoundTrip(own)
		}
	}
	return nil, fmt.Errorf("no website in %s", req.URL.Path)
}

// client reads the farm.
func (f farm) client() *umami.Client {
	c, err := umami.NewClient("http://umami.test", umami.BearerToken(umamitest.Token),
		umami.WithHTTPClient(&http.Client{Transport: f}), umami.WithRetry(umami.RetryPolicy{Max: -1}))
	if err != nil {
		panic(err) // nothing of it can be wrong
	}
	return c
}

func websiteID(n int) string { return fmt.Sprintf("%08d-0000-4000-8000-000000000000", n) }

// simulated makes a farm of n websites. The traffic is the same in each process.
func simulated(n int) (farm, []string) {
	f, ids := make(farm), []string(nil)
	for i := range n {
		id := websiteID(i + 1)
		traffic := umamitest.Traffic{Seed: uint64(i), Rate: float64(1 + i)}
		f[id] = umamitest.NewServer(umamitest.InProcess(), umamitest.WithTraffic(traffic))
		ids = append(ids, id)
	}
	return f, ids
}
