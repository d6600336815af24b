package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

// update is what the poller tells: a diff, or a poll that failed.
type update struct {
	at     time.Time // when, by this machine's clock
	diff   umami.Diff
	failed *umami.PollError // nil where there is a diff
}

// follow polls until ctx ends, or for good what a later poll cannot heal; then
// it closes the channel, and the poller's Err tells why.
func follow(ctx context.Context, s *setting.Site) (*umami.Poller, <-chan update, error) {
	updates := make(chan update)
	send := func(u update) {
		u.at = time.Now()
		select {
		case updates <- u:
		case <-ctx.Done():
		}
	}
	poller, err := s.Client.NewPoller(s.WebsiteID, &umami.PollerOptions{
		Interval: s.Interval,
		OnError: func(e *umami.PollError) {
			if e.Next > 0 { // else it is Err
				send(update{failed: e})
			}
		},
	})
	if err != nil {
		return nil, nil, err
	}
	go func() {
		defer close(updates)
		for diff := range poller.Start(ctx) {
			send(update{diff: diff})
		}
	}()
	return poller, updates, nil
}

// visit is one page view or custom event, as it is shown.
type visit struct {
	at                               time.Time
	event                            string // "" for a page view
	path, referrer, country, browser string
}

// visits are page views and events in one list, oldest first, without the
// beacons that are no page views.
func visits(pageviews []umami.Pageview, events []umami.Event) []visit {
	all := make([]visit, 0, len(pageviews)+len(events))
	for _, p := range pageviews {
		if !p.Performance {
			all = append(all, visit{p.CreatedAt, "", p.URLPath, p.ReferrerDomain, p.Country, p.Browser})
		}
	}
	for _, e := range events {
		all = append(all, visit{e.CreatedAt, e.EventName, e.URLPath, e.ReferrerDomain, e.Country, e.Browser})
	}
	slices.SortStableFunc(all, func(a, b visit) int { return a.at.Compare(b.at) })
	return all
}

// missed says in a few words what gaps hide; "" where there are none.
func missed(gaps []umami.Gap, zone *time.Location) string {
	if len(gaps) == 0 {
		return ""
	}
	views, more, since := 0, "", gaps[0].From
	for _, g := range gaps {
		if g.Missed < 0 {
			more = "+" // nobody can know
		}
		views += max(g.Missed, 0)
		if g.From.Before(since) {
			since = g.From
		}
	}
	clock := since.In(zone).Format("15:04")
	switch {
	case views == 0:
		return "missed visits since " + clock
	case views == 1 && more == "":
		return "missed 1 page view since " + clock
	}
	return fmt.Sprintf("missed %d%s page views since %s", views, more, clock)
}

// hidden says in a few words that the server shows its oldest rows first; ""
// where it does not.
func hidden(stale time.Duration) string {
	if stale <= 0 {
		return ""
	}
	return "newest " + age(stale) + " hidden by the server"
}
