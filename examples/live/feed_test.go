package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

func TestVisits(t *testing.T) {
	t.Parallel()
	rt := &umami.Realtime{
		Pageviews: []umami.Pageview{
			{SessionID: "s", CreatedAt: noon, URLPath: "/b", ReferrerDomain: "r", Country: "DE", Browser: "chrome"},
			{SessionID: "s", CreatedAt: noon.Add(-time.Second), URLPath: "/beacon", Performance: true},
			{SessionID: "s", CreatedAt: noon.Add(-time.Minute), URLPath: "/a"},
		},
		Events: []umami.Event{{SessionID: "s", CreatedAt: noon.Add(-time.Second), EventName: "e", URLPath: "/a"}},
	}
	assert.Equal(t, []visit{
		{at: noon.Add(-time.Minute), session: "s", path: "/a"},
		{at: noon.Add(-time.Second), session: "s", event: "e", path: "/a"},
		{at: noon, session: "s", path: "/b", referrer: "r", country: "DE", browser: "chrome"},
	}, visits(rt))
}

func TestCompareCountsVisitsAlike(t *testing.T) {
	t.Parallel()
	a, b := visit{at: noon, path: "/a"}, visit{at: noon, path: "/b"}
	fresh, seen := compare(nil, []visit{a, a})
	assert.Equal(t, []visit{a, a}, fresh)
	fresh, seen = compare(seen, []visit{a, b, a, a})
	assert.Equal(t, []visit{b, a}, fresh)
	fresh, _ = compare(seen, []visit{a, a, a, b})
	assert.Empty(t, fresh)
}

func TestFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		defer srv.Close()
		client := srv.Client(umami.WithRetry(umami.RetryPolicy{Max: -1}))
		srv.Visit(umamitest.Visit{URLPath: "/before"})
		began := time.Now()
		updates := follow(t.Context(), client, srv.WebsiteID, 10*time.Second)

		u := <-updates
		require.NoError(t, u.err)
		require.Len(t, u.fresh, 1)
		assert.Equal(t, "/before", u.fresh[0].path)

		srv.Visit(umamitest.Visit{URLPath: "/after"})
		u = <-updates
		assert.Equal(t, 10*time.Second, time.Since(began))
		require.Len(t, u.fresh, 1)
		assert.Equal(t, "/after", u.fresh[0].path)
		assert.Len(t, u.realtime.Pageviews, 2)

		srv.Fail(1, umamitest.Status(502, ""))
		srv.Visit(umamitest.Visit{URLPath: "/meanwhile"})
		u = <-updates
		require.ErrorIs(t, u.err, umami.ErrServer)
		assert.Empty(t, u.fresh)
		u = <-updates
		require.NoError(t, u.err, "it goes on")
		require.Len(t, u.fresh, 1)
		assert.Equal(t, "/meanwhile", u.fresh[0].path)
		assert.Equal(t, 30*time.Second, time.Since(began))
	})
}
