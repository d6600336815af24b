package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"
)

// plain prints one line for each visit, oldest first, until updates ends: time,
// "view" or "event", path, referrer, country and browser, and an event's name,
// with tabs between them and "-" for what is not known. Failed polls go to
// stderr, each trouble once.
func plain(stdout, stderr io.Writer, s *site, first update, updates <-chan update) error {
	if s.name == "" {
		fmt.Fprintln(stderr, "live: simulated traffic; set UMAMI_URL and more to read a server, see README.md")
	}
	trouble := ""
	for u, ok := first, true; ok; u, ok = <-updates {
		switch {
		case u.err != nil && oneLine(u.err) != trouble:
			trouble = oneLine(u.err)
			fmt.Fprintf(stderr, "live: %s; trying again every %v\n", trouble, s.every)
		case u.err == nil && trouble != "":
			trouble = ""
			fmt.Fprintln(stderr, "live: the server answers again")
		}
		for _, v := range u.fresh {
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
		fields[i] = cmp.Or(clean(f), "-")
	}
	return strings.Join(fields, "\t")
}
