package main

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// watched is a client whose spans and metrics a test reads.
type watched struct {
	*calls
	spans   *tracetest.InMemoryExporter
	metrics *sdkmetric.ManualReader
}

// watchClient makes a client of a server by way of base.
func watchClient(t *testing.T, srv *umamitest.Server, base http.RoundTripper, auth umami.Auth, opts ...umami.Option) *watched {
	t.Helper()
	w := &watched{spans: tracetest.NewInMemoryExporter(), metrics: sdkmetric.NewManualReader()}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(w.spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.metrics))
	opts = append(opts, umami.WithHTTPClient(&http.Client{Transport: traced(base, tracers, meters)}))
	client, err := umami.NewClient(srv.URL, auth, opts...)
	require.NoError(t, err)
	w.calls, err = newCalls(client, tracers, meters)
	require.NoError(t, err)
	return w
}

// measured are the metrics so far.
func (w *watched) measured(t *testing.T) metricdata.ResourceMetrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, w.metrics.Collect(context.Background(), &all))
	return all
}

// counts are how many values a histogram has, by the value of an attribute.
func (w *watched) counts(t *testing.T, name, key string) map[string]uint64 {
	t.Helper()
	found := make(map[string]uint64)
	for _, scope := range w.measured(t).ScopeMetrics {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == name {
				for _, p := range h.DataPoints {
					value, _ := p.Attributes.Value(attribute.Key(key))
					found[value.String()] += p.Count
				}
			}
		}
	}
	return found
}
