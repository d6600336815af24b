// Package send carries one request to the server: within the client's budget,
// again after a failure that may heal, with the whole answer in memory.
package send

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/go-retryablehttp"
)

// ErrTooLate says that the context ends before the next try.
var ErrTooLate = errors.New("would come too late")

// ErrRedirect says that a redirect would have left the server, or never ended.
var ErrRedirect = errors.New("redirect refused")

// Config says how requests are sent.
type Config struct {
	HTTP             *http.Client // copied
	Log              *slog.Logger
	Budget           *Budget
	Timeout          time.Duration // of one attempt, body included
	MaxBytes         int64
	MaxRetries       int
	MinWait, MaxWait time.Duration // between attempts
}

// Sender sends requests. It is safe for concurrent use.
type Sender struct {
	Config
}

// New makes a Sender.
func New(c Config) *Sender {
	hc := *c.HTTP
	next := hc.Transport
	if next == nil {
		next = Transport()
	}
	hc.Transport = &exchange{next: next, budget: c.Budget, timeout: c.Timeout, maxBytes: c.MaxBytes}
	hc.Timeout = 0 // it would count the wait for the budget as well
	hc.CheckRedirect = checkRedirect(hc.CheckRedirect)
	c.HTTP = &hc
	return &Sender{c}
}

// Transport is what a Sender sends by where the caller has none of its own. It
// keeps as many connections as the pollers of one client need at a time:
// net/http would close all but two between polls. Those that are needed no more
// are closed after its 90 seconds.
func Transport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, math.MaxInt // no limit: 0 would be two of a host
	t.MaxResponseHeaderBytes = 1 << 20                     // not ten
	return t
}

// checkRedirect follows redirects within the server only: net/http drops
// Authorization on the way to another host, but not x-umami-api-key.
func checkRedirect(next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		first := via[0]
		from, to := origin(first.URL), origin(req.URL)
		switch {
		case from != to:
			return fmt.Errorf("%w: from %s to %s://%s; if that is the server, make it the base URL",
				ErrRedirect, from, req.URL.Scheme, req.URL.Host) // in the server's letters, to find a secret in it
		case req.Method != first.Method:
			return fmt.Errorf("%w: it turns the %s into a %s", ErrRedirect, first.Method, req.Method)
		case len(via) >= 10:
			return fmt.Errorf("%w: %d in a row", ErrRedirect, len(via))
		}
		if credential, ok := first.Header["Authorization"]; ok {
			req.Header["Authorization"] = credential // net/http drops it where the host has other letters
		}
		if next == nil {
			return nil
		}
		err := next(req, via)
		if err == nil || errors.Is(err, http.ErrUseLastResponse) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrRedirect, err)
	}
}

// origin is scheme, host and port, which may be left out where it is the
// scheme's own.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host
}

// Answer is how a call ended.
type Answer struct {
	Attempts   int
	StatusCode int // of the last attempt that was answered, 0 if none was
	Header     http.Header
	Body       []byte
}

// Do sends a request until it is answered, cannot be, or the retries are used
// up. path is what logs show in place of the request's own; hide takes secrets
// out of a text. The Answer is never nil and holds the last response even where
// the error is not nil.
func (s *Sender) Do(req *http.Request, path string, hide func(string) string) (*Answer, error) {
	c := &call{Sender: s, req: req, path: path, hide: hide, answer: &Answer{}}
	retryable, err := retryablehttp.FromRequest(req)
	if err != nil {
		return c.answer, err
	}
	header := req.Header.Clone()
	// One client for each call, because its hooks know the call.
	client := retryablehttp.Client{
		HTTPClient: s.HTTP,
		RetryMax:   s.MaxRetries,
		CheckRetry: c.checkRetry,
		Backoff:    func(time.Duration, time.Duration, int, *http.Response) time.Duration { return c.wait },
		PrepareRetry: func(req *http.Request) error {
			req.Header = header.Clone() // net/http added the Jar's cookies to it, and will again
			return nil
		},
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	resp, err := client.Do(retryable)
	if resp != nil {
		_ = resp.Body.Close() // in memory, and already in the answer
	}
	return c.answer, c.shown(err)
}

// withoutURL takes off what net/http puts around an error: the URL, whose path
// may be a share link and whose query is nobody's business.
func withoutURL(err error) error {
	for { // a Transport that uses a Client of its own puts one inside the other
		outer, ok := err.(*url.Error) //nolint:errorlint // one further in is of another request, and its wrapper tells of it
		if !ok {
			return err
		}
		err = outer.Err
	}
}

// shown is an error that can be shown. The text of some comes in part from the
// server as it is: a host to go to, the names of a certificate, a line that is
// no header.
func (c *call) shown(err error) error {
	err = withoutURL(err)
	if err == nil {
		return nil
	}
	if cut, ok := errors.AsType[*BodyError](err); ok {
		return &BodyError{Body: cut.Body, Err: c.shown(cut.Err)}
	}
	const most = 1000
	text := c.hide(strings.ReplaceAll(err.Error(), c.req.URL.String(), c.path)) // some transports tell the URL, too
	harmless := text == err.Error()
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
	if text == err.Error() {
		return err
	}
	if harmless {
		return &quoted{text, err}
	}
	return &rewritten{text, func(target error) bool { return errors.Is(err, target) }}
}

// quoted is an error that is fit for a terminal.
type quoted struct {
	text string
	err  error
}

func (e *quoted) Error() string { return e.text }
func (e *quoted) Unwrap() error { return e.err }

// rewritten is an error that held a secret. What it was before is known to
// errors.Is alone.
type rewritten struct {
	text string
	is   func(target error) bool
}

func (e *rewritten) Error() string        { return e.text }
func (e *rewritten) Is(target error) bool { return e.is(target) }

// call is what its attempts have in common.
type call struct {
	*Sender
	req    *http.Request
	path   string
	hide   func(string) string
	answer *Answer
	wait   time.Duration // before the next attempt
}

// checkRetry is asked by go-retryablehttp after each attempt.
func (c *call) checkRetry(ctx context.Context, resp *http.Response, err error) (again bool, _ error) {
	if errors.Is(err, errNotSent) {
		return false, err
	}
	c.answer.Attempts++
	if err == nil {
		c.keep(resp)
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	again = c.mayHeal(ctx, resp, err)
	c.wait = c.backoff(resp)
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		asked := RetryAfter(resp.Header)
		if asked == 0 {
			c.wait += c.MinWait // the jitter comes after the pause
		}
		pause := min(max(asked, c.MinWait), c.MaxWait)
		c.wait = min(max(c.wait, pause), c.MaxWait)
		c.Budget.Pause(pause)
	}
	again = again && c.answer.Attempts <= c.MaxRetries
	c.log(ctx, resp, err, again)
	if deadline, ok := ctx.Deadline(); again && ok && time.Until(deadline) < c.wait {
		late := fmt.Errorf("the next try in %v %w: %w", c.wait.Round(time.Millisecond), ErrTooLate, context.DeadlineExceeded)
		if cut, ok := errors.AsType[*BodyError](err); ok {
			return false, &BodyError{Body: cut.Body, Err: fmt.Errorf("%w; %w", cut.Err, late)}
		}
		if err != nil {
			return false, fmt.Errorf("%w; %w", c.shown(err), late)
		}
		return false, late
	}
	return again, nil
}

func (c *call) keep(resp *http.Response) {
	c.answer.StatusCode, c.answer.Header, c.answer.Body = resp.StatusCode, resp.Header, nil
	if body, ok := resp.Body.(held); ok { // else there is none
		c.answer.Body = body.bytes
	}
}

// mayHeal says whether the same request may fare better later.
func (c *call) mayHeal(ctx context.Context, resp *http.Response, err error) bool {
	if c.req.Method != http.MethodGet {
		// A login counts as one even if its answer was lost on the way, so
		// only what certainly never reached the server is sent again.
		op, ok := errors.AsType[*net.OpError](err)
		return ok && op.Op == "dial"
	}
	if err == nil {
		return resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500
	}
	if errors.Is(err, ErrRedirect) || errors.Is(err, ErrTooLarge) {
		return false
	}
	if _, ok := errors.AsType[*BodyError](err); ok {
		return true
	}
	if isPatient(ctx) && errors.Is(err, context.DeadlineExceeded) {
		return false // others wait for this one to end
	}
	// The library knows which transport errors are final, as certificates are.
	again, _ := retryablehttp.DefaultRetryPolicy(ctx, nil, err)
	return again
}

// backoff is the wait before the next attempt: what the server asks for, else
// any time up to a bound that doubles with each attempt, so that clients that
// failed together don't come back together. Never above MaxWait.
func (c *call) backoff(resp *http.Response) time.Duration {
	if resp != nil {
		if wait := RetryAfter(resp.Header); wait > 0 {
			return min(wait, c.MaxWait)
		}
	}
	bound := retryablehttp.DefaultBackoff(c.MinWait, c.MaxWait, c.answer.Attempts-1, nil)
	return rand.N(bound) + 1 //nolint:gosec // jitter needs no secrecy
}

func (c *call) log(ctx context.Context, resp *http.Response, err error, again bool) {
	level := slog.LevelDebug
	if again {
		level = slog.LevelWarn
	}
	if !c.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", c.req.Method), slog.String("path", c.path), slog.Int("attempt", c.answer.Attempts),
	}
	if err == nil {
		attrs = append(attrs, slog.Int("status", resp.StatusCode))
	} else {
		attrs = append(attrs, slog.Any("error", c.shown(err)))
	}
	if again {
		attrs = append(attrs, slog.Duration("retry_in", c.wait))
	}
	c.Log.LogAttrs(ctx, level, "umami: attempt", attrs...)
}
