package umami_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// restore reads a checkpoint as it was saved.
func restore(t *testing.T, saved string) *umami.Checkpoint {
	t.Helper()
	var cp umami.Checkpoint
	require.NoError(t, json.Unmarshal([]byte(saved), &cp))
	return &cp
}

// A reader that dies at any point and goes on from what it had handled gets
// each row once.
func TestPollerResumes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		profile umamitest.Profile
		rate    float64
	}{
		{umamitest.V3_1, 8}, {umamitest.V2_9, 1}, {umamitest.V2_12, 4}, {umamitest.V2_13, 0.5}, {umamitest.Cloud, 8},
	} {
		t.Run(c.profile.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { resumes(t, c.profile, c.rate) })
		})
	}
}

func resumes(t *testing.T, profile umamitest.Profile, rate float64) {
	t.Helper()
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(profile), umamitest.WithTraffic(umamitest.Traffic{Seed: 7, Rate: rate}))
	random := rand.New(rand.NewPCG(3, uint64(profile)))
	began := time.Now()
	var handled []visit
	var saved string
	var seq uint64
	there, keys := make(map[string]bool), make(map[string]bool)
	handle := func(d umami.Diff) {
		seq++
		assert.True(t, seq == 1 || len(d.Gaps) == 0, "a gap: %v", d.Gaps)
		assert.Equal(t, seq, d.Seq)
		handled, saved = append(handled, visitsOf(d)...), checkpoint(t, d)
		for _, v := range d.Pageviews {
			assert.False(t, keys[v.Key], "%s twice", v.Key)
			keys[v.Key] = true
		}
		for _, v := range d.Events {
			assert.False(t, keys[v.Key], "%s twice", v.Key)
			keys[v.Key] = true
		}
		for _, s := range d.Started {
			assert.False(t, there[s.SessionID], "%s started twice", s.SessionID)
			there[s.SessionID] = true
		}
		for _, s := range d.Ended {
			assert.True(t, there[s.SessionID], "%s ended and had not started", s.SessionID)
			assert.False(t, s.CreatedAt.IsZero())
			delete(there, s.SessionID)
		}
	}
	for run := range 80 {
		opts := &umami.PollerOptions{}
		if saved != "" {
			opts.Resume = restore(t, saved)
		}
		ctx, cancel := context.WithCancel(t.Context())
		diffs := newPoller(t, srv.Client(noRetry), opts).Start(ctx)
		for i := range random.IntN(5) {
			if random.IntN(4) == 0 {
				srv.Fail(1, umamitest.Delay(time.Duration(random.IntN(9000))*time.Millisecond))
			}
			d := take(t, diffs)
			assert.Equal(t, i == 0, d.Initial)
			if random.IntN(6) == 0 {
				break // dies before it has handled it
			}
			handle(d)
		}
		time.Sleep(time.Duration(random.IntN(20_000)) * time.Millisecond)
		cancel()
		if run%3 == 0 { // is not started again at once
			time.Sleep(time.Duration(random.IntN(20_000)) * time.Millisecond)
		}
	}
	if saved == "" {
		require.FailNow(t, "nothing was handled")
	}
	time.Sleep(10 * time.Second) // nothing comes any more that is older
	end := time.Now().Add(-5 * time.Second)
	handle(take(t, newPoller(t, srv.Client(), &umami.PollerOptions{Resume: restore(t, saved)}).Start(t.Context())))
	// Of the oldest instant shown, rows may have been cut off.
	first := slices.MinFunc(handled, func(a, b visit) int { return a.at.Compare(b.at) }).at
	outside := func(v visit) bool { return !v.at.After(first) || v.at.After(end) }
	handled = slices.DeleteFunc(handled, outside)
	assert.Equal(t, sorted(slices.DeleteFunc(truth(srv), outside)), sorted(handled))
	assert.Greater(t, time.Since(began), 20*time.Minute)
	assert.Greater(t, len(handled), 50)
}

// A checkpoint is the state of its own diff, however late it is asked for.
func TestDiffCheckpointLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{Seed: 9, Rate: 4}))
		diffs := newPoller(t, srv.Client(), nil).Start(t.Context())
		var kept []umami.Diff
		var saved []string
		for range 20 {
			d := take(t, diffs)
			kept, saved = append(kept, d), append(saved, checkpoint(t, d))
		}
		for i, d := range kept {
			assert.Equal(t, saved[i], checkpoint(t, d), "diff %d", d.Seq)
		}
		var since []visit // all after the sixth
		for _, d := range kept[6:] {
			since = append(since, visitsOf(d)...)
		}
		again := take(t, newPoller(t, srv.Client(), &umami.PollerOptions{Resume: new(kept[5].Checkpoint())}).Start(t.Context()))
		assert.Equal(t, sorted(since), sorted(visitsOf(again)))
		assert.Equal(t, uint64(7), again.Seq)
		assert.True(t, again.Initial)
		assert.Equal(t, counted(again.Snapshot.URLs), again.URLs, "counts begin from zero")
	})
}

func TestCheckpointFits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{}))
		client := srv.Client()
		polled := func(opts *umami.PollerOptions) *umami.Checkpoint {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			return restore(t, checkpoint(t, take(t, newPoller(t, client, opts).Start(ctx))))
		}
		plain := polled(nil)
		filtered := polled(&umami.PollerOptions{Filters: umami.Filters{Path: "/", Country: "PL"}})
		sent := len(srv.Requests())
		for name, c := range map[string]struct {
			website string
			cp      *umami.Checkpoint
			filters umami.Filters
			want    string // "" is a good one
		}{
			"same":                 {srv.WebsiteID, plain, umami.Filters{}, ""},
			"capitals":             {strings.ToUpper(srv.WebsiteID), plain, umami.Filters{}, ""},
			"same filters":         {srv.WebsiteID, filtered, umami.Filters{Country: "PL", Path: "/"}, ""},
			"another website":      {site, plain, umami.Filters{}, srv.WebsiteID},
			"filters added":        {srv.WebsiteID, plain, umami.Filters{Path: "/"}, "filters"},
			"filters left out":     {srv.WebsiteID, filtered, umami.Filters{}, "filters"},
			"a filter's value":     {srv.WebsiteID, filtered, umami.Filters{Path: "/", Country: "FI"}, "filters"},
			"values in each other": {srv.WebsiteID, filtered, umami.Filters{Path: "PL", Country: "/"}, "filters"},
			"zero":                 {srv.WebsiteID, new(umami.Checkpoint), umami.Filters{}, "empty"},
			"of a zero Diff":       {srv.WebsiteID, new(umami.Diff{}.Checkpoint()), umami.Filters{}, "empty"},
		} {
			_, err := client.NewPoller(c.website, &umami.PollerOptions{Resume: c.cp, Filters: c.filters})
			if c.want == "" {
				require.NoError(t, err, name)
				continue
			}
			require.ErrorIs(t, err, umami.ErrCheckpoint, name)
			require.ErrorContains(t, err, c.want, name)
		}
		assert.Len(t, srv.Requests(), sent, "nothing is sent before Start")
	})
}

func TestCheckpointDamaged(t *testing.T) {
	t.Parallel()
	var good string
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		for i := range 6 {
			v := srv.Visit(umamitest.Visit{CreatedAt: time.Now().Add(-time.Duration(i/2) * time.Minute)})
			srv.Event("click", umamitest.Visit{SessionID: v.SessionID})
		}
		good = checkpoint(t, take(t, newPoller(t, srv.Client(), &umami.PollerOptions{Filters: umami.Filters{Path: "re./"}}).Start(t.Context())))
	})
	refused := func(text, what string) {
		var cp umami.Checkpoint
		require.Error(t, json.Unmarshal([]byte(text), &cp), what) // encoding/json's own where it is no JSON
		require.ErrorIs(t, cp.UnmarshalJSON([]byte(text)), umami.ErrCheckpoint, what)
		_, err := cp.MarshalJSON()
		require.ErrorIs(t, err, umami.ErrCheckpoint, what)
	}
	for i := range len(good) {
		refused(good[:i], "cut at "+strconv.Itoa(i))
		for _, bit := range []byte{0x01, 0x02, 0x20, 0x80} {
			text := good[:i] + string([]byte{good[i] ^ bit}) + good[i+1:]
			if json.Unmarshal([]byte(text), new(umami.Checkpoint)) == nil {
				// A name in capitals, or a bit that Base64 does not use.
				again, err := json.Marshal(restore(t, text))
				require.NoError(t, err)
				require.Equal(t, good, string(again), "byte %d", i)
				continue
			}
			refused(text, "damaged at "+strconv.Itoa(i))
		}
	}
	for _, text := range []string{"null", "{}", "[]", `""`, "0", "{", `{"version":1}`, `{"version":0}`, good + good} {
		refused(text, text)
	}
	for _, newer := range []string{strings.Replace(good, `"version":1`, `"version":2`, 1), `{"version":3,"state":{"another":"format"}}`} {
		refused(newer, newer)
		require.ErrorContains(t, new(umami.Checkpoint).UnmarshalJSON([]byte(newer)), "newer")
	}
}

// One Diff, and one Checkpoint, may be used by many at the same time, while
// polling goes on. Not in a bubble: the race detector should see them so.
func TestCheckpointConcurrently(t *testing.T) {
	t.Parallel()
	srv := newStepped(umamitest.WithTraffic(umamitest.Traffic{Seed: 5, Rate: 6}))
	diffs := newPoller(t, srv.client(), &umami.PollerOptions{Interval: time.Millisecond}).Start(t.Context())
	d := <-diffs
	want := checkpoint(t, d)
	from := d.Checkpoint()
	var at sync.WaitGroup
	for range 4 {
		at.Go(func() {
			for range 10 {
				assert.Equal(t, want, checkpoint(t, d))
			}
		})
		at.Go(func() { // its clock goes with the requests of all
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			again := newPoller(t, srv.client(), &umami.PollerOptions{Resume: &from, Interval: time.Millisecond}).Start(ctx)
			assert.Equal(t, d.Seq+1, (<-again).Seq)
		})
	}
	for range 20 {
		<-diffs
	}
	at.Wait()
	assert.Equal(t, want, checkpoint(t, d))
}

// Whatever our clock says: the range asked for, and the times told, are the
// server's.
func TestPollerServerClock(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{
		"same": 0, "a little ahead": 4 * time.Minute, "a little behind": -4 * time.Minute, "hours ahead": 5 * time.Hour, "hours behind": -2 * time.Hour,
		"days behind": -9 * 24 * time.Hour, "years ahead": 30 * 365 * 24 * time.Hour, "half an hour behind": -30 * time.Minute,
	} {
		for _, profile := range []umamitest.Profile{umamitest.V2_9, umamitest.V3_1, umamitest.CloudDocs} {
			t.Run(name+", "+profile.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { serverClock(t, profile, ahead) })
			})
		}
	}
}

func serverClock(t *testing.T, profile umamitest.Profile, ahead time.Duration) {
	t.Helper()
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(profile),
		umamitest.WithClock(func() time.Time { return time.Now().Add(ahead) }), umamitest.WithTraffic(umamitest.Traffic{Seed: 6, Rate: 0.2}))
	existing := truth(srv)
	skip := newPoller(t, srv.Client(), &umami.PollerOptions{Start: umami.SkipExisting}).Start(t.Context())
	first := take(t, skip)
	off := ahead.Abs() > 5*time.Minute
	assert.Len(t, srv.Requests(), map[bool]int{false: 1, true: 2}[off], "asked again without need, or not asked again")
	assert.Empty(t, first.Pageviews)
	assert.Equal(t, len(existing) > 0, len(first.Snapshot.Pageviews) > 0)
	diffs := newPoller(t, srv.Client(), nil).Start(t.Context())
	var got []visit
	for range 12 {
		d := take(t, diffs)
		assert.WithinDuration(t, time.Now().Add(ahead), d.Time, time.Second)
		got = append(got, visitsOf(d)...)
	}
	var want []visit
	for _, v := range truth(srv) {
		if !v.at.Before(first.Snapshot.Timestamp.Add(-30 * time.Minute).Truncate(time.Minute)) {
			want = append(want, v)
		}
	}
	assert.Equal(t, sorted(want), sorted(got))
	later := visitsOf(take(t, skip)) // whatever came since its first reply
	assert.NotEmpty(t, later)
	assert.Subset(t, sorted(got), sorted(later))
	for _, v := range later {
		assert.NotContains(t, existing, v)
	}

	wrong := 0
	for _, r := range srv.Requests() {
		from, err := strconv.ParseInt(r.Query.Get("startAt"), 10, 64)
		require.NoError(t, err)
		to, err := strconv.ParseInt(r.Query.Get("endAt"), 10, 64)
		require.NoError(t, err)
		if from > r.Time.Add(-30*time.Minute).UnixMilli() || to < r.Time.UnixMilli() || to-from != (40*time.Minute).Milliseconds() {
			wrong++
		}
	}
	if off {
		assert.Equal(t, 2, wrong, "the first request of each poller, and no other, may go by our clock")
	} else {
		assert.Zero(t, wrong)
	}
}

// The server's clock goes on between polls.
func TestPollerServerClockGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(umamitest.V2_9),
			umamitest.WithClock(func() time.Time { return time.Now().Add(-7 * time.Hour) }))
		newPoller(t, srv.Client(), &umami.PollerOptions{NoBackfill: true, Interval: 6 * time.Hour}).Start(t.Context())
		time.Sleep(30 * time.Hour)
		requests := srv.Requests()
		require.Greater(t, len(requests), 5)
		for _, r := range requests[1:] {
			from, err := strconv.ParseInt(r.Query.Get("startAt"), 10, 64)
			require.NoError(t, err)
			assert.WithinDuration(t, r.Time.Add(-35*time.Minute), time.UnixMilli(from), time.Second)
		}
	})
}

// A server that has just booted and does not know the year.
func TestPollerServerIn1970(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithClock(func() time.Time { return time.Unix(600, 0).Add(time.Since(began)) }))
		diffs := newPoller(t, srv.Client(noRetry), nil).Start(t.Context())
		for range 5 {
			srv.Visit(umamitest.Visit{URLPath: "/"})
			d := take(t, diffs)
			assert.Len(t, d.Pageviews, 1)
			assert.Zero(t, d.Failures)
			assert.Equal(t, 1970, d.Time.Year())
		}
	})
}
