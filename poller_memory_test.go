package umami_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// busySite is a server where each reply, ten seconds of its own clock after the
// one before, shows 100 page views that came since, by 20 new sessions.
func busySite() transport {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	views, row := 0, 0
	return func(r *http.Request) (*http.Response, error) {
		var body bytes.Buffer
		body.WriteString(`{"countries":{},"urls":{"/":100},"referrers":{},"events":[`)
		for i := range 100 {
			row++
			at := now.Add(time.Duration(i-99) * 100 * time.Millisecond)
			fmt.Fprintf(&body, `{"__type":"pageview","sessionId":"00000000-0000-4000-8000-%012x","eventName":null,"createdAt":"%s","browser":"chrome",`+
				`"os":"Linux","device":"desktop","country":"DE","urlPath":"/","referrerDomain":null,"hostname":"example.com"},`,
				row/5, at.Format("2006-01-02T15:04:05.000Z"))
		}
		body.Truncate(body.Len() - 1)
		body.WriteString(`],"series":{"views":[`)
		views = min(views+100, 18_000)
		for m := 30; m >= 1; m-- {
			fmt.Fprintf(&body, `{"x":"%s","y":%d},`, now.Truncate(time.Minute).Add(time.Duration(-m)*time.Minute).Format(time.RFC3339), min(views, 600))
		}
		body.Truncate(body.Len() - 1)
		fmt.Fprintf(&body, `],"visitors":[]},"totals":{"views":%d,"visitors":0,"events":0,"countries":0},"timestamp":%d}`, views, now.UnixMilli())
		now = now.Add(10 * time.Second)
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(&body), Request: r,
		}, nil
	}
}

// heapDuring follows a busy site for some hours of its clock, and gives the
// bytes in use after the first and after the last.
func heapDuring(tb testing.TB, hours int) (first, last uint64) {
	tb.Helper()
	c, err := umami.NewClient("http://umami.test", umami.BearerToken(token), umami.WithHTTPClient(&http.Client{Transport: busySite()}))
	require.NoError(tb, err)
	// Not to wait: time is the server's.
	p, err := c.NewPoller(umamitest.WebsiteID, &umami.PollerOptions{Interval: time.Nanosecond, Overflow: umami.Block})
	require.NoError(tb, err)
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	const hour = 360 // polls
	polls := 0
	for d, err := range p.All(ctx) {
		require.NoError(tb, err)
		require.Len(tb, d.Pageviews, 100)
		if polls++; polls == hour {
			first = heap()
		}
		if polls == hours*hour {
			break
		}
	}
	last = heap()
	runtime.KeepAlive(p)
	return first, last
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

//nolint:paralleltest // others would use memory at the same time
func TestPollerMemoryIsFlat(t *testing.T) {
	first, last := heapDuring(t, 3)
	assert.Less(t, last, first+first/4, "bytes after three hours and after one")
}

// BenchmarkPollerMemory follows a site with 100 new rows at each poll for 24
// hours of its clock.
func BenchmarkPollerMemory(b *testing.B) {
	base := heap()
	for b.Loop() {
		first, last := heapDuring(b, 24)
		b.ReportMetric(float64(first-base), "bytes-after-1h")
		b.ReportMetric(float64(last-base), "bytes-after-24h")
	}
}
