package umami_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

// fault is one thing that a server, or the network before it, does wrong, and
// what a caller must see. The tables are in faults_table_test.go.
type fault struct {
	name string

	// What it does: one of them.
	refuses  func(context.Context) error // the connection
	connects func(*line)                 // before any request
	tls      func() *tls.Config          // of the server, which serves https
	plays    act                         // after a request

	want seen
	// login is what a caller of Login must see: as want, but that what may have
	// reached the server is not sent again, where it is nil.
	login *seen
	// listing is what a caller of ListEvents must see of a status.
	listing *seen
}

// seen is what a caller must see. The zero value is an answer that is used.
type seen struct {
	is       error  // errors.Is
	status   int    // of an *APIError
	decode   bool   // a *DecodeError
	text     string // part of the message
	attempts int    // how often the fault was met; 0 for once
	each     time.Duration
	wait     time.Duration // before each retry, jitter apart
	ends     bool          // the polling
}

func (s seen) isError() bool { return s.is != nil || s.status != 0 || s.decode || s.text != "" }

// once is what a caller must see of a call that is sent once.
func (s seen) once() seen {
	s.attempts = 1
	return s
}

// check holds an error to what it must be.
func (s seen) check(t *testing.T, err error) {
	t.Helper()
	if !s.isError() {
		assert.NoError(t, err)
		return
	}
	require.Error(t, err)
	if s.is != nil {
		require.ErrorIs(t, err, s.is)
	}
	apiErr, ok := errors.AsType[*umami.APIError](err)
	assert.Equal(t, s.status != 0, ok, "an *APIError: %v", err)
	if ok {
		assert.Equal(t, s.status, apiErr.StatusCode)
	}
	_, ok = errors.AsType[*umami.DecodeError](err)
	assert.Equal(t, s.decode, ok, "a *DecodeError: %v", err)
	assert.Contains(t, err.Error(), s.text)
	assert.Equal(t, 1, strings.Count(err.Error(), "umami: "), err)
	assert.Less(t, len(err.Error()), 2000, "a message that can be read")
}

// checkCall also holds the call to its attempts, and to the fake time it took.
func (s seen) checkCall(t *testing.T, err error, attempts int, took time.Duration) {
	t.Helper()
	s.check(t, err)
	want := max(s.attempts, 1)
	assert.Equal(t, want, attempts, "attempts (%v)", err)
	if apiErr, ok := errors.AsType[*umami.APIError](err); ok {
		assert.Equal(t, want, apiErr.Attempts, "attempts told")
	}
	least := time.Duration(want)*s.each + time.Duration(want-1)*s.wait
	assert.GreaterOrEqual(t, took, least, "time")
	assert.LessOrEqual(t, took, least+jitter(want), "time")
}

// jitter is the most that is waited between attempts by default. More than four
// are redirects, which are not waited for.
func jitter(attempts int) (most time.Duration) {
	for i := range attempts - 1 {
		if attempts <= 4 {
			most += 500 * time.Millisecond << i
		}
	}
	return most
}

const (
	realtimePath = "/api/realtime/"
	loginPath    = "/api/auth/login"
	sharePath    = "/api/share/"
	websitePath  = "/api/websites/"
)

// faulty is a client, and a peer that has the fault.
type faulty struct {
	peer   *peer
	client *umami.Client
}

// begin makes a client with an Auth by its name. Requests of the path meet the
// fault, all others are answered well.
func begin(t *testing.T, f fault, at, auth string, opts ...umami.Option) faulty {
	t.Helper()
	p := &peer{fault: f, at: at}
	p.answer = func(req *http.Request) string {
		if strings.HasPrefix(req.URL.Path, realtimePath) {
			return ok(idle)
		}
		if strings.HasPrefix(req.URL.Path, websitePath) {
			return ok(`{"data":[],"count":0}`)
		}
		return ok(`{"token":"` + traded + `"}`)
	}
	c, err := umami.NewClient(p.base(), auths()[auth], append(opts, umami.WithHTTPClient(&http.Client{Transport: p.transport()}))...)
	require.NoError(t, err)
	return faulty{p, c}
}

// call makes one call of GetRealtime and holds it to what must be seen.
func (r faulty) call(t *testing.T, want seen) {
	t.Helper()
	r.timed(t, want, func() error {
		rt, err := r.client.GetRealtime(t.Context(), site, nil)
		assert.Equal(t, err != nil, rt == nil)
		return err
	})
}

// list is call with ListEvents.
func (r faulty) list(t *testing.T, want seen) {
	t.Helper()
	r.timed(t, want, func() error {
		rows := 0
		for _, err := range r.client.ListEvents(t.Context(), site, nil) {
			if err != nil {
				assert.Zero(t, rows)
				return err
			}
			rows++
		}
		return nil
	})
}

func (r faulty) timed(t *testing.T, want seen, call func() error) {
	t.Helper()
	defer r.peer.close()
	began := time.Now()
	err := call()
	took := time.Since(began)
	synctest.Wait() // for the peer to notice, too
	want.checkCall(t, err, r.peer.attempts(), took)
	assert.Empty(t, r.peer.strayed, "credentials stay with their server")
}

// poll lets the fault begin while a poller polls, and end after the first error.
// What came before and after is delivered, each visit once.
func (r faulty) poll(t *testing.T, want seen) {
	t.Helper()
	defer r.peer.close()
	clock := time.Now()
	r.peer.answer = func(*http.Request) string {
		rows := visitRow("before", clock)
		if r.peer.healed {
			rows = visitRow("after", clock.Add(time.Second)) + "," + rows
		}
		return ok(strings.NewReplacer(`"events":[]`, `"events":[`+rows+`]`, "1795337488224", fmt.Sprint(time.Now().UnixMilli())).Replace(idle))
	}
	failed := make(chan *umami.PollError, 100)
	p, err := r.client.NewPoller(site, &umami.PollerOptions{OnError: func(e *umami.PollError) { failed <- e }})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	diffs := p.Start(ctx)
	d := take(t, diffs)
	require.Len(t, d.Pageviews, 1)
	r.peer.begin(realtimePath)
	if want.isError() {
		select {
		case e := <-failed:
			want.check(t, e.Err)
			assert.Equal(t, want.ends, e.Next == 0)
		case <-time.After(4 * time.Minute): // four attempts, and what is waited for between them
			require.FailNow(t, "no error")
		}
	} else {
		time.Sleep(15 * time.Second) // a poll
		assert.Empty(t, failed)
	}
	r.peer.heal()
	if want.ends {
		synctest.Wait()
		_, open := <-diffs
		assert.False(t, open)
		want.check(t, p.Err())
		return
	}
	var paths []string
	for !slices.Contains(paths, "/after") {
		d = take(t, diffs)
		for _, v := range d.Pageviews {
			paths = append(paths, v.URLPath)
		}
		assert.Equal(t, want.isError(), d.Failures > 0)
	}
	if slices.Equal(paths, []string{"/", "/after"}) { // the row of an answer that can be used
		paths = paths[1:]
	}
	assert.Equal(t, []string{"/after"}, paths, "each visit once")
	cancel()
	synctest.Wait()
	_, open := <-diffs
	assert.False(t, open)
}

func visitRow(name string, at time.Time) string {
	return `{"__type":"pageview","sessionId":"` + name + `","urlPath":"/` + name + `","createdAt":"` + at.UTC().Format(time.RFC3339) + `"}`
}

// TestFaults plays the tables: against GetRealtime, ListEvents, a login and the
// trade of a share link, and while a poller polls.
//
//nolint:paralleltest // It measures memory.
func TestFaults(t *testing.T) {
	runs := 0
	var most int64
	var where string
	play := func(f fault, how, at, auth string, want seen, bound int64, use func(faulty, *testing.T, seen)) {
		runs++
		t.Run(f.name+", "+how, func(t *testing.T) {
			grown := measured(func() {
				synctest.Test(t, func(t *testing.T) { use(begin(t, f, at, auth), t, want) })
			})
			if grown > most {
				most, where = grown, t.Name()
			}
			assert.Less(t, grown, bound+garbage, "memory")
		})
	}
	poll := func(f fault, bound int64) {
		play(f, "GetRealtime", realtimePath, "BearerToken", f.want, bound, faulty.call)
		play(f, "Poller", "", "BearerToken", f.want, bound, faulty.poll)
	}
	trade := func(f fault, bound int64) {
		login := f.want
		if f.login != nil {
			login = *f.login
		} else if f.refuses == nil {
			login = login.once()
		}
		play(f, "Login", loginPath, "Login", login, bound, faulty.call)
		play(f, "ShareLink", sharePath, "ShareLink", f.want, bound, faulty.call)
	}
	network, replies, listings, tokens := networkFaults(), replyFaults(), listingFaults(), tokenFaults()
	for _, f := range network {
		poll(f, maxReply)
		play(f, "ListEvents", websitePath, "BearerToken", f.want, maxReply, faulty.list)
		trade(f, maxReply)
	}
	for _, f := range replies {
		poll(f, 3*maxReply) // a body that is used is put together in memory, and read
	}
	for _, f := range listings {
		play(f, "ListEvents", websitePath, "BearerToken", f.want, 3*maxReply, faulty.list)
	}
	for _, f := range tokens {
		trade(f, 4*maxReply) // and the token is a part of it
	}
	rows := len(network) + len(replies) + len(listings) + len(tokens)
	t.Logf("%d rows, %d runs; at most %.1f MiB, by %s", rows, runs, float64(most)/(1<<20), where)
	assert.GreaterOrEqual(t, rows, 120)
}

// What is no fault may take more: rows are larger in memory than in a reply.
//
//nolint:paralleltest // It measures memory.
func TestFullReplyMemory(t *testing.T) {
	const limit = 4 << 20
	rows := strings.TrimSuffix(numbered(`{"__type":"pageview","sessionId":"%036d","urlPath":"/","createdAt":946684800000},`, limit/125), ",")
	c := newClient(t, always(200, strings.Replace(idle, `"events":[]`, `"events":[`+rows+`]`, 1)), umami.BearerToken(token), umami.WithMaxResponseBytes(limit))
	grown := measured(func() { get(t, c) })
	t.Logf("%.1f times the limit", float64(grown)/limit)
	assert.Less(t, grown, int64(16*limit))
}

// TestStatuses plays all statuses.
func TestStatuses(t *testing.T) {
	t.Parallel()
	play := func(f fault, how, at, auth string, want seen, use func(faulty, *testing.T, seen)) {
		t.Run(f.name+", "+how, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { use(begin(t, f, at, auth), t, want) })
		})
	}
	table := statusFaults()
	for _, f := range table {
		play(f, "GetRealtime", realtimePath, "BearerToken", f.want, faulty.call)
		play(f, "Poller", "", "BearerToken", f.want, faulty.poll)
		play(f, "Login", loginPath, "Login", *f.login, faulty.call)
		play(f, "ListEvents", websitePath, "BearerToken", *f.listing, faulty.list)
	}
	t.Logf("%d rows", len(table))
}

const (
	maxReply = 16 << 20 // WithMaxResponseBytes, by default
	garbage  = 16 << 20 // of attempts before, not yet swept
)

// measured is how far the heap grows in the meantime, at most.
func measured(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // little garbage lies about
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	now := func() int64 {
		metrics.Read(heap)
		return int64(heap[0].Value.Uint64())
	}
	runtime.GC()
	before := now()
	most := before
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				most = max(most, now())
				time.Sleep(50 * time.Microsecond) // of true time: no bubble is about
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return most - before
}
