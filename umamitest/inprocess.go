package umamitest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// HTTPClient returns a client that calls the server without a socket, whatever
// host is asked. It works for every Server, and inside a testing/synctest
// bubble if the server was made there.
//
// A broken connection is io.EOF, a body that breaks off is io.ErrUnexpectedEOF, and
// a request that is given up is its context's error. After Close, every request
// fails.
func (s *Server) HTTPClient() *http.Client {
	return &http.Client{Transport: inProcess{s}}
}

type inProcess struct{ server *Server }

// RoundTrip runs the handler in the caller's goroutine.
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close() //nolint:errcheck // it was only read
	}
	ctx := req.Context()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if t.server.isOver() {
		return nil, errors.New("umamitest: the server is closed")
	}
	in := req.Clone(ctx)
	in.RequestURI = req.URL.RequestURI()
	in.RemoteAddr = "192.0.2.1:1234"
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	w := &recorder{header: make(http.Header)}
	aborted := w.run(t.server, in)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if aborted && !w.flushed {
		return nil, io.EOF
	}
	return w.response(req, aborted), nil
}

// recorder keeps what a handler writes.
type recorder struct {
	header  http.Header
	sent    http.Header // header as it was when the status was written
	status  int
	body    bytes.Buffer
	flushed bool
}

// run calls the handler and says whether it broke the connection.
func (w *recorder) run(h http.Handler, r *http.Request) (aborted bool) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler { //nolint:errorlint // a panic's value, not an error
				panic(p)
			}
			aborted = true
		}
	}()
	h.ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK) // unless there was one
	return false
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// Flush is what http.ResponseController calls.
func (w *recorder) Flush() {
	w.WriteHeader(http.StatusOK)
	w.flushed = true
}

func (w *recorder) response(req *http.Request, aborted bool) *http.Response {
	for name, values := range w.sent {
		if len(values) == 0 {
			delete(w.sent, name)
		}
	}
	res := &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Request: req, ContentLength: int64(w.body.Len()),
	}
	if w.flushed {
		res.ContentLength = -1
		res.TransferEncoding = []string{"chunked"}
	}
	body := w.body.Bytes()
	if req.Method == http.MethodHead {
		body = nil
	}
	var r io.Reader = bytes.NewReader(body)
	if aborted {
		r = io.MultiReader(r, broken{})
	}
	res.Body = io.NopCloser(r)
	return res
}

// broken is the end of a body that was cut off.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
