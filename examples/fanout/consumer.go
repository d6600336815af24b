package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

// visit is what consumers read: a page view where EventName is "".
type visit struct {
	Type    string `json:"type"`
	Website string `json:"websiteId"`
	umami.Event
	Performance bool `json:"performance"`
}

// consume hands each visit to a service, in the order of the stream, until ctx
// ends or handle fails. What a service of that name has handled stays handled: it
// goes on from there at its next start. One that fails, or dies while it handles
// a visit, gets it again; it can tell by the website and Key.
func (h *hub) consume(ctx context.Context, service string, handle func(visit) error) error {
	consumer, err := h.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: service, FilterSubject: visitsOf + "*", AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		return fmt.Errorf("consumer %s: %w", service, err)
	}
	failed := make(chan error, 1)
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		var v visit
		if json.Unmarshal(m.Data(), &v) != nil {
			_ = m.Term() // it will not be better the next time
			return
		}
		if err := handle(v); err != nil {
			select {
			case failed <- err:
			default: // it is not the first
			}
			return
		}
		_ = m.Ack() // else it comes again
	})
	if err != nil {
		return fmt.Errorf("consumer %s: %w", service, err)
	}
	select {
	case <-ctx.Done():
		consuming.Stop()
		<-consuming.Closed()
		return nil
	case err := <-failed:
		consuming.Stop()
		<-consuming.Closed()
		return err
	case <-consuming.Closed():
		return fmt.Errorf("consumer %s was ended", service)
	}
}

// line is a visit in one line, with tabs between: time, website, kind, path,
// referrer, country, browser, and an event's name.
func (v visit) line() string {
	kind := v.Type
	if v.Performance { // a beacon is no page view
		kind = "performance"
	}
	fields := []string{v.CreatedAt.Local().Format(time.RFC3339), v.Website, kind, v.URLPath, v.ReferrerDomain, v.Country, v.Browser}
	if v.EventName != "" {
		fields = append(fields, v.EventName)
	}
	for i, f := range fields {
		fields[i] = cmp.Or(setting.Clean(f), "-")
	}
	return strings.Join(fields, "\t")
}
