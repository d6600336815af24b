package umami_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
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

// recordedRun is what a real server answered, reply after reply, and all that
// truly happened. It lists a row from the reply on after which the recording
// first lists it.
type recordedRun struct {
	replies []json.RawMessage
	rows    []recordedRow // oldest first
	shown   int           // replies
}

type recordedRow struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"createdAt"`
	since     int
	text      json.RawMessage
	visit     visit
}

func readRun(t *testing.T) *recordedRun {
	t.Helper()
	const dir = "testdata/recordings/v3.1.0-postgres/backfill/"
	run, listed := new(recordedRun), make(map[string]int)
	readLines(t, dir+"run.jsonl.gz", func(line []byte) {
		var call struct {
			K    string          `json:"k"`
			Body json.RawMessage `json:"body"`
		}
		require.NoError(t, json.Unmarshal(line, &call))
		if call.K == "rt" {
			run.replies = append(run.replies, call.Body)
			return
		}
		var page struct {
			Data []recordedRow `json:"data"`
		}
		require.NoError(t, json.Unmarshal(call.Body, &page))
		for _, row := range page.Data {
			if _, before := listed[row.ID]; !before {
				listed[row.ID] = len(run.replies)
			}
		}
	})
	readLines(t, dir+"truth.jsonl.gz", func(line []byte) {
		row := recordedRow{text: slices.Clone(line)}
		var columns struct {
			SessionID      string `json:"sessionId"`
			EventName      string `json:"eventName"`
			URLPath        string `json:"urlPath"`
			ReferrerDomain string `json:"referrerDomain"`
		}
		require.NoError(t, json.Unmarshal(line, &row))
		require.NoError(t, json.Unmarshal(line, &columns))
		row.since = listed[row.ID]
		require.NotZero(t, row.since, "a row that was never listed")
		row.visit = visit{row.CreatedAt, columns.SessionID, columns.EventName, columns.URLPath, columns.ReferrerDomain}
		run.rows = append(run.rows, row)
	})
	return run
}

func readLines(t *testing.T, name string, each func(line []byte)) {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		each(lines.Bytes())
	}
	require.NoError(t, lines.Err())
}

// RoundTrip answers each realtime request with the next reply, and a list of
// events with the rows of the truth. After the last reply it refuses.
func (r *recordedRun) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(req.URL.Path, "/events") {
		if r.shown == len(r.replies) {
			return reply(http.StatusBadRequest, "that was all"), nil
		}
		r.shown++
		return reply(http.StatusOK, string(r.replies[r.shown-1])), nil
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(req.URL.Query().Get(name), 10, 64)
		return n
	}
	var page []string
	count := 0
	for _, row := range slices.Backward(r.rows) {
		if at := row.CreatedAt.UnixMilli(); row.since > r.shown || at < number("startAt") || at > number("endAt") {
			continue
		}
		if count++; count <= int(number("pageSize")) {
			page = append(page, string(row.text))
		}
	}
	return reply(http.StatusOK, fmt.Sprintf(`{"data":[%s],"count":%d,"page":1,"pageSize":%d}`, strings.Join(page, ","), count, number("pageSize"))), nil
}

// A busy site as it was recorded: 90 rows a second with bursts of rows alike,
// some backdated by up to 29 minutes. All of it is delivered, the rows backdated
// beyond memory where they are audited; else those of them are missing that a
// Gap counts.
func TestPollerBackfillRecorded(t *testing.T) {
	t.Parallel()
	for _, audit := range []bool{true, false} {
		t.Run(fmt.Sprintf("audit=%v", audit), func(t *testing.T) {
			t.Parallel()
			run := readRun(t)
			synctest.Test(t, func(t *testing.T) {
				p, err := newClient(t, run, umami.APIKey(token)).NewPoller(umamitest.WebsiteID, &umami.PollerOptions{Audit: audit, Overflow: umami.Block})
				require.NoError(t, err)
				var got []visit
				gone := 0
				for d := range p.Start(t.Context()) {
					got = append(got, visitsOf(d)...)
					gone += missed(d)
				}
				require.ErrorIs(t, p.Err(), umami.ErrBadRequest)
				var want []visit
				for _, row := range run.rows {
					want = append(want, row.visit)
				}
				if audit {
					assert.True(t, slices.Equal(sorted(want), sorted(got)))
					assert.Zero(t, gone)
					return
				}
				left := make(map[visit]int)
				for _, v := range want {
					left[v]++
				}
				for _, v := range got {
					left[v]--
					require.GreaterOrEqual(t, left[v], 0, "%v", v)
				}
				assert.Positive(t, gone)
				assert.Equal(t, len(want), len(got)+gone)
			})
		})
	}
}
