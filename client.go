package umami

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/seed721439b2/umami-go/internal/send"
)

// CloudURL is the base URL of Umami Cloud. Its regional forms end in /v1/us
// and /v1/eu.
const CloudURL = "https://api.umami.is/v1"

const (
	version = "0.1.0"

	cloudHost   = "api.umami.is"
	cloudCalls  = 50 // Umami Cloud's documented limit
	cloudWindow = 15 * time.Second
)

var defaultRetry = RetryPolicy{Max: 3, MinWait: 500 * time.Millisecond, MaxWait: 30 * time.Second}

// Client reads from one Umami server. Make one with NewClient and share it: it
// is safe for concurrent use, and its calls share connections, the rate budget
// and the credential.
type Client struct {
	root    *url.URL // of the API: …/api, or …/v1 on Umami Cloud
	auth    Auth
	agent   string
	timeout time.Duration
	sender  *send.Sender

	flight    singleflight.Group
	refreshes atomic.Uint64 // credentials replaced so far
	pollers   atomic.Int64  // running
}

// Option changes a setting of NewClient. Options may come in any order.
type Option func(*settings) error

type settings struct {
	http     *http.Client
	log      *slog.Logger
	retry    RetryPolicy
	calls    int
	window   time.Duration
	timeout  time.Duration
	maxBytes int64
	agent    string
}

// RetryPolicy says how failed GETs are retried: after a transport error, a body
// that broke off, an attempt that took longer than WithTimeout, a 429, or a
// status of 500 and above. Invalid certificates, refused redirects and replies
// that are too large are not retried. A login is retried only if no connection
// could be made.
//
// The wait is random, between zero and a bound that starts at MinWait and doubles
// up to MaxWait (full jitter), or what Retry-After asks for, up to MaxWait. After
// a 429 it is at least MinWait, and holds back all calls of the client.
//
// Zero fields take the defaults. If that would put MinWait above MaxWait, the one
// that is set counts for both. A Poller has waits of its own between failed
// polls, after these retries.
type RetryPolicy struct {
	Max     int           // retries after the first attempt; default 3; negative: none
	MinWait time.Duration // default 500 ms
	MaxWait time.Duration // default 30 s
}

// WithHTTPClient uses the Transport, Jar and CheckRedirect of c. c is copied,
// never changed; nil makes NewClient fail. CheckRedirect is consulted only about
// redirects within the server, as all others are refused first. If c has a
// Timeout, it replaces WithTimeout's default. Default: a client with its own
// transport and net/http's proxy and TLS settings.
func WithHTTPClient(c *http.Client) Option {
	return func(s *settings) error {
		if c == nil {
			return errors.New("WithHTTPClient: nil")
		}
		s.http = c
		return nil
	}
}

// WithLogger sets a logger; nil makes NewClient fail. Each attempt is logged at
// debug level, or as a warning if it will be retried, with method, path, attempt
// number, status or error, and wait; never with a query, header or body. Each
// failed poll and failed backfill is a warning with its error, whose text may
// hold the server's message or a few bytes of a reply that cannot be read.
// NewClient warns once if the base URL would send credentials over plain http to
// a host that is neither local nor private. Default: nothing is logged.
func WithLogger(l *slog.Logger) Option {
	return func(s *settings) error {
		if l == nil {
			return errors.New("WithLogger: nil")
		}
		s.log = l
		return nil
	}
}

// WithRetry sets how failed calls are retried. A negative wait, or a MinWait above
// MaxWait, makes NewClient fail.
func WithRetry(p RetryPolicy) Option {
	return func(s *settings) error {
		if p.MinWait < 0 || p.MaxWait < 0 {
			return fmt.Errorf("WithRetry: negative wait (%v, %v)", p.MinWait, p.MaxWait)
		}
		if p.MinWait > p.MaxWait && p.MaxWait > 0 {
			return fmt.Errorf("WithRetry: MinWait %v is above MaxWait %v", p.MinWait, p.MaxWait)
		}
		// A default gives way to a bound that is set.
		s.retry = RetryPolicy{
			Max:     max(cmp.Or(p.Max, defaultRetry.Max), 0),
			MinWait: cmp.Or(p.MinWait, min(defaultRetry.MinWait, cmp.Or(p.MaxWait, defaultRetry.MaxWait))),
			MaxWait: cmp.Or(p.MaxWait, max(defaultRetry.MaxWait, p.MinWait)),
		}
		return nil
	}
}

// WithRateLimit allows at most n calls in any window of per, retries and logins
// included. Further calls wait until their turn comes or their context ends. So
// that the limit also holds as the server sees it, a call counts until per has
// passed since its answer. n <= 0 turns the limit off; otherwise a window that is
// not positive makes NewClient fail. Default: 50 in 15 s, the documented limit of
// Umami Cloud, if the host is api.umami.is; none elsewhere. A 429 makes all calls
// of the client wait even without a limit.
func WithRateLimit(n int, per time.Duration) Option {
	return func(s *settings) error {
		if n > 0 && per <= 0 {
			return fmt.Errorf("WithRateLimit: window %v is not positive", per)
		}
		s.calls, s.window = n, per
		return nil
	}
}

// WithTimeout limits one attempt, body included; a redirect within the server
// starts a new one. Waits between attempts and for the rate limit don't count:
// the caller's context limits the whole call. d must be positive, or NewClient
// fails. Default: 15 s.
func WithTimeout(d time.Duration) Option {
	return func(s *settings) error {
		if d <= 0 {
			return fmt.Errorf("WithTimeout: %v is not positive", d)
		}
		s.timeout = d
		return nil
	}
}

// WithMaxResponseBytes limits the decompressed size of a reply, in bytes; a larger
// one is ErrResponseTooLarge. n must be positive, or NewClient fails. A call may
// briefly use three times the memory of its reply, and up to fifteen times for a
// reply full of very short rows. Default: 16 MiB.
func WithMaxResponseBytes(n int64) Option {
	return func(s *settings) error {
		if n <= 0 {
			return fmt.Errorf("WithMaxResponseBytes: %d is not positive", n)
		}
		s.maxBytes = n
		return nil
	}
}

// WithUserAgent replaces the User-Agent header, which is umami-go and its version
// by default. An empty one, or one with control characters, makes NewClient fail.
func WithUserAgent(agent string) Option {
	return func(s *settings) error {
		if agent == "" || strings.ContainsFunc(agent, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("WithUserAgent: %q cannot be a header", agent)
		}
		s.agent = agent
		return nil
	}
}

// NewClient makes a client of the server at baseURL: its origin, with the path
// below which Umami is served, if any, or the URL of its API. If the path ends in
// "api" or has an element "v1", it is the API root as it stands
// ("https://host/stats/api", CloudURL); otherwise "/api" is appended. A trailing
// slash is ignored. A user name, password, query or fragment is refused, as is any
// scheme but http and https.
//
// Every error matches ErrInvalidArgument: a bad base URL, no auth, an empty key,
// token, name or password, a bad option. Nothing is sent.
func NewClient(baseURL string, auth Auth, opts ...Option) (*Client, error) {
	c, err := newClient(baseURL, auth, opts)
	if err != nil {
		return nil, fmt.Errorf("umami: new client: %w: %w", ErrInvalidArgument, err)
	}
	return c, nil
}

func newClient(baseURL string, auth Auth, opts []Option) (*Client, error) {
	root, err := apiRoot(baseURL)
	if err != nil {
		return nil, err
	}
	if auth == nil {
		return nil, errors.New("no auth: use APIKey, BearerToken, Login, ShareLink or an Auth of your own")
	}
	if a, ok := auth.(interface{ check() error }); ok {
		if err := a.check(); err != nil {
			return nil, err
		}
	}
	s := settings{
		http:     &http.Client{},
		log:      slog.New(slog.DiscardHandler),
		retry:    defaultRetry,
		maxBytes: 16 << 20,
		agent:    "umami-go/" + version,
	}
	if strings.EqualFold(strings.TrimSuffix(root.Hostname(), "."), cloudHost) {
		s.calls, s.window = cloudCalls, cloudWindow
	}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("an option is nil")
		}
		if err := opt(&s); err != nil {
			return nil, err
		}
	}
	if s.timeout == 0 {
		s.timeout = 15 * time.Second
		if s.http.Timeout > 0 {
			s.timeout = s.http.Timeout
		}
	}
	if root.Scheme == "http" && !isPrivate(root.Hostname()) {
		s.log.Warn("umami: credentials are sent over plain http, for everybody on the way to read; use https", slog.String("host", root.Host))
	}
	c := &Client{root: root, auth: auth, agent: s.agent, timeout: s.timeout, sender: send.New(send.Config{
		HTTP: s.http, Log: s.log, Budget: send.NewBudget(s.calls, s.window),
		Timeout: s.timeout, MaxBytes: s.maxBytes,
		MaxRetries: s.retry.Max, MinWait: s.retry.MinWait, MaxWait: s.retry.MaxWait,
	})}
	if a, ok := auth.(interface{ bind(*Client) Auth }); ok {
		c.auth = a.bind(c)
	}
	return c, nil
}

var errNoURL = errors.New("the base URL is not a URL; it should look like https://umami.example.com")

// apiRoot finds the API in what the caller gave. Its errors don't repeat a
// text that may hold a password.
func apiRoot(baseURL string) (*url.URL, error) {
	u, err := url.Parse(baseURL)
	switch {
	case err != nil || strings.TrimSpace(baseURL) != baseURL:
		return nil, errNoURL
	case u.User != nil:
		return nil, errors.New("the base URL holds a user name or a password: pass credentials as an Auth")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(baseURL, "#"):
		return nil, errors.New("the base URL holds a query or a fragment: leave out what follows ? or #")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("the base URL must begin with https:// or http:// and a host, like https://umami.example.com")
	}
	if _, err := strconv.ParseUint(cmp.Or(u.Port(), "80"), 10, 16); err != nil {
		return nil, errors.New("the base URL has a port above 65535")
	}
	u.Host = strings.TrimSuffix(u.Host, ":")
	u = u.JoinPath() // without dot elements and double slashes
	elements := strings.Split(strings.Trim(u.Path, "/"), "/")
	if elements[len(elements)-1] != "api" && !slices.Contains(elements, "v1") {
		u = u.JoinPath("api")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	if _, err := url.Parse(u.String()); err != nil { // as each request will be
		return nil, errNoURL
	}
	return u, nil
}

// isPrivate tells hosts that are not on the internet: this machine, private and
// link-local addresses, and names that are reserved for such or have no dot.
func isPrivate(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()
	}
	dot := strings.LastIndexByte(host, '.')
	return dot < 0 || slices.Contains([]string{"localhost", "local", "internal", "test"}, host[dot+1:])
}

// String names the server, never the credential.
func (c *Client) String() string { return "umami.Client(" + c.root.String() + ")" }

// Format writes what String returns for every verb, so that printing never reads
// a client in use.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }
