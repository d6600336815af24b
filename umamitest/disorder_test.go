package umamitest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/umamitest"
)

// What makes a site hard to follow: rows that come late, rows alike, crowds,
// replicas that lag, ties in any order, clocks that are wrong.

// during runs a server with traffic for some hours and gives what happened.
func during(hours int, t umamitest.Traffic) []umamitest.Row {
	now := noon
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithClock(func() time.Time { return now }), umamitest.WithTraffic(t))
	now = now.Add(time.Duration(hours) * time.Hour)
	return srv.Truth()
}

func TestTrafficCanComeLate(t *testing.T) {
	t.Parallel()
	late := 0
	rows := during(10, umamitest.Traffic{Seed: 1, Late: 4 * time.Second})
	for _, r := range rows {
		by := r.VisibleAt.Sub(r.CreatedAt)
		require.GreaterOrEqual(t, by, time.Duration(0))
		require.Less(t, by, 4*time.Second)
		if by > 0 {
			late++
		}
	}
	assert.InDelta(t, len(rows)/3, late, float64(len(rows))/20)
	for _, r := range during(1, umamitest.Traffic{Seed: 1}) {
		assert.Equal(t, r.CreatedAt, r.VisibleAt)
	}
}

func TestTrafficCanBeAlike(t *testing.T) {
	t.Parallel()
	twins := func(t umamitest.Traffic) (twins, views int) {
		type visit struct {
			session, path string
			at            time.Time
		}
		seen := make(map[visit]bool)
		for _, r := range during(10, t) {
			if r.Kind != umamitest.Pageview {
				continue
			}
			views++
			v := visit{r.SessionID, r.URLPath, r.CreatedAt}
			if seen[v] {
				twins++
			}
			seen[v] = true
		}
		return twins, views
	}
	n, views := twins(umamitest.Traffic{Seed: 1, Alike: 0.5})
	assert.InDelta(t, views/3, n, float64(views)/30, "every other view has a twin")
	n, views = twins(umamitest.Traffic{Seed: 1})
	assert.InDelta(t, views/41, n, float64(views)/80)
	n, _ = twins(umamitest.Traffic{Seed: 1, Alike: -1})
	assert.Zero(t, n)
}

func TestTrafficCanBurst(t *testing.T) {
	t.Parallel()
	fullest := func(t umamitest.Traffic) int {
		perTwoSeconds := make(map[time.Time]int)
		for _, r := range during(10, t) {
			perTwoSeconds[r.CreatedAt.Truncate(2*time.Second)]++
		}
		most := 0
		for _, n := range perTwoSeconds {
			most = max(most, n)
		}
		return most
	}
	assert.GreaterOrEqual(t, fullest(umamitest.Traffic{Seed: 1, Bursts: 3, Crowd: 1000}), 500)
	assert.GreaterOrEqual(t, fullest(umamitest.Traffic{Seed: 1, Bursts: 3}), 150)
	assert.Less(t, fullest(umamitest.Traffic{Seed: 1}), 20)
}

func TestTrafficCanEnd(t *testing.T) {
	t.Parallel()
	rows := during(10, umamitest.Traffic{Seed: 1, Until: noon.Add(time.Hour)})
	last := rows[len(rows)-1].CreatedAt
	assert.True(t, last.After(noon.Add(55*time.Minute)) && last.Before(noon.Add(80*time.Minute)), "%v", last)

	// To the second, and without another visit for it.
	until := noon.Add(30*time.Minute + time.Second)
	all := make(map[string]umamitest.Row)
	for _, r := range during(1, umamitest.Traffic{Seed: 1, Rate: 60}) {
		all[r.ID] = r
	}
	seen := make(map[string]bool)
	for _, r := range during(1, umamitest.Traffic{Seed: 1, Rate: 60, Until: until}) {
		assert.True(t, seen[r.SessionID] || r.CreatedAt.Before(until), "%v", r.CreatedAt)
		seen[r.SessionID] = true
		assert.Equal(t, all[r.ID], r)
	}
}

func TestReplicasLag(t *testing.T) {
	t.Parallel()
	now := noon
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithClock(func() time.Time { return now }),
		umamitest.WithReplicas(2*time.Minute))
	var lags []time.Duration
	for range 300 {
		now = now.Add(time.Second)
		srv.Visit(umamitest.Visit{})
		reply := get(t, srv, "")
		require.Equal(t, now.UnixMilli(), reply.Timestamp, "the clock does not lag")
		lag := 2 * time.Minute // no row at all
		if len(reply.Events) > 0 {
			lag = now.Sub(reply.Events[0].CreatedAt)
		}
		lags = append(lags, lag)
	}
	inTime := 0
	for _, lag := range lags {
		if lag == 0 {
			inTime++
		}
	}
	assert.InDelta(t, 200, inTime, 30)
	assert.Greater(t, slices.Max(lags), 100*time.Second)
	assert.LessOrEqual(t, slices.Max(lags), 2*time.Minute)
	assert.Panics(t, func() { umamitest.NewServer(umamitest.InProcess(), umamitest.WithReplicas(-time.Second)) })
}

func TestTiesAreShuffled(t *testing.T) {
	t.Parallel()
	for _, oldest := range []bool{false, true} {
		profile := umamitest.V3_1
		if oldest {
			profile = umamitest.V2_13
		}
		srv := atNoon(umamitest.WithProfile(profile), umamitest.WithDatabase(umamitest.ClickHouse), umamitest.WithShuffledTies())
		for range 150 {
			srv.Visit(umamitest.Visit{})
		}
		srv.Visit(umamitest.Visit{SessionID: "first", CreatedAt: noon.Add(-time.Second)})
		shown := make(map[string]bool)
		for range 10 {
			rows := 0
			for _, e := range get(t, srv, "").Events {
				if e.Type == "session" {
					continue
				}
				rows++
				shown[e.SessionID] = true
			}
			require.Equal(t, 100, rows)
		}
		assert.Greater(t, len(shown), 140, "each reply shows others")
		assert.Equal(t, oldest, shown["first"])
	}
}

func TestClockSkew(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-time.Hour, 3 * time.Second} {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithClockSkew(skew), umamitest.WithClock(func() time.Time { return noon }))
		row := srv.Visit(umamitest.Visit{})
		assert.Equal(t, noon.Add(skew), row.CreatedAt)
		assert.Equal(t, noon.Add(skew).UnixMilli(), get(t, srv, "").Timestamp)
	}
}
