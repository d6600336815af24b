package umamitest_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/umamitest"
)

// lines reads a recording of one JSON value a line.
func lines(t *testing.T, name string) [][]byte {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "testdata", "recordings", filepath.FromSlash(name)))
	require.NoError(t, err)
	defer file.Close()
	plain, err := gzip.NewReader(file)
	require.NoError(t, err)
	scanner := bufio.NewScanner(plain)
	scanner.Buffer(nil, 1<<20)
	var all [][]byte
	for scanner.Scan() {
		all = append(all, bytes.Clone(scanner.Bytes()))
	}
	require.NoError(t, scanner.Err())
	return all
}

// A site over time: rows come, and leave at the limit and at the window's end.
func TestSitesOverTimeAreAsRecorded(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"v3.1.0-postgres/long-slow", "v3.1.0-postgres/polls-3s"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.UnixMilli(0)
			srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithClock(func() time.Time { return now }))
			var truth []row
			for _, line := range lines(t, name+"/truth.jsonl.gz") {
				var r row
				require.NoError(t, json.Unmarshal(line, &r))
				truth = append(truth, r)
			}
			next := 0
			for i, line := range lines(t, name+"/snapshots.jsonl.gz") {
				now = time.UnixMilli(decode(t, line).Timestamp)
				for ; next < len(truth) && !truth[next].CreatedAt.After(now); next++ {
					put(srv, &truth[next], truth[next].EventType == int(umamitest.Beacon))
				}
				got := ask(t, srv, "/api/realtime/"+srv.WebsiteID, admin)
				require.Equal(t, string(line), string(got.body), "snapshot %d", i)
			}
			assert.Len(t, srv.Truth(), next)
		})
	}
}
