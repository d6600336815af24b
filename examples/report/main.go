// Command report writes what visitors do on a website: in the last 30 minutes
// or, with -for, from now on. It is made for scripts and cron jobs; README.md
// tells the settings. Without settings it reads simulated traffic.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

// The exit statuses.
const (
	statusSetting = 1 // a setting is wrong, or the server refuses it
	statusUsage   = 2 // the arguments are wrong
	statusServer  = 3 // no report: the server was not reached, or answered badly
	statusOutput  = 4 // the report could not be written
	statusPart    = 5 // a report was written, but visits are missing in it
)

const statuses = `
The exit status is
  0  the report was written
  1  a setting is wrong, or the server refuses it
  2  the arguments are wrong
  3  no report: the server was not reached or answered badly, or a signal came before; try again later
  4  the report could not be written
  5  a report was written, but visits are missing in it: it tells which
Of 1 to 4, FILE is left as it was.
`

// A report over this and more has a progress bar on a terminal.
const long = 5 * time.Second

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// job is what the arguments say.
type job struct {
	length time.Duration // 0: the last 30 minutes
	format func(io.Writer, *Report) error
	output string // a file; "" for the standard output
}

var formats = map[string]func(io.Writer, *Report) error{"text": writeText, "json": writeJSON, "csv": writeCSV, "html": writeHTML}

// run is the program; it returns the exit status.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	var j job
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.DurationVar(&j.length, "for", 0, "report what comes in this `TIME` from now, 24h at most (default: what came in the last 30 minutes)")
	format := flags.String("format", "text", "`FORMAT` of the report: text, json, csv or html")
	flags.StringVar(&j.output, "o", "", "write to `FILE`, which is replaced as a whole, instead of the standard output")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "Usage of report:")
		flags.PrintDefaults()
		fmt.Fprint(stderr, statuses)
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // Parse has told it
		return statusUsage
	}
	j.format = formats[*format]
	isSet := false
	flags.Visit(func(f *flag.Flag) { isSet = isSet || f.Name == "for" })
	switch {
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "report: unknown argument %q\n", flags.Arg(0))
		return statusUsage
	case j.format == nil:
		fmt.Fprintf(stderr, "report: -format is %q, not text, json, csv or html\n", *format)
		return statusUsage
	case isSet && (j.length <= 0 || j.length > 24*time.Hour):
		fmt.Fprintf(stderr, "report: -for is %v, not a time up to 24h\n", j.length)
		return statusUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)   // a second Ctrl-C ends it at once
	signal.Ignore(syscall.SIGPIPE) // report | head ends as it should, see write
	status, err := j.run(ctx, getenv, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "report:", setting.OneLine(err))
	}
	return status
}

// run reads the settings and writes the report. An error is to be told,
// whatever the status.
func (j *job) run(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer) (status int, _ error) {
	site, err := setting.Read(getenv)
	if err != nil {
		return statusSetting, err
	}
	defer site.Close()
	if err := site.Choose(ctx, stderr); err != nil {
		return noReport(ctx, err)
	}
	if site.Name == "" {
		fmt.Fprintln(stderr, "report: simulated traffic; set UMAMI_URL and more to read a server, see README.md")
	}
	var bar *progress
	if f, ok := stderr.(*os.File); ok && j.length >= long && term.IsTerminal(int(f.Fd())) {
		bar = &progress{out: stderr}
		stderr = bar
	}
	return j.write(ctx, newGatherer(site, stderr, bar), stdout)
}

// write gathers a report and writes it, also where it is not what it should be.
func (j *job) write(ctx context.Context, g *gatherer, stdout io.Writer) (status int, _ error) {
	var file *newFile
	if j.output != "" { // what cannot be written is better known now than later
		var err error
		if file, err = createFile(j.output); err != nil {
			return statusOutput, err
		}
		defer file.discard()
	}
	r, err := g.gather(ctx, j.length)
	if r == nil {
		return noReport(ctx, err)
	}
	var text bytes.Buffer
	failed := j.format(&text, r)
	switch {
	case failed != nil:
	case file != nil:
		failed = file.replace(text.Bytes())
	default:
		_, failed = stdout.Write(text.Bytes())
		if errors.Is(failed, syscall.EPIPE) { // the reader has enough
			failed = nil
		}
	}
	if failed != nil {
		return statusOutput, failed
	}
	return written(r, err)
}

// noReport is why there is none.
func noReport(ctx context.Context, err error) (int, error) {
	switch {
	case ctx.Err() != nil:
		return statusServer, errors.New("interrupted before the server answered: no report")
	case errors.Is(err, umami.ErrUnauthorized), errors.Is(err, umami.ErrForbidden), errors.Is(err, umami.ErrBadRequest),
		errors.Is(err, umami.ErrNotFound), errors.Is(err, umami.ErrTwoFactorRequired), errors.Is(err, umami.ErrInvalidArgument),
		errors.Unwrap(err) == nil: // no website, or more than one
		return statusSetting, err
	}
	return statusServer, err
}

// written is how a report that was written fared.
func written(r *Report, err error) (int, error) {
	switch {
	case errors.Is(err, errInterrupted) && len(r.Gaps) == 0:
		return 0, fmt.Errorf("interrupted: the report is of the %s until then", length(r))
	case err != nil:
		return statusPart, fmt.Errorf("the report ends at %s: %w", r.To.Format(time.RFC3339), err)
	case len(r.Gaps) > 0:
		return statusPart, fmt.Errorf("visits are missing in the report: %s", missed(r.Gaps))
	}
	return 0, nil
}
