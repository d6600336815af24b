package send_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/send"
)

func TestRetriedStatus(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		again  bool
		why    string
	}{
		{200, false, "an answer"},
		{204, false, "an answer, though not a useful one"},
		{206, false, "an answer, though not a useful one"},
		{300, false, "nothing to choose from"},
		{304, false, "nothing conditional was asked"},
		{302, false, "without a Location it leads nowhere, now and later"},
		{400, false, "asked wrongly, and would be again"},
		{401, false, "the credential has to be replaced first"},
		{403, false, "not for this caller"},
		{404, false, "not there"},
		{405, false, "asked wrongly, and would be again"},
		{408, false, "Umami has no such answer; proxies say 504"},
		{410, false, "not there"},
		{418, false, "any other fault of the caller's"},
		{422, false, "asked wrongly, and would be again"},
		{425, false, "sent in no TLS early data"},
		{429, true, "later there is room again"},
		{431, false, "the headers will be as long"},
		{451, false, "not for this caller"},
		{499, false, "any other fault of the caller's"},
		{500, true, "Umami's answer when its database is away"},
		{501, true, "a proxy's word while the server is being replaced; documented as 500 and above"},
		{502, true, "a proxy that found nobody"},
		{503, true, "overloaded, or in maintenance"},
		{504, true, "a proxy that lost patience"},
		{505, true, "500 and above"},
		{520, true, "Cloudflare: the server answered nonsense"},
		{599, true, "500 and above"},
		{999, true, "500 and above"},
	} {
		t.Run(fmt.Sprint(tt.status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []transport{always(tt.status, "first"), always(200, "second")}}
				answer, err := get(t.Context(), t, config(s))
				require.NoError(t, err)
				if tt.again {
					assert.Len(t, s.at, 2, tt.why)
					assert.Equal(t, "second", string(answer.Body))
				} else {
					assert.Len(t, s.at, 1, tt.why)
					assert.Equal(t, tt.status, answer.StatusCode)
					assert.Equal(t, "first", string(answer.Body))
				}
				assert.Equal(t, len(s.at), answer.Attempts)
			})
		})
	}
}

func cutOff(err error) transport {
	return func(*http.Request) (*http.Response, error) {
		resp := reply(200, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(err)))
		return resp, nil
	}
}

func TestRetriedErrors(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]transport{
		"reset":                  fails(&net.OpError{Op: "read", Err: syscall.ECONNRESET}),
		"broken pipe":            fails(&net.OpError{Op: "write", Err: syscall.EPIPE}),
		"refused":                fails(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}),
		"host not found":         fails(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}),
		"EOF":                    fails(io.EOF),
		"EOF in the header":      fails(io.ErrUnexpectedEOF),
		"timeout of the network": fails(&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}),
		"timeout of the attempt": hangs,
		"body cut off":           cutOff(io.ErrUnexpectedEOF),
		"body reset":             cutOff(&net.OpError{Op: "read", Err: syscall.ECONNRESET}),
		"body too slow": func(req *http.Request) (*http.Response, error) {
			resp := reply(200, "")
			resp.Body = io.NopCloser(readerFunc(func([]byte) (int, error) { <-req.Context().Done(); return 0, req.Context().Err() }))
			return resp, nil
		},
		"anything unknown": fails(errors.New("the moon is full")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []transport{first, first, always(200, "whole")}}
				answer, err := get(t.Context(), t, config(s))
				require.NoError(t, err)
				assert.Equal(t, "whole", string(answer.Body))
				assert.Equal(t, 3, answer.Attempts)
			})
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestNotRetriedErrors(t *testing.T) {
	t.Parallel()
	badCertificate := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	for name, tt := range map[string]struct {
		step transport
		is   error
	}{
		"certificate of nobody":   {fails(badCertificate), badCertificate},
		"certificate of another":  {fails(&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}}}), nil},
		"redirect to another":     {always(302, "", "Location", "http://elsewhere.test/"), send.ErrRedirect},
		"redirect in circles":     {always(302, "", "Location", "/real"), send.ErrRedirect},
		"body too large":          {always(200, strings.Repeat("x", 1<<20+1)), send.ErrTooLarge},
		"header that none can be": {fails(errors.New(`net/http: invalid header field value for "X-Own"`)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				answer, err := get(t.Context(), t, config(tt.step))
				require.Error(t, err)
				if tt.is != nil {
					require.ErrorIs(t, err, tt.is)
				}
				assert.Equal(t, 1, answer.Attempts)
				assert.Zero(t, time.Since(began))
			})
		})
	}
}

// What was answered last is kept, also where a later attempt got no answer.
func TestLastAnswerIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{always(502, "a"), always(500, "b", "X-From", "b"), fails(io.EOF)}}
		answer, err := get(t.Context(), t, config(s))
		require.ErrorIs(t, err, io.EOF)
		assert.Equal(t, 4, answer.Attempts)
		assert.Equal(t, 500, answer.StatusCode)
		assert.Equal(t, "b", string(answer.Body))
		assert.Equal(t, "b", answer.Header.Get("X-From"))

		s = &script{steps: []transport{fails(io.EOF), always(502, "a"), always(503, "b"), always(500, "c")}}
		answer, err = get(t.Context(), t, config(s))
		require.NoError(t, err)
		assert.Equal(t, 4, answer.Attempts)
		assert.Equal(t, "c", string(answer.Body))
	})
}

// A try that the context leaves no time for is not waited for, and the error
// still tells what went wrong.
func TestDeadlineBeforeTheNextTry(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]transport{
		"answered": always(503, "", "Retry-After", "20"),
		"reset":    fails(syscall.ECONNRESET),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := config(first)
				c.MinWait, c.MaxWait = 20*time.Second, 20*time.Second
				for range 20 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Microsecond) // no jitter is as short
					began := time.Now()
					answer, err := get(ctx, t, c)
					cancel()
					require.ErrorIs(t, err, context.DeadlineExceeded)
					assert.Zero(t, time.Since(began))
					assert.Equal(t, 1, answer.Attempts)
					if name == "reset" {
						require.ErrorIs(t, err, syscall.ECONNRESET)
						assert.Regexp(t, `^connection reset by peer; the next try in \S+s would come too late: `, err.Error())
					} else {
						assert.Equal(t, "the next try in 20s would come too late: context deadline exceeded", err.Error())
						assert.Equal(t, 503, answer.StatusCode)
					}
				}
			})
		})
	}
}

// The pause after a 429 counts too: nothing could be sent before its end.
func TestDeadlineBeforeTheEndOfThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 499*time.Millisecond)
			began := time.Now()
			answer, err := get(ctx, t, config(always(429, "")))
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Zero(t, time.Since(began))
			assert.Equal(t, 429, answer.StatusCode)
		}
	})
}

func TestCancelDuringTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		began := time.Now()
		answer, err := get(ctx, t, config(always(503, "busy", "Retry-After", "20")))
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 3*time.Second, time.Since(began))
		assert.Equal(t, 1, answer.Attempts)
		assert.Equal(t, "busy", string(answer.Body))
	})
}

func TestCancelDuringTheAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		began := time.Now()
		answer, err := get(ctx, t, config(transport(hangs)))
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 3*time.Second, time.Since(began))
		assert.Equal(t, 1, answer.Attempts)
	})
}

// The log tells each attempt, and nothing that is nobody's business.
func TestLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		c := config(&script{steps: []transport{always(503, "body", "Set-Cookie", "answer", "Retry-After", "2"), fails(io.EOF), always(200, "body")}})
		c.MinWait, c.MaxWait = 2*time.Second, 2*time.Second
		c.Log = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		_, err := get(t.Context(), t, c)
		require.NoError(t, err)
		lines := strings.Split(strings.TrimSpace(logged.String()), "\n")
		require.Len(t, lines, 3)
		assert.Regexp(t, `level=WARN msg="umami: attempt" method=GET path=/shown attempt=1 status=503 retry_in=2s$`, lines[0])
		assert.Regexp(t, `level=WARN msg="umami: attempt" method=GET path=/shown attempt=2 error=EOF retry_in=\S+s$`, lines[1])
		assert.Regexp(t, `level=DEBUG msg="umami: attempt" method=GET path=/shown attempt=3 status=200$`, lines[2])
		for _, secret := range []string{"query", "header", "body", "real", "answer"} {
			assert.NotContains(t, logged.String(), secret)
		}
	})
}
