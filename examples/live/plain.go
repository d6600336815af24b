package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

// plain prints one line for each visit, oldest first, until updates ends: time,
// "view" or "event", path, referrer, country and browser, and an event's name,
// with tabs between them and "-" for what is not known. What is missing goes to
// stderr: failed polls, each trouble once, gaps, and newest visits that the
// server begins to hide.
func plain(stdout, stderr io.Writer, s *setting.Site, first update, updates <-chan update) error {
	if s.Name == "" {
		fmt.Fprintln(stderr, "live: simulated traffic; set UMAMI_URL and more to read a server, see README.md")
	}
	trouble := setting.NewTrouble("live", stderr)
	stale := false
	for u, ok := first, true; ok; u, ok = <-updates {
		if u.failed != nil {
			trouble.Failed(u.failed)
			continue
		}
		trouble.Over()
		if text := missed(u.diff.Gaps, time.Local); text != "" {
			fmt.Fprintln(stderr, "live:", text)
		}
		if text := hidden(u.diff.Stale); text != "" && !stale {
			fmt.Fprintln(stderr, "live:", text)
		}
		stale = u.diff.Stale > 0
		for _, v := range visits(u.diff.Pageviews, u.diff.Events) {
			_, err := fmt.Fprintln(stdout, plainLine(v))
			if errors.Is(err, syscall.EPIPE) { // the reader has enough
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func plainLine(v visit) string {
	fields := []string{v.at.Local().Format(time.RFC3339), "view", v.path, v.referrer, v.country, v.browser}
	if v.event != "" {
		fields[1] = "event"
		fields = append(fields, v.event)
	}
	for i, f := range fields {
		fields[i] = cmp.Or(setting.Clean(f), "-")
	}
	return strings.Join(fields, "\t")
}
