package umami_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// diary is what a reader is told, and whether it can be true. Its reader keeps
// what it was told together with a checkpoint; when it is killed, it forgets
// what came after. Only the keys stay known, as to somebody to whom the visits
// are forwarded.
type diary struct {
	profile  umamitest.Profile
	unsteady bool // what was hidden may be shown again: replicas lag, ties are shuffled
	complete bool // all that is hidden can be fetched
	memory

	live    map[string]bool   // sessions that started and did not end
	told    map[happening]int // how often each visit was delivered
	keys    map[string]happening
	initial bool // the next diff is the first of a life
	sums    umami.Diff
	from    time.Time // what was before the first reply's window is not told

	mu      sync.Mutex
	replies []time.Time // of this life that could be used, by the server's clock

	undo []func()
}

// memory is what a reader forgets when it is killed, but for its maps.
type memory struct {
	seq            uint64
	now            time.Time // of the last diff
	full           time.Time // when the last full reply may have come
	gaps           []umami.Gap
	started, ended []change
	missed         int
	back           int // page views counted as missing and delivered after all
}

// happening is a visit as a reader tells it from others.
type happening struct {
	visit
	beacon bool
}

func (h happening) isView() bool { return h.event == "" && !h.beacon }

// shows says whether the server shows such visits at all.
func (d *diary) shows(h happening) bool {
	return d.profile != umamitest.SelfHostedDocs || h.event == ""
}

// change is a session that started or ended between two instants.
type change struct {
	umami.Session
	after, until time.Time
}

func newDiary(p umamitest.Profile, unsteady bool) *diary {
	return &diary{profile: p, unsteady: unsteady, live: make(map[string]bool), told: make(map[happening]int), keys: make(map[string]happening)}
}

func (d *diary) noteReply(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.replies = append(d.replies, at)
}

// begin is the start of a life.
func (d *diary) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.initial, d.replies = true, nil
}

func (d *diary) save() { d.undo = nil }

func (d *diary) kill() {
	for _, undo := range slices.Backward(d.undo) {
		undo()
	}
	d.save()
}

// take takes a diff. The error names the promise that was broken.
func (d *diary) take(diff umami.Diff) error {
	before := d.memory
	d.undo = append(d.undo, func() { d.memory = before })
	switch {
	case diff.Seq != d.seq+1:
		return fmt.Errorf("diff %d after %d", diff.Seq, d.seq)
	case diff.Initial != d.initial:
		return fmt.Errorf("diff %d: initial %v", diff.Seq, diff.Initial)
	case diff.Time.Before(d.now):
		return fmt.Errorf("promise 2: %v after %v", diff.Time, d.now)
	case diff.Empty() && !diff.Initial:
		return fmt.Errorf("diff %d is empty", diff.Seq)
	}
	if d.initial {
		d.initial, d.sums = false, umami.Diff{URLs: map[string]int{}, Referrers: map[string]int{}, Countries: map[string]int{}}
	}
	if d.from.IsZero() {
		d.from = diff.Time.Add(-30 * time.Minute)
		if d.profile != umamitest.V2_0 {
			d.from = d.from.Truncate(time.Minute)
		}
	}
	for _, each := range []func(umami.Diff) error{d.takeGaps, d.takeStarted, d.takeVisits, d.takeEnded, d.takeCounts} {
		if err := each(diff); err != nil {
			return fmt.Errorf("diff %d, %s: %w", diff.Seq, diff.Time.Format(time.DateTime), err)
		}
	}
	d.seq, d.now = diff.Seq, diff.Time
	return nil
}

// silence is the longest time without a reply up to a diff.
func (d *diary) silence(diff umami.Diff) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	longest, last := time.Duration(0), d.now
	for _, at := range d.replies {
		if at.After(last) && !at.After(diff.Time) {
			if !last.IsZero() {
				longest = max(longest, at.Sub(last))
			}
			last = at
		}
	}
	return longest
}

func (d *diary) takeGaps(diff umami.Diff) error {
	if diff.Snapshot.Truncated || diff.Polls > 1 && d.profile >= umamitest.V2_12 { // a reply in between may have been full
		d.full = diff.Time
	}
	for _, g := range diff.Gaps {
		outage := d.silence(diff) > 30*time.Minute-2*time.Minute-5*time.Second
		switch {
		case d.complete:
			return fmt.Errorf("promise 4: a gap that could be filled: %v", g)
		case g.From.After(g.To) || g.To.After(diff.Time) || g.Missed < -1:
			return fmt.Errorf("promise 4: %v", g)
		case !outage && diff.Time.Sub(d.full) > 32*time.Minute:
			return fmt.Errorf("promise 4: a gap where no reply was full: %v", g)
		case !outage && g.Missed < 0:
			return fmt.Errorf("promise 4: a gap uncounted that could be: %v", g)
		}
		d.missed += max(0, g.Missed)
	}
	d.gaps = append(d.gaps, diff.Gaps...)
	return nil
}

func (d *diary) takeStarted(diff umami.Diff) error {
	for _, s := range diff.Started {
		if d.live[s.SessionID] {
			return fmt.Errorf("promise 3: session %s started twice", s.SessionID)
		}
		d.live[s.SessionID] = true
		d.undo = append(d.undo, func() { delete(d.live, s.SessionID) })
		d.started = append(d.started, change{s, d.now, diff.Time})
	}
	return nil
}

func (d *diary) takeEnded(diff umami.Diff) error {
	for _, s := range diff.Ended {
		if !d.live[s.SessionID] {
			return fmt.Errorf("promise 3: session %s ended, and had not started", s.SessionID)
		}
		delete(d.live, s.SessionID)
		d.undo = append(d.undo, func() { d.live[s.SessionID] = true })
		d.ended = append(d.ended, change{s, d.now, diff.Time})
	}
	return nil
}

func (d *diary) takeVisits(diff umami.Diff) error {
	counted := slices.DeleteFunc(slices.Clone(d.gaps[:len(d.gaps)-len(diff.Gaps)]), func(g umami.Gap) bool { return g.Missed <= 0 })
	deliver := func(key string, h happening) error {
		d.told[h]++
		d.undo = append(d.undo, func() { d.told[h]-- })
		if known, ok := d.keys[key]; ok && known != h {
			return fmt.Errorf("promise 9: one key of %v and %v", known, h)
		}
		d.keys[key] = h
		if !d.live[h.session] && diff.Polls == 1 {
			return fmt.Errorf("promise 3: a visit of session %s, which did not start", h.session)
		}
		if h.isView() && within(counted, h.at) {
			d.back++
		}
		return nil
	}
	last := time.Time{}
	for _, v := range diff.Pageviews {
		if v.CreatedAt.Before(last) {
			return errors.New("promise 2: page views out of order")
		}
		last = v.CreatedAt
		if err := deliver(v.Key, pageviewHappening(v)); err != nil {
			return err
		}
	}
	last = time.Time{}
	for _, e := range diff.Events {
		if e.CreatedAt.Before(last) {
			return errors.New("promise 2: events out of order")
		}
		last = e.CreatedAt
		if err := deliver(e.Key, eventHappening(e)); err != nil {
			return err
		}
	}
	return d.checkShown(diff.Snapshot)
}

func pageviewHappening(v umami.Pageview) happening {
	return happening{visit{v.CreatedAt, v.SessionID, "", v.URLPath, v.ReferrerDomain}, v.Performance}
}

func eventHappening(e umami.Event) happening {
	return happening{visit{e.CreatedAt, e.SessionID, e.EventName, e.URLPath, e.ReferrerDomain}, false}
}

// checkShown finds rows of a reply that were not told. Those that only an older
// state shows may be forgotten.
func (d *diary) checkShown(r *umami.Realtime) error {
	if d.unsteady {
		return nil
	}
	shown := make(map[happening]int)
	for _, v := range r.Pageviews {
		shown[pageviewHappening(v)]++
	}
	for _, e := range r.Events {
		shown[eventHappening(e)]++
	}
	for h, n := range shown {
		if d.told[h] < n && !h.at.Before(d.from) {
			return fmt.Errorf("promise 1: shown %d times, told %d times: %v", n, d.told[h], h)
		}
	}
	return nil
}

// takeCounts adds the changes up, which must give the snapshot.
func (d *diary) takeCounts(diff umami.Diff) error {
	add(d.sums.URLs, diff.URLs)
	add(d.sums.Referrers, diff.Referrers)
	add(d.sums.Countries, diff.Countries)
	d.sums.Totals = addTotals(d.sums.Totals, diff.Totals)
	now := diff.Snapshot
	if !maps.Equal(d.sums.URLs, counted(now.URLs)) || !maps.Equal(d.sums.Referrers, counted(now.Referrers)) ||
		!maps.Equal(d.sums.Countries, counted(now.Countries)) || d.sums.Totals != now.Totals {
		return errors.New("the changes do not add up to the snapshot")
	}
	return nil
}

// settle holds all that happened against what was told.
func (d *diary) settle(truth []umamitest.Row) error {
	if len(d.live) > 0 {
		return fmt.Errorf("promise 3: %d sessions never ended", len(d.live))
	}
	happened, active := make(map[happening]int), make(map[string][]time.Time)
	for _, r := range truth {
		h := happening{visit{r.CreatedAt, r.SessionID, r.EventName, r.URLPath, r.ReferrerDomain}, r.Kind == umamitest.Beacon}
		happened[h]++
		if d.shows(h) {
			active[h.session] = append(active[h.session], h.at)
		}
	}
	keys := make(map[happening]int)
	for _, h := range d.keys {
		keys[h]++
	}
	unknown := slices.DeleteFunc(slices.Clone(d.gaps), func(g umami.Gap) bool { return g.Missed >= 0 })
	views, told := 0, 0
	for h, n := range happened {
		switch {
		case h.at.Before(d.from), !d.shows(h):
			continue
		case keys[h] > n:
			return fmt.Errorf("promise 9: %d keys for %d visits: %v", keys[h], n, h)
		case d.told[h] > keys[h]:
			return fmt.Errorf("promise 1: told %d times under %d keys: %v", d.told[h], keys[h], h)
		case d.told[h] < n && !within(d.gaps, h.at):
			return fmt.Errorf("promise 4: missing outside of every gap: %v", h)
		}
		if h.isView() && !within(unknown, h.at.Add(1)) { // such a gap ends where a minute begins
			views += n
			told += d.told[h]
		}
	}
	for h, n := range d.told {
		if n > happened[h] {
			return fmt.Errorf("promise 1: told %d times, happened %d times: %v", n, happened[h], h)
		}
	}
	if excess := told + d.missed - views; excess < 0 || excess > d.back || excess > 0 && !d.unsteady {
		return fmt.Errorf("promise 4: %d page views, told %d, missed %d, of which %d came back", views, told, d.missed, d.back)
	}
	return d.settleSessions(active)
}

func (d *diary) settleSessions(active map[string][]time.Time) error {
	for _, s := range d.started {
		if d.profile == umamitest.SelfHostedDocs {
			break // it lists sessions by events, which it does not show
		}
		if !slices.ContainsFunc(active[s.SessionID], func(at time.Time) bool {
			return at.After(s.after.Add(-31*time.Minute)) && !at.After(s.until)
		}) {
			return fmt.Errorf("promise 3: session %s started before %v and is a ghost", s.SessionID, s.until)
		}
	}
	for _, s := range d.ended {
		for _, at := range active[s.SessionID] {
			if at.After(s.CreatedAt) && at.Before(s.CreatedAt.Add(30*time.Minute)) && !within(d.gaps, at) {
				return fmt.Errorf("promise 3: session %s ended after %v, and was active at %v", s.SessionID, s.CreatedAt, at)
			}
		}
	}
	return nil
}

func within(gaps []umami.Gap, at time.Time) bool {
	return slices.ContainsFunc(gaps, func(g umami.Gap) bool { return !at.Before(g.From) && !at.After(g.To) })
}
