package wire_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// fullReply is as long as a reply of 3.1 can be: 100 rows of 100 sessions, and
// the copies of those. See testdata/README.md.
func fullReply(tb testing.TB) []byte {
	tb.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "200-rows.json"))
	require.NoError(tb, err)
	return body
}

func BenchmarkDecode(b *testing.B) {
	body := fullReply(b)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		_, err := wire.Decode(body, time.UTC)
		require.NoError(b, err)
	}
}

// What a program does that has no decoder for this wire.
func BenchmarkDecodeByHand(b *testing.B) {
	body := fullReply(b)
	type point struct {
		X time.Time `json:"x"`
		Y int       `json:"y"`
	}
	type reply struct {
		Countries map[string]int `json:"countries"`
		URLs      map[string]int `json:"urls"`
		Referrers map[string]int `json:"referrers"`
		Events    []struct {
			Type           string    `json:"__type"`
			SessionID      string    `json:"sessionId"`
			EventName      string    `json:"eventName"`
			CreatedAt      time.Time `json:"createdAt"`
			Browser        string    `json:"browser"`
			OS             string    `json:"os"`
			Device         string    `json:"device"`
			Country        string    `json:"country"`
			URLPath        string    `json:"urlPath"`
			ReferrerDomain string    `json:"referrerDomain"`
			Hostname       string    `json:"hostname"`
		} `json:"events"`
		Series struct {
			Views    []point `json:"views"`
			Visitors []point `json:"visitors"`
		} `json:"series"`
		Totals    map[string]int `json:"totals"`
		Timestamp int64          `json:"timestamp"`
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var r reply
		require.NoError(b, json.Unmarshal(body, &r))
	}
}

var raceDetector = false

//nolint:paralleltest // others would allocate at the same time
func TestDecodeAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("it makes the pool forget at random")
	}
	body := fullReply(t)
	allocs := testing.AllocsPerRun(100, func() {
		r, err := wire.Decode(body, time.UTC)
		if err != nil || len(r.Pageviews)+len(r.Events) != 100 || len(r.Sessions) != 100 {
			t.Error("not the reply")
		}
	})
	assert.LessOrEqual(t, allocs, 40.0)
}
