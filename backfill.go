package umami

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/seed721439b2/umami-go/internal/diff"
	"github.com/seed721439b2/umami-go/internal/send"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// digest takes a reply into the core, together with the rows that it hides.
// reason tells why some of those could not be had, "" where all were.
func (p *Poller) digest(ctx context.Context, reply *wire.Reply) (change diff.Change, reason GapReason) {
	if reply.Limit != p.limit { // another server version
		p.limit, p.unlisted = reply.Limit, unlisted{}
	}
	step := p.core.Begin(reply)
	if p.opts.NoBackfill || step.Skipped() {
		return step.Finish(), ""
	}
	open, closed := step.Hidden()
	audit := p.opts.Audit && reply.Truncated && reply.Timestamp.Sub(p.audited) >= time.Minute
	if open.IsZero() && len(closed) == 0 && !audit {
		return step.Finish(), ""
	}
	if !open.IsZero() && p.lists() {
		reason = p.fill(ctx, step, diff.Span{From: open, To: step.Now()})
		_, closed = step.Hidden() // of a server that shows the oldest rows, it is known only now
	}
	for _, span := range closed {
		if p.lists() {
			reason = cmp.Or(reason, p.search(ctx, step, span))
		}
	}
	if audit && p.lists() {
		p.audited = reply.Timestamp
		ctx, cancel := context.WithTimeout(ctx, max(p.opts.Interval, longestAudit))
		defer cancel()
		reason = cmp.Or(reason, p.search(ctx, step, step.Past()))
	}
	if !p.lists() {
		reason = cmp.Or(reason, p.unlisted.reason)
	}
	return step.Finish(), reason
}

// lists says whether to ask for a list of events.
func (p *Poller) lists() bool {
	return !p.unlisted.never && !time.Now().Before(p.unlisted.until)
}

// unlisted says why no list of events is asked for, and until when: a server
// that fails has enough to do. One that is too old to have such a list is never
// asked again.
type unlisted struct {
	reason GapReason
	until  time.Time
	never  bool
}

const afterFailure = time.Minute

var errIncomplete = errors.New("the list of events lacks rows that the realtime reply shows")

// fill fetches the rows of a span that ends now, newest first, and enters them
// as far as it gets.
func (p *Poller) fill(ctx context.Context, step *diff.Step, span diff.Span) GapReason {
	rows, err := p.list(ctx, span)
	from := span.From
	if n := len(rows); err != nil && n > 0 { // of the oldest instant, there may be more
		last := rows[n-1].CreatedAt
		from = last.Add(time.Millisecond)
		rows = slices.DeleteFunc(rows, func(row wire.Row) bool { return row.CreatedAt.Equal(last) })
	}
	broken := err != nil && !errors.Is(err, errMaxBackfill) && !errors.Is(err, wire.ErrCrowded)
	if (err == nil || len(rows) > 0) && !step.Fill(from, rows, broken) {
		err = cmp.Or(err, errIncomplete)
	}
	if err == nil {
		return ""
	}
	return p.unfilled(ctx, err)
}

// The price of a search. Meanwhile nothing else is polled.
const (
	searchCalls  = 50    // at most
	searchRows   = 1_000 // are fetched rather than counted once more
	longestAudit = 15 * time.Second
)

// search finds rows of a span that were not delivered, by counting halves of it.
func (p *Poller) search(ctx context.Context, step *diff.Step, span diff.Span) GapReason {
	spans := []diff.Span{span} // the oldest last: it leaves the window first
	for calls := 0; len(spans) > 0 && calls < searchCalls; calls++ {
		span := spans[len(spans)-1]
		spans = spans[:len(spans)-1]
		page, _, err := p.client.eventsPage(ctx, p.websiteID, wire.Span{From: span.From.UnixMilli(), To: span.To.UnixMilli()}, 1,
			p.opts.Filters, p.client.doPatiently)
		if err != nil && ctx.Err() != nil {
			return "" // the rest at another time
		}
		if err != nil {
			return p.unfilled(ctx, err)
		}
		length, exact := span.To.Sub(span.From), !page.CountIsCut()
		switch {
		case exact && page.Count <= step.Delivered(span):
		case exact && page.Count <= min(searchRows, p.opts.MaxBackfill) || length < 2*time.Second:
			rows, err := p.list(ctx, span)
			step.Add(rows)
			if err != nil && ctx.Err() == nil {
				return p.unfilled(ctx, err)
			}
			calls++
		default:
			middle := span.From.Add(length / 2).Truncate(time.Second)
			spans = append(spans, diff.Span{From: middle, To: span.To}, diff.Span{From: span.From, To: middle.Add(-time.Millisecond)})
		}
	}
	return ""
}

var errMaxBackfill = errors.New("more rows than MaxBackfill")

// list fetches the rows of a span, newest first, those that come before an
// error included.
func (p *Poller) list(ctx context.Context, span diff.Span) ([]wire.Row, error) {
	var rows []wire.Row
	asked := EventsOptions{
		StartAt: inRange(span.From), EndAt: inRange(span.To),
		PageSize: min(p.opts.MaxBackfill, p.client.pageSize()-1) + 1, Filters: p.opts.Filters,
	}
	for row, err := range p.client.listEvents(ctx, p.websiteID, asked, p.client.doPatiently) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, row.Row)
		if len(rows) > p.opts.MaxBackfill {
			return rows, errMaxBackfill
		}
	}
	return rows, nil
}

// unfilled tells why rows could not be fetched.
func (p *Poller) unfilled(ctx context.Context, err error) GapReason {
	reason := GapBackfillFailed
	refused, _ := errors.AsType[*APIError](err)
	switch {
	case errors.Is(err, errMaxBackfill) || errors.Is(err, wire.ErrCrowded):
		reason = GapBackfillLimit
	case errors.Is(err, wire.ErrNoListing):
		reason = GapBackfillUnavailable
	case refused == nil:
	case refused.StatusCode == http.StatusNotFound || refused.StatusCode == http.StatusMethodNotAllowed:
		reason = GapBackfillUnavailable
	case refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusForbidden:
		reason = GapBackfillRefused
	}
	if reason != GapBackfillLimit && !errors.Is(err, errIncomplete) {
		p.unlisted = unlisted{reason, time.Now().Add(afterFailure), errors.Is(err, wire.ErrNoListing)}
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		p.client.sender.Log.LogAttrs(ctx, slog.LevelWarn, "umami: backfill failed",
			slog.Any("error", err), slog.String("reason", string(reason)))
	}
	return reason
}

// doPatiently is do for calls that let realtime calls go first, and that leave
// a credential alone which those have just been accepted with.
func (c *Client) doPatiently(ctx context.Context, r *request) ([]byte, error) {
	body, _, err := c.send(send.Patient(ctx), r, c.auth)
	return body, err
}
