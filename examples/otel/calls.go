package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

const scope = "github.com/seed721439b2/umami-go/examples/otel"

// calls makes each call of a client one span, above those of its attempts, and
// measures it with all its retries and waits.
type calls struct {
	client   *umami.Client
	tracer   trace.Tracer
	took     metric.Float64Histogram
	visitors metric.Int64Gauge
}

func newCalls(client *umami.Client, tracers trace.TracerProvider, meters metric.MeterProvider) (*calls, error) {
	meter := meters.Meter(scope)
	took, err := meter.Float64Histogram("umami.call.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of a call, retries and waits included."))
	if err != nil {
		return nil, err
	}
	visitors, err := meter.Int64Gauge("umami.visitors", metric.WithUnit("{session}"),
		metric.WithDescription("Sessions of the last 30 minutes, as the last reply shows them."))
	if err != nil {
		return nil, err
	}
	return &calls{client, tracers.Tracer(scope), took, visitors}, nil
}

// getRealtime is Client.GetRealtime.
func (c *calls) getRealtime(ctx context.Context, websiteID string) (rt *umami.Realtime, err error) {
	website := attribute.String("umami.website.id", websiteID)
	err = c.do(ctx, "umami.GetRealtime", func(ctx context.Context) error {
		rt, err = c.client.GetRealtime(ctx, websiteID, nil)
		if err == nil {
			trace.SpanFromContext(ctx).SetAttributes(
				attribute.Int("umami.rows", len(rt.Pageviews)+len(rt.Events)), attribute.Bool("umami.truncated", rt.Truncated))
			c.visitors.Record(ctx, int64(rt.Visitors), metric.WithAttributes(website))
		}
		return err
	}, website)
	return rt, err
}

// do makes a span of a call.
func (c *calls) do(ctx context.Context, name string, call func(context.Context) error, about ...attribute.KeyValue) error {
	ctx, span := c.tracer.Start(ctx, name, trace.WithAttributes(about...))
	defer span.End()
	began := time.Now()
	err := call(ctx)
	result := []attribute.KeyValue{attribute.String("umami.call", name)}
	if err != nil {
		failed := attribute.String("error.type", errorType(err))
		span.SetAttributes(failed)
		span.SetStatus(codes.Error, setting.OneLine(err)) // the client's errors hold no secret
		result = append(result, failed)
	}
	c.took.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(result...))
	return err
}

// errorType is one of a few words, as labels should be.
func errorType(err error) string {
	if e, ok := errors.AsType[*umami.APIError](err); ok {
		return strconv.Itoa(e.StatusCode)
	}
	if e, ok := errors.AsType[*umami.DecodeError](err); ok {
		return fmt.Sprintf("%T", e)
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "transport"
}
