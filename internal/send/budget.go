package send

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Budget holds calls back so that there are never more than a number of them
// in any window of time, seen from the server too, and so that none starts in
// a pause.
type Budget struct {
	turns  *turns // nil: no limit
	window time.Duration

	mu     sync.Mutex
	paused time.Time
}

// NewBudget allows n calls in any window; n <= 0 sets no limit.
func NewBudget(n int, window time.Duration) *Budget {
	b := &Budget{window: window}
	if n > 0 {
		b.turns = &turns{free: n}
	}
	return b
}

// Wait returns when a call may start. done must be called at its end: its
// place is free again a window after the answer, not after the start, because
// the server may have counted it at any time in between.
func (b *Budget) Wait(ctx context.Context) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotSent, err)
	}
	done = func() {}
	if b.turns != nil {
		if err := b.turns.take(ctx); err != nil {
			return nil, fmt.Errorf("%w, held back by the rate limit: %w", errNotSent, err)
		}
		done = func() { time.AfterFunc(b.window, b.turns.give) }
	}
	for {
		until := b.pausedUntil()
		pause := time.Until(until)
		if pause <= 0 {
			return done, nil
		}
		if deadline, ok := ctx.Deadline(); ok && deadline.Before(until) {
			b.unused()
			return nil, fmt.Errorf("%w, held back for %v by a 429: %w", errNotSent, pause.Round(time.Millisecond), context.DeadlineExceeded)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			b.unused()
			return nil, fmt.Errorf("%w, held back by a 429: %w", errNotSent, ctx.Err())
		}
	}
}

// unused gives the place of a call back that did not start.
func (b *Budget) unused() {
	if b.turns != nil {
		b.turns.give()
	}
}

// Pause lets no call start for d from now.
func (b *Budget) Pause(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := time.Now().Add(d); until.After(b.paused) {
		b.paused = until
	}
}

func (b *Budget) pausedUntil() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.paused
}
