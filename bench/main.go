// Bench measures what a reply costs: this package, net/http with encoding/json
// by hand, Umami's official client on Node, and the bare GET, all in turn
// against one server process. See README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var s scale
	quick := flag.Bool("quick", false, "a few seconds, to see that all works: the figures say little")
	rounds := flag.Int("rounds", 12, "how often each contender has its turn")
	flag.Parse()
	switch flag.Arg(0) {
	case "serve":
		return serve()
	case "contend":
		return contend(ctx, flag.Arg(1))
	case "poll":
		return poll(ctx)
	}
	s = scale{rounds: *rounds, calls: 200, slices: 10, slice: 2 * time.Second, polls: 10 * time.Millisecond, sites: []int{1, 10, 100, 1000}}
	if *quick {
		s = scale{rounds: 2, calls: 5, slices: 2, slice: 200 * time.Millisecond, polls: 5 * time.Millisecond, sites: []int{1, 10, 100}}
	}
	return measure(ctx, os.Stdout, s)
}

// scale is how much is measured.
type scale struct {
	rounds int // of all contenders
	calls  int // of 200 rows in a batch; more of smaller replies

	slices int           // of the pollers' time
	slice  time.Duration // length of one
	polls  time.Duration // between two polls of one process, whatever the number of its sites
	sites  []int
}

func measure(ctx context.Context, w io.Writer, s scale) error {
	replies, err := readReplies()
	if err != nil {
		return err
	}
	server, err := start(ctx, "server", "serve")
	if err != nil {
		return err
	}
	defer func() { _ = server.end() }()
	var base string
	if err := server.ask(nil, &base); err != nil {
		return err
	}
	if err := measureDecoding(ctx, w, s, replies); err != nil {
		return err
	}
	if err := measureCalls(ctx, w, s, base, replies); err != nil {
		return err
	}
	for _, r := range []reply{replies[0], replies[len(replies)-1]} {
		if err := measurePollers(ctx, w, s, base, r.rows); err != nil {
			return err
		}
	}
	return nil
}

func measureDecoding(ctx context.Context, w io.Writer, s scale, replies []reply) error {
	all, end, err := startAll(ctx, decode, decodeByHand, decodeV2, decodeTokens, diffSame, diffNew)
	if err != nil {
		return err
	}
	defer end()
	for _, r := range slices.Backward(replies) {
		heading(w, "Decoding, %d rows (%d bytes)", r.rows, len(r.plain))
		if err := compare(w, all, s.rounds, batch{Rows: r.rows, Calls: s.calls * 200 / max(r.rows, 10)}); err != nil {
			return err
		}
	}
	return nil
}

func measureCalls(ctx context.Context, w io.Writer, s scale, base string, replies []reply) error {
	all, end, err := startAll(ctx, getRealtime, byHandJSON, bareGet)
	if err != nil {
		return err
	}
	defer end()
	if js, err := startJS(ctx); err != nil {
		fmt.Fprintf(w, "\nThe official JS client is left out: %v.\n", err)
	} else {
		defer func() { _ = js.end() }()
		all = slices.Insert(all, 2, js)
	}
	for _, r := range slices.Backward(replies) {
		for _, coding := range []string{"plain", "gzip"} {
			size := len(r.plain)
			if coding == "gzip" {
				size = len(r.gzipped)
			}
			heading(w, "The whole call, %d rows, %s (%d bytes)", r.rows, coding, size)
			b := batch{BaseURL: fmt.Sprintf("%s/%s/%d/all", base, coding, r.rows), Rows: r.rows, Calls: s.calls * 200 / max(r.rows, 40)}
			if err := compare(w, all, s.rounds, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare gives each contender its turn in each round, after one round that
// does not count, and writes a table. Ratios are taken within a round.
func compare(w io.Writer, all []*child, rounds int, b batch) error {
	costs := make([][]cost, len(all))
	for round := range rounds + 1 {
		for i := range all {
			i = (i + round) % len(all) // nobody always follows the same
			var c cost
			if err := all[i].ask(b, &c); err != nil {
				return err
			}
			if round > 0 {
				costs[i] = append(costs[i], c)
			}
		}
	}
	fmt.Fprintf(w, "| | CPU µs | wall µs | allocations | KB allocated | CPU of %s to this |\n", all[0].name)
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|")
	for i, c := range all {
		of := func(figure func(cost) float64) float64 {
			return spreadOf(rounds, func(r int) float64 { return figure(costs[i][r]) / float64(b.Calls) }).median
		}
		micros := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
		fmt.Fprintf(w, "| %s | %.1f | %.1f | %s | %s | %s |\n", c.name,
			of(func(c cost) float64 { return micros(c.CPU) }), of(func(c cost) float64 { return micros(c.Wall) }),
			known(of(func(c cost) float64 { return float64(c.Allocs) }), "%.0f"),
			known(of(func(c cost) float64 { return float64(c.Bytes) / 1e3 }), "%.1f"),
			spreadOf(rounds, func(r int) float64 { return float64(costs[0][r].CPU) / float64(costs[i][r].CPU) }))
	}
	return nil
}

// known leaves out what a contender cannot tell.
func known(figure float64, format string) string {
	if figure == 0 {
		return "–"
	}
	return fmt.Sprintf(format, figure)
}

func measurePollers(ctx context.Context, w io.Writer, s scale, base string, rows int) error {
	var all []*child
	var questions []pollers
	for _, sites := range s.sites {
		c, err := start(ctx, fmt.Sprintf("%d sites", sites), "poll")
		if err != nil {
			return err
		}
		defer func() { _ = c.end() }()
		all = append(all, c)
		questions = append(questions, pollers{Base: base, Rows: rows, Sites: sites, Interval: time.Duration(sites) * s.polls})
	}
	told := make([][]polled, len(all))
	ask := func() error {
		for i := range all {
			var p polled
			if err := all[i].ask(questions[i], &p); err != nil {
				return err
			}
			told[i] = append(told[i], p)
		}
		return nil
	}
	// The first slice does not count: until its end each site was polled.
	warm := questions[len(questions)-1].Interval * 3 / 2
	for slice := range s.slices + 2 {
		if slice == s.slices+1 {
			for i := range questions {
				questions[i].Memory = true
			}
		}
		if err := ask(); err != nil {
			return err
		}
		wait := s.slice
		if slice == 0 {
			wait = max(wait, warm)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	heading(w, "Pollers, %d rows", rows)
	fmt.Fprintln(w, "| sites on one client | CPU µs a poll | to that of one site | goroutines each, its reader's included | KB each |")
	fmt.Fprintln(w, "|--:|--:|--:|--:|--:|")
	for i, q := range questions {
		perPoll := func(i, slice int) float64 {
			from, to := told[i][slice+1], told[i][slice+2]
			return float64(to.CPU-from.CPU) / float64(time.Microsecond) / float64(max(to.Polls-from.Polls, 1))
		}
		last := told[i][len(told[i])-1]
		fmt.Fprintf(w, "| %d | %.1f | %s | %.1f | %.1f |\n", q.Sites,
			spreadOf(s.slices, func(slice int) float64 { return perPoll(i, slice) }).median,
			spreadOf(s.slices, func(slice int) float64 { return perPoll(i, slice) / perPoll(0, slice) }),
			last.Goroutines, last.Bytes/1e3)
	}
	return nil
}

func heading(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "\n### "+format+"\n\n", args...)
}

// spread is where a number of figures lie.
type spread struct{ least, median, most float64 }

func spreadOf(n int, figure func(int) float64) spread {
	all := make([]float64, n)
	for i := range all {
		all[i] = figure(i)
	}
	slices.Sort(all)
	return spread{all[0], (all[(n-1)/2] + all[n/2]) / 2, all[n-1]}
}

func (s spread) String() string {
	return fmt.Sprintf("%.2f (%.2f to %.2f)", s.median, s.least, s.most)
}
