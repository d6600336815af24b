package send_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/send"
)

// However calls come, fail, are slow, tried again or redirected: there are
// never more than n of them in any window, at whatever moment between sending
// and answer the server counts them.
func TestBudgetProperty(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 1))
			n, window := 1+random.IntN(12), time.Duration(1+random.IntN(20_000))*time.Millisecond
			upTo := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d))) }
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var counted []time.Time
				server := transport(func(req *http.Request) (*http.Response, error) {
					mu.Lock()
					before, after, kind := upTo(window), upTo(window), random.IntN(8)
					mu.Unlock()
					time.Sleep(before)
					mu.Lock()
					counted = append(counted, time.Now())
					mu.Unlock()
					select {
					case <-time.After(after):
					case <-req.Context().Done():
						return nil, req.Context().Err()
					}
					switch kind {
					case 0:
						return reply(500, ""), nil
					case 1:
						return reply(429, "", "Retry-After", "1"), nil
					case 2:
						return nil, io.EOF
					case 3:
						return reply(307, "", "Location", "/other"), nil
					}
					return reply(200, ""), nil
				})
				c := config(server)
				c.Budget, c.Timeout = send.NewBudget(n, window), window
				s := send.New(c)
				var wg sync.WaitGroup
				for range 10 * n {
					wg.Go(func() {
						mu.Lock()
						start, patience := upTo(5*window), 2*window+upTo(30*window)
						if random.IntN(2) == 0 {
							start = 0 // all at once
						}
						mu.Unlock()
						time.Sleep(start)
						ctx, cancel := context.WithTimeout(t.Context(), patience)
						defer cancel()
						_, _ = s.Do(newRequest(ctx, t), "/", asItIs)
					})
				}
				wg.Wait()
				slices.SortFunc(counted, time.Time.Compare)
				require.Greater(t, len(counted), n, "nothing was limited")
				for i := n; i < len(counted); i++ {
					require.GreaterOrEqual(t, counted[i].Sub(counted[i-n]), window, "%d calls in less than %v", n+1, window)
				}
			})
		})
	}
}

// The limit is used: n calls at once, and the next as soon as it allows.
func TestBudgetIsUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := send.NewBudget(3, 10*time.Second)
		began := time.Now()
		var at []time.Duration
		for range 9 {
			done, err := b.Wait(t.Context())
			require.NoError(t, err)
			at = append(at, time.Since(began))
			done()
		}
		assert.Equal(t, []time.Duration{0, 0, 0, 10e9, 10e9, 10e9, 20e9, 20e9, 20e9}, at)
	})
}

func TestBudgetOff(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			b := send.NewBudget(n, time.Hour)
			for range 1000 {
				done, err := b.Wait(t.Context())
				require.NoError(t, err)
				defer done()
			}
		})
	}
}

// Who came first goes first, so that nobody waits for ever on a busy client.
func TestBudgetIsFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := send.NewBudget(1, time.Second)
		var order []int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				done, err := b.Wait(t.Context())
				if assert.NoError(t, err) {
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					done()
				}
			})
		}
		wg.Wait()
		assert.Len(t, order, 50)
		assert.True(t, slices.IsSorted(order), order)
	})
}

// Who gives up leaves its place to others, whether it waits for its turn or
// for the end of a pause.
func TestBudgetWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := send.NewBudget(2, 10*time.Second)
		giveUp := func(after time.Duration) {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(after, cancel)
			began := time.Now()
			done, err := b.Wait(ctx)
			require.ErrorIs(t, err, context.Canceled)
			assert.Nil(t, done)
			assert.Equal(t, after, time.Since(began))
		}
		b.Pause(5 * time.Second)
		for range 4 {
			giveUp(time.Second)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		_, err := b.Wait(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, began, time.Now(), "a deadline before the end of the pause ends the wait at once")
		for range 2 {
			done, err := b.Wait(t.Context())
			require.NoError(t, err)
			done()
		}
		assert.Equal(t, time.Second, time.Since(began), "the rest of the pause")
		for range 4 {
			giveUp(2 * time.Second)
		}
		_, err = b.Wait(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 11*time.Second, time.Since(began))
	})
}

func TestBudgetNothingStartsInAPause(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 4} {
		synctest.Test(t, func(t *testing.T) {
			b := send.NewBudget(n, time.Hour)
			began := time.Now()
			b.Pause(5 * time.Second)
			b.Pause(2 * time.Second) // no pause shortens another
			b.Pause(-time.Second)
			time.AfterFunc(4*time.Second, func() { b.Pause(3 * time.Second) })
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					_, err := b.Wait(t.Context())
					assert.Equal(t, 7*time.Second, time.Since(began))
					assert.NoError(t, err)
				})
			}
			wg.Wait()
		})
	}
}

// A call whose context ends in the queue was not sent: it says so, and counts
// no attempt.
func TestBudgetHeldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []transport{always(503, "", "Retry-After", "1")}}
		c := config(s)
		c.Budget = send.NewBudget(1, time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		answer, err := get(ctx, t, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, "not sent, held back by the rate limit: context deadline exceeded", err.Error())
		assert.Len(t, s.at, 1)
		assert.Equal(t, 1, answer.Attempts)
		assert.Equal(t, 503, answer.StatusCode)
	})
}

// RoundTripper's promise holds for a body that is never sent.
func TestBudgetHeldBackClosesTheBody(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("gone"))
	body := &closer{}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://umami.test", body)
	require.NoError(t, err)
	s := send.New(config(always(200, "")))
	resp, err := s.HTTP.Transport.RoundTrip(req) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, context.Canceled)
	assert.Nil(t, resp)
	assert.True(t, body.closed)
}

type closer struct{ closed bool }

func (c *closer) Read([]byte) (int, error) { return 0, io.EOF }

func (c *closer) Close() error {
	c.closed = true
	return nil
}

// Patient calls let all others go first, but not for ever.
func TestBudgetPatience(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		urgent int // calls that come meanwhile, one a second
		place  int // of the patient call among them
	}{
		"others go first":   {urgent: 20, place: 20},
		"within a minute":   {urgent: 100, place: 60},
		"nobody else waits": {urgent: 0, place: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := send.NewBudget(1, time.Second)
				var order []string
				var mu sync.Mutex
				var wg sync.WaitGroup
				call := func(ctx context.Context, name string) {
					wg.Go(func() {
						done, err := b.Wait(ctx)
						if assert.NoError(t, err) {
							mu.Lock()
							order = append(order, name)
							mu.Unlock()
							done()
						}
					})
				}
				call(t.Context(), "first")
				synctest.Wait()
				call(send.Patient(t.Context()), "patient")
				for range c.urgent {
					call(t.Context(), "urgent")
				}
				wg.Wait()
				assert.Equal(t, 1+c.place, slices.Index(order, "patient"))
			})
		})
	}
}
