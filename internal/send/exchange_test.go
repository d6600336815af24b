package send_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/send"
)

// The limit is on what a reply unfolds to, whatever it claims to be.
func TestMaxBytes(t *testing.T) {
	t.Parallel()
	const limit = 1000
	for name, tt := range map[string]struct {
		size int
		zip  bool
		ok   bool
	}{
		"at the limit":         {limit, false, true},
		"above":                {limit + 1, false, false},
		"far above":            {1 << 20, false, false},
		"zipped, at the limit": {limit, true, true},
		"zipped, above":        {limit + 1, true, false},
		"a bomb":               {10 << 20, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				out := io.Writer(w)
				if tt.zip {
					assert.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
					w.Header().Set("Content-Encoding", "gzip")
					zip := gzip.NewWriter(w)
					defer func() { _ = zip.Close() }()
					out = zip
				}
				_, _ = out.Write(bytes.Repeat([]byte("x"), tt.size))
			}))
			defer srv.Close()
			c := config(nil)
			c.MaxBytes = limit
			req := newRequest(t.Context(), t)
			var err error
			req.URL, err = req.URL.Parse(srv.URL)
			require.NoError(t, err)
			answer, err := send.New(c).Do(req, "/", asItIs)
			if tt.ok {
				require.NoError(t, err)
				assert.Len(t, answer.Body, tt.size)
			} else {
				require.ErrorIs(t, err, send.ErrTooLarge)
				require.ErrorContains(t, err, "more than 1000 bytes; WithMaxResponseBytes sets the limit")
				assert.Equal(t, 1, answer.Attempts)
			}
		})
	}
}

// No limit is none, and what a server claims costs no memory.
func TestMaxBytesOff(t *testing.T) {
	t.Parallel()
	for _, claimed := range []int64{-1, 4, 1 << 40, math.MaxInt64} {
		c := config(transport(func(*http.Request) (*http.Response, error) {
			resp := reply(200, "body")
			resp.ContentLength = claimed
			return resp, nil
		}))
		c.MaxBytes = math.MaxInt64
		answer, err := get(t.Context(), t, c)
		require.NoError(t, err)
		assert.Equal(t, "body", string(answer.Body))
	}
}

// Of an error 64 KiB are enough to tell, and a status counts even if its body
// breaks off or hangs.
func TestErrorBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer, err := get(t.Context(), t, config(always(404, strings.Repeat("x", 1<<20))))
		require.NoError(t, err)
		assert.Len(t, answer.Body, 64<<10)

		c := config(transport(func(req *http.Request) (*http.Response, error) {
			resp := reply(404, "")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), readerFunc(func([]byte) (int, error) {
				<-req.Context().Done()
				return 0, req.Context().Err()
			})))
			return resp, nil
		}))
		began := time.Now()
		answer, err = get(t.Context(), t, c)
		require.NoError(t, err)
		assert.Equal(t, 404, answer.StatusCode)
		assert.Equal(t, "half", string(answer.Body))
		assert.Equal(t, c.Timeout, time.Since(began))
	})
}

func TestBodyError(t *testing.T) {
	t.Parallel()
	c := config(cutOff(io.ErrUnexpectedEOF))
	c.MaxRetries = 0
	_, err := get(t.Context(), t, c)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	cut, ok := errors.AsType[*send.BodyError](err)
	require.True(t, ok)
	assert.Equal(t, "half", string(cut.Body))
	assert.Equal(t, "the body broke off: unexpected EOF", err.Error())
}

// Every body is closed, or connections would be lost.
func TestBodiesAreClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var bodies []*closer
		statuses := []int{503, 307, 200}
		c := config(transport(func(*http.Request) (*http.Response, error) {
			body := &closer{}
			resp := reply(statuses[len(bodies)], "", "Location", "/other")
			resp.Body, resp.ContentLength = body, -1
			bodies = append(bodies, body)
			return resp, nil
		}))
		_, err := get(t.Context(), t, c)
		require.NoError(t, err)
		require.Len(t, bodies, 3)
		for _, body := range bodies {
			assert.True(t, body.closed)
		}
	})
}

// A redirect goes nowhere but to the same server, which may or may not name
// the scheme's own port.
func TestRedirects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, location string
		follow         bool
	}{
		{"http://umami.test/a", "/b", true},
		{"http://umami.test/a", "b?c", true},
		{"http://umami.test/a", "//umami.test/b", true},
		{"http://umami.test/a", "http://umami.test/b", true},
		{"http://umami.test/a", "http://umami.test:80/b", true},
		{"http://umami.test:80/a", "http://umami.test/b", true},
		{"https://umami.test:443/a", "https://umami.test/b", true},
		{"http://umami.test:3000/a", "http://umami.test:3000/b", true},
		{"http://[::1]:80/a", "http://[::1]/b", true},
		{"http://umami.test/a", "https://umami.test/b", false},
		{"https://umami.test/a", "http://umami.test/b", false},
		{"http://umami.test/a", "http://umami.test:81/b", false},
		{"http://umami.test/a", "http://umami.test:443/b", false},
		{"https://umami.test/a", "https://umami.test:80/b", false},
		{"http://umami.test:3000/a", "http://umami.test/b", false},
		{"http://umami.test/a", "http://www.umami.test/b", false},
		{"http://umami.test/a", "http://umami.test.example.com/b", false},
		{"http://umami.test/a", "http://umami.test@example.com/b", false},
		{"http://umami.test/a", "//example.com/b", false},
		{"http://umami.test/a", "ftp://umami.test/b", false},
	} {
		t.Run(tt.from+" "+tt.location, func(t *testing.T) {
			t.Parallel()
			s := &script{steps: []transport{always(308, "", "Location", tt.location), always(200, "there")}}
			req := newRequest(t.Context(), t)
			var err error
			req.URL, err = req.URL.Parse(tt.from)
			require.NoError(t, err)
			answer, err := send.New(config(s)).Do(req, "/", asItIs)
			if tt.follow {
				require.NoError(t, err)
				assert.Equal(t, "there", string(answer.Body))
			} else {
				require.ErrorIs(t, err, send.ErrRedirect)
				assert.Len(t, s.at, 1)
			}
		})
	}
}

// What follows a 101 is no body, and would come when it likes.
func TestSwitchingProtocols(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer, err := get(t.Context(), t, config(transport(func(*http.Request) (*http.Response, error) {
			resp := reply(http.StatusSwitchingProtocols, "")
			resp.Body = io.NopCloser(readerFunc(func([]byte) (int, error) { select {} }))
			return resp, nil
		})))
		require.NoError(t, err)
		assert.Equal(t, http.StatusSwitchingProtocols, answer.StatusCode)
	})
}

// A damaged body is asked for again, whatever its error is called.
func TestDamagedGzip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{cutOff(gzip.ErrHeader), cutOff(gzip.ErrChecksum), always(200, "whole")}}
		answer, err := get(t.Context(), t, config(s))
		require.NoError(t, err)
		assert.Equal(t, "whole", string(answer.Body))
	})
}

// Bodies of any size arrive whole, whether their length is known or not.
func TestBodySizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 7} {
		for _, known := range []bool{true, false} {
			text := strings.Repeat("0123456789abcdef", size/16+1)[:size]
			c := config(transport(func(*http.Request) (*http.Response, error) {
				resp := reply(200, text)
				if !known {
					resp.ContentLength = -1
				}
				return resp, nil
			}))
			c.MaxBytes = 4 << 20
			answer, err := get(t.Context(), t, c)
			require.NoError(t, err)
			assert.Len(t, answer.Body, size, "known: %v", known)
			assert.Equal(t, crc32.ChecksumIEEE([]byte(text)), crc32.ChecksumIEEE(answer.Body), "%d bytes, known: %v", size, known)
		}
	}
}

// The body of one answer stays as it is while others are read.
func TestBodiesShareNothing(t *testing.T) {
	t.Parallel()
	next := byte('a')
	s := send.New(config(transport(func(*http.Request) (*http.Response, error) {
		resp := reply(200, strings.Repeat(string(next), 1000))
		next++
		return resp, nil
	})))
	var bodies []string
	var kept [][]byte
	for range 3 {
		answer, err := s.Do(newRequest(t.Context(), t), "/", asItIs)
		require.NoError(t, err)
		kept, bodies = append(kept, answer.Body), append(bodies, string(answer.Body))
	}
	for i, c := range "abc" {
		assert.Equal(t, strings.Repeat(string(c), 1000), bodies[i])
		assert.Equal(t, bodies[i], string(kept[i]))
	}
}
