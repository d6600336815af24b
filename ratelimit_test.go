package umami_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

func TestRateLimitDefault(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		base    string
		opts    []umami.Option
		atOnce  int
		elapsed time.Duration // for 120 calls
	}{
		"Umami Cloud":      {umami.CloudURL, nil, 50, 30 * time.Second},
		"a region":         {umami.CloudURL + "/eu", nil, 50, 30 * time.Second},
		"in capitals":      {"HTTPS://API.Umami.IS/v1", nil, 50, 30 * time.Second},
		"with a port":      {"https://api.umami.is:443/v1", nil, 50, 30 * time.Second},
		"elsewhere":        {"https://umami.example.com", nil, 120, 0},
		"a name like it":   {"https://api.umami.is.example.com/v1", nil, 120, 0},
		"below it":         {"https://stats.api.umami.is", nil, 120, 0},
		"off":              {umami.CloudURL, []umami.Option{umami.WithRateLimit(0, 0)}, 120, 0},
		"off with a minus": {umami.CloudURL, []umami.Option{umami.WithRateLimit(-1, time.Hour)}, 120, 0},
		"another on Cloud": {umami.CloudURL, []umami.Option{umami.WithRateLimit(60, time.Second)}, 60, time.Second},
		"one elsewhere":    {"http://umami.test", []umami.Option{umami.WithRateLimit(40, time.Minute)}, 40, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []transport{always(200, idle)}}
				c, err := umami.NewClient(tt.base, umami.APIKey(token), append(tt.opts, umami.WithHTTPClient(&http.Client{Transport: s}))...)
				require.NoError(t, err)
				began := time.Now()
				var wg sync.WaitGroup
				for range 120 {
					wg.Go(func() {
						_, err := c.GetRealtime(t.Context(), site, nil)
						assert.NoError(t, err)
					})
				}
				wg.Wait()
				atOnce := 0
				for _, r := range s.sent {
					if r.at.Equal(began) {
						atOnce++
					}
				}
				assert.Equal(t, tt.atOnce, atOnce)
				assert.Equal(t, tt.elapsed, time.Since(began))
			})
		})
	}
}

// Retries, redirects and logins count like any call.
func TestRateLimitCountsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{
			tokenReply("1"), always(503, ""), always(308, "", "Location", "/there"), always(401, unauthorized), tokenReply("2"), always(200, idle),
		}}
		get(t, newClient(t, s, umami.Login("admin", "umami"), umami.WithRateLimit(1, 10*time.Second)))
		for _, wait := range s.waits() {
			assert.Equal(t, 10*time.Second, wait)
		}
		assert.Len(t, s.sent, 6)
	})
}

// The limit is each client's own.
func TestRateLimitOfTwoClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limit := umami.WithRateLimit(1, time.Hour)
		began := time.Now()
		get(t, newClient(t, always(200, idle), umami.BearerToken(token), limit))
		get(t, newClient(t, always(200, idle), umami.BearerToken(token), limit))
		assert.Zero(t, time.Since(began))
	})
}

func TestRateLimitWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{always(200, idle)}}
		c := newClient(t, s, umami.BearerToken(token), umami.WithRateLimit(1, time.Hour))
		get(t, c)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		_, err := c.GetRealtime(ctx, site, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "held back by the rate limit")
		assert.Equal(t, 5*time.Second, time.Since(began))
		assert.Len(t, s.sent, 1)
		time.Sleep(time.Hour - 5*time.Second)
		get(t, c) // whoever gave up took no turn
	})
}

// The wait for a turn is no part of an attempt's timeout.
func TestRateLimitLongerThanTheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, always(200, idle), umami.BearerToken(token), umami.WithRateLimit(1, time.Hour), umami.WithTimeout(time.Second))
		began := time.Now()
		get(t, c)
		get(t, c)
		assert.Equal(t, time.Hour, time.Since(began))
	})
}

// A 429 tells of the whole client, so all its calls wait, limit or not.
func TestRateLimit429HoldsAllCalls(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header      []string
		opts        []umami.Option
		least, most time.Duration
	}{
		"for as long as it asks": {[]string{"Retry-After", "9"}, nil, 9 * time.Second, 9 * time.Second},
		"never above MaxWait":    {[]string{"Retry-After", "900"}, nil, 30 * time.Second, 30 * time.Second},
		"without a word":         {nil, nil, 500 * time.Millisecond, time.Second},
		"at once, it says":       {[]string{"Retry-After", "0"}, nil, 500 * time.Millisecond, time.Second},
		"with a limit, too":      {[]string{"Retry-After", "9"}, []umami.Option{umami.WithRateLimit(100, time.Second)}, 9 * time.Second, 9 * time.Second},
		"without retries, too":   {[]string{"Retry-After", "9"}, []umami.Option{noRetry}, 9 * time.Second, 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []transport{always(429, "", tt.header...), always(200, idle)}}
				c := newClient(t, s, umami.BearerToken(token), tt.opts...)
				began := time.Now()
				var wg sync.WaitGroup
				wg.Go(func() { _, _ = c.GetRealtime(t.Context(), site, nil) })
				synctest.Wait()
				time.Sleep(100 * time.Millisecond)
				for range 4 {
					wg.Go(func() {
						_, err := c.GetRealtime(t.Context(), site, nil)
						assert.NoError(t, err)
					})
				}
				wg.Wait()
				for _, r := range s.sent[1:] {
					assert.GreaterOrEqual(t, r.at.Sub(began), tt.least)
					assert.LessOrEqual(t, r.at.Sub(began), tt.most)
				}
			})
		})
	}
}
