package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traced makes a transport for umami.WithHTTPClient of another one: each
// attempt becomes a span below the one in the call's context, and is measured
// as http.client.request.duration.
//
// Headers and bodies are in neither, but otelhttp shows the URL and the text of
// an error, and both can hold a secret: the path of the request that opens a
// share link its ID, and an error what a server answered instead of HTTP, which
// may repeat a credential. So otelhttp gets another URL and another text; hider
// and revealer, before and behind it, keep the right ones for the client and for
// the server.
func traced(next http.RoundTripper, tracers trace.TracerProvider, meters metric.MeterProvider) http.RoundTripper {
	return hider{otelhttp.NewTransport(
		revealer{next},
		otelhttp.WithTracerProvider(tracers), otelhttp.WithMeterProvider(meters),
		// The server is none of ours: it has no use for our trace's ID.
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator()),
	)}
}

type realURL struct{}

type hider struct{ next http.RoundTripper }

func (h hider) RoundTrip(req *http.Request) (*http.Response, error) {
	shown := req.WithContext(context.WithValue(req.Context(), realURL{}, req.URL))
	shown.URL = withoutSecrets(req.URL)
	resp, err := h.next.RoundTrip(shown)
	if err != nil {
		return nil, reveal(err)
	}
	resp.Body = body{resp.Body, reveal}
	return resp, nil
}

type revealer struct{ next http.RoundTripper }

func (r revealer) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := req.WithContext(req.Context())
	sent.URL, _ = req.Context().Value(realURL{}).(*url.URL)
	resp, err := r.next.RoundTrip(sent)
	if err != nil {
		return nil, hidden{err}
	}
	resp.Body = body{resp.Body, func(err error) error { return hidden{err} }}
	return resp, nil
}

// withoutSecrets leaves out the ID of a share link, and the query: it holds no
// credential, but perhaps what a filter looks for.
func withoutSecrets(u *url.URL) *url.URL {
	shown := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if folder := path.Dir(u.Path); path.Base(folder) == "share" {
		shown.Path, shown.RawPath = folder+"/REDACTED", ""
	}
	return shown
}

// body changes the errors of another one.
type body struct {
	io.ReadCloser
	change func(error) error
}

func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as Read promises
		err = b.change(err)
	}
	return n, err
}

// hidden is an error of which the text is shown only where this machine wrote
// it.
type hidden struct{ err error }

func (h hidden) Error() string {
	if own, ok := errors.AsType[*net.OpError](h.err); ok {
		return own.Error()
	}
	for _, own := range []error{context.Canceled, context.DeadlineExceeded, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(h.err, own) {
			return own.Error()
		}
	}
	return h.ErrorType()
}

// ErrorType is what error.type shows.
func (h hidden) ErrorType() string { return fmt.Sprintf("%T", h.err) }

func (h hidden) Unwrap() error { return h.err }

func reveal(err error) error {
	if h, ok := errors.AsType[hidden](err); ok {
		return h.err
	}
	return err
}
