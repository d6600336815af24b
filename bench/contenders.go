package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/internal/diff"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// batch is a number of calls, one after the other.
type batch struct {
	BaseURL string
	Rows    int // of each reply
	Calls   int
}

// cost is what a batch took.
type cost struct {
	CPU, Wall     time.Duration
	Allocs, Bytes uint64 // of memory
}

const (
	websiteID = "00000000-0000-4000-8000-000000000000"

	getRealtime = "GetRealtime"
	byHandJSON  = "http.Get, encoding/json"
	official    = "official JS client"
	bareGet     = "http.Get, body dropped"

	decode       = "this package"
	decodeByHand = "encoding/json, by hand"
	decodeV2     = "go-json-experiment/json, by hand"
	decodeTokens = "its jsontext, tokens only"

	diffSame = "a diff of two replies, nothing new"
	diffNew  = "a diff of two replies, every row new"
)

// contenders are the ways to get or to decode a reply, by name. Each returns
// what makes one call.
var contenders = map[string]func() func(context.Context, batch) error{
	getRealtime: func() func(context.Context, batch) error {
		clients := map[string]*umami.Client{}
		return func(ctx context.Context, b batch) error {
			c, ok := clients[b.BaseURL]
			if !ok {
				var err error
				if c, err = umami.NewClient(b.BaseURL, umami.BearerToken("token")); err != nil {
					return err
				}
				clients[b.BaseURL] = c
			}
			_, err := c.GetRealtime(ctx, websiteID, nil)
			return err
		}
	},
	byHandJSON: func() func(context.Context, batch) error {
		return get(func(body io.Reader) error {
			var reply byHand
			return json.NewDecoder(body).Decode(&reply)
		})
	},
	bareGet: func() func(context.Context, batch) error {
		return get(func(body io.Reader) error {
			_, err := io.Copy(io.Discard, body)
			return err
		})
	},
	decode: func() func(context.Context, batch) error {
		return decoder(func(body []byte) error {
			_, err := wire.Decode(body, time.UTC)
			return err
		})
	},
	diffSame: func() func(context.Context, batch) error { return differ(0) },
	diffNew:  func() func(context.Context, batch) error { return differ(30 * time.Second) },
	decodeByHand: func() func(context.Context, batch) error {
		return decoder(func(body []byte) error {
			var reply byHand
			return json.Unmarshal(body, &reply)
		})
	},
	decodeV2: func() func(context.Context, batch) error {
		return decoder(func(body []byte) error {
			var reply byHand
			return jsonv2.Unmarshal(body, &reply)
		})
	},
	decodeTokens: func() func(context.Context, batch) error {
		dec := jsontext.NewDecoder(new(bytes.Buffer))
		return decoder(func(body []byte) error {
			dec.Reset(bytes.NewBuffer(body))
			for {
				if _, err := dec.ReadToken(); err != nil {
					if errors.Is(err, io.EOF) {
						return nil
					}
					return err
				}
			}
		})
	},
}

// get makes a call of net/http's own client.
func get(read func(body io.Reader) error) func(context.Context, batch) error {
	return func(_ context.Context, b batch) error {
		resp, err := http.Get(b.BaseURL + "/api/realtime/" + websiteID)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return read(resp.Body)
	}
}

// decoder makes a call that decodes a body in memory.
func decoder(decode func(body []byte) error) func(context.Context, batch) error {
	bodies := map[int][]byte{}
	return func(_ context.Context, b batch) error {
		if len(bodies) == 0 {
			replies, err := readReplies()
			if err != nil {
				return err
			}
			for _, r := range replies {
				bodies[r.rows] = r.plain
			}
		}
		return decode(bodies[b.Rows])
	}
}

// differ makes a call that finds out what changed from one decoded reply to the
// next, whose rows are so much later.
func differ(later time.Duration) func(context.Context, batch) error {
	type follower struct {
		core  *diff.Core
		reply *wire.Reply
	}
	followers := map[int]follower{}
	return decoder(func(body []byte) error {
		f, ok := followers[len(body)]
		if !ok {
			reply, err := wire.Decode(body, time.UTC)
			if err != nil {
				return err
			}
			f = follower{diff.New(false), reply}
			followers[len(body)] = f
		}
		f.reply.Timestamp = f.reply.Timestamp.Add(max(later, time.Millisecond))
		for _, rows := range [][]wire.Row{f.reply.Pageviews, f.reply.Events} {
			for i := range rows {
				rows[i].CreatedAt = rows[i].CreatedAt.Add(later)
			}
		}
		step := f.core.Begin(f.reply)
		step.Hidden()
		step.Finish()
		return nil
	})
}

// byHand is what a program would declare that needs all of a reply.
type byHand struct {
	Countries map[string]int `json:"countries"`
	URLs      map[string]int `json:"urls"`
	Referrers map[string]int `json:"referrers"`
	Events    []struct {
		Type           string    `json:"__type"`
		SessionID      string    `json:"sessionId"`
		EventName      string    `json:"eventName"`
		CreatedAt      time.Time `json:"createdAt"`
		Browser        string    `json:"browser"`
		OS             string    `json:"os"`
		Device         string    `json:"device"`
		Country        string    `json:"country"`
		URLPath        string    `json:"urlPath"`
		ReferrerDomain string    `json:"referrerDomain"`
		Hostname       string    `json:"hostname"`
	} `json:"events"`
	Series struct {
		Views    []point `json:"views"`
		Visitors []point `json:"visitors"`
	} `json:"series"`
	Totals struct {
		Views     int `json:"views"`
		Visitors  int `json:"visitors"`
		Events    int `json:"events"`
		Countries int `json:"countries"`
	} `json:"totals"`
	Timestamp int64 `json:"timestamp"`
}

type point struct {
	X time.Time `json:"x"`
	Y int       `json:"y"`
}

// contend is a contender's process: it makes the batches of its standard input
// and writes what each took.
func contend(ctx context.Context, name string) error {
	call := contenders[name]()
	return converse(func(b batch) (c cost, err error) {
		if err := call(ctx, b); err != nil { // with a connection and buffers, as all but the first
			return c, err
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start, cpu := time.Now(), cpuTime()
		for range b.Calls {
			if err := call(ctx, b); err != nil {
				return c, fmt.Errorf("%s: %w", name, err)
			}
		}
		c.CPU, c.Wall = cpuTime()-cpu, time.Since(start)
		runtime.ReadMemStats(&after)
		c.Allocs, c.Bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
		return c, nil
	})
}

// converse answers each question of the standard input.
func converse[Question, Answer any](answer func(Question) (Answer, error)) error {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var q Question
		if err := in.Decode(&q); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		a, err := answer(q)
		if err != nil {
			return err
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}
