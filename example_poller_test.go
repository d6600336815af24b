package umami_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

func ExamplePoller_All() {
	server := umamitest.NewServer(umamitest.InProcess()) // in place of a real one
	server.Visit(umamitest.Visit{URLPath: "/pricing", Country: "PL"})

	client := server.Client() // or umami.NewClient
	poller, err := client.NewPoller(server.WebsiteID, &umami.PollerOptions{Interval: 20 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	for diff, err := range poller.All(context.Background()) {
		if err != nil {
			fmt.Println("polling ended:", err)
			return
		}
		for _, v := range diff.Pageviews {
			fmt.Println("page view of", v.URLPath, "from", v.Country)
		}
		for _, e := range diff.Events {
			fmt.Println("event", e.EventName, "on", e.URLPath)
		}
		for _, gap := range diff.Gaps {
			fmt.Println("missed", gap.Missed, "page views:", gap.Reason)
		}
		if diff.Initial {
			server.Event("signup", umamitest.Visit{URLPath: "/pricing"})
		} else {
			break // which ends the polling
		}
	}
	// Output:
	// page view of /pricing from PL
	// event signup on /pricing
}

func ExamplePoller_Start() {
	server := umamitest.NewServer(umamitest.InProcess()) // in place of a real one
	server.Visit(umamitest.Visit{URLPath: "/"})

	poller, err := server.Client().NewPoller(server.WebsiteID, &umami.PollerOptions{
		OnError: func(e *umami.PollError) { fmt.Println(e) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	report := time.NewTicker(time.Hour) // what else the service does
	defer report.Stop()
	visits := 0
	diffs := poller.Start(ctx)
	for {
		select {
		case <-report.C:
			fmt.Println(visits, "visits so far")
		case diff, open := <-diffs:
			if !open {
				fmt.Println("polling ended:", poller.Err())
				return
			}
			visits += len(diff.Pageviews)
			fmt.Println(visits, "visits,", diff.Snapshot.Visitors, "visitors")
			stop() // here, for the example's sake
		}
	}
	// Output:
	// 1 visits, 1 visitors
	// polling ended: context canceled
}

func ExampleDiff_Checkpoint() {
	server := umamitest.NewServer(umamitest.InProcess()) // in place of a real one
	client := server.Client()
	ctx := context.Background()

	// run handles the next diff and returns what to save with it.
	run := func(resume *umami.Checkpoint) []byte {
		poller, err := client.NewPoller(server.WebsiteID, &umami.PollerOptions{Resume: resume})
		if err != nil {
			fmt.Println(err) // ErrCheckpoint, where this one cannot be used
			return nil
		}
		for diff, err := range poller.All(ctx) {
			if err != nil {
				fmt.Println(err)
				return nil
			}
			for _, v := range diff.Pageviews {
				fmt.Println(diff.Seq, v.URLPath)
			}
			saved, err := json.Marshal(diff.Checkpoint())
			if err != nil {
				fmt.Println(err)
			}
			return saved
		}
		return nil
	}

	server.Visit(umamitest.Visit{URLPath: "/before"})
	saved := run(nil)

	server.Visit(umamitest.Visit{URLPath: "/while-it-was-down"})
	var resume umami.Checkpoint
	if err := json.Unmarshal(saved, &resume); err != nil {
		fmt.Println(err)
		return
	}
	run(&resume)
	// Output:
	// 1 /before
	// 2 /while-it-was-down
}
