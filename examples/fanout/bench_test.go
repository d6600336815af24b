//go:build unix

package main

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/fanout/lease"
	"github.com/seed721439b2/umami-go/umamitest"
)

// What NATS costs, its server inside this process included; README.md reckons
// with it.

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measured is a website with an hour's traffic behind it, and its first diff.
type measured struct {
	*hub
	feed *feed
	diff umami.Diff
}

func measure(b *testing.B, rate float64) measured {
	b.Helper()
	broker, err := startBroker("")
	require.NoError(b, err)
	b.Cleanup(broker.close)
	nc, err := broker.connect()
	require.NoError(b, err)
	b.Cleanup(nc.Close)
	m := measured{}
	m.hub, err = openHub(b.Context(), nc, leaseTime)
	require.NoError(b, err)
	m.feed, err = m.open(b.Context(), lease.Lease{Name: umamitest.WebsiteID, Token: 1})
	require.NoError(b, err)
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{Seed: 1, Rate: rate}))
	p, err := srv.Client().NewPoller(srv.WebsiteID, nil)
	require.NoError(b, err)
	for diff, err := range p.All(b.Context()) {
		require.NoError(b, err)
		m.diff = diff
		break
	}
	return m
}

func (m measured) run(b *testing.B, step func(n int)) {
	b.Helper()
	began, n := cpuTime(), 0
	for b.Loop() {
		step(n)
		n++
	}
	b.ReportMetric(float64((cpuTime()-began).Microseconds())/float64(n), "cpu-µs/op")
}

func BenchmarkPublish(b *testing.B) {
	m := measure(b, 3)
	all := messages(m.diff)
	before := heap()
	m.run(b, func(n int) {
		require.NoError(b, m.feed.publish(b.Context(), fmt.Sprintf("%022d", n), all[n%len(all)].body))
	})
	info, err := m.stream.Info(b.Context())
	require.NoError(b, err)
	b.ReportMetric(float64(info.State.Bytes)/float64(info.State.Msgs), "stream-B/visit")
	b.ReportMetric((heap()-before)/float64(info.State.Msgs), "heap-B/visit") // in the window of duplicates
}

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func BenchmarkSave(b *testing.B) {
	for name, rate := range map[string]float64{"a visitor in 2 minutes": .5, "3 visitors a minute": 3, "60 visitors a minute": 60} {
		b.Run(name, func(b *testing.B) {
			m := measure(b, rate)
			m.run(b, func(int) {
				require.NoError(b, m.feed.save(b.Context(), m.diff.Checkpoint()))
			})
			e, err := m.places.Get(b.Context(), umamitest.WebsiteID)
			require.NoError(b, err)
			b.ReportMetric(float64(len(e.Value())), "place-B")
		})
	}
}

// BenchmarkTakeover is what a new holder does before its first poll.
func BenchmarkTakeover(b *testing.B) {
	m := measure(b, 3)
	m.run(b, func(n int) {
		_, err := m.open(b.Context(), lease.Lease{Name: umamitest.WebsiteID, Token: uint64(n + 2)})
		require.NoError(b, err)
	})
}
