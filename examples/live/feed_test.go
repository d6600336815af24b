package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
	"github.com/seed721439b2/umami-go/umamitest"
)

func TestVisits(t *testing.T) {
	t.Parallel()
	pageviews := []umami.Pageview{
		{CreatedAt: noon, URLPath: "/b", ReferrerDomain: "r", Country: "DE", Browser: "chrome"},
		{CreatedAt: noon.Add(-time.Second), URLPath: "/beacon", Performance: true},
		{CreatedAt: noon.Add(-time.Minute), URLPath: "/a"},
	}
	events := []umami.Event{{CreatedAt: noon.Add(-time.Second), EventName: "e", URLPath: "/a"}}
	assert.Equal(t, []visit{
		{at: noon.Add(-time.Minute), path: "/a"},
		{at: noon.Add(-time.Second), event: "e", path: "/a"},
		{at: noon, path: "/b", referrer: "r", country: "DE", browser: "chrome"},
	}, visits(pageviews, events))
}

// siteOf is a fake server's site, as the environment would name it.
func siteOf(srv *umamitest.Server) *setting.Site {
	return &setting.Site{
		Name: "stats.example.com", Client: srv.Client(umami.WithRetry(umami.RetryPolicy{Max: -1})),
		WebsiteID: srv.WebsiteID, Credential: "UMAMI_TOKEN", Interval: 10 * time.Second,
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		defer srv.Close()
		srv.Visit(umamitest.Visit{URLPath: "/before"})
		poller, updates, err := follow(t.Context(), siteOf(srv))
		require.NoError(t, err)

		u := <-updates
		require.Nil(t, u.failed)
		require.Len(t, u.diff.Pageviews, 1)
		assert.Equal(t, "/before", u.diff.Pageviews[0].URLPath)

		srv.Visit(umamitest.Visit{URLPath: "/after"})
		u = <-updates
		require.Len(t, u.diff.Pageviews, 1)
		assert.Equal(t, "/after", u.diff.Pageviews[0].URLPath)
		assert.Len(t, u.diff.Snapshot.Pageviews, 2)
		assert.Equal(t, time.Now(), u.at)

		srv.Fail(1, umamitest.Status(502, ""))
		srv.Visit(umamitest.Visit{URLPath: "/meanwhile"})
		u = <-updates
		require.ErrorIs(t, u.failed, umami.ErrServer)
		u = <-updates
		require.Nil(t, u.failed, "it goes on")
		require.Len(t, u.diff.Pageviews, 1)
		assert.Equal(t, "/meanwhile", u.diff.Pageviews[0].URLPath)

		srv.ExpireTokens()
		_, ok := <-updates
		assert.False(t, ok, "this cannot heal")
		require.ErrorIs(t, poller.Err(), umami.ErrUnauthorized)
	})
}
