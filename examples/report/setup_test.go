package main

import (
	"flag"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
	"github.com/seed721439b2/umami-go/umamitest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	file = "testdata/" + file
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test -update writes it anew")
}

// siteOf is a fake server's site, as the environment would name it.
func siteOf(srv *umamitest.Server) *setting.Site {
	return &setting.Site{
		Name: "stats.example.com", Client: srv.Client(umami.WithRetry(umami.RetryPolicy{Max: -1})),
		WebsiteID: srv.WebsiteID, Credential: "UMAMI_TOKEN", Interval: 10 * time.Second,
	}
}

// recorded answers every request with the same body.
type recorded string

func (r recorded) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(string(r))), Request: req,
	}, nil
}

// Texts that would do harm if they got through as they are.
var evil = []umamitest.Visit{
	{URLPath: "/<script>alert(1)</script>", PageTitle: `"><img src=x onerror=alert(1)>`, ReferrerDomain: "=HYPERLINK(\"https://evil.example\")", Country: "<b>"},
	{URLPath: "/\x1b[31mred\u202e", PageTitle: "bell\a tab\t line\r\nend\u2066\u200b", ReferrerDomain: "@SUM(1+1)*cmd|' /C calc'!A0", Country: "DE"},
	{URLPath: "+1", PageTitle: "-2+3", ReferrerDomain: "\t=1", Country: "FR"},
	{URLPath: "{{.Site}}", PageTitle: "</title></style><svg onload=alert(1)>", ReferrerDomain: "＝1", Country: "US"},
	{URLPath: "/日本語/é?q=1#ü", PageTitle: "שלום, \"world\"", ReferrerDomain: "example.org", Country: ""},
}

// hostile is a server with such visits, for use in a bubble.
func hostile() *umamitest.Server {
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(umamitest.V2_9)) // which sends titles
	for i, v := range evil {
		v.SessionID = "00000000-0000-4000-8000-00000000000" + string(rune('0'+i))
		v.CreatedAt = time.Now().Add(-time.Duration(5*i) * time.Minute)
		for range len(evil) - i {
			srv.Visit(v)
		}
		srv.Event("=event "+v.PageTitle, v)
	}
	srv.Visit(umamitest.Visit{URLPath: "/old", CreatedAt: time.Now().Add(-31 * time.Minute)})
	return srv
}

func clientOf(t http.RoundTripper) *http.Client { return &http.Client{Transport: t} }

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}
