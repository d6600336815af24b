package umami_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

const (
	umamiForbidden = `{"error":{"message":"Forbidden","code":"forbidden","status":403}}`
	umamiNotFound  = `{"error":"Not found"}` // as 2.16 to 2.20 write it
)

// Which failures end the polling: each meets the first poll, or a later one.
func TestPollerErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault       umamitest.Fault
		first, then error // what ends the polling; nil: it goes on
	}{
		"400":                      {umamitest.Status(400, "bad request"), umami.ErrBadRequest, umami.ErrBadRequest},
		"401":                      {umamitest.ExpiredToken(), umami.ErrUnauthorized, umami.ErrUnauthorized},
		"403 of a proxy":           {umamitest.Page(403), umami.ErrForbidden, nil},
		"403 of a proxy, JSON":     {umamitest.Status(403, `{"message":"no"}`), umami.ErrForbidden, nil},
		"403 of Umami":             {umamitest.Status(403, umamiForbidden), umami.ErrForbidden, umami.ErrForbidden},
		"404 of a proxy":           {umamitest.Page(404), umami.ErrNotFound, nil},
		"404 of a proxy, empty":    {umamitest.Status(404, ""), umami.ErrNotFound, nil},
		"404 of Umami":             {umamitest.Status(404, umamiNotFound), umami.ErrNotFound, umami.ErrNotFound},
		"405":                      {umamitest.Status(405, ""), nil, nil},
		"409":                      {umamitest.Status(409, umamiForbidden), nil, nil},
		"429":                      {umamitest.StatusRetryAfter(429, time.Second), nil, nil},
		"500":                      {umamitest.Status(500, ""), nil, nil},
		"502 page":                 {umamitest.Page(502), nil, nil},
		"503":                      {umamitest.StatusRetryAfter(503, time.Second), nil, nil},
		"broken connection":        {umamitest.Reset(), nil, nil},
		"no answer":                {umamitest.Hang(), nil, nil},
		"body that breaks off":     {umamitest.Cut(), nil, nil},
		"page in place of a reply": {umamitest.Page(200), nil, nil},
		"null":                     {umamitest.Body("null"), nil, nil},
		"something else":           {umamitest.Body(`{"visitors":1}`), nil, nil},
		"too large":                {umamitest.Body(strings.Repeat(" ", 1<<20)), nil, nil},
		"304":                      {umamitest.Status(304, ""), nil, nil},
	} {
		for when, want := range map[string]error{"first": c.first, "later": c.then} {
			t.Run(name+", "+when, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{}))
					var told []*umami.PollError
					p := newPoller(t, srv.Client(noRetry, umami.WithMaxResponseBytes(1<<20-1)), &umami.PollerOptions{
						NoBackfill: true,
						OnError:    func(e *umami.PollError) { told = append(told, e) },
					})
					if when == "first" {
						srv.Fail(1, c.fault)
					}
					diffs := p.Start(t.Context())
					good := 0
					if when == "later" {
						take(t, diffs)
						srv.Fail(1, c.fault)
						good = 1
					}
					time.Sleep(time.Minute)
					synctest.Wait()
					require.Len(t, told, 1)
					require.ErrorContains(t, told[0].Err, "umami: poll: ")
					assert.Equal(t, 1, told[0].Failures)
					if want == nil {
						assert.Positive(t, told[0].Next)
						require.NoError(t, p.Err())
						d := take(t, diffs)
						assert.Equal(t, 1, d.Failures)
						assert.Equal(t, good == 0, d.Initial)
						return
					}
					assert.Zero(t, told[0].Next)
					ended(t, diffs)
					assert.Len(t, srv.Requests(), good+1)
					require.ErrorIs(t, p.Err(), want)
					assert.Equal(t, told[0].Err, p.Err())
				})
			})
		}
	}
}

// A server that is being replaced may first be down, and then a proxy's page:
// only a 404 that comes before everything else tells of a wrong URL.
func TestPollerStartsDuringADeploy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		srv.Fail(1, umamitest.Reset())
		srv.Fail(2, umamitest.Page(404))
		diffs := newPoller(t, srv.Client(noRetry), nil).Start(t.Context())
		assert.Equal(t, 3, take(t, diffs).Failures)
	})
}

// What a replaced credential makes of a 401.
func TestPollerRefresh(t *testing.T) {
	t.Parallel()
	login := func(t *testing.T, srv *umamitest.Server, password string) *umami.Client {
		t.Helper()
		c, err := umami.NewClient(srv.URL, umami.Login(umamitest.Username, password), umami.WithHTTPClient(srv.HTTPClient()), noRetry)
		require.NoError(t, err)
		return c
	}
	expire := func(fault *umamitest.Fault) func(*umamitest.Server) {
		return func(srv *umamitest.Server) {
			srv.ExpireTokens()
			if fault != nil {
				srv.Fail(1, umamitest.ExpiredToken())
				srv.Fail(1, *fault)
			}
		}
	}
	for name, c := range map[string]struct {
		opts     []umamitest.Option
		password string
		later    func(*umamitest.Server) // after the first diff; nil: there is none
		failures int
		want     error // nil: it goes on
	}{
		"expired token": {nil, umamitest.Password, expire(nil), 0, nil},
		"refused twice": {nil, umamitest.Password, func(srv *umamitest.Server) {
			srv.Fail(1, umamitest.ExpiredToken())
			srv.Fail(1, umamitest.Delay(0))
			srv.Fail(1, umamitest.ExpiredToken())
		}, 1, umami.ErrUnauthorized},
		"login loses its connection":      {nil, umamitest.Password, expire(new(umamitest.Reset())), 1, nil},
		"login gets no answer":            {nil, umamitest.Password, expire(new(umamitest.Hang())), 1, nil},
		"login meets a proxy's page":      {nil, umamitest.Password, expire(new(umamitest.Page(502))), 1, nil},
		"login meets a proxy's page, 200": {nil, umamitest.Password, expire(new(umamitest.Page(200))), 1, nil},
		"login meets a proxy's page, 404": {nil, umamitest.Password, expire(new(umamitest.Page(404))), 1, nil},
		"login has to wait":               {nil, umamitest.Password, expire(new(umamitest.StatusRetryAfter(429, time.Second))), 1, nil},
		"login is switched off":           {nil, umamitest.Password, expire(new(umamitest.Status(403, umamiForbidden))), 1, umami.ErrForbidden},
		"password was changed":            {nil, umamitest.Password, expire(new(umamitest.Status(401, unauthorized))), 1, umami.ErrUnauthorized},
		"wrong password":                  {nil, "wrong", nil, 1, umami.ErrUnauthorized},
		"second factor":                   {[]umamitest.Option{umamitest.WithTwoFactor()}, umamitest.Password, nil, 1, umami.ErrTwoFactorRequired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(append(c.opts, umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{}))...)
				failures := 0
				p := newPoller(t, login(t, srv, c.password), &umami.PollerOptions{NoBackfill: true, OnError: func(*umami.PollError) { failures++ }})
				diffs := p.Start(t.Context())
				if c.later != nil {
					take(t, diffs)
					c.later(srv)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				assert.Equal(t, c.failures, failures)
				if c.want == nil {
					require.NoError(t, p.Err())
					assert.Equal(t, c.failures, take(t, diffs).Failures)
					return
				}
				ended(t, diffs)
				require.ErrorIs(t, p.Err(), c.want)
			})
		})
	}
}

// An error of the importer's own Auth is not the server's, and may heal.
func TestPollerAuthError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken, asked := errors.New("the vault is sealed"), 0
		auth := authFunc(func(context.Context, *http.Request) error {
			if asked++; asked < 3 {
				return broken
			}
			return nil
		})
		p := newPoller(t, newClient(t, always(200, idle), auth), &umami.PollerOptions{OnError: func(e *umami.PollError) {
			assert.ErrorIs(t, e, broken)
		}})
		assert.Equal(t, 2, take(t, p.Start(t.Context())).Failures)
	})
}

func TestPollerBacksOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		interval time.Duration
		bounds   []time.Duration // of the waits; the last one holds from then on
	}{
		"default": {0, []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute}},
		"short": {50 * time.Millisecond, []time.Duration{
			50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond,
			1600 * time.Millisecond, 3200 * time.Millisecond, 6400 * time.Millisecond, 12800 * time.Millisecond, 25600 * time.Millisecond,
			51200 * time.Millisecond, time.Minute,
		}},
		"a minute":          {time.Minute, []time.Duration{time.Minute}},
		"an hour":           {time.Hour, []time.Duration{time.Hour}},
		"78 hours":          {1<<48 + 1, []time.Duration{1<<48 + 1}}, // no good to shift
		"longest":           {1<<63 - 1, []time.Duration{1<<63 - 1}},
		"a nanosecond":      {1, []time.Duration{1, 2, 4, 8}},
		"three nanoseconds": {3, []time.Duration{3, 6, 12}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				failures := 40
				if c.interval > 1<<60 {
					failures = 1
				}
				srv := umamitest.NewServer(umamitest.InProcess())
				srv.Fail(failures, umamitest.Status(503, ""))
				var told []*umami.PollError
				diffs := newPoller(t, srv.Client(noRetry), &umami.PollerOptions{
					Interval: c.interval, OnError: func(e *umami.PollError) { told = append(told, e) },
				}).Start(t.Context())
				if failures == 1 {
					synctest.Wait()
				} else {
					assert.Equal(t, failures, (<-diffs).Failures)
					for i, w := range waitsBetween(srv.Requests()) {
						assert.Equal(t, w, told[i].Next)
					}
				}
				require.Len(t, told, failures)
				different := make(map[time.Duration]bool)
				for i, e := range told {
					bound := c.bounds[min(i, len(c.bounds)-1)]
					if c.interval == 1 || c.interval == 3 { // on and on
						bound = min(c.interval<<i, time.Minute)
					}
					assert.Equal(t, i+1, e.Failures)
					assert.True(t, bound/2 <= e.Next && e.Next <= bound && e.Next > 0, "wait %d is %v, not %v to %v", i, e.Next, bound/2, bound)
					different[e.Next] = true
				}
				if failures > 1 {
					assert.Greater(t, len(different), failures/2, "no jitter")
				}
			})
		})
	}
}

// After the first success the pace is the interval's again, and failures are
// counted from one.
func TestPollerPaceComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithTraffic(umamitest.Traffic{}))
		var failures []int
		diffs := newPoller(t, srv.Client(noRetry), &umami.PollerOptions{
			OnError: func(e *umami.PollError) { failures = append(failures, e.Failures) },
		}).Start(t.Context())
		take(t, diffs)
		for range 2 {
			srv.Fail(4, umamitest.Reset())
			d := take(t, diffs)
			assert.Equal(t, 4, d.Failures)
			assert.Zero(t, take(t, diffs).Failures)
		}
		time.Sleep(time.Minute)
		waits := waitsBetween(srv.Requests())
		between(t, 9*time.Second, 11*time.Second, waits[len(waits)-5:])
		assert.Equal(t, []int{1, 2, 3, 4, 1, 2, 3, 4}, failures)
	})
}

// What the server asks for is waited for, but no longer than the longest wait.
func TestPollerRetryAfter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault umamitest.Fault
		want  time.Duration
	}{
		"503":          {umamitest.StatusRetryAfter(503, 45*time.Second), 45 * time.Second},
		"429":          {umamitest.StatusRetryAfter(429, 20*time.Second), 20 * time.Second},
		"503, an hour": {umamitest.StatusRetryAfter(503, time.Hour), time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := umamitest.NewServer(umamitest.InProcess())
				srv.Fail(1, c.fault)
				diffs := newPoller(t, srv.Client(noRetry), &umami.PollerOptions{OnError: func(e *umami.PollError) {
					assert.Equal(t, c.want, e.Next)
				}}).Start(t.Context())
				take(t, diffs)
				assert.Equal(t, []time.Duration{c.want}, waitsBetween(srv.Requests()))
			})
		})
	}
}

func TestPollError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := umamitest.NewServer(umamitest.InProcess())
		srv.Fail(1, umamitest.Page(502))
		srv.Fail(1, umamitest.Body(`{"events":[{"createdAt":"yesterday"}],"timestamp":1}`))
		srv.Fail(1, umamitest.Status(400, "bad"))
		var told []*umami.PollError
		p := newPoller(t, srv.Client(noRetry), &umami.PollerOptions{OnError: func(e *umami.PollError) { told = append(told, e) }})
		for range p.Start(t.Context()) {
		}
		require.Len(t, told, 3)
		for _, e := range told {
			assert.Equal(t, 1, strings.Count(e.Error(), "umami: "), e.Error())
			assert.True(t, strings.HasPrefix(e.Error(), "umami: poll: GET /api/realtime/"), e.Error())
			assert.Equal(t, e.Err, errors.Unwrap(e))
		}
		require.ErrorIs(t, told[0], umami.ErrServer)
		refused, ok := errors.AsType[*umami.APIError](error(told[0]))
		require.True(t, ok)
		assert.Equal(t, 502, refused.StatusCode)
		assert.Contains(t, told[0].Error(), "failure 1 in a row, next poll in ")
		undecoded, ok := errors.AsType[*umami.DecodeError](error(told[1]))
		require.True(t, ok)
		assert.Equal(t, "/events/0/createdAt", undecoded.Field)
		require.ErrorIs(t, told[2], umami.ErrBadRequest)
		assert.Contains(t, told[2].Error(), "(polling ends)")
		require.ErrorIs(t, p.Err(), umami.ErrBadRequest)
		assert.Equal(t, 1, strings.Count(p.Err().Error(), "umami: "))
		found, ok := errors.AsType[*umami.PollError](error(told[1]))
		require.True(t, ok)
		assert.Same(t, told[1], found)
	})
}

func TestPollerLogsFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const secret = "umami_Vt5Kq9Zs2Hx8"
		var log bytes.Buffer
		server := &script{steps: []transport{always(503, "token "+secret), always(200, `{"token":"`+secret+`"}`), always(401, secret)}}
		client := newClient(t, server, umami.BearerToken(secret), noRetry, umami.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
		p := newPoller(t, client, &umami.PollerOptions{Filters: umami.Filters{Path: "/private"}})
		for range p.Start(t.Context()) {
		}
		require.ErrorIs(t, p.Err(), umami.ErrUnauthorized)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		require.Len(t, lines, 3, log.String())
		for i, line := range lines {
			assert.Contains(t, line, `"level":"WARN","msg":"umami: poll failed"`)
			assert.Contains(t, line, `"failures":`+string(rune('1'+i)))
			assert.Contains(t, line, `"next":`)
			assert.NotContains(t, line, secret)
			assert.NotContains(t, line, "private")
		}
		assert.Contains(t, lines[0], `"status":503`)
		assert.Contains(t, lines[2], `"next":0`)
		assert.NotContains(t, p.Err().Error(), secret)
	})
}
