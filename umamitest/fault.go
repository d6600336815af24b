package umamitest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// Fault replaces, delays or damages a normal answer.
type Fault struct {
	serve func(*Server, *answer, *http.Request)
}

// queued is a fault for the next requests.
type queued struct {
	Fault
	left int
}

// Fail makes the next n requests meet f; logins count, and so do retries. Faults of
// several calls come one after the other. A negative n, or a Fault that this
// package did not make, panics.
func (s *Server) Fail(n int, f Fault) {
	if f.serve == nil || n < 0 {
		panic("umamitest: Fail needs a number of requests and a Fault made by this package")
	}
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, queued{f, n})
}

// Recover cancels all faults that no request has met yet.
func (s *Server) Recover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Status answers a status with a body, which a proxy might send; with an empty
// body, a 500 is what Umami itself sends when it cannot reach its database.
func Status(code int, body string) Fault {
	return Fault{func(_ *Server, w *answer, _ *http.Request) {
		w.send(code, "", []byte(body))
	}}
}

// StatusRetryAfter answers a status without a body, and with a Retry-After header
// in whole seconds, rounded up.
func StatusRetryAfter(code int, wait time.Duration) Fault {
	return Fault{func(_ *Server, w *answer, _ *http.Request) {
		seconds := int64((wait + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
		w.send(code, "", nil)
	}}
}

// ExpiredToken answers as the server does to a token that it does not know.
func ExpiredToken() Fault {
	return Fault{func(s *Server, w *answer, _ *http.Request) {
		s.fail(w, http.StatusUnauthorized, "unauthorized", "Unauthorized")
	}}
}

// Page answers a web page, as a proxy does with a status of its own (502,
// 503), or with 200 where it wants a login.
func Page(status int) Fault {
	return Fault{func(_ *Server, w *answer, _ *http.Request) { w.page(status) }}
}

// Body answers 200 with any body: "", "null", or garbage.
func Body(body string) Fault {
	return Fault{func(_ *Server, w *answer, _ *http.Request) { w.json(body) }}
}

// Cut answers as the server would, but breaks off in the middle of the body.
func Cut() Fault {
	return Fault{func(s *Server, w *answer, r *http.Request) {
		whole := httptest.NewRecorder()
		s.route(&answer{ResponseWriter: whole}, r)
		maps.Copy(w.Header(), whole.Header())
		w.WriteHeader(whole.Code)
		_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}}
}

// Hang never answers: it ends when the client gives up or the server is closed.
func Hang() Fault {
	return Fault{func(s *Server, _ *answer, r *http.Request) {
		drain(r)
		ctx, done := s.wait(r)
		defer done()
		<-ctx.Done()
		panic(http.ErrAbortHandler)
	}}
}

// Reset breaks the connection before any answer. On a socket, Go's own HTTP
// transport transparently sends a GET again if the connection had been used before.
func Reset() Fault {
	return Fault{func(*Server, *answer, *http.Request) { panic(http.ErrAbortHandler) }}
}

// Delay answers as the server would, but only after a time.
func Delay(d time.Duration) Fault {
	return Fault{func(s *Server, w *answer, r *http.Request) {
		body := drain(r)
		ctx, done := s.wait(r)
		defer done()
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			r.Body = io.NopCloser(bytes.NewReader(body))
			s.route(w, r)
		case <-ctx.Done():
			panic(http.ErrAbortHandler)
		}
	}}
}

// drain reads the request's body: net/http notices that a client is gone only
// after that.
func drain(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return body
}
