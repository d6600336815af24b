package umami_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
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

// hour is how many polls of a busy site an hour of its clock takes.
const hour = 360

// followBusy follows a busy site for some polls.
func followBusy(tb testing.TB, polls int, each func(poll int, d umami.Diff)) {
	tb.Helper()
	c, err := umami.NewClient("http://umami.test", umami.BearerToken(token), umami.WithHTTPClient(&http.Client{Transport: busySite()}))
	require.NoError(tb, err)
	// Not to wait: time is the server's.
	p, err := c.NewPoller(umamitest.WebsiteID, &umami.PollerOptions{NoBackfill: true, Interval: time.Nanosecond, Overflow: umami.Block})
	require.NoError(tb, err)
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	poll := 0
	for d, err := range p.All(ctx) {
		require.NoError(tb, err)
		require.Len(tb, d.Pageviews, 100)
		poll++
		each(poll, d)
		if poll == polls {
			break
		}
	}
}

// heapDuring follows a busy site for some hours of its clock, and gives the
// bytes in use after the first and after the last.
func heapDuring(tb testing.TB, hours int) (first, last uint64) {
	tb.Helper()
	followBusy(tb, hours*hour, func(poll int, _ umami.Diff) {
		switch poll {
		case hour:
			first = heap()
		case hours * hour:
			last = heap()
		}
	})
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
	first, last := heapDuring(t, 2)
	assert.Less(t, last, first+first/4, "bytes after two hours and after one")
}

// A checkpoint has 12 bytes for each row that is remembered and 26 for each
// session of the window.
func TestPollerCheckpointSize(t *testing.T) {
	t.Parallel()
	var rows []time.Time
	sessions := 0
	followBusy(t, hour, func(poll int, d umami.Diff) {
		for _, v := range d.Pageviews {
			rows = append(rows, v.CreatedAt)
		}
		since := d.Pageviews[0].CreatedAt.Add(-2 * time.Minute) // the oldest that is shown
		rows = slices.DeleteFunc(rows, func(at time.Time) bool { return at.Before(since) })
		sessions += len(d.Started) - len(d.Ended)
		if poll%20 == 0 {
			text, err := json.Marshal(d.Checkpoint())
			require.NoError(t, err)
			require.LessOrEqual(t, len(text), 12*len(rows)+26*sessions+600, "poll %d, %d rows, %d sessions", poll, len(rows), sessions)
		}
	})
	assert.InDelta(t, 1300, len(rows), 10)
	assert.Greater(t, sessions, 30*120)
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
