package main

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/umamitest"
)

// serveHub serves a hub alone.
func serveHub(t *testing.T) (*hub, pipes) {
	t.Helper()
	h, net := newHub(), newPipes()
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(net) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		synctest.Wait()
	})
	return h, net
}

func TestStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, net := serveHub(t)
		early := net.listen(t)
		assert.Equal(t, "event: beat", early.next(), "it is connected before there is a state")
		assert.Equal(t, "data: .", early.next())
		h.publish([]byte(`{"n":1}`))
		assert.Equal(t, `data: {"n":1}`, early.next())
		h.publish([]byte(`{"n":1}`)) // nothing new

		late := net.listen(t)
		assert.Equal(t, "event: beat", late.next())
		assert.Equal(t, "data: .", late.next())
		assert.Equal(t, `data: {"n":1}`, late.next(), "the whole state first")

		began := time.Now()
		for range 4 {
			assert.Equal(t, "event: beat", early.next())
			assert.Equal(t, "data: .", early.next())
			assert.Equal(t, "event: beat", late.next())
			assert.Equal(t, "data: .", late.next())
		}
		assert.Equal(t, 4*beat, time.Since(began))
		h.publish([]byte(`{"n":2}`))
		assert.Equal(t, `data: {"n":2}`, early.next())
		assert.Equal(t, `data: {"n":2}`, late.next())
	})
}

// A browser that takes nothing is left, and holds up nobody; one that is slow
// gets the newest state, not each.
func TestSlowBrowsers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, net := serveHub(t)
		stuck, slow, quick := net.listen(t), net.listen(t), net.listen(t)
		began := time.Now()
		for i := range 50 {
			h.publish([]byte(`{"now":` + strconv.Itoa(i) + `}`))
			assert.Equal(t, i, quick.state(t).Now)
			synctest.Wait() // the others begin to write the first one, and are stuck
		}
		assert.Zero(t, time.Since(began))
		assert.Equal(t, 0, slow.state(t).Now)
		assert.Equal(t, 49, slow.state(t).Now, "those in between are of no use")

		time.Sleep(patience)
		synctest.Wait()
		rest, _ := io.ReadAll(stuck)
		assert.Empty(t, rest, "the server has closed it")
	})
}

// polls runs a dashboard with browsers for three minutes, and counts what Umami
// was asked.
func polls(t *testing.T, browsers int) (count int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{Seed: 1, Rate: 3}))
		net := newPipes()
		stop := start(t, siteOf(srv, 10*time.Second), net)
		var all sync.WaitGroup
		last := make([]int64, browsers)
		for i := range browsers {
			e := net.listen(t)
			all.Go(func() {
				for line := e.next(); line != ""; line = e.next() {
					if strings.HasPrefix(line, "data: {") {
						last[i] = time.Now().UnixNano()
					}
				}
			})
		}
		time.Sleep(3*time.Minute + 500*time.Millisecond) // between two ticks
		synctest.Wait()
		stop()
		all.Wait()
		for _, at := range last {
			assert.Equal(t, last[0], at, "each has the last state when the others have it")
		}
		for _, r := range srv.Requests() {
			if strings.HasPrefix(r.Path, "/api/realtime/") {
				count++
			}
		}
	})
	return count
}

func TestHundredBrowsersCostNoMorePolls(t *testing.T) {
	t.Parallel()
	one, hundred := polls(t, 1), polls(t, 100)
	assert.InDelta(t, 18, one, 3, "every ten seconds, give or take a tenth")
	assert.InDelta(t, one, hundred, 4, "the same")
}
