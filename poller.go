package umami

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"github.com/seed721439b2/umami-go/internal/diff"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// StartMode says what a poller that does not resume makes of the visits that
// are there when it starts.
type StartMode int

const (
	// EmitExisting delivers in the first diff all rows of the window.
	EmitExisting StartMode = iota
	// SkipExisting delivers only what comes later.
	SkipExisting
)

// Overflow says what a slow reader gets.
type Overflow int

const (
	// Coalesce goes on polling and merges what is not yet taken into one diff.
	Coalesce Overflow = iota
	// Block does not poll while a diff waits.
	Block
)

// PollerOptions are the settings of NewPoller; nil means the zero value.
type PollerOptions struct {
	// Interval is the time between polls, give or take a tenth; default 10 s,
	// as Umami's own page polls. Any positive duration is accepted.
	Interval time.Duration
	// MinInterval is how fast polls may follow each other while a busy site
	// fills the reply; default Interval/5 and at least 1 s. It is never above
	// Interval.
	MinInterval time.Duration
	// Filters are as of GetRealtime.
	Filters Filters
	// Start says what becomes of visits from before the start.
	Start StartMode
	// Resume goes on where an earlier poller stopped. NewPoller returns
	// ErrCheckpoint where that cannot be: a checkpoint of another website or
	// of other filters, a damaged one, one of a newer format.
	Resume *Checkpoint
	// Overflow says what a slow reader gets.
	Overflow Overflow
	// MaxPending is the number of rows held for a slow reader before Coalesce
	// becomes Block; default 10,000.
	MaxPending int
	// NoBackfill leaves a Gap where otherwise the rows that the server's limit
	// hides are fetched, as by ListEvents. That is part of the poll, in which they
	// are delivered; it lets other realtime calls of the client go first where the
	// rate budget is short, for a minute at most. A server without a list of
	// events is asked once, one that refuses or fails again after a minute.
	NoBackfill bool
	// MaxBackfill is the number of rows fetched for one gap, the newest ones;
	// default 10,000.
	MaxBackfill int
	// Audit also finds rows that reach a busy site more than two minutes after
	// their createdAt, custom events among them. While replies are truncated, it
	// compares once a minute how many rows the server has with how many were
	// delivered. Where the server has more, it narrows the place down and fetches
	// them. It costs 24 bytes for each row of the window and one call a minute;
	// with such rows up to 51 calls, for at most 15 s or one Interval, and the rest
	// a minute later. It has no effect with NoBackfill.
	Audit bool
	// OnError gets each failed poll. It is called on the poll loop, which waits
	// for it: while it blocks, nothing is polled, and the channel stays open
	// even after a cancel. Where it is nil, only the client's logger gets them.
	OnError func(*PollError)
}

// PollError is one failed poll.
type PollError struct {
	Err      error         // why, after the client's own retries
	Failures int           // failed polls in a row
	Next     time.Duration // wait before the next poll; 0 where polling ends
}

// Error tells the reason and what happens next.
func (e *PollError) Error() string {
	if e.Next == 0 {
		return fmt.Sprintf("%v (polling ends)", e.Err)
	}
	return fmt.Sprintf("%v (failure %d in a row, next poll in %v)", e.Err, e.Failures, e.Next.Round(time.Millisecond))
}

// Unwrap returns Err.
func (e *PollError) Unwrap() error { return e.Err }

// Poller reads a website's realtime traffic again and again and tells what
// changed. It promises:
//
//  1. Once. Each page view and event that the server showed in at least one
//     successful poll is delivered exactly once. Rows alike in every column are
//     as many visits as the fullest single reply showed; a row that vanishes
//     and comes back is not delivered again; one that comes late is.
//  2. Ordered. Rows go from old to new within a diff, diffs by the server's
//     clock.
//  3. Sessions are real. Started holds a session when it enters the window,
//     Ended once what was shown covers a whole window after its last row.
//  4. A gap is said, not hidden, with its two instants, its reason and the
//     number of page views missed, unless the rows could be fetched: servers
//     since 2.13 list those that a reply hides. No false alarm while replies are
//     not full and polls succeed.
//  5. It keeps up. When replies fill, polls come sooner, down to MinInterval,
//     so that no more than half of a reply is new, except on servers that show
//     the oldest rows. Polls never overlap, the starts of one client's pollers
//     are spread out over the interval, and waits are jittered.
//  6. A slow reader loses nothing while it takes a diff at least once in 30
//     minutes. Memory is bounded by MaxPending rows, MaxBackfill rows and one reply, the sessions
//     of the window, and the rows that a later reply can still show: those
//     since the oldest row of the last full reply, less 2 minutes.
//  7. It ends cleanly. The channel is closed within 100 ms of a cancel, and no
//     goroutine is left but one in which an OnError or Auth of the caller's
//     blocks, or a login under way, which ends once its attempts are used up. Diffs
//     not yet taken are dropped; where polling ends by itself, they are delivered first.
//  8. Errors are seen. A failed poll goes to OnError and the logger and is
//     counted in the next diff; polling goes on with waits that grow up to a
//     minute, or the interval where that is longer. Only what cannot heal ends
//     it: a 400, a 401 that no new credential cured, a 403 or 404 at the first
//     poll or from Umami itself, an account with a second factor.
//  9. Resume. Who saves Diff.Checkpoint after handling a diff and starts again
//     with it gets each row that came in between and none that was handled,
//     within the window and the row limit; past them, what can be fetched, else a
//     Gap.
//  10. The server's clock counts. Neither a wrong local clock nor a wrong time
//     zone of the server changes any of this.
//
// A Poller is used once. Its methods are safe for concurrent use.
type Poller struct {
	client    *Client
	websiteID string
	opts      PollerOptions
	filters   string // as a checkpoint names them

	started atomic.Bool
	err     atomic.Pointer[error] // nil while polling

	// These belong to the poll that is under way.
	core     *diff.Core
	unlisted unlisted
	limit    int       // of the last reply
	audited  time.Time // by the server's clock

	// What follows belongs to the poll loop.
	seq      uint64
	failures int                           // failed polls in a row
	uncount  struct{ polls, failures int } // not yet in a diff
	counts   wire.Reply                    // those of the last reply, without its rows
	sessions map[string]Session            // in the window, to be told once they end
	stamp    time.Time                     // the last reply's timestamp, zero before the first
	stampAt  time.Time                     // when it came, by our own clock
}

// NewPoller makes a poller of a website, given its UUID; opts may be nil. It
// starts with Start or All. A bad argument is ErrInvalidArgument, a checkpoint
// to resume from that does not fit ErrCheckpoint. Pollers of one Client share
// its connections and its rate budget.
func (c *Client) NewPoller(websiteID string, opts *PollerOptions) (*Poller, error) {
	p, err := c.newPoller(websiteID, opts)
	if err != nil {
		return nil, fmt.Errorf("umami: new poller: %w", err)
	}
	return p, nil
}

func (c *Client) newPoller(websiteID string, opts *PollerOptions) (*Poller, error) {
	if err := checkWebsiteID(websiteID); err != nil {
		return nil, err
	}
	p := &Poller{client: c, websiteID: websiteID, sessions: make(map[string]Session)}
	if opts != nil {
		p.opts = *opts
	}
	if err := p.opts.complete(); err != nil {
		return nil, err
	}
	if _, err := (&RealtimeOptions{Filters: p.opts.Filters}).complete(inRange(time.Now())); err != nil {
		return nil, err
	}
	p.filters = p.opts.Filters.fingerprint()
	p.core = diff.New(p.opts.Start == SkipExisting)
	if cp := p.opts.Resume; cp != nil {
		if err := cp.fits(websiteID, p.filters); err != nil {
			return nil, err
		}
		p.core, p.seq = diff.Resume(cp.at.State), cp.at.Seq
		p.opts.Resume = nil // its State would stay as long as the poller
	}
	if p.opts.Audit && !p.opts.NoBackfill {
		p.core.RememberWindow()
	}
	return p, nil
}

func (o *PollerOptions) complete() error {
	if o.Interval < 0 || o.MinInterval < 0 || o.MaxPending < 0 || o.MaxBackfill < 0 {
		return fmt.Errorf("%w: Interval, MinInterval, MaxPending and MaxBackfill must not be negative", ErrInvalidArgument)
	}
	if o.Start != EmitExisting && o.Start != SkipExisting || o.Overflow != Coalesce && o.Overflow != Block {
		return fmt.Errorf("%w: unknown Start or Overflow", ErrInvalidArgument)
	}
	o.Interval = cmp.Or(o.Interval, 10*time.Second)
	o.MinInterval = min(cmp.Or(o.MinInterval, max(o.Interval/5, time.Second)), o.Interval)
	o.MaxPending = cmp.Or(o.MaxPending, 10_000)
	o.MaxBackfill = cmp.Or(o.MaxBackfill, 10_000)
	return nil
}

// Start begins to poll and returns the channel of diffs, which is closed when
// polling ends; Err then tells why. Who stops reading before that must cancel
// ctx. A second call panics.
func (p *Poller) Start(ctx context.Context) <-chan Diff {
	if p.started.Swap(true) {
		panic("umami: Poller started twice")
	}
	diffs := make(chan Diff)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(diffs)
		defer cancel()
		err := p.run(ctx, diffs)
		p.err.Store(&err)
	}()
	return diffs
}

// All begins to poll and returns the diffs as a range loop. Failed polls are
// not among them; the last pair carries Err and no Diff. Leaving the loop ends
// the polling. Like Start, it can be used once.
func (p *Poller) All(ctx context.Context) iter.Seq2[Diff, error] {
	return func(yield func(Diff, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		diffs := p.Start(ctx)
		defer func() {
			cancel()
			for range diffs { // until the loop has ended
			}
		}()
		for d := range diffs {
			if !yield(d, nil) {
				return
			}
		}
		yield(Diff{}, p.Err())
	}
}

// Err tells why polling ended: the context's error after a cancel, else what
// could not heal. It is nil as long as the channel is open.
func (p *Poller) Err() error {
	if err := p.err.Load(); err != nil {
		return *err
	}
	return nil
}

// String names the website and the server.
func (p *Poller) String() string {
	return "umami.Poller(" + p.websiteID + " of " + p.client.String() + ")"
}

// Format writes what String returns for every verb, so that printing never
// walks through a poller at work.
func (p *Poller) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }
