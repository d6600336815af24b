package umami_test

import (
	"cmp"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// lively is a server whose every reply is the same in every run, with failures,
// late rows and, at times, more rows than a reply shows.
func lively(profile umamitest.Profile) *stepped {
	rate := 12.0
	if profile == umamitest.V2_9 { // shows all rows
		rate = 0.5
	}
	s := newStepped(umamitest.WithProfile(profile), umamitest.WithTraffic(umamitest.Traffic{Seed: 4, Rate: rate}))
	for i := range 120 { // come late
		at := s.clock().Add(time.Duration(i) * 43 * time.Second)
		s.Visit(umamitest.Visit{URLPath: "/late", CreatedAt: at, VisibleAt: at.Add(time.Duration(i%5) * 15 * time.Second)})
	}
	for i := range 30 { // leave the window, and come back a little later
		v := s.Visit(umamitest.Visit{URLPath: "/", CreatedAt: s.clock().Add(time.Duration(i) * 2 * time.Minute)})
		s.Visit(umamitest.Visit{URLPath: "/again", SessionID: v.SessionID, CreatedAt: v.CreatedAt.Add(34 * time.Minute)})
	}
	for i := range 60 {
		s.Fail(i%7, umamitest.Delay(0)) // none
		s.Fail(i%3, umamitest.Status(502, "down"))
		if i%20 == 10 {
			s.Fail(14, umamitest.Status(503, "down for minutes"))
		}
	}
	return s
}

// eager is what a reader gets that takes each diff at once.
func eager(t *testing.T, s *stepped, opts umami.PollerOptions, polls int) []umami.Diff {
	t.Helper()
	opts.NoBackfill = true // each request moves the clock
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var list []umami.Diff
	for d := range newPoller(t, s.client(), &opts).Start(ctx) {
		d.Snapshot = nil // much to keep, and nothing to merge
		list = append(list, d)
		if s.requests.Load() >= int64(polls) {
			cancel()
		}
	}
	return list
}

// merged is what a reader gets for some diffs that it did not take in time.
// before are the sessions in the window when the first of them came.
func merged(diffs []umami.Diff, before map[string]bool) umami.Diff {
	first, last := diffs[0], diffs[len(diffs)-1]
	sum := umami.Diff{
		WebsiteID: first.WebsiteID, Seq: first.Seq, Initial: first.Initial,
		Time: last.Time, Stale: last.Stale,
		Pageviews: []umami.Pageview{}, Events: []umami.Event{}, Started: []umami.Session{}, Ended: []umami.Session{},
		URLs: map[string]int{}, Referrers: map[string]int{}, Countries: map[string]int{},
	}
	now := make(map[string]bool)
	for id := range before {
		now[id] = true
	}
	known := make(map[string]umami.Session)
	for _, d := range diffs {
		sum.Pageviews = append(sum.Pageviews, d.Pageviews...)
		sum.Events = append(sum.Events, d.Events...)
		sum.Gaps = append(sum.Gaps, d.Gaps...)
		add(sum.URLs, d.URLs)
		add(sum.Referrers, d.Referrers)
		add(sum.Countries, d.Countries)
		sum.Totals = addTotals(sum.Totals, d.Totals)
		sum.Polls += d.Polls
		sum.Failures += d.Failures
		for _, s := range d.Started {
			now[s.SessionID], known[s.SessionID] = true, s
		}
		for _, s := range d.Ended {
			delete(now, s.SessionID)
			known[s.SessionID] = s
		}
	}
	slices.SortStableFunc(sum.Pageviews, func(a, b umami.Pageview) int { return a.CreatedAt.Compare(b.CreatedAt) })
	slices.SortStableFunc(sum.Events, func(a, b umami.Event) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for id, s := range known {
		switch {
		case now[id] && !before[id]:
			sum.Started = append(sum.Started, s)
		case !now[id] && before[id]:
			sum.Ended = append(sum.Ended, s)
		}
	}
	return sum
}

// text is a diff as JSON, its sessions in an order of their own.
func text(t *testing.T, d umami.Diff) string {
	t.Helper()
	byID := func(a, b umami.Session) int { return cmp.Compare(a.SessionID, b.SessionID) }
	d.Started, d.Ended = slices.SortedFunc(slices.Values(d.Started), byID), slices.SortedFunc(slices.Values(d.Ended), byID)
	b, err := json.MarshalIndent(d, "", " ")
	require.NoError(t, err)
	return string(b)
}

// checkpoint is a diff's checkpoint as it is saved.
func checkpoint(t *testing.T, d umami.Diff) string {
	t.Helper()
	b, err := json.Marshal(d.Checkpoint())
	require.NoError(t, err)
	return string(b)
}

func failedOf(requests []umamitest.Request) (n int) {
	for _, r := range requests {
		if r.Status != 200 {
			n++
		}
	}
	return n
}

// A slow reader gets exactly what a quick one does, in fewer diffs.
func TestPollerCoalesces(t *testing.T) {
	t.Parallel()
	for _, profile := range []umamitest.Profile{umamitest.Cloud, umamitest.V2_9} {
		t.Run(profile.String(), func(t *testing.T) {
			t.Parallel()
			var quick []umami.Diff
			synctest.Test(t, func(t *testing.T) { quick = eager(t, lively(profile), umami.PollerOptions{}, 420) })
			synctest.Test(t, func(t *testing.T) { coalesces(t, profile, quick) })
		})
	}
}

func coalesces(t *testing.T, profile umamitest.Profile, quick []umami.Diff) {
	t.Helper()
	slow := lively(profile)
	diffs := newPoller(t, slow.client(), &umami.PollerOptions{NoBackfill: true}).Start(t.Context())
	before, seq := make(map[string]bool), uint64(0)
	var merges, gaps, starts, ends, polls, failures int
	for len(quick) > 0 {
		synctest.Wait()
		time.Sleep(time.Duration(seq%3) * 30 * time.Minute)
		got := take(t, diffs)
		n := slices.IndexFunc(quick, func(d umami.Diff) bool { return !d.Time.Before(got.Time) }) + 1
		if n == 0 || quick[n-1].Time.After(got.Time) && n == 1 {
			break // beyond the quick run, or its newest poll changed nothing
		}
		if quick[n-1].Time.After(got.Time) {
			n-- // the newest poll in it changed nothing
		}
		seq++
		want := merged(quick[:n], before)
		want.Seq = seq
		// A poll that changed nothing is counted, too, and is the newest; only
		// in a diff that waits, it is so at once.
		want.Time, want.Snapshot, want.Polls, want.Failures = got.Time, got.Snapshot, got.Polls, got.Failures
		polls, failures = polls+got.Polls, failures+got.Failures
		assert.Equal(t, failedOf(slow.Requests()[:polls+failures]), failures)
		assert.Equal(t, slow.Requests()[polls+failures-1].Time.UTC(), got.Snapshot.Timestamp)
		require.Equal(t, text(t, want), text(t, got), "diff %d, %d merged", got.Seq, n)
		for _, d := range quick[:n] {
			for _, s := range d.Started {
				before[s.SessionID] = true
			}
			for _, s := range d.Ended {
				delete(before, s.SessionID)
			}
		}
		if n > 1 {
			merges++
			gaps, starts, ends = gaps+len(got.Gaps), starts+len(got.Started), ends+len(got.Ended)
		}
		quick = quick[n:]
	}
	assert.GreaterOrEqual(t, merges, 2)
	assert.Positive(t, starts)
	assert.Positive(t, ends)
	assert.Positive(t, failures)
	if profile != umamitest.V2_9 {
		assert.Positive(t, gaps)
	}
}

// What is empty is an empty list or object in JSON, never null, merged or not.
func TestDiffJSON(t *testing.T) {
	t.Parallel()
	for _, merged := range []int{1, 2, 3} {
		for name, visit := range map[string]func(*umamitest.Server){
			"nothing":   func(*umamitest.Server) {},
			"page view": func(srv *umamitest.Server) { srv.Visit(umamitest.Visit{}) },
			"event":     func(srv *umamitest.Server) { srv.Event("click", umamitest.Visit{}) },
		} {
			t.Run(strconv.Itoa(merged)+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					srv := umamitest.NewServer(umamitest.InProcess())
					diffs := newPoller(t, srv.Client(), nil).Start(t.Context())
					for range merged {
						visit(srv)
						time.Sleep(11 * time.Second)
					}
					d := take(t, diffs)
					require.GreaterOrEqual(t, d.Polls, merged)
					d.Snapshot = nil
					b, err := json.Marshal(d)
					require.NoError(t, err)
					assert.NotContains(t, string(b), "null")
					for _, list := range []string{"pageviews", "events", "started", "ended"} {
						assert.Contains(t, string(b), `"`+list+`":[`)
					}
					for _, counts := range []string{"urls", "referrers", "countries"} {
						assert.Contains(t, string(b), `"`+counts+`":{`)
					}
				})
			})
		}
	}
}

// scribble changes all that a value's owner can change, spare capacity of
// slices included.
func scribble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			scribble(v.Elem())
		}
	case reflect.Struct:
		if at, ok := reflect.TypeAssert[time.Time](v); ok {
			v.Set(reflect.ValueOf(at.Add(-time.Hour)))
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				scribble(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			clear(v.Bytes()[:v.Cap()])
			return
		}
		for i := range v.Cap() {
			scribble(v.Slice(0, v.Cap()).Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.ValueOf(-7))
		}
		v.SetMapIndex(reflect.ValueOf("scribbled"), reflect.ValueOf(7))
	case reflect.String:
		v.SetString("scribbled")
	case reflect.Int, reflect.Int64:
		v.SetInt(-7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Bool:
		v.SetBool(true)
	default:
		panic("scribble: " + v.Kind().String())
	}
}

// A reader changes everything in its diffs while polling goes on; another keeps
// them. Not in a bubble: the race detector should see them at the same time.
func TestPollerDiffIsTheReaders(t *testing.T) {
	t.Parallel()
	type seen struct {
		diff             umami.Diff
		text, checkpoint string
	}
	read := func(then func(umami.Diff)) []seen {
		srv := newStepped(umamitest.WithTraffic(umamitest.Traffic{Seed: 4, Rate: 8}))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var list []seen
		for d := range newPoller(t, srv.client(), &umami.PollerOptions{Interval: time.Millisecond, Overflow: umami.Block}).Start(ctx) {
			list = append(list, seen{d, text(t, d), checkpoint(t, d)})
			then(d)
			if len(list) == 60 {
				break
			}
		}
		return list
	}
	kept := read(func(umami.Diff) {})
	var at sync.WaitGroup
	changed := read(func(d umami.Diff) {
		at.Go(func() {
			for range 2 {
				scribble(reflect.ValueOf(&d))
			}
			assert.Equal(t, "scribbled", d.WebsiteID)
			assert.Equal(t, 7, d.URLs["scribbled"])
		})
	})
	at.Wait()
	require.Len(t, changed, len(kept))
	for i := range kept {
		require.Equal(t, kept[i].text, changed[i].text, "diff %d", i+1)
		require.Equal(t, kept[i].checkpoint, changed[i].checkpoint, "diff %d", i+1)
		require.Equal(t, kept[i].text, text(t, kept[i].diff), "diff %d changed after it was taken", i+1)
		require.Equal(t, kept[i].checkpoint, checkpoint(t, kept[i].diff), "diff %d", i+1)
	}
}

func TestPollerBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{}))
		diffs := newPoller(t, srv.Client(), &umami.PollerOptions{NoBackfill: true, Overflow: umami.Block}).Start(t.Context())
		for i := range 5 {
			time.Sleep(20 * time.Minute)
			require.Len(t, srv.Requests(), i+1, "polled while a diff waits")
			d := take(t, diffs)
			assert.Equal(t, 1, d.Polls)
			assert.WithinDuration(t, time.Now().Add(-20*time.Minute), d.Time, time.Second)
			synctest.Wait()
			require.Len(t, srv.Requests(), i+2, "the interval is long over")
		}
		take(t, diffs)
		before := time.Now()
		take(t, diffs)
		between(t, 9*time.Second, 11*time.Second, []time.Duration{time.Since(before), 10 * time.Second})
	})
}

// Above MaxPending Coalesce waits for the reader, and goes on after it.
func TestPollerMaxPending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{Seed: 4, Rate: 17})) // a row a second
		diffs := newPoller(t, srv.Client(), &umami.PollerOptions{NoBackfill: true, MaxPending: 30}).Start(t.Context())
		for range 3 {
			time.Sleep(5 * time.Minute)
			sent := len(srv.Requests())
			time.Sleep(5 * time.Minute)
			assert.Len(t, srv.Requests(), sent, "too many rows wait")
			full := take(t, diffs)
			rows := len(full.Pageviews) + len(full.Events)
			assert.GreaterOrEqual(t, rows, 30)
			assert.LessOrEqual(t, rows, 29+100, "one reply more at most")
			synctest.Wait()
			assert.Len(t, srv.Requests(), sent+1)
			take(t, diffs) // of the poll that was due
			time.Sleep(25 * time.Second)
			assert.Len(t, srv.Requests(), sent+3)
			assert.Equal(t, 2, take(t, diffs).Polls)
		}
	})
}

// Page views and events count alike.
func TestPollerMaxPendingExactly(t *testing.T) {
	t.Parallel()
	for most, polls := range map[int]int{5: 1, 6: 6} {
		t.Run(strconv.Itoa(most), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess())
				srv.Visit(umamitest.Visit{})
				srv.Visit(umamitest.Visit{})
				for range 3 {
					srv.Event("click", umamitest.Visit{})
				}
				newPoller(t, srv.Client(), &umami.PollerOptions{MaxPending: most}).Start(t.Context())
				time.Sleep(55 * time.Second)
				assert.InDelta(t, polls, len(srv.Requests()), float64(polls-1)/5)
			})
		})
	}
}
