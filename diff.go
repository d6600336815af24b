package umami

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-querystring/query"

	"github.com/seed721439b2/umami-go/internal/diff"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// GapReason says why rows are missing. If they could not be fetched, in that poll
// or (as a list that failed is left alone for a minute) in one before, it is one of
// the GapBackfill reasons, for all gaps of that poll; otherwise it says why they
// were not shown.
type GapReason string

// The reasons for a gap.
const (
	// GapTruncated: more rows came between two polls than a reply shows.
	GapTruncated GapReason = "truncated"
	// GapOutage: no poll succeeded for longer than the window.
	GapOutage GapReason = "outage"
	// GapResume: either of them, between a checkpoint and the start.
	GapResume GapReason = "resume"
	// GapBackfillUnavailable: there is no list of events, as the server is older
	// than 2.13, or answered 404 or 405.
	GapBackfillUnavailable GapReason = "backfill-unavailable"
	// GapBackfillRefused: the list was refused with 401 or 403.
	GapBackfillRefused GapReason = "backfill-refused"
	// GapBackfillFailed: asking for the list failed, or it lacked rows that the
	// reply showed.
	GapBackfillFailed GapReason = "backfill-failed"
	// GapBackfillLimit: there are more rows than MaxBackfill, or more at one
	// instant than the server lists.
	GapBackfillLimit GapReason = "backfill-limit"
)

var reasons = map[diff.Reason]GapReason{
	diff.Truncated: GapTruncated, diff.Outage: GapOutage, diff.Resumed: GapResume,
}

// Gap is a span of time with missing rows.
type Gap struct {
	From   time.Time `json:"from"` // both inclusive
	To     time.Time `json:"to"`
	Reason GapReason `json:"reason"`
	// Missed is how many page views the server's Series has beyond those
	// delivered, in minutes that had ended when the reply was made. Those of the
	// minute still running come in a later Gap, so 0 is possible. -1 means
	// unknown. Custom events are never counted.
	Missed int `json:"missed"`
}

// Diff is what changed on a website since the previous diff. You may keep and
// change it.
type Diff struct {
	WebsiteID string    `json:"websiteId"`
	Seq       uint64    `json:"seq"`     // 1, 2, 3 …, continued after a Resume
	Time      time.Time `json:"time"`    // the server's clock at the newest snapshot in it
	Initial   bool      `json:"initial"` // the first of every start, resumed or not; its counts are changes from zero

	// Pageviews and Events are those since the previous diff, oldest first.
	Pageviews []Pageview `json:"pageviews"`
	Events    []Event    `json:"events"`
	// Started are the sessions that entered the window.
	Started []Session `json:"started"`
	// Ended are the sessions that were inactive for a whole window, in the order of
	// their last activity, whose time is in CreatedAt here. For a session from
	// before a Resume, only that and SessionID may be known.
	Ended []Session `json:"ended"`

	// URLs, Referrers, Countries and Totals are the changes of these counts since
	// the previous diff. The maps leave zeros out.
	URLs      map[string]int `json:"urls"`
	Referrers map[string]int `json:"referrers"`
	Countries map[string]int `json:"countries"`
	Totals    Totals         `json:"totals"`

	// Gaps are the spans of time with missing rows.
	Gaps []Gap `json:"gaps,omitempty"`
	// Stale is how far the newest row shown lags behind the newest minute of the
	// series, on servers that hide the newest rows of a busy site (2.13 to
	// 2.18.0); else 0. In JSON it is in nanoseconds.
	Stale time.Duration `json:"stale,omitempty"`
	// Polls and Failures are the polls since the previous diff: those that
	// succeeded, and those that failed.
	Polls    int `json:"polls"`
	Failures int `json:"failures,omitempty"`
	// Snapshot is the newest reply.
	Snapshot *Realtime `json:"snapshot,omitempty"`

	state   *diff.State
	filters string
}

// unchanged says whether a diff of a poll would be empty.
func (p *Poller) unchanged(o polled) bool {
	c := o.change
	return len(c.Rows)+len(c.Started)+len(c.Ended)+len(c.Gaps) == 0 && o.reply.Totals == p.counts.Totals &&
		maps.Equal(o.reply.URLs, p.counts.URLs) && maps.Equal(o.reply.Referrers, p.counts.Referrers) &&
		maps.Equal(o.reply.Countries, p.counts.Countries)
}

// newDiff makes the diff of a poll. The maps of its snapshot are copies: with
// those of the reply the next one is compared.
func (p *Poller) newDiff(o polled, initial bool) Diff {
	rt := newRealtime(o.reply, o.reply.Rows(), o.body)
	rt.URLs, rt.Referrers, rt.Countries = maps.Clone(rt.URLs), maps.Clone(rt.Referrers), maps.Clone(rt.Countries)
	state := p.core.State()
	d := Diff{
		WebsiteID: p.websiteID, Seq: p.seq + 1, Time: state.Now(), Initial: initial,
		Pageviews: []Pageview{}, Events: []Event{}, Started: []Session{}, Ended: []Session{},
		Stale: o.change.Stale, Polls: p.uncount.polls, Failures: p.uncount.failures, Snapshot: rt,
		state: state, filters: p.filters,
	}
	p.uncount.polls, p.uncount.failures = 0, 0
	for _, v := range o.change.Rows {
		v.Row.Key = v.Key // the snapshot is made, and stays without
		if v.Row.EventName == "" {
			d.Pageviews = append(d.Pageviews, newPageview(v.Row))
		} else {
			d.Events = append(d.Events, newEvent(v.Row))
		}
	}
	p.takeSessions(&d, o.change)
	for _, g := range o.change.Gaps {
		d.Gaps = append(d.Gaps, Gap{g.From, g.To, cmp.Or(o.reason, reasons[g.Reason]), g.Missed})
	}

	now := wire.Reply{URLs: o.reply.URLs, Referrers: o.reply.Referrers, Countries: o.reply.Countries, Totals: o.reply.Totals}
	d.URLs = diff.Changed(p.counts.URLs, now.URLs)
	d.Referrers = diff.Changed(p.counts.Referrers, now.Referrers)
	d.Countries = diff.Changed(p.counts.Countries, now.Countries)
	d.Totals = Totals(now.Totals).minus(Totals(p.counts.Totals))
	p.counts = now
	return d
}

// takeSessions fills Started and Ended.
func (p *Poller) takeSessions(d *Diff, change diff.Change) {
	shown := make(map[string]Session)
	if d.Initial || len(change.Started) > 0 {
		for _, s := range d.Snapshot.Sessions {
			shown[s.SessionID] = s
		}
	}
	if d.Initial {
		maps.Copy(p.sessions, shown)
	}
	for _, v := range change.Started {
		s, ok := shown[v.SessionID]
		if !ok && v.Row != nil { // from the list of events
			s = newSession(v.Row)
			s.ID = "" // that of the row
		}
		s.SessionID = v.SessionID
		p.sessions[v.SessionID] = s
		d.Started = append(d.Started, s)
	}
	for _, e := range change.Ended {
		s := p.sessions[e.SessionID]
		s.SessionID, s.CreatedAt = e.SessionID, e.Last
		delete(p.sessions, e.SessionID)
		d.Ended = append(d.Ended, s)
	}
}

// Empty says that nothing changed. Only an Initial diff of an idle site is
// empty; other empty diffs are not sent.
func (d Diff) Empty() bool {
	return len(d.Pageviews)+len(d.Events)+len(d.Started)+len(d.Ended)+len(d.Gaps) == 0 &&
		len(d.URLs)+len(d.Referrers)+len(d.Countries) == 0 && d.Totals == Totals{}
}

// merge adds a later diff to one that is not yet taken.
func (d Diff) merge(next Diff) Diff {
	sum := next
	sum.Initial = d.Initial
	sum.Pageviews = append(d.Pageviews, next.Pageviews...)
	sum.Events = append(d.Events, next.Events...)
	slices.SortStableFunc(sum.Pageviews, func(a, b Pageview) int { return a.CreatedAt.Compare(b.CreatedAt) })
	slices.SortStableFunc(sum.Events, func(a, b Event) int { return a.CreatedAt.Compare(b.CreatedAt) })
	id := func(s Session) string { return s.SessionID }
	started, endedNow := diff.Net(d.Started, next.Ended, id)
	ended, startedNow := diff.Net(d.Ended, next.Started, id)
	sum.Started, sum.Ended = append(started, startedNow...), append(ended, endedNow...)
	sum.URLs, sum.Referrers, sum.Countries = diff.Added(d.URLs, next.URLs), diff.Added(d.Referrers, next.Referrers), diff.Added(d.Countries, next.Countries)
	sum.Totals = next.Totals.minus(Totals{}.minus(d.Totals))
	sum.Gaps = append(d.Gaps, next.Gaps...)
	sum.Polls, sum.Failures = d.Polls+next.Polls, d.Failures+next.Failures
	return sum
}

// Checkpoint returns the position after this diff, to be saved once the diff is
// handled and given to PollerOptions.Resume. It costs nothing until it is
// marshalled.
//
// Where nothing happens no diff is sent, so that after a quiet time the latest
// checkpoint can be older than the last poll. If it is older than a window, a
// poller that resumes from it cannot know that nothing was missed: it asks the
// list of events or, where that is not to be had, reports a Gap.
func (d Diff) Checkpoint() Checkpoint {
	return Checkpoint{diff.Checkpoint{Website: d.WebsiteID, Filters: d.filters, Seq: d.Seq, State: d.state}}
}

// Checkpoint is a position in the traffic of a website. It marshals to JSON of
// about 12 bytes for each remembered row and 26 for each session of the window: a
// few kilobytes for most sites. It can be marshalled while polling goes on.
type Checkpoint struct{ at diff.Checkpoint }

// MarshalJSON writes the checkpoint. The zero value is ErrCheckpoint.
func (c Checkpoint) MarshalJSON() ([]byte, error) {
	text, err := c.at.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("umami: %w: %w", ErrCheckpoint, err)
	}
	return text, nil
}

// UnmarshalJSON reads a checkpoint. One that is damaged, or of a newer format,
// is ErrCheckpoint.
func (c *Checkpoint) UnmarshalJSON(text []byte) error {
	if err := c.at.UnmarshalJSON(text); err != nil {
		return fmt.Errorf("umami: %w: %w", ErrCheckpoint, err)
	}
	return nil
}

func (c Checkpoint) fits(websiteID, filters string) error {
	switch {
	case c.at.State == nil:
		return fmt.Errorf("%w: it is empty", ErrCheckpoint)
	case !strings.EqualFold(c.at.Website, websiteID):
		return fmt.Errorf("%w: it is of website %s", ErrCheckpoint, c.at.Website)
	case c.at.Filters != filters:
		return fmt.Errorf("%w: it was made with other filters", ErrCheckpoint)
	}
	return nil
}

// fingerprint tells two Filters apart, for checkpoints.
func (f Filters) fingerprint() string {
	if f.Match == "all" { // as without
		f.Match = ""
	}
	values, err := query.Values(f)
	if err != nil || len(values) == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte(values.Encode()))
	return hex.EncodeToString(sum[:8])
}

func (t Totals) minus(u Totals) Totals {
	return Totals{t.Views - u.Views, t.Visitors - u.Visitors, t.Events - u.Events, t.Countries - u.Countries}
}
