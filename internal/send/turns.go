package send

import (
	"context"
	"slices"
	"sync"
	"time"
)

type patience struct{}

// Patient marks calls that let others go first where the budget is short, and
// that are not tried again where no answer came in time.
func Patient(ctx context.Context) context.Context {
	return context.WithValue(ctx, patience{}, true)
}

func isPatient(ctx context.Context) bool { return ctx.Value(patience{}) != nil }

// longestPatience is how long a patient call lets others go first.
const longestPatience = time.Minute

// turns hands out places. Who waits for one gets it in the order of asking, but
// patient calls after all others.
type turns struct {
	mu      sync.Mutex
	free    int
	urgent  []*turn
	patient []*turn
}

type turn struct {
	given chan struct{}
	since time.Time
}

// take waits for a place, until ctx ends.
func (t *turns) take(ctx context.Context) error {
	t.mu.Lock()
	if t.free > 0 { // then nobody waits
		t.free--
		t.mu.Unlock()
		return nil
	}
	mine, queue := &turn{make(chan struct{}), time.Now()}, &t.urgent
	if isPatient(ctx) {
		queue = &t.patient
	}
	*queue = append(*queue, mine)
	t.mu.Unlock()
	select {
	case <-mine.given:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(*queue, mine)
	if i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 { // given at the same moment
		t.give()
	}
	return ctx.Err()
}

// give gives a place back, to the next one who waits.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := &t.urgent
	if len(t.patient) > 0 && (len(t.urgent) == 0 || time.Since(t.patient[0].since) > longestPatience) {
		queue = &t.patient
	}
	if len(*queue) == 0 {
		t.free++
		return
	}
	close((*queue)[0].given)
	*queue = slices.Delete(*queue, 0, 1)
}
