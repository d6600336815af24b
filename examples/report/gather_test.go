package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// made is what a report job left behind.
type made struct {
	status         int
	err            error
	report         *Report
	stdout, stderr string
}

// runJob runs a job in a bubble, on a server where something may happen
// meanwhile. ctx ends with interrupt.
func runJob(t *testing.T, length time.Duration, during func(srv *umamitest.Server, interrupt func()), opts ...umamitest.Option) (m made) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(append(opts, umamitest.InProcess())...)
		defer srv.Close()
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		go during(srv, interrupt)
		synctest.Wait()
		j := job{length: length, format: func(w io.Writer, r *Report) error {
			m.report = r
			return writeText(w, r)
		}}
		var stdout, stderr bytes.Buffer
		m.status, m.err = j.write(ctx, newGatherer(siteOf(srv), &stderr, nil), &stdout)
		m.stdout, m.stderr = stdout.String(), stderr.String()
		if m.report != nil {
			checkSums(t, m.report, srv.Truth())
		}
	})
	return m
}

// checkSums holds a report against what happened in its time, less what it says
// is missing.
func checkSums(t *testing.T, r *Report, truth []umamitest.Row) {
	t.Helper()
	want := Report{Pageviews: 0}
	sessions := make(map[string]bool)
	pages := make(map[string]int)
	for _, row := range truth {
		if row.Kind == umamitest.Beacon || row.CreatedAt.Before(r.From) || row.VisibleAt.After(r.To) {
			continue
		}
		sessions[row.SessionID] = true
		if row.Kind == umamitest.CustomEvent {
			want.Events++
			continue
		}
		want.Pageviews++
		pages[row.URLPath]++
	}
	minutes := Minute{}
	for _, m := range r.Minutes {
		minutes.Pageviews += m.Pageviews
		minutes.Events += m.Events
		assert.LessOrEqual(t, m.Sessions, m.Pageviews+m.Events)
	}
	assert.Equal(t, r.Pageviews, minutes.Pageviews)
	assert.Equal(t, r.Events, minutes.Events)
	if len(r.Gaps) > 0 {
		assert.Less(t, r.Pageviews, want.Pageviews)
		return
	}
	assert.Equal(t, want.Pageviews, r.Pageviews)
	assert.Equal(t, want.Events, r.Events)
	assert.Len(t, sessions, r.Sessions)
	assert.Len(t, pages, len(r.Pages))
	for _, p := range r.Pages {
		assert.Equal(t, pages[p.Path], p.Pageviews, p.Path)
	}
}

func nothing(*umamitest.Server, func()) {}

var busy = umamitest.WithTraffic(umamitest.Traffic{Seed: 7, Rate: 8})

func TestLast30Minutes(t *testing.T) {
	t.Parallel()
	m := runJob(t, 0, nothing, busy)
	require.NoError(t, m.err)
	assert.Zero(t, m.status)
	assert.Equal(t, 30*time.Minute, m.report.To.Sub(m.report.From))
	assert.Greater(t, m.report.Pageviews, 300, "also those that one reply has no room for")
	assert.Len(t, m.report.Minutes, 31)
	assert.Empty(t, m.stderr)
}

func TestFor(t *testing.T) {
	t.Parallel()
	m := runJob(t, 10*time.Minute, nothing, busy)
	require.NoError(t, m.err)
	assert.Zero(t, m.status)
	assert.Equal(t, 10*time.Minute, m.report.To.Sub(m.report.From).Round(time.Second), "to the end")
	assert.Greater(t, m.report.Pageviews, 100)
	assert.Empty(t, m.stderr)
}

// On these servers the poll at the end finds a gap before the report's time.
func TestForWhereTheNewestAreHidden(t *testing.T) {
	t.Parallel()
	m := runJob(t, 10*time.Minute, nothing, busy, umamitest.WithProfile(umamitest.V2_13))
	require.NoError(t, m.err)
	assert.Zero(t, m.status)
	assert.Empty(t, m.report.Gaps)
	assert.Greater(t, m.report.Pageviews, 100)
}

func TestForWithoutVisits(t *testing.T) {
	t.Parallel()
	m := runJob(t, 10*time.Minute, func(srv *umamitest.Server, _ func()) {
		srv.Visit(umamitest.Visit{CreatedAt: time.Now().Add(-time.Minute)}) // before
		time.Sleep(5 * time.Minute)
		srv.Visit(umamitest.Visit{CreatedAt: time.Now().Add(-6 * time.Minute)}) // before, and late
	})
	require.NoError(t, m.err)
	assert.Zero(t, m.status)
	assert.Zero(t, m.report.Pageviews)
	assert.Equal(t, 10*time.Minute, m.report.To.Sub(m.report.From).Round(time.Second))
}

// What comes just before the end belongs to the report.
func TestForTakesTheLastVisit(t *testing.T) {
	t.Parallel()
	m := runJob(t, 10*time.Minute, func(srv *umamitest.Server, _ func()) {
		time.Sleep(10*time.Minute - time.Millisecond)
		srv.Visit(umamitest.Visit{})
	})
	assert.Zero(t, m.status)
	assert.Equal(t, 1, m.report.Pageviews)
}

func TestOutageInBetween(t *testing.T) {
	t.Parallel()
	m := runJob(t, 10*time.Minute, func(srv *umamitest.Server, _ func()) {
		time.Sleep(2 * time.Minute)
		srv.Fail(6, umamitest.Page(502))
	}, busy)
	require.NoError(t, m.err)
	assert.Zero(t, m.status, "nothing is missing")
	assert.Equal(t, 6, m.report.FailedPolls)
	assert.Equal(t, 2, strings.Count(m.stderr, "\n"), "once, and when it is over: %s", m.stderr)
	assert.Contains(t, m.stdout, "\nPolls that failed: 6\n")
}

func TestOutageAtTheEnd(t *testing.T) {
	t.Parallel()
	m := runJob(t, 10*time.Minute, func(srv *umamitest.Server, _ func()) {
		time.Sleep(8 * time.Minute)
		srv.Fail(1000, umamitest.Page(502))
	}, busy)
	require.ErrorIs(t, m.err, umami.ErrServer)
	assert.Equal(t, statusPart, m.status)
	assert.Contains(t, m.report.Ended, "502 Bad Gateway")
	assert.InDelta(t, 8, m.report.To.Sub(m.report.From).Minutes(), 0.5)
	assert.Contains(t, m.stdout, "\nEnded early: ")
}

func TestRefusedInBetween(t *testing.T) {
	t.Parallel()
	m := runJob(t, 10*time.Minute, func(srv *umamitest.Server, _ func()) {
		time.Sleep(8 * time.Minute)
		srv.ExpireTokens()
	}, busy)
	require.ErrorIs(t, m.err, umami.ErrUnauthorized)
	assert.Equal(t, statusPart, m.status, "what came so far is written")
	assert.Greater(t, m.report.Pageviews, 50)
}

func TestGap(t *testing.T) {
	t.Parallel()
	m := runJob(t, 0, nothing, busy, umamitest.WithoutEvents(403))
	assert.Equal(t, statusPart, m.status)
	require.ErrorContains(t, m.err, "visits are missing in the report: ")
	assert.Len(t, m.report.Gaps, 1)
	assert.Regexp(t, `\nMissing: \d+ (or more )?page views from .* UTC \(backfill-refused\)\n`, m.stdout)
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	m := runJob(t, time.Hour, func(srv *umamitest.Server, interrupt func()) {
		time.Sleep(7 * time.Minute)
		srv.Visit(umamitest.Visit{})
		interrupt()
	}, busy)
	require.ErrorContains(t, m.err, "interrupted: the report is of the 7m until then")
	assert.Zero(t, m.status, "it is right for its time")
	assert.Equal(t, "interrupted", m.report.Ended)

	m = runJob(t, time.Hour, func(srv *umamitest.Server, interrupt func()) {
		time.Sleep(7 * time.Minute)
		srv.Fail(1000, umamitest.Hang())
		time.Sleep(time.Minute)
		interrupt()
	}, busy)
	assert.Zero(t, m.status)
	assert.InDelta(t, 7, m.report.To.Sub(m.report.From).Minutes(), 0.5, "of what is known")

	for _, length := range []time.Duration{0, time.Hour} {
		m = runJob(t, length, func(srv *umamitest.Server, interrupt func()) {
			srv.Fail(1000, umamitest.Hang())
			time.Sleep(time.Second)
			interrupt()
		})
		assert.Equal(t, statusServer, m.status)
		require.EqualError(t, m.err, "interrupted before the server answered: no report")
		assert.Empty(t, m.stdout)
	}
}

func TestNoReport(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  umamitest.Fault
		times  int
		status int
		text   string
	}{
		"down for a moment": {umamitest.Page(502), 2, 0, ""},
		"down":              {umamitest.Page(502), 3, statusServer, "cannot read stats.example.com: "},
		"unreachable":       {umamitest.Reset(), 3, statusServer, "check UMAMI_URL and the network"},
		"hanging":           {umamitest.Hang(), 3, statusServer, "no complete answer within 15s"},
		"another service":   {umamitest.Page(200), 3, statusServer, "the answer is not what Umami sends"},
		"busy":              {umamitest.Status(429, ""), 3, statusServer, "429 Too Many Requests"},
		"refused":           {umamitest.ExpiredToken(), 1, statusSetting, "check UMAMI_TOKEN and UMAMI_WEBSITE_ID"},
		"forbidden":         {umamitest.Status(403, ""), 1, statusSetting, "403 Forbidden"},
		"not there":         {umamitest.Status(404, ""), 1, statusSetting, "404 Not Found"},
	} {
		for _, length := range []time.Duration{0, time.Hour} {
			t.Run(name+" "+length.String(), func(t *testing.T) {
				t.Parallel()
				m := runJob(t, length, func(srv *umamitest.Server, _ func()) { srv.Fail(c.times, c.fault) })
				assert.Equal(t, c.status, m.status)
				if c.status == 0 {
					require.NoError(t, m.err)
					assert.Equal(t, 2, m.report.FailedPolls)
					return
				}
				require.ErrorContains(t, m.err, c.text)
				assert.Nil(t, m.report)
				assert.Empty(t, m.stdout)
			})
		}
	}
}

// A report that cannot be written is known before the server is asked.
func TestOutput(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	srv := umamitest.NewServer(umamitest.InProcess())
	defer srv.Close()
	write := func(file string) (int, error) {
		j := job{format: writeText, output: file}
		return j.write(t.Context(), newGatherer(siteOf(srv), io.Discard, nil), io.Discard)
	}
	status, err := write(filepath.Join(folder, "nowhere", "r.txt"))
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.Equal(t, statusOutput, status)
	assert.Empty(t, srv.Requests())

	file := filepath.Join(folder, "r.txt")
	status, err = write(file)
	require.NoError(t, err)
	assert.Zero(t, status)
	assert.Contains(t, readFile(t, file), "Umami report  stats.example.com")

	srv.Fail(1, umamitest.ExpiredToken())
	before := readFile(t, file)
	status, err = write(file)
	require.Error(t, err)
	assert.Equal(t, statusSetting, status)
	assert.Equal(t, before, readFile(t, file), "as it was")
	assert.Equal(t, []string{"r.txt"}, names(t, folder))
}

// names are those in a folder.
func names(t *testing.T, folder string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
