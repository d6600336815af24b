// Package diff tells what changed from one realtime reply to the next: which
// rows are new, which sessions began and ended, and what was never shown. It
// does no I/O and knows no clock but the server's.
package diff

import (
	"cmp"
	"slices"
	"time"

	"github.com/seed721439b2/umami-go/internal/wire"
)

const (
	// Window is the time that a reply covers, on every server since 2.0.
	Window = 30 * time.Minute
	// Memory is how long before the oldest row of a cut reply rows are
	// remembered: by as much a replica may lag behind.
	Memory = 2 * time.Minute
	// Late is how much later than its createdAt a row may well be shown: with
	// two server processes 1.4 s on PostgreSQL, 4 s on ClickHouse.
	Late = 5 * time.Second
	// fewRows are remembered for all of the window, where its oldest rows are
	// shown and others were listed: what was not listed, and late rows, can then be
	// told when they are shown.
	fewRows = 25_000
)

// Core compares each reply with all that came before. It is not safe for
// concurrent use; the States that it leaves are.
type Core struct {
	skip    bool  // what the first reply shows is not new
	resumed bool  // no reply yet since the State was restored
	whole   bool  // all rows of the window are remembered
	begun   bool  // there was a first reply
	state   State // after the last one
	step    Step

	sessions   map[string]int64 // those in the window, and their last row
	candidates []candidate      // kept from reply to reply for its memory
}

// New makes a Core that knows nothing. With skip, rows that the first reply
// shows or hides are taken for known.
func New(skip bool) *Core {
	return &Core{skip: skip, sessions: make(map[string]int64)}
}

// Resume makes a Core that goes on from a State.
func Resume(s *State) *Core {
	c := &Core{resumed: true, begun: true, state: *s, sessions: make(map[string]int64)}
	for _, m := range s.minutes {
		for _, a := range m.active {
			c.sessions[a.id] = max(c.sessions[a.id], a.last)
		}
	}
	return c
}

// RememberWindow makes the Core remember all rows of the window, not only those
// that a later reply can show.
func (c *Core) RememberWindow() { c.whole = true }

// State is what is known after the last reply, nil before the first.
func (c *Core) State() *State {
	if !c.begun {
		return nil
	}
	state := c.state
	return &state
}

// Change is what a reply changed.
type Change struct {
	Rows    []Visit // oldest first
	Started []Visit // for each session that entered the window its oldest new row; Row is nil where only the session is listed
	Ended   []Ended // sessions without a row for a whole window
	Gaps    []Gap
	// HidesNewest says that the server shows its oldest rows and hides newer
	// ones, and Stale how far what is shown lags behind what is counted.
	HidesNewest bool
	Stale       time.Duration
}

// Rate is how many rows come in a second, by what a reply brought since the
// one before and by how far back it reaches. 0 where neither tells.
func (c Change) Rate(r *wire.Reply, last time.Time) float64 {
	rate := 0.0
	if elapsed := r.Timestamp.Sub(last); !last.IsZero() && elapsed > 0 {
		rate = float64(len(c.Rows)) / elapsed.Seconds()
	}
	if shows := r.Timestamp.Sub(r.Oldest()); r.Truncated && shows > 0 {
		rate = max(rate, float64(r.Limit)/shows.Seconds())
	}
	return rate
}

// Visit is a row that was not delivered before.
type Visit struct {
	Row       *wire.Row
	Key       string // the same for the same visit in every run
	SessionID string
}

// Ended is a session that left the window.
type Ended struct {
	SessionID string
	Last      time.Time // its last row
}

// candidate is a shown row that may be new.
type candidate struct {
	seen
	row *wire.Row
}

// compare sorts by time and hash. Of rows alike, beacons come last: most servers
// don't tell them from page views, which came first then.
func (a candidate) compare(b candidate) int {
	if c := a.seen.compare(b.seen); c != 0 || a.row.Performance == b.row.Performance {
		return c
	}
	if a.row.Performance {
		return 1
	}
	return -1
}

// Step is the way from one State to the next, by one reply.
type Step struct {
	core   *Core
	reply  *wire.Reply
	prev   *State // nil at the first reply
	next   State
	change Change

	start  int64  // of the window
	shown  series // page views shown
	oldest int64  // createdAt of the oldest and the newest row shown; now where none is
	newest int64
	cut    int64             // rows before may be hidden
	passed int64             // if not 0, the clock was put back, and what came since then and before horizon cannot be told from what is known
	wanted int64             // from then on a listing is wanted
	copied bool              // next.minutes is this step's own,
	ours   map[int64]*minute // and so are these minutes

	added  bool  // rows of a listing
	filled bool  // and they are all there are
	since  int64 // from then on
}

// Begin takes the next reply. Finish ends the step, before the next one begins.
func (c *Core) Begin(r *wire.Reply) *Step {
	b := &c.step
	*b = Step{core: c, reply: r}
	if c.begun {
		b.prev = &c.state
	}
	b.begin()
	b.takeRows(r.Pageviews, r.Events)
	b.takeSessions()
	b.classify()
	return b
}

// Finish says what the reply changed, and what was filled in.
func (b *Step) Finish() Change {
	b.forget()
	b.findGaps()
	b.endSessions()
	if b.added {
		slices.SortStableFunc(b.change.Rows, func(a, b Visit) int { return a.Row.CreatedAt.Compare(b.Row.CreatedAt) })
	}
	c, change := b.core, b.change
	c.state, c.begun, c.resumed = b.next, true, false
	*b = Step{} // it holds the reply
	return change
}

// begin sets the clock. It only runs forward, whatever two servers behind one
// name say, unless it was put back for good.
func (b *Step) begin() {
	now := millis(b.reply.Timestamp)
	if b.first() {
		start := windowStart(now)
		// The reply's time is that after its queries, which may have begun in the
		// minute before.
		horizon := min(start, max(millis(b.reply.Oldest()), start-minuteMillis))
		b.next = State{now: now, newest: start, horizon: horizon, shownTo: start, doubt: start, hiddenTo: start - 1, judged: minuteOf(start) - 1}
	} else {
		if now < b.prev.now-Memory.Milliseconds() {
			b.prev = b.prev.putBack(now)
			if b.prev.horizon == now-Late.Milliseconds() {
				b.passed = windowStart(now)
			}
		}
		b.next = *b.prev
		b.next.now = max(b.next.now, now)
	}
	b.next.full = b.reply.Truncated
	b.start = windowStart(b.next.now)
	b.shown = shownViews(b.reply, b.next.now)
	b.next.series = countedViews(b.reply, b.shown, b.next.now)

	b.oldest, b.newest = b.next.now, b.start
	for _, rows := range [][]wire.Row{b.reply.Pageviews, b.reply.Events} {
		if n := len(rows); n > 0 {
			b.oldest = min(b.oldest, millis(rows[n-1].CreatedAt))
			b.newest = max(b.newest, millis(rows[0].CreatedAt))
		}
	}
	b.cut = b.oldest
}

// putBack is the State after the server's clock was put back. What is new from
// now on must not be taken for known, nor what is known for new.
func (s *State) putBack(now int64) *State {
	back := *s
	back.horizon = min(s.horizon, now-Late.Milliseconds(), s.newest+1)
	back.now, back.hiddenTo, back.judged = now, min(s.hiddenTo, now), min(s.judged, minuteOf(now))
	back.shownTo, back.doubt = min(s.shownTo, now), min(s.doubt, now)
	back.newest = windowStart(now)
	for _, m := range s.minutes {
		if i, _ := slices.BinarySearchFunc(m.seen, seen{at: now}, seen.compare); i > 0 {
			back.newest = m.seen[i-1].at
		}
	}
	return &back
}

// first says whether nothing at all was known before this reply.
func (b *Step) first() bool { return b.prev == nil }

// Skipped says whether what this reply shows is taken for known.
func (b *Step) Skipped() bool { return b.first() && b.core.skip }

// own returns the minute n to be changed.
func (b *Step) own(n int64) *minute {
	if m := b.ours[n]; m != nil {
		return m
	}
	if !b.copied {
		b.next.minutes, b.copied = slices.Clone(b.next.minutes), true
		b.ours = make(map[int64]*minute)
	}
	m := &minute{n: n}
	i, ok := b.next.search(n)
	if ok {
		*m = *b.next.minutes[i]
		b.next.minutes[i] = m
	} else {
		b.next.minutes = slices.Insert(b.next.minutes, i, m)
	}
	b.ours[n] = m
	return m
}

// takeRows finds the rows that are new. Rows alike in every column that tells
// them apart are as many visits as the fullest reply showed.
func (b *Step) takeRows(lists ...[]wire.Row) {
	candidates := b.core.candidates[:0]
	for _, rows := range lists {
		for i := range rows {
			row := &rows[len(rows)-1-i] // from old to new, which is quick to sort
			if at := millis(row.CreatedAt); at >= b.next.horizon {
				candidates = append(candidates, candidate{seen{at: at, hash: hash(row)}, row})
			}
		}
	}
	b.core.candidates = candidates
	slices.SortStableFunc(candidates, candidate.compare)

	var additions []seen
	for i := 0; i < len(candidates); {
		n := minuteOf(candidates[i].at)
		var remembered []seen
		if m := b.next.find(n); m != nil {
			remembered = m.seen
		}
		from := len(b.change.Rows)
		additions = additions[:0]
		for i < len(candidates) && minuteOf(candidates[i].at) == n {
			alike := i + 1
			for alike < len(candidates) && candidates[alike].seen == candidates[i].seen {
				alike++
			}
			var before seen
			before, remembered = known(remembered, candidates[i].seen)
			if added := b.takeAlike(before, candidates[i:alike]); added.count > 0 {
				additions = append(additions, added)
			}
			i = alike
		}
		if len(additions) > 0 {
			b.remember(n, additions, b.change.Rows[from:])
		}
	}
	if b.Skipped() {
		b.change.Rows = nil
	}
	clear(candidates) // the rows are the caller's
}

// takeAlike delivers those of some rows alike that are more than known, and
// returns what is known then, with a count of 0 where none is new. Beacons come
// last among the rows; which of the known ones were beacons tells which of these
// are new.
func (b *Step) takeAlike(known seen, rows []candidate) seen {
	fresh := len(rows) - int(known.count)
	if fresh <= 0 {
		return seen{}
	}
	beacons := 0
	for beacons < len(rows) && rows[len(rows)-1-beacons].row.Performance {
		beacons++
	}
	newBeacons := min(fresh, max(0, beacons-int(known.beacons)))
	newViews := fresh - newBeacons
	for k, c := range append(slices.Clip(rows[:newViews]), rows[len(rows)-newBeacons:]...) {
		b.change.Rows = append(b.change.Rows, Visit{Row: c.row, Key: Key(c.row, int(known.count)+k), SessionID: c.row.SessionID})
	}
	known.count += int32(fresh)        //nolint:gosec // a reply has fewer rows
	known.beacons += int32(newBeacons) //nolint:gosec // as above
	return known
}

// remember enters new rows of one minute.
func (b *Step) remember(n int64, additions []seen, rows []Visit) {
	m := b.own(n)
	m.seen = merge(m.seen, additions, seen.compare)
	var touched []active
	for _, r := range rows {
		if r.Row.EventName == "" && !r.Row.Performance {
			m.views++
		}
		at := millis(r.Row.CreatedAt)
		if at <= b.next.now {
			b.next.newest = max(b.next.newest, at)
		}
		if r.SessionID == "" {
			continue
		}
		last, inWindow := b.core.sessions[r.SessionID]
		if !inWindow && !b.Skipped() {
			b.change.Started = append(b.change.Started, r)
		}
		if !inWindow || at > last {
			b.core.sessions[r.SessionID] = at
		}
		touched = append(touched, active{r.SessionID, at})
	}
	m.touch(touched)
}

// touch enters sessions with rows in the minute.
func (m *minute) touch(touched []active) {
	byID := func(a, b active) int { return cmp.Compare(a.id, b.id) }
	slices.SortFunc(touched, func(a, b active) int { return cmp.Or(byID(a, b), cmp.Compare(b.last, a.last)) })
	touched = slices.CompactFunc(touched, func(a, b active) bool { return a.id == b.id }) // the latest stays
	for i, a := range touched {
		if j, ok := slices.BinarySearchFunc(m.active, a, byID); ok {
			touched[i].last = max(a.last, m.active[j].last)
		}
	}
	m.active = merge(m.active, touched, byID)
}

// takeSessions enters sessions that a server before 2.13 lists without showing
// a row of theirs.
func (b *Step) takeSessions() {
	for i := range b.reply.Sessions {
		listed := &b.reply.Sessions[i]
		if _, inWindow := b.core.sessions[listed.SessionID]; inWindow || listed.SessionID == "" {
			continue
		}
		at := millis(listed.CreatedAt)
		if at < max(b.start, b.next.horizon) {
			continue
		}
		b.core.sessions[listed.SessionID] = at
		b.own(minuteOf(at)).touch([]active{{listed.SessionID, at}})
		if !b.Skipped() {
			b.change.Started = append(b.change.Started, Visit{SessionID: listed.SessionID})
		}
	}
}

// endSessions lets go of sessions once what was shown covers a whole window
// after their last row.
func (b *Step) endSessions() {
	covered := b.next.shownTo
	if b.next.full && b.next.order == unknown && !b.filled { // newer rows may be hidden
		covered = min(covered, b.newest)
	}
	since := min(b.start, covered-Window.Milliseconds())
	first := minuteOf(since)
	var idle []active
	for _, m := range b.next.minutes {
		if m.n > first {
			break
		}
		for _, a := range m.active {
			if last, live := b.core.sessions[a.id]; live && last == a.last && last < since {
				idle = append(idle, a)
			}
		}
	}
	if len(idle) > 0 {
		b.end(idle, since)
		m := b.own(first)
		m.active = slices.DeleteFunc(slices.Clone(m.active), func(a active) bool {
			_, live := b.core.sessions[a.id]
			return !live
		})
	}
	i, _ := b.next.search(first)
	b.next.minutes = b.next.minutes[i:]
	if !b.first() && minuteOf(b.next.now) > minuteOf(b.prev.now) {
		b.tidy()
	}
}

// tidy leaves each session in the minute of its last row alone.
func (b *Step) tidy() {
	stale := func(a active) bool { return b.core.sessions[a.id] != a.last }
	for _, m := range b.next.minutes {
		if !slices.ContainsFunc(m.active, stale) {
			continue
		}
		var last []active
		for _, a := range m.active {
			if !stale(a) {
				last = append(last, a)
			}
		}
		b.own(m.n).active = last
	}
}

// end ends idle sessions, but for those that the server lists: it knows of a
// row that it does not show.
func (b *Step) end(idle []active, since int64) {
	listed := make(map[string]bool, len(b.reply.Sessions))
	for i := range b.reply.Sessions {
		listed[b.reply.Sessions[i].SessionID] = true
	}
	for _, a := range idle {
		if listed[a.id] {
			b.core.sessions[a.id] = since
			b.own(minuteOf(since)).touch([]active{{a.id, since}})
			continue
		}
		delete(b.core.sessions, a.id)
		b.change.Ended = append(b.change.Ended, Ended{a.id, instant(a.last)})
	}
	slices.SortFunc(b.change.Ended, func(a, b Ended) int {
		return cmp.Or(a.Last.Compare(b.Last), cmp.Compare(a.SessionID, b.SessionID))
	})
}

// forget drops rows that no later reply can show.
func (b *Step) forget() {
	horizon := b.start
	few := b.next.hidesNewest() && b.next.remembered() <= fewRows
	if b.next.full && !b.core.whole && !few && (b.filled || !b.next.hidesNewest()) {
		last := min(b.cut-Memory.Milliseconds(), b.next.shownTo)
		if b.next.unsteady { // its minute is yet to be counted
			last -= last % minuteMillis
		}
		horizon = max(horizon, last)
	}
	if horizon <= b.next.horizon {
		return
	}
	b.next.horizon = horizon
	for _, m := range b.next.minutes {
		if m.n > minuteOf(horizon) {
			break
		}
		if i, _ := slices.BinarySearchFunc(m.seen, seen{at: horizon}, seen.compare); i > 0 {
			b.own(m.n).seen = slices.Clone(m.seen[i:]) // not to hold what was before
		}
	}
}
