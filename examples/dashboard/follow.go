package main

import (
	"context"
	"encoding/json"
	"io"
	"time"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

// follow polls for all browsers, and publishes what there is to see, until ctx
// ends or what cannot heal. Each trouble is told on stderr.
func follow(ctx context.Context, site *setting.Site, h *hub, stderr io.Writer) error {
	failures := make(chan *umami.PollError)
	trouble := setting.NewTrouble("dashboard", stderr)
	poller, err := site.Client.NewPoller(site.WebsiteID, &umami.PollerOptions{
		Interval: site.Interval,
		OnError: func(e *umami.PollError) {
			trouble.Failed(e)
			select {
			case failures <- e:
			case <-ctx.Done():
			}
		},
	})
	if err != nil {
		return err
	}
	var b board
	diffs := poller.Start(ctx)
	second := time.NewTicker(time.Second) // visits grow old without a diff
	defer second.Stop()
	for {
		select {
		case d, ok := <-diffs:
			switch {
			case !ok && ctx.Err() != nil:
				return ctx.Err()
			case !ok:
				return site.Explain(poller.Err())
			}
			trouble.Over()
			b.take(d, time.Now())
		case e := <-failures:
			b.fail(e, time.Now())
		case <-second.C:
		}
		state, err := json.Marshal(b.state(time.Now()))
		if err != nil {
			return err
		}
		h.publish(state)
	}
}
