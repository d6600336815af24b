package send

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// ErrTooLarge says that a body is above the limit.
var ErrTooLarge = errors.New("response too large")

// errNotSent says that the call's context ended before its turn came.
var errNotSent = errors.New("not sent")

// maxErrorBody is what is read of an answer that is not a success.
const maxErrorBody = 64 << 10

// BodyError says that the body of a success broke off.
type BodyError struct {
	Body []byte // what had come
	Err  error
}

func (e *BodyError) Error() string { return "the body broke off: " + e.Err.Error() }
func (e *BodyError) Unwrap() error { return e.Err }

// exchange is one request and its whole answer: it starts within the budget,
// ends within the timeout, and has the body in memory when it returns, so that
// a body that breaks off counts as a failed attempt.
type exchange struct {
	next     http.RoundTripper
	budget   *Budget
	timeout  time.Duration
	maxBytes int64
}

// RoundTrip implements http.RoundTripper. It does not offer
// CloseIdleConnections, which go-retryablehttp calls when it gives up: the
// connections of all other calls would go with those of the failed one.
func (e *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	done, err := e.budget.Wait(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as RoundTripper promises
		}
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(req.Context(), e.timeout)
	defer cancel()
	resp, err := e.next.RoundTrip(req.WithContext(ctx))
	if err == nil && resp != nil && resp.Body != nil { // net/http sees to the rest
		err = e.readBody(resp)
	}
	if err != nil {
		if ctx.Err() != nil && req.Context().Err() == nil {
			err = fmt.Errorf("no complete answer within %v: %w", e.timeout, context.DeadlineExceeded)
		}
		return nil, err
	}
	return resp, nil
}

func (e *exchange) readBody(resp *http.Response) error {
	defer func(body io.Closer) { _ = body.Close() }(resp.Body) // resp.Body itself is replaced
	if resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body = held{} // what follows is no answer, and net/http sets it no time
		return nil
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		// The status counts, whatever becomes of the body.
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		resp.Body = held{body}
		if _, err := resp.Location(); err != nil {
			resp.Header.Del("Location") // no URL, and net/http would repeat it in an error
		}
		return nil
	}
	body, err := read(resp.Body, e.maxBytes)
	if errors.Is(err, ErrTooLarge) {
		return err
	}
	if err != nil {
		return &BodyError{Body: body, Err: err}
	}
	resp.Body = held{body}
	return nil
}

// buffers are what bodies are read into first, enough for a full reply. How long
// one is shows only at its end: Umami does not say it, and memory that grows as
// it is read would cost more than the copy of the right size that the caller
// gets.
var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// read reads to the end. It keeps what does not fit into a buffer in pieces: a
// body that turns out too large never takes more memory than the limit.
func read(r io.Reader, most int64) ([]byte, error) {
	const largest = 1 << 20
	buffer := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buffer)
	var pieces [][]byte
	piece := buffer[:0]
	for total := int64(0); ; {
		n, err := r.Read(piece[len(piece):cap(piece)])
		piece = piece[:len(piece)+n]
		total += int64(n)
		switch {
		case total > most:
			return nil, fmt.Errorf("%w: more than %d bytes; WithMaxResponseBytes sets the limit", ErrTooLarge, most)
		case err == nil && len(piece) == cap(piece):
			pieces = append(pieces, piece)
			piece = make([]byte, 0, min(2*cap(piece), largest))
		case err != nil:
			if err == io.EOF {
				err = nil
			}
			return slices.Concat(append(pieces, piece)...), err
		}
	}
}

// held is a body in memory.
type held struct{ bytes []byte }

func (held) Read([]byte) (int, error) { return 0, io.EOF } // nobody reads what Answer has
func (held) Close() error             { return nil }
