package main

import (
	"context"
	"slices"
	"time"

	umami "github.com/seed721439b2/umami-go"
)

// update is what one poll brought.
type update struct {
	at       time.Time       // when, by this machine's clock
	realtime *umami.Realtime // nil where err is not
	fresh    []visit         // not in the reply before; oldest first
	err      error
}

// visit is one page view or custom event. It is comparable, because rows have
// no ID by which to know them again.
type visit struct {
	at                               time.Time
	session, event                   string // event is "" for a page view
	path, referrer, country, browser string
}

// follow polls until ctx ends, then closes the channel.
func follow(ctx context.Context, client *umami.Client, website string, every time.Duration) <-chan update {
	updates := make(chan update)
	go func() {
		defer close(updates)
		var seen map[visit]int
		for {
			rt, err := client.GetRealtime(ctx, website, nil)
			if ctx.Err() != nil {
				return
			}
			u := update{at: time.Now(), realtime: rt, err: err}
			if err == nil {
				u.fresh, seen = compare(seen, visits(rt))
			}
			select {
			case updates <- u:
			case <-ctx.Done():
				return
			}
			select {
			case <-time.After(every):
			case <-ctx.Done():
				return
			}
		}
	}()
	return updates
}

// compare returns the visits beyond those seen before, and how often each is
// there now. Visits alike in every column are visits of their own.
func compare(seen map[visit]int, now []visit) (fresh []visit, count map[visit]int) {
	count = make(map[visit]int, len(now))
	for _, v := range now {
		count[v]++
		if count[v] > seen[v] {
			fresh = append(fresh, v)
		}
	}
	return fresh, count
}

// visits are the rows of a reply, oldest first, without the beacons that are
// no page views.
func visits(rt *umami.Realtime) []visit {
	all := make([]visit, 0, len(rt.Pageviews)+len(rt.Events))
	for _, p := range rt.Pageviews {
		if !p.Performance {
			all = append(all, visit{p.CreatedAt, p.SessionID, "", p.URLPath, p.ReferrerDomain, p.Country, p.Browser})
		}
	}
	for _, e := range rt.Events {
		all = append(all, visit{e.CreatedAt, e.SessionID, e.EventName, e.URLPath, e.ReferrerDomain, e.Country, e.Browser})
	}
	slices.SortStableFunc(all, func(a, b visit) int { return a.at.Compare(b.at) })
	return all
}
