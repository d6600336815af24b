package umami

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-querystring/query"

	"github.com/seed721439b2/umami-go/internal/redact"
	"github.com/seed721439b2/umami-go/internal/send"
)

// request is one call as it will be sent, credentials apart.
type request struct {
	method      string
	url         *url.URL
	shown       string         // the path, as errors and logs show it
	body        []byte         // JSON
	secretReply bool           // the reply holds a credential
	hidden      redact.Secrets // what is sent and must not be shown
}

// request makes a request of path elements below the API root.
func (c *Client) request(method string, elements ...string) *request {
	u := *c.root
	u.RawPath = strings.Join(append([]string{c.root.EscapedPath()}, escape(elements)...), "/")
	u.Path = strings.Join(append([]string{c.root.Path}, elements...), "/")
	return &request{method: method, url: &u, shown: u.EscapedPath()}
}

// getRequest makes a GET request with options, a struct for go-querystring, as its
// query. options may be nil.
func (c *Client) getRequest(options any, elements ...string) (*request, error) {
	values, err := query.Values(options)
	if err != nil {
		return nil, fmt.Errorf("encode options: %w", err)
	}
	r := c.request(http.MethodGet, elements...)
	r.url.RawQuery = values.Encode()
	return r, nil
}

func escape(elements []string) []string {
	escaped := make([]string, len(elements))
	for i, e := range elements {
		escaped[i] = url.PathEscape(e)
	}
	return escaped
}

// do sends a request with credentials and returns the body of a success. A
// credential that the server refuses is replaced once, if it can be.
func (c *Client) do(ctx context.Context, r *request) ([]byte, error) {
	seen := c.refreshes.Load()
	body, sent, err := c.send(ctx, r, c.auth)
	refused, _ := errors.AsType[*APIError](err)
	refresher, ok := c.auth.(Refresher)
	if !ok || sent == nil || refused == nil || refused.StatusCode != http.StatusUnauthorized {
		return body, err
	}
	err = c.shared(ctx, func(ctx context.Context) error {
		if c.refreshes.Load() != seen { // by another call, meanwhile
			return nil
		}
		if err := refresher.Refresh(ctx, sent); err != nil {
			return err
		}
		c.refreshes.Add(1)
		return nil
	})
	var again *APIError
	if err == nil {
		body, sent, err = c.send(ctx, r, c.auth)
		if again, _ = errors.AsType[*APIError](err); again != nil && sent != nil {
			again.Attempts += refused.Attempts
		}
	} else {
		err = fmt.Errorf("replace the credential that was refused with 401: %w", err)
	}
	if again == nil && (ctx.Err() != nil || errors.Is(err, send.ErrTooLate)) && err != nil {
		err = fmt.Errorf("%w; the last answer was %w", err, refused)
	}
	return body, err
}

// shared runs f for all calls that need it at the same time. f has a context of
// its own, so that the caller who happened to come first can leave alone.
func (c *Client) shared(ctx context.Context, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := c.flight.DoChan("credential", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
		defer cancel()
		return nil, f(ctx)
	})
	select {
	case result := <-done:
		return result.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send sends a request, again after failures that may heal, and returns the
// body of a success and the request as it was sent, nil if it was not. auth may
// be nil.
func (c *Client) send(ctx context.Context, r *request, auth Auth) (body []byte, sent *http.Request, _ error) {
	req, err := c.newRequest(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if auth != nil {
		if err := auth.Authorize(ctx, req); err != nil {
			return nil, nil, fmt.Errorf("authorize: %w", err)
		}
		r.hidden = redact.Of(req, r.url)
	}
	answer, err := c.sender.Do(req, r.shown, r.hidden.HideIn)
	if err != nil {
		return nil, req, r.failed(answer, err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return nil, req, newAPIError(r, answer)
	}
	return answer.Body, req, nil
}

// failed tells of a call that ended without an answer it could use.
func (r *request) failed(last *send.Answer, err error) error {
	if cut, ok := errors.AsType[*send.BodyError](err); ok {
		return newDecodeError(r, cut.Body, cut)
	}
	if last.StatusCode != 0 {
		return fmt.Errorf("%w; the last answer was %w", err, newAPIError(r, last))
	}
	if last.Attempts > 1 {
		return fmt.Errorf("%s %s: %w (attempt %d)", r.method, r.shown, err, last.Attempts)
	}
	return fmt.Errorf("%s %s: %w", r.method, r.shown, err)
}

func (c *Client) newRequest(ctx context.Context, r *request) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}
