package main

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
	"github.com/seed721439b2/umami-go/umamitest"
)

// running is an exporter without a listener.
type running struct {
	*prometheus.Registry
	*health
	*traffic
}

func newRunning(pages int) running {
	r := prometheus.NewRegistry()
	return running{r, newHealth(r), newTraffic(r, pages)}
}

// start polls a fake server every ten seconds until the test ends.
func start(t *testing.T, srv *umamitest.Server, pages int) running {
	t.Helper()
	r := newRunning(pages)
	client := srv.Client(umami.WithRetry(umami.RetryPolicy{Max: -1}),
		umami.WithHTTPClient(&http.Client{Transport: r.watch(srv.HTTPClient().Transport)}))
	site := &setting.Site{Name: "stats.example.com", WebsiteID: srv.WebsiteID, Credential: "UMAMI_TOKEN", Interval: 10 * time.Second}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		assert.ErrorIs(t, follow(ctx, site, client, r.health, r.traffic, io.Discard), context.Canceled)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return r
}

// values are all series of a kind: its name and labels, and what it says.
func (r running) values(t *testing.T, wanted func(name string) bool) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	found := make(map[string]float64)
	for _, f := range families {
		if !wanted(f.GetName()) {
			continue
		}
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			found[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return found
}

// value is that of one series.
func (r running) value(t *testing.T, name string) float64 {
	t.Helper()
	all := r.values(t, func(string) bool { return true })
	require.Contains(t, all, name)
	return all[name]
}
