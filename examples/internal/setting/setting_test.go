package setting_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
	"github.com/seed721439b2/umami-go/umamitest"
)

const websiteID = "86d4095c-a2a8-4fc8-9521-103e858e2b41"

func TestWrongSettings(t *testing.T) {
	t.Parallel()
	const url, site = "https://stats.example.com", websiteID
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"url alone":           {map[string]string{"UMAMI_URL": url}, "no credential: set UMAMI_API_KEY, UMAMI_TOKEN"},
		"website alone":       {map[string]string{"UMAMI_WEBSITE_ID": site}, "no credential: set UMAMI_API_KEY, UMAMI_TOKEN"},
		"no credential":       {map[string]string{"UMAMI_URL": url, "UMAMI_WEBSITE_ID": site}, "no credential: set UMAMI_API_KEY, UMAMI_TOKEN"},
		"two credentials":     {map[string]string{"UMAMI_URL": url, "UMAMI_WEBSITE_ID": site, "UMAMI_TOKEN": "secret", "UMAMI_API_KEY": "secret"}, "unset all but one of UMAMI_API_KEY, UMAMI_TOKEN"},
		"a token and a login": {map[string]string{"UMAMI_URL": url, "UMAMI_WEBSITE_ID": site, "UMAMI_TOKEN": "secret", "UMAMI_USERNAME": "u", "UMAMI_PASSWORD": "secret"}, "unset all but one of UMAMI_TOKEN, UMAMI_USERNAME and UMAMI_PASSWORD"},
		"no password":         {map[string]string{"UMAMI_URL": url, "UMAMI_WEBSITE_ID": site, "UMAMI_USERNAME": "u"}, "UMAMI_PASSWORD is not set"},
		"no user name":        {map[string]string{"UMAMI_PASSWORD": "secret"}, "UMAMI_USERNAME is not set"},
		"token without url":   {map[string]string{"UMAMI_WEBSITE_ID": site, "UMAMI_TOKEN": "secret"}, "UMAMI_URL is not set"},
		"share without url":   {map[string]string{"UMAMI_WEBSITE_ID": site, "UMAMI_SHARE_ID": "secret"}, "UMAMI_URL is not set"},
		"share, no website":   {map[string]string{"UMAMI_URL": url, "UMAMI_SHARE_ID": "secret"}, "UMAMI_WEBSITE_ID is not set"},
		"website by name":     {map[string]string{"UMAMI_URL": url, "UMAMI_TOKEN": "secret", "UMAMI_WEBSITE_ID": "example.com"}, `UMAMI_WEBSITE_ID "example.com" is not a website ID`},
		"website in braces":   {map[string]string{"UMAMI_URL": url, "UMAMI_TOKEN": "secret", "UMAMI_WEBSITE_ID": "{" + site + "}"}, "UMAMI_WEBSITE_ID"},
		"url without scheme":  {map[string]string{"UMAMI_URL": "stats.example.com", "UMAMI_WEBSITE_ID": site, "UMAMI_TOKEN": "secret"}, "UMAMI_URL cannot be used: "},
		"url with a password": {map[string]string{"UMAMI_URL": "https://u:secret@stats.example.com", "UMAMI_WEBSITE_ID": site, "UMAMI_TOKEN": "t"}, "UMAMI_URL cannot be used: "},
		"token of two lines":  {map[string]string{"UMAMI_URL": url, "UMAMI_WEBSITE_ID": site, "UMAMI_TOKEN": "secret\nsecret"}, "UMAMI_TOKEN cannot be used: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := setting.Read(func(k string) string { return c.env[k] })
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestRightSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env              map[string]string
		host, credential string
	}{
		"token": {map[string]string{"UMAMI_URL": "http://localhost:3000/umami", "UMAMI_TOKEN": "t"}, "localhost:3000", "UMAMI_TOKEN"},
		"login": {map[string]string{"UMAMI_URL": "https://s.example", "UMAMI_USERNAME": "u", "UMAMI_PASSWORD": "p"}, "s.example", "UMAMI_USERNAME and UMAMI_PASSWORD"},
		"share": {map[string]string{"UMAMI_URL": "https://s.example", "UMAMI_SHARE_ID": "x"}, "s.example", "UMAMI_SHARE_ID"},
		"key":   {map[string]string{"UMAMI_URL": "https://s.example", "UMAMI_API_KEY": "k", "UMAMI_TOKEN": ""}, "s.example", "UMAMI_API_KEY"},
		"cloud": {map[string]string{"UMAMI_API_KEY": "k"}, "api.umami.is", "UMAMI_API_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.env["UMAMI_WEBSITE_ID"] = websiteID
			s, err := setting.Read(func(k string) string { return c.env[k] })
			require.NoError(t, err)
			defer s.Close()
			assert.Equal(t, c.host, s.Name)
			assert.Equal(t, c.credential, s.Credential)
			assert.Equal(t, websiteID, s.WebsiteID)
			assert.Equal(t, 10*time.Second, s.Interval)
		})
	}
}

func TestWebsiteIsChosen(t *testing.T) {
	t.Parallel()
	second := umamitest.Website{ID: websiteID, Name: "Shop\x1b[2J", Domain: "shop.example.com", TeamID: websiteID}
	for name, c := range map[string]struct {
		opts         []umamitest.Option
		fault        *umamitest.Fault
		set          string // UMAMI_WEBSITE_ID
		chosen, text string
		lines        []string
	}{
		"the only one": {chosen: umamitest.WebsiteID},
		"of two": {
			opts: []umamitest.Option{umamitest.WithWebsites(second)}, text: "UMAMI_WEBSITE_ID is not set: set it to the first word of one of these lines",
			lines: []string{umamitest.WebsiteID + "  main.example.com  lab main", websiteID + "  shop.example.com  Shop\uFFFD[2J"},
		},
		"already":    {set: umamitest.WebsiteID, chosen: umamitest.WebsiteID},
		"unknown":    {set: websiteID, chosen: websiteID, text: "has no website " + websiteID + ": check UMAMI_WEBSITE_ID"},
		"no telling": {set: websiteID, chosen: websiteID, fault: new(umamitest.ExpiredToken())},
		"none":       {fault: new(umamitest.Body(`{"data":[],"count":0}`)), text: "has no website for UMAMI_TOKEN"},
		"refused":    {fault: new(umamitest.ExpiredToken()), text: "401 Unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := umamitest.NewServer(c.opts...)
			defer srv.Close()
			env := map[string]string{"UMAMI_URL": srv.URL, "UMAMI_TOKEN": umamitest.Token, "UMAMI_WEBSITE_ID": c.set}
			s, err := setting.Read(func(k string) string { return env[k] })
			require.NoError(t, err)
			defer s.Close()
			if c.fault != nil {
				srv.Fail(1, *c.fault)
			}
			var out strings.Builder
			err = s.Choose(t.Context(), &out)
			assert.Equal(t, c.chosen, s.WebsiteID)
			assert.Equal(t, strings.Join(append(c.lines, ""), "\n"), out.String())
			if c.text == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.text)
			}
			if c.set != "" {
				assert.Len(t, srv.Requests(), 1)
			}
		})
	}
}

func TestNoSettingsSimulate(t *testing.T) {
	t.Parallel()
	var replies []*umami.Realtime
	for range 2 { // as two processes do, one after the other
		s, err := setting.Read(func(string) string { return "" })
		require.NoError(t, err)
		defer s.Close()
		assert.Empty(t, s.Name)
		rt, err := s.Client.GetRealtime(t.Context(), s.WebsiteID, nil)
		require.NoError(t, err)
		replies = append(replies, rt)
	}
	require.NotEmpty(t, replies[0].Pageviews, "the simulation begins with a past")
	assert.Subset(t, replies[1].Pageviews, replies[0].Pageviews[:20], "which is always the same")
}

// counting counts the requests that pass.
type counting struct {
	next  http.RoundTripper
	count *int
}

func (c counting) RoundTrip(req *http.Request) (*http.Response, error) {
	*c.count++
	return c.next.RoundTrip(req)
}

func TestNewClient(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer()
	defer srv.Close()
	for name, env := range map[string]map[string]string{
		"simulated": nil,
		"a server":  {"UMAMI_URL": srv.URL, "UMAMI_TOKEN": umamitest.Token, "UMAMI_WEBSITE_ID": srv.WebsiteID},
	} {
		s, err := setting.Read(func(k string) string { return env[k] })
		require.NoError(t, err)
		defer s.Close()
		count := 0
		client, err := s.NewClient(func(next http.RoundTripper) http.RoundTripper { return counting{next, &count} })
		require.NoError(t, err)
		_, err = client.GetRealtime(t.Context(), s.WebsiteID, nil)
		require.NoError(t, err, name)
		assert.Equal(t, 1, count, name)
	}
}

func TestVisible(t *testing.T) {
	t.Parallel()
	const evil = "a\x1b[31m\u009b\r\n\u202e\u200b\U000e0041 日本語\n"
	text, err := json.Marshal(evil)
	require.NoError(t, err)
	visible := setting.Visible(text)
	assert.Equal(t, `"a\u001b[31m\u009b\r\n\u202e\u200b\udb40\udc41 日本語\n"`, string(visible))
	var read string
	require.NoError(t, json.Unmarshal(visible, &read))
	assert.Equal(t, evil, read)
}
