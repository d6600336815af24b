package umami_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// busySite is a server where each realtime reply, ten seconds of its own clock
// after the one before, shows the last 100 of the page views that came since. The
// others are in the list of events.
type busySite struct {
	views    int64 // in ten seconds
	sessions int64 // that come again and again, with 5 views each time
	now      time.Time
}

// at is when page view n came, and number is its inverse.
func (s *busySite) at(n int64) time.Time { return time.UnixMilli(n * 10_000 / s.views).UTC() }

func (s *busySite) number(milli int64) int64 { return milli * s.views / 10_000 }

func (s *busySite) RoundTrip(r *http.Request) (*http.Response, error) {
	var body bytes.Buffer
	if strings.HasSuffix(r.URL.Path, "/events") {
		s.list(&body, r.URL.Query())
	} else {
		s.show(&body)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(&body), Request: r,
	}, nil
}

func (s *busySite) show(w *bytes.Buffer) {
	s.now = s.now.Add(10 * time.Second)
	w.WriteString(`{"countries":{},"urls":{"/":100},"referrers":{},"events":[`)
	last := s.number(s.now.UnixMilli())
	for n := range int64(100) {
		fmt.Fprintf(w, `{"__type":"pageview","sessionId":"00000000-0000-4000-8000-%012x","eventName":null,"createdAt":"%s","browser":"chrome",`+
			`"os":"Linux","device":"desktop","country":"DE","urlPath":"/","referrerDomain":null,"hostname":"example.com"},`,
			(last-n)/5%s.sessions, s.at(last-n).Format("2006-01-02T15:04:05.000Z"))
	}
	w.Truncate(w.Len() - 1)
	w.WriteString(`],"series":{"views":[`)
	this := s.now.Truncate(time.Minute)
	for m := 30; m >= 1; m-- {
		fmt.Fprintf(w, `{"x":"%s","y":%d},`, this.Add(time.Duration(-m)*time.Minute).Format(time.RFC3339), 6*s.views)
	}
	fmt.Fprintf(w, `{"x":"%s","y":%d}`, this.Format(time.RFC3339), last-s.number(this.UnixMilli()-1))
	fmt.Fprintf(w, `],"visitors":[]},"totals":{"views":%d,"visitors":0,"events":0,"countries":0},"timestamp":%d}`, 180*s.views, s.now.UnixMilli())
}

func (s *busySite) list(w *bytes.Buffer, query url.Values) {
	whole := func(name string) int64 {
		n, _ := strconv.ParseInt(query.Get(name), 10, 64)
		return n
	}
	from, to := s.number(whole("startAt")-1)+1, s.number(whole("endAt"))
	w.WriteString(`{"data":[`)
	for n := to; n >= max(from, to-whole("pageSize")+1); n-- {
		fmt.Fprintf(w, `{"id":"00000000-0000-4000-9000-%012x","websiteId":"%s","sessionId":"00000000-0000-4000-8000-%012x","createdAt":"%s","hostname":"example.com",`+
			`"urlPath":"/","urlQuery":"","referrerPath":null,"referrerQuery":null,"referrerDomain":null,"country":"DE","device":"desktop",`+
			`"os":"Linux","browser":"chrome","pageTitle":"","eventType":1,"eventName":null,"hasData":0},`,
			n, umamitest.WebsiteID, n/5%s.sessions, s.at(n).Format("2006-01-02T15:04:05.000Z"))
	}
	w.Truncate(w.Len() - 1)
	fmt.Fprintf(w, `],"count":%d,"page":1,"pageSize":%d}`, to-from+1, whole("pageSize"))
}

// With 100 views between two polls, nothing is hidden.
var (
	justShown    = busySite{views: 100, sessions: 1 << 40}
	justTheReply = umami.PollerOptions{NoBackfill: true}
)

// hour is how many polls of a busy site an hour of its clock takes.
const hour = 360

// followBusy follows a busy site for some polls.
func followBusy(tb testing.TB, server busySite, opts umami.PollerOptions, polls int, each func(poll int, d umami.Diff)) {
	tb.Helper()
	server.now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	c, err := umami.NewClient("http://umami.test", umami.BearerToken(token), umami.WithHTTPClient(&http.Client{Transport: &server}))
	require.NoError(tb, err)
	opts.Interval, opts.Overflow = time.Nanosecond, umami.Block // not to wait: time is the server's
	p, err := c.NewPoller(umamitest.WebsiteID, &opts)
	require.NoError(tb, err)
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	poll := 0
	for d, err := range p.All(ctx) {
		require.NoError(tb, err)
		if poll++; poll > 1 || opts.Start == umami.EmitExisting {
			require.Len(tb, d.Pageviews, int(server.views))
			require.True(tb, opts.NoBackfill || len(d.Gaps) == 0, "%v %d", d.Gaps, poll)
		}
		each(poll, d)
		if poll == polls {
			break
		}
	}
}

// heapDuring follows a busy site, and gives the bytes in use after two polls of
// it, once the next one waits to be taken.
func heapDuring(tb testing.TB, server busySite, opts umami.PollerOptions, early, late int, wait func()) (first, last uint64) {
	tb.Helper()
	followBusy(tb, server, opts, late, func(poll int, _ umami.Diff) {
		switch poll {
		case early:
			wait()
			first = heap()
		case late:
			wait()
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
	synctest.Test(t, func(t *testing.T) {
		first, last := heapDuring(t, justShown, justTheReply, hour, 2*hour, synctest.Wait)
		assert.Less(t, last, first+first/4, "bytes after two hours and after one")
	})
}

// 200 rows a second are fetched from the list of events.
//
//nolint:paralleltest // as above
func TestPollerBackfillMemoryIsFlat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, opts := busySite{views: 2_000, sessions: 1_000}, umami.PollerOptions{Start: umami.SkipExisting}
		first, last := heapDuring(t, server, opts, 12, 60, synctest.Wait)
		assert.Less(t, last, first+first/4, "bytes after ten minutes and after two")
		t.Logf("%d KB after two minutes, %d KB after ten", first/1e3, last/1e3)
	})
}

// A checkpoint has 12 bytes for each row that is remembered and 26 for each
// session of the window.
func TestPollerCheckpointSize(t *testing.T) {
	t.Parallel()
	var rows []time.Time
	sessions := 0
	followBusy(t, justShown, justTheReply, hour, func(poll int, d umami.Diff) {
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
		first, last := heapDuring(b, justShown, justTheReply, hour, 24*hour, func() {})
		b.ReportMetric(float64(first-base), "bytes-after-1h")
		b.ReportMetric(float64(last-base), "bytes-after-24h")
	}
}
