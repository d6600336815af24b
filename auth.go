package umami

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync/atomic"

	"github.com/seed721439b2/umami-go/internal/redact"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// Auth puts a credential on a request. The constructors below cover what Umami
// accepts; an Auth of your own may set any header. It must be safe for concurrent
// use.
type Auth interface {
	// Authorize is called once for each request, not for its retries, and once
	// more after a Refresh. If it returns an error, nothing is sent, and the call
	// returns that error wrapped.
	Authorize(ctx context.Context, req *http.Request) error
}

// Refresher is an Auth that can replace a credential which the server answered
// with 401.
type Refresher interface {
	Auth
	// Refresh is called at most once for a call, which is then sent once more; if
	// it returns an error, the call returns that error wrapped. rejected is the
	// request that was refused, as it was sent.
	//
	// Concurrent calls share one Refresh, and cancelling one of them does not
	// cancel it for the others: ctx carries the values of the first caller's
	// context but not its cancellation, and ends after the client's timeout.
	Refresh(ctx context.Context, rejected *http.Request) error
}

// BearerToken sends a fixed token as Authorization: Bearer, such as one from a
// login elsewhere or the API key of a self-hosted server (since 3.4).
func BearerToken(token string) Auth {
	return fixed{redacted: "BearerToken", err: checkHeaderValue("token", token), set: func(h http.Header) {
		setBearer(h, token)
	}}
}

// APIKey sends an API key both as x-umami-api-key, for Umami Cloud, and as
// Authorization: Bearer, for self-hosted servers since 3.4.
func APIKey(key string) Auth {
	return fixed{redacted: "APIKey", err: checkHeaderValue("API key", key), set: func(h http.Header) {
		h.Set("x-umami-api-key", key)
		setBearer(h, key)
	}}
}

// Login sends POST /api/auth/login at the first call and uses the token it gets.
// It is a Refresher that logs in again when the token is refused (servers with
// Redis let tokens expire: after an hour on 3.1). Each Client has a token of its
// own, even if given the same Login. Because Umami also answers 401 for a website
// that is not the user's, each call for such a website costs another login and
// another request.
//
// A wrong password is an *APIError that matches ErrUnauthorized; an account with
// a second factor is ErrTwoFactorRequired. A login is retried only if it
// certainly never reached the server.
func Login(username, password string) Auth {
	var err error
	if username == "" || password == "" {
		err = errors.New("username or password is empty")
	}
	return trade{
		redacted: "Login", err: err,
		fetch: func(ctx context.Context, c *Client) (string, error) { return c.login(ctx, username, password) },
		set:   setBearer,
	}
}

// ShareLink reads the website of a share link. shareID is the part of the link's
// path after /share/; calls still need the website's UUID, which the link does
// not hold. At the first call the id is exchanged for a token at
// GET /api/share/{id}; ShareLink is a Refresher that does so again when the token
// is refused. Each Client has a token of its own, even if given the same
// ShareLink. An id that does not exist is an *APIError that matches ErrNotFound.
func ShareLink(shareID string) Auth {
	var err error
	if shareID == "" || shareID == "." || shareID == ".." || strings.ContainsAny(shareID, "/?# \t\r\n") {
		err = errors.New("a share id is the one path element after /share/ in the link")
	}
	return trade{
		redacted: "ShareLink", err: err,
		fetch: func(ctx context.Context, c *Client) (string, error) { return c.openShare(ctx, shareID) },
		set: func(h http.Header, token string) {
			h.Set("x-umami-share-token", token)
			h.Set("x-umami-share-context", "1") // 3.1 and later answer 401 without it
		},
	}
}

// BearerTokenFunc sends a token that rotates as Authorization: Bearer. token is
// called for each call, and once more after a 401. It must be quick and safe for
// concurrent use, so it should keep a token that is costly to get. An error that
// it returns ends the call.
func BearerTokenFunc(token func(ctx context.Context) (string, error)) Auth {
	var err error
	if token == nil {
		err = errors.New("the function is nil")
	}
	return rotating{redacted: "BearerTokenFunc", err: err, token: token}
}

func setBearer(h http.Header, token string) { h.Set("Authorization", "Bearer "+token) }

// checkHeaderValue refuses what is no credential, without repeating it.
func checkHeaderValue(what, value string) error {
	const longest = 16 << 10 // servers take no longer header
	switch {
	case value == "":
		return fmt.Errorf("the %s is empty", what)
	case len(value) > longest:
		return fmt.Errorf("the %s is longer than any: %d bytes", what, len(value))
	}
	for _, b := range []byte(value) {
		if b <= ' ' || b >= 0x7f {
			return fmt.Errorf("the %s holds a space, a newline or another character that none has: trim it", what)
		}
	}
	return nil
}

// redacted is the name of an Auth, and all that is ever printed of it. The
// secrets themselves are in closures, where no printer reaches them.
type redacted string

// Format writes the name for every verb.
func (r redacted) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, string(r)+"(REDACTED)") }

// MarshalText writes the name for JSON and log/slog.
func (r redacted) MarshalText() ([]byte, error) { return []byte(string(r) + "(REDACTED)"), nil }

// fixed is a credential that never changes.
type fixed struct {
	redacted
	err error
	set func(http.Header)
}

func (a fixed) check() error { return a.err }

func (a fixed) Authorize(_ context.Context, req *http.Request) error {
	if a.err != nil {
		return a.err
	}
	a.set(req.Header)
	return nil
}

// rotating asks the importer for the token each time.
type rotating struct {
	redacted
	err   error
	token func(context.Context) (string, error)
}

func (a rotating) check() error { return a.err }

func (a rotating) Authorize(ctx context.Context, req *http.Request) error {
	if a.err != nil {
		return a.err
	}
	token, err := a.token(ctx)
	if err == nil {
		err = checkHeaderValue("token", token)
	}
	if err != nil {
		return err
	}
	setBearer(req.Header, token)
	return nil
}

// Refresh has nothing to do: Authorize asks again.
func (rotating) Refresh(context.Context, *http.Request) error { return nil }

// trade is a secret that the server changes for a token: how, but not yet
// where. NewClient binds it to the client.
type trade struct {
	redacted
	err   error
	fetch func(context.Context, *Client) (string, error) // a token
	set   func(h http.Header, token string)
}

func (a trade) check() error { return a.err }

func (a trade) bind(c *Client) Auth { return &traded{trade: a, client: c} }

// Authorize fails: only NewClient's own Auth knows its server.
func (a trade) Authorize(context.Context, *http.Request) error {
	return fmt.Errorf("%s must itself be the Auth given to NewClient, not be called by another Auth", string(a.redacted))
}

// traded is a trade with a client, and the token it has got.
type traded struct {
	trade
	client *Client

	token atomic.Pointer[string] // nil before the first
}

func (a *traded) Authorize(ctx context.Context, req *http.Request) error {
	if a.token.Load() == nil {
		err := a.client.shared(ctx, func(ctx context.Context) error {
			if a.token.Load() != nil {
				return nil
			}
			return a.Refresh(ctx, req)
		})
		if err != nil {
			return err
		}
	}
	a.set(req.Header, *a.token.Load())
	return nil
}

// Refresh gets a new token, whatever was rejected. Each attempt has the
// client's timeout; waits between them and for the budget don't count in it.
func (a *traded) Refresh(ctx context.Context, _ *http.Request) error {
	token, err := a.fetch(context.WithoutCancel(ctx), a.client)
	if err != nil {
		return err
	}
	a.token.Store(&token)
	return nil
}

// login trades a name and a password for a token.
func (c *Client) login(ctx context.Context, username, password string) (string, error) {
	body, err := json.Marshal(map[string]string{"username": username, "password": password})
	if err != nil {
		return "", err
	}
	r := c.request(http.MethodPost, "auth", "login")
	r.body, r.hidden = body, redact.Secrets{password}
	token, err := c.fetchToken(ctx, r)
	if err != nil {
		return "", fmt.Errorf("log in: %w", err)
	}
	return token, nil
}

// openShare trades the id of a share link for a token.
func (c *Client) openShare(ctx context.Context, shareID string) (string, error) {
	r := c.request(http.MethodGet, "share", shareID)
	r.shown, r.hidden = path.Dir(r.shown)+"/…", redact.Secrets{shareID}
	token, err := c.fetchToken(ctx, r)
	if err != nil {
		return "", fmt.Errorf("open share link: %w", err)
	}
	return token, nil
}

// fetchToken sends a request without credentials and takes the token from the reply.
func (c *Client) fetchToken(ctx context.Context, r *request) (string, error) {
	r.secretReply = true
	body, _, err := c.send(ctx, r, nil)
	if err != nil {
		return "", err
	}
	var reply struct {
		Token             string `json:"token"`
		RequiresTwoFactor bool   `json:"requiresTwoFactor"`
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return "", newDecodeError(r, body, errors.New("no JSON object with a token"))
	}
	if reply.RequiresTwoFactor {
		return "", ErrTwoFactorRequired
	}
	if err := checkHeaderValue("token", reply.Token); err != nil {
		return "", newDecodeError(r, body, &wire.Error{Field: "/token", Err: err})
	}
	return reply.Token, nil
}
