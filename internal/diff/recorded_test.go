package diff_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/diff"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// The recorded sites: replies in order, and the rows that a perfect reader of
// them delivers, taken from the server's own database.
var recorded = []string{"v3.1.0-postgres/polls-3s", "v3.1.0-postgres/long-slow", "v3.1.0-clickhouse/polls-3s"}

func TestRecordedTruth(t *testing.T) {
	t.Parallel()
	for _, site := range recorded {
		t.Run(site, func(t *testing.T) {
			t.Parallel()
			truth := readTruth(t, site)
			var got []visit
			core := diff.New(false)
			for _, r := range readSnapshots(t, site) {
				change := core.Next(r)
				require.Empty(t, change.Gaps, "nothing is missing between the snapshots")
				assert.True(t, slices.IsSortedFunc(change.Rows, func(a, b diff.Visit) int {
					return a.Row.CreatedAt.Compare(b.Row.CreatedAt)
				}))
				for _, v := range change.Rows {
					got = append(got, visitOf(v.Row))
				}
			}
			assert.ElementsMatch(t, truth, got)
		})
	}
}

// Cut to their newest rows and thinned, the replies lose rows; what is lost
// must be said.
func TestRecordedTruthCutAndThinned(t *testing.T) {
	t.Parallel()
	for _, site := range recorded {
		for _, limit := range []int{10, 20, 100} {
			for _, every := range []int{1, 5, 10} {
				t.Run(fmt.Sprintf("%s/%d/%d", site, limit, every), func(t *testing.T) {
					t.Parallel()
					replies := readSnapshots(t, site)
					core := diff.New(false)
					var got []visit
					var gaps []diff.Gap
					var last time.Time
					for i := every - 1; i < len(replies); i += every {
						r := replies[i]
						cut(r, limit)
						change := core.Next(r)
						for _, v := range change.Rows {
							got = append(got, visitOf(v.Row))
						}
						gaps = append(gaps, change.Gaps...)
						last = r.Timestamp
					}
					requireNothingLostInSilence(t, readTruth(t, site), got, gaps, last.Add(-diff.Late).Truncate(time.Minute))
				})
			}
		}
	}
}

// requireNothingLostInSilence holds what was delivered against what happened:
// page views of the minutes before over, and every event.
func requireNothingLostInSilence(t *testing.T, truth, got []visit, gaps []diff.Gap, over time.Time) {
	t.Helper()
	left := make(map[visit]int)
	for _, v := range truth {
		left[v]++
	}
	delivered, missed, views := 0, 0, 0
	for _, v := range got {
		left[v]--
		require.GreaterOrEqual(t, left[v], 0, "delivered too often or never happened: %v", v)
		if v.isView() && v.at.Before(over) {
			delivered++
		}
	}
	for _, g := range gaps {
		require.GreaterOrEqual(t, g.Missed, 0)
		missed += g.Missed
	}
	for _, v := range truth {
		if v.isView() && v.at.Before(over) {
			views++
		}
	}
	assert.Equal(t, views, delivered+missed, "page views delivered (%d) and missed (%d)", delivered, missed)
	for v, n := range left {
		if n > 0 && v.at.Before(over) {
			assert.True(t, slices.ContainsFunc(gaps, func(g diff.Gap) bool {
				return !v.at.Before(g.From) && !v.at.After(g.To)
			}), "missing outside every gap: %v", v)
		}
	}
}

// visit is a row as a reader tells it apart.
type visit struct {
	at                            time.Time
	session, name, path, referrer string
	performance                   bool
}

func (v visit) isView() bool { return v.name == "" && !v.performance }

func visitOf(row *wire.Row) visit {
	return visit{row.CreatedAt, row.SessionID, row.EventName, row.URLPath, row.ReferrerDomain, row.Performance}
}

// cut leaves the newest rows, as a server with that limit would.
func cut(r *wire.Reply, limit int) {
	var times []time.Time
	for _, rows := range [][]wire.Row{r.Pageviews, r.Events} {
		for _, row := range rows {
			times = append(times, row.CreatedAt)
		}
	}
	r.Limit, r.Truncated = limit, len(times) >= limit
	if len(times) <= limit {
		return
	}
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	oldest := times[limit-1]
	surplus := 0 // rows of the oldest instant that no longer fit
	for _, at := range times[limit:] {
		if at.Equal(oldest) {
			surplus++
		}
	}
	older := func(row wire.Row) bool {
		if row.CreatedAt.Equal(oldest) && surplus > 0 {
			surplus--
			return true
		}
		return row.CreatedAt.Before(oldest)
	}
	r.Pageviews, r.Events = slices.DeleteFunc(r.Pageviews, older), slices.DeleteFunc(r.Events, older)
	shown := make(map[string]bool)
	for _, rows := range [][]wire.Row{r.Pageviews, r.Events} {
		for _, row := range rows {
			shown[row.SessionID] = true
		}
	}
	r.Sessions = slices.DeleteFunc(r.Sessions, func(row wire.Row) bool { return !shown[row.SessionID] })
}

func readSnapshots(t *testing.T, site string) []*wire.Reply {
	t.Helper()
	var replies []*wire.Reply
	for line := range linesOf(t, site, "snapshots.jsonl.gz") {
		r, err := wire.Decode(line, time.UTC)
		require.NoError(t, err)
		replies = append(replies, r)
	}
	return replies
}

func readTruth(t *testing.T, site string) []visit {
	t.Helper()
	var truth []visit
	for line := range linesOf(t, site, "truth.jsonl.gz") {
		var row struct {
			SessionID      string    `json:"sessionId"`
			EventName      string    `json:"eventName"`
			URLPath        string    `json:"urlPath"`
			ReferrerDomain string    `json:"referrerDomain"`
			Hostname       string    `json:"hostname"`
			CreatedAt      time.Time `json:"createdAt"`
		}
		require.NoError(t, json.Unmarshal(line, &row))
		truth = append(truth, visit{
			row.CreatedAt, row.SessionID, row.EventName, row.URLPath, row.ReferrerDomain,
			row.EventName == "" && row.Hostname == "",
		})
	}
	return truth
}

func linesOf(t *testing.T, site, name string) func(yield func([]byte) bool) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "testdata", "recordings", filepath.FromSlash(site), name))
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<20)
	return func(yield func([]byte) bool) {
		for s.Scan() {
			if !yield(s.Bytes()) {
				return
			}
		}
		require.NoError(t, s.Err())
	}
}
