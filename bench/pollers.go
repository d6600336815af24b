package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/seed721439b2/umami-go"
)

// pollers are a number of sites, polled by one client.
type pollers struct {
	Base     string // of the server
	Rows     int    // of each reply
	Sites    int
	Interval time.Duration
	Memory   bool // to be measured, too, which takes time
}

// polled is what they took since their start.
type polled struct {
	CPU        time.Duration
	Polls      int
	Goroutines float64 // for each poller, the one of its reader included
	Bytes      float64 // of memory in use for each poller
}

// poll is a process of pollers, which the first question starts.
func poll(ctx context.Context) error {
	var tell func(memory bool) (polled, error)
	return converse(func(p pollers) (now polled, err error) {
		if tell == nil {
			if tell, err = p.start(ctx); err != nil {
				return now, err
			}
		}
		return tell(p.Memory)
	})
}

func (p pollers) start(ctx context.Context) (tell func(memory bool) (polled, error), err error) {
	who := fmt.Sprintf("%d-of-%d-rows", p.Sites, p.Rows)
	c, err := umami.NewClient(fmt.Sprintf("%s/plain/%d/%s", p.Base, p.Rows, who), umami.BearerToken("token"))
	if err != nil {
		return nil, err
	}
	if _, err := c.GetRealtime(ctx, websiteID, nil); err != nil { // for a connection
		return nil, err
	}
	goroutines, memory := runtime.NumGoroutine(), memoryInUse()
	for i := range p.Sites {
		poller, err := c.NewPoller(fmt.Sprintf("00000000-0000-4000-8000-%012d", i), &umami.PollerOptions{Interval: p.Interval})
		if err != nil {
			return nil, err
		}
		diffs := poller.Start(ctx)
		go func() {
			for range diffs {
			}
		}()
	}
	return func(withMemory bool) (now polled, err error) {
		now.CPU = cpuTime()
		if now.Polls, err = served(ctx, p.Base, who); err != nil {
			return now, err
		}
		now.Goroutines = float64(runtime.NumGoroutine()-goroutines) / float64(p.Sites)
		if withMemory {
			now.Bytes = float64(memoryInUse()-memory) / float64(p.Sites)
		}
		return now, nil
	}, nil
}

// served asks the server how many replies it sent.
func served(ctx context.Context, base, who string) (n int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/served/"+who, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return n, json.NewDecoder(resp.Body).Decode(&n)
}

// memoryInUse counts what is reachable, and stacks.
func memoryInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
