package lease_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/examples/fanout/lease"
)

// BenchmarkShare is how long a lone replica takes to hold 10,000 names, the NATS
// server inside this process included; README.md reckons with it.
func BenchmarkShare(b *testing.B) {
	const names = 10_000
	n := 0
	for b.Loop() {
		n++
		o := newOffice(b, 0, 10*time.Second)
		for i := range names {
			o.names = append(o.names, fmt.Sprint("name-", i))
		}
		d := o.desk(b)
		pool, err := lease.NewPool(b.Context(), d.alive, d.leases)
		require.NoError(b, err)
		ctx, cancel := context.WithCancel(b.Context())
		var all sync.WaitGroup
		all.Add(names)
		go func() {
			all.Wait()
			cancel()
		}()
		err = pool.Share(ctx, "a", o.names, func(ctx context.Context, _ lease.Lease) {
			all.Done()
			<-ctx.Done()
		})
		require.ErrorIs(b, err, context.Canceled)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n*names), "µs/lease")
}
