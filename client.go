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

// RetryPolicy says how a GET that failed is tried again: after a transport
// error, a body that broke off, an attempt that took longer than WithTimeout, a
// 429 or a status of 500 and above; not after a certificate that is no good, a
// refused redirect or a reply that is too large. A login is tried again only
// where no connection could be made. The wait is any time up to a bound
// (full jitter) that begins at MinWait and doubles up to MaxWait, or what the
// server asks for with Retry-After, which is never waited for longer than
// MaxWait. After a 429 it is at least MinWait, and for all calls of the client.
// Zero fields take the defaults; where MinWait's is above a MaxWait that is set,
// or MaxWait's below a MinWait, it is that one.
type RetryPolicy struct {
	Max     int           // retries after the first attempt; default 3; below 0: none
	MinWait time.Duration // default 500 ms
	MaxWait time.Duration // default 30 s
}

// WithHTTPClient sets the HTTP client whose Transport, Jar and CheckRedirect
// are used as they are; CheckRedirect is asked about redirects within the server
// only, as others are refused before. It is copied, never changed. Its Timeout,
// where set, takes the place of WithTimeout's default. Default: a client with a transport
// of its own, with net/http's proxy and TLS settings.
func WithHTTPClient(c *http.Client) Option {
	return func(s *settings) error {
		if c == nil {
			return errors.New("WithHTTPClient: nil")
		}
		s.http = c
		return nil
	}
}

// WithLogger sets a logger, which gets each attempt at debug level and each
// retry as a warning: method, path, status, wait, never a query, header or
// body; and each failed poll and backfill as a warning with its error, whose text
// may hold the server's own message, or a few bytes of a reply that cannot be
// read. NewClient warns of a base URL that would take credentials over plain
// http to a host that is neither this machine nor on a private network.
// Default: silent.
func WithLogger(l *slog.Logger) Option {
	return func(s *settings) error {
		if l == nil {
			return errors.New("WithLogger: nil")
		}
		s.log = l
		return nil
	}
}

// WithRetry sets how failed calls are tried again. A negative wait, or a MinWait
// above MaxWait, is an error of NewClient.
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
// included; further calls wait for their turn, as long as their context lets
// them. n <= 0 turns the limit off. Default: 50 in 15 s, Umami Cloud's limit,
// where the host is api.umami.is; none elsewhere. Without a limit, too, a 429
// makes all calls of the client wait.
func WithRateLimit(n int, per time.Duration) Option {
	return func(s *settings) error {
		if n > 0 && per <= 0 {
			return fmt.Errorf("WithRateLimit: window %v is not positive", per)
		}
		s.calls, s.window = n, per
		return nil
	}
}

// WithTimeout limits one attempt, the body included; a redirect within the
// server begins a new one. Waits between attempts and
// for the rate budget don't count; the caller's context limits the whole call.
// Default: 15 s.
func WithTimeout(d time.Duration) Option {
	return func(s *settings) error {
		if d <= 0 {
			return fmt.Errorf("WithTimeout: %v is not positive", d)
		}
		s.timeout = d
		return nil
	}
}

// WithMaxResponseBytes limits a reply, decompressed; a larger one is
// ErrResponseTooLarge. Default: 16 MiB. For a moment, a call may take three
// times as much memory as its reply, and some fifteen times for a reply full of
// short rows, which are larger as values than as text.
func WithMaxResponseBytes(n int64) Option {
	return func(s *settings) error {
		if n <= 0 {
			return fmt.Errorf("WithMaxResponseBytes: %d is not positive", n)
		}
		s.maxBytes = n
		return nil
	}
}

// WithUserAgent replaces the User-Agent header, by default umami-go and its
// version.
func WithUserAgent(agent string) Option {
	return func(s *settings) error {
		if agent == "" || strings.ContainsFunc(agent, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("WithUserAgent: %q cannot be a header", agent)
		}
		s.agent = agent
		return nil
	}
}

// NewClient makes a client of the server at baseURL: the origin, or what a
// person copies from the browser or the docs. A path whose last element is
// "api", or that has an element "v1", is the API root as it stands
// ("https://host/stats/api", CloudURL); to any other, "/api" is added. A
// trailing slash does no harm. User information, a query or a fragment is
// refused, and so is any scheme but http and https.
//
// Every error matches ErrInvalidArgument: a bad base URL, no auth, an empty key
// or token, a bad option. Nothing is sent.
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

// Format writes what String returns for every verb, so that printing never
// walks through a client that others are using.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }
