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

// StartMode says what a poller that does not resume does with the visits that are
// in the window when it starts.
type StartMode int

const (
	// EmitExisting delivers all rows of the window in the first diff.
	EmitExisting StartMode = iota
	// SkipExisting delivers only what comes later.
	SkipExisting
)

// Overflow says what happens while a slow reader has not taken a diff.
type Overflow int

const (
	// Coalesce goes on polling and merges what is not yet taken into one diff.
	Coalesce Overflow = iota
	// Block does not poll while a diff waits.
	Block
)

// PollerOptions are the settings of NewPoller; nil means the zero value. A
// negative Interval, MinInterval, MaxPending or MaxBackfill is
// ErrInvalidArgument, as is an unknown Start or Overflow.
type PollerOptions struct {
	// Interval is the time between polls, ±10%; default 10 s, as of Umami's own
	// page. Any positive duration is accepted.
	Interval time.Duration
	// MinInterval is the least time between polls while a busy site fills the
	// reply; default Interval/5, but at least 1 s. It is never above Interval: a
	// larger one is lowered to it.
	MinInterval time.Duration
	// Filters select rows, as in GetRealtime.
	Filters Filters
	// Start says what to do with visits from before the start; default
	// EmitExisting. It has no effect with Resume.
	Start StartMode
	// Resume continues from a checkpoint. NewPoller returns ErrCheckpoint if that
	// is of another website or other filters, damaged, or of a newer format.
	Resume *Checkpoint
	// Overflow says what happens while a slow reader has not taken a diff; default
	// Coalesce.
	Overflow Overflow
	// MaxPending is how many rows are held for a slow reader before Coalesce
	// becomes Block; default 10,000.
	MaxPending int
	// NoBackfill reports a Gap instead of fetching the rows that the server's limit
	// hides. Otherwise they are fetched as by ListEvents, as a part of the poll,
	// and delivered in its diff. These calls let other realtime calls of the client
	// go first when the rate budget is short, for a minute at most. A server that
	// is too old for a list of events is asked once; after a refusal or a failure,
	// the list is asked for again a minute later.
	NoBackfill bool
	// MaxBackfill is the most rows fetched for one gap, the newest of them;
	// default 10,000.
	MaxBackfill int
	// Audit also finds rows, custom events included, that reach a busy site more
	// than two minutes after their createdAt. While replies are truncated, it
	// compares once a minute how many rows the server has with how many were
	// delivered, and finds and fetches those that are missing. It costs 24 bytes
	// for each row of the window, and one call a minute; if rows are missing, up to
	// 51 calls within 15 s or one Interval, whichever is longer, and the rest a
	// minute later. It has no effect with NoBackfill.
	Audit bool
	// OnError is called with each failed poll, by the poll loop, which waits for
	// it: while it blocks, nothing is polled, and the channel stays open even
	// after a cancel. If it is nil, failed polls are only logged.
	OnError func(*PollError)
}

// PollError is one failed poll.
type PollError struct {
	Err      error         // why, after the client's own retries
	Failures int           // failed polls in a row
	Next     time.Duration // wait before the next poll; 0 if polling ends
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

// Poller reads a website's realtime traffic again and again and reports what
// changed. It promises:
//
//  1. Once. Each page view and event that the server showed in at least one
//     successful poll is delivered exactly once. Of rows alike in time, session,
//     event name, path and referrer domain, as many are delivered as the fullest
//     single reply showed. A row that vanishes and comes back is not delivered
//     again; one that comes late is delivered.
//  2. Ordered. Within a diff rows go from old to new, and diffs come in the order
//     of the server's clock.
//  3. Sessions are real. Started lists a session when it enters the window, Ended
//     once what was shown covers a whole window after its last row.
//  4. Gaps are reported, with their two instants, the reason and the number of page
//     views missed, unless the rows could be fetched: servers since 2.13 list those
//     that a reply hides. There is no false alarm while replies are not full and
//     polls succeed.
//  5. It keeps up. When replies fill, polls come sooner, down to MinInterval, so
//     that no more than half of a reply is new; except on servers that show the
//     oldest rows, where it would not help. Polls never overlap. Waits are
//     jittered, and the starts of one client's pollers are spread over the
//     interval.
//  6. A slow reader loses nothing if it takes a diff at least once in 30 minutes.
//     Memory is bounded by MaxPending rows, MaxBackfill rows, one reply, the
//     sessions of the window, and the rows that a later reply can still show:
//     those since two minutes before the oldest row of the last full reply, and
//     up to 25,000 before them on servers that show the oldest rows.
//  7. It ends cleanly. The channel is closed within 100 ms of a cancel, unless
//     OnError blocks. No goroutine is left, except one in which your OnError or
//     Auth blocks, and a login that is under way, which ends when its attempts are
//     used up. On a cancel, diffs not yet taken are dropped; if polling ends by
//     itself, they are delivered first.
//  8. Errors are seen. A failed poll goes to OnError and the logger and is counted
//     in the next diff, and polling goes on, with waits that grow up to a minute,
//     or to Interval if that is longer. Only a permanent failure ends it: a 400, a
//     401 that no new credential cured, a 403 or 404 at the first poll or from
//     Umami itself, an account that needs a second factor.
//  9. Resume. Whoever saves Diff.Checkpoint after handling a diff, and starts again
//     with it, gets every row that came in between and none that was handled,
//     within the window and the row limit. Beyond them, rows are fetched if
//     possible, and otherwise reported as a Gap.
//  10. The server's clock counts. Neither a wrong local clock nor a wrong time zone
//     of the server changes any of this.
//
// A Poller is used once: a second Start or All panics. Its methods are safe for
// concurrent use.
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

// NewPoller makes a poller of a website, given its UUID; opts may be nil. Nothing
// is sent before Start or All. A bad argument is ErrInvalidArgument; a checkpoint
// that does not fit is ErrCheckpoint. The pollers of one Client share its
// connections and its rate limit.
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

// Start begins to poll and returns the channel of diffs, which has no buffer and
// is closed when polling ends; Err then tells why. The first poll is made at once
// or, if the client has other pollers running, after a random part of the
// interval. If you stop reading before the channel is closed, cancel ctx. A second
// call panics.
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

// All returns the diffs as a sequence: polling starts when it is ranged over, and
// ends when the loop is left. Failed polls are not in it; the last pair has an
// empty Diff and the error of Err. Ranging over it a second time, or after Start,
// panics.
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

// Err tells why polling ended: the context's error after a cancel, otherwise the
// permanent failure. It is nil until polling has ended.
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

// Format writes what String returns for every verb, so that printing never reads
// a poller at work.
func (p *Poller) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }
