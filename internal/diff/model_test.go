package diff_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/diff"
	"github.com/seed721439b2/umami-go/internal/modelseed"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// behaviours are all that the core can tell of the server versions.
var behaviours = []behaviour{
	{name: "2.0 to 2.8", listed: 1 << 30, series: unsent, exact: true},
	{name: "2.9 to 2.11, the clock is set", listed: 1 << 30, series: unsent, steps: true},
	{name: "2.12", limit: 50, listed: 50},
	{name: "2.13 to 2.15", limit: 100, oldest: true},
	{name: "2.13 to 2.18.0, ClickHouse", limit: 100, oldest: true, seconds: true},
	{name: "2.16 on", limit: 100},
	{name: "2.18.1 on, ClickHouse", limit: 100, seconds: true},
	{name: "3.0 on, the series emptied by a filter", limit: 100, series: emptied},
	{name: "2.16 on, replicas that lag", limit: 100, lags: true},
	{name: "2.13 to 2.15, with a listing", limit: 100, oldest: true, lists: true},
	{name: "2.13 to 2.18.0, ClickHouse, with a listing", limit: 100, oldest: true, seconds: true, lists: true},
	{name: "2.16 on, with a listing", limit: 100, lists: true},
	{name: "2.18.1 on, ClickHouse, with a listing", limit: 100, seconds: true, lists: true},
	{name: "3.0 on, the series emptied by a filter, with a listing", limit: 100, series: emptied, lists: true},
	{name: "2.13 to 2.15, with a listing that breaks off", limit: 100, oldest: true, breaks: true},
	{name: "2.13 to 2.18.0, ClickHouse, with a listing that breaks off", limit: 100, oldest: true, seconds: true, breaks: true},
	{name: "2.16 on, with a listing that breaks off", limit: 100, breaks: true},
	{name: "2.18.1 on, ClickHouse, with a listing that breaks off", limit: 100, seconds: true, breaks: true},
}

// TestMain lets the collector run less often: the models make much that lives
// for a day of theirs.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

// TestModel lets a reader follow made-up sites for 30 days each, and holds what
// it is told against what happened; where there is a listing, too, for 10 more.
// Each run chooses another seed. MODEL_SEED=n repeats one that failed, and
//
//	MODEL_SEEDS=20 go test -timeout 1h -run Model . ./internal/diff
//
// tries 20 of them, as it does those of the loop's model.
func TestModel(t *testing.T) {
	t.Parallel()
	modelseed.Run(t, func(t *testing.T, seed uint64) {
		t.Helper()
		for _, b := range behaviours {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				days := modelDays
				if testing.Short() {
					days = min(days, 2)
				}
				if b.lists || b.breaks {
					days = (days + 2) / 3
				}
				r := &coreReader{Core: diff.New(false)}
				if b.breaks {
					r.breaks = newRandom(seed)
				}
				require.NoError(t, follow(b, seed, days, r))
			})
		}
	})
}

// reader is what the model holds to the promises.
type reader interface {
	Next(r *wire.Reply) diff.Change
	// checkpoint says where the reader is, and resume goes on from there.
	checkpoint() any
	resume(checkpoint any) error
	useListing(list func(from, to time.Time) []wire.Row)
}

// coreReader is the core, as a poller uses it.
type coreReader struct {
	*diff.Core
	list   func(from, to time.Time) []wire.Row // nil: there is none
	breaks *rand.Rand                          // says when it fails or breaks off; nil: never
}

func (r *coreReader) Next(reply *wire.Reply) diff.Change {
	step := r.Begin(reply)
	if r.list != nil {
		open, closed := step.Hidden()
		if !open.IsZero() {
			r.fill(step, open, r.list(open, reply.Timestamp))
			_, closed = step.Hidden()
		}
		for _, span := range closed {
			if r.breaks == nil || r.breaks.IntN(3) > 0 {
				step.Add(r.list(span.From, span.To))
			}
		}
	}
	return step.Finish()
}

// fill gives a listing to the core as far as it got: all, nothing, or its newest
// rows but for those of the last instant.
func (r *coreReader) fill(step *diff.Step, from time.Time, rows []wire.Row) {
	if r.breaks != nil && r.breaks.IntN(4) == 0 {
		return
	}
	broken := false
	if r.breaks != nil && r.breaks.IntN(3) == 0 {
		if n := r.breaks.IntN(300); n < len(rows) {
			last := rows[n].CreatedAt
			rows = slices.DeleteFunc(slices.Clone(rows[:n]), func(row wire.Row) bool { return row.CreatedAt.Equal(last) })
			from, broken = last.Add(time.Millisecond), true
		}
	}
	step.Fill(from, rows, broken)
}

func (r *coreReader) useListing(list func(from, to time.Time) []wire.Row) { r.list = list }

func (r *coreReader) checkpoint() any { return diff.Checkpoint{Website: "the site", State: r.State()} }

func (r *coreReader) resume(checkpoint any) error {
	text, err := json.Marshal(checkpoint)
	if err != nil {
		return err
	}
	var c diff.Checkpoint
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	r.Core = diff.Resume(c.State)
	return nil
}

// model is a reader of one site.
type model struct {
	behaviour
	random  *rand.Rand
	reader  reader
	books   *ledger
	site    *site
	coming  []*coming
	saved   any   // the last checkpoint
	savedAt int64 // when that was
	knows   int64 // the last reply that the reader remembers
	gone    *site // as it was before its reset
	wiped   int64 // when that was
	skew    []setting
	calm    [2]int64 // before the one and after the other, nothing fails
}

// setting is how far the server's clock is off from a moment on.
type setting struct{ from, by int64 }

const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// follow lets a reader follow a site for some days. Each ends with idle time,
// after which nothing may be left to be told.
func follow(b behaviour, seed uint64, days int, r reader) error {
	m := &model{behaviour: b, random: newRandom(seed), reader: r, books: newLedger()}
	monday := millis(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	m.calm[0] = monday + hour
	for d := range days {
		if err := m.day(monday + int64(d)*day); err != nil {
			return fmt.Errorf("day %d: %w", d+1, err)
		}
	}
	if m.books.excess > 0 && !m.breaks {
		return fmt.Errorf("promise 4: %d page views too many were said to be missing", m.books.excess)
	}
	return nil
}

func (m *model) day(start int64) error {
	m.site = newSite(m.behaviour, m.random)
	m.books.open(m.site)
	if m.lists || m.breaks {
		m.reader.useListing(m.site.list)
	}
	m.saved, m.gone, m.wiped = nil, nil, 0
	m.setClock(start)
	m.calm[1] = start + day - 2*hour
	m.traffic(start, start+day-80*minute)
	now := start
	if !m.lags { // nobody can know of a replica that lags before it was seen to
		now += m.upTo(29 * minute)
	}
	for now < start+day {
		must := m.backdate(now)
		asOf := now
		if m.lags && m.random.IntN(3) == 0 {
			asOf -= m.upTo(diff.Memory.Milliseconds())
		}
		r := m.site.show(m.clock(now), asOf)
		if err := m.books.take(r, m.reader.Next(&r.Reply)); err != nil {
			return err
		}
		must = m.reset(now, asOf) || must
		if err := m.saveOrDie(now, must); err != nil {
			return err
		}
		now += m.pause(now, r)
	}
	return m.books.settle()
}

// reset empties the site now and then, or undoes it. Nothing may be hidden then:
// of what was never shown and is no longer there, nobody can know. Where the clock
// was put back, what came before that is hidden, too.
func (m *model) reset(now, asOf int64) bool {
	switch {
	case m.gone != nil && m.oneIn(10):
		m.site.bringBack(m.gone)
		m.gone = nil
	case m.gone == nil && m.oneIn(1000) && asOf == now && now-m.books.full > 31*minute && m.ran(now-31*minute, now) && m.cleanCut(now):
		m.gone, m.wiped = m.site.reset(now), now
		m.books.wasReset = true
		return true
	}
	return false
}

// cleanCut says whether a reset now is one that a reader can follow: no row is
// on its way, which might be like one that is gone. Where replies are cut, no
// minute may have rows from before the reset and from after it, or nobody could
// tell those that are hidden from those that are gone.
func (m *model) cleanCut(now int64) bool {
	now = m.clock(now)
	from := now
	if m.limit > 0 {
		from = minuteOf(now) * minuteMillis
	}
	return m.site.after(now) == m.site.after(from-lateness-1)
}

// saveOrDie is what the reader does after it handled a diff: now and then it
// saves a checkpoint, or is killed. It must save where nobody could know, after
// a restart, what came since the checkpoint: of a backdated row that has left
// the window, and of a row that was reset.
func (m *model) saveOrDie(now int64, must bool) error {
	switch p := m.random.IntN(200); {
	case p < 80 || must:
		m.saved, m.savedAt = m.reader.checkpoint(), now
		m.books.save()
	case p < 83 && m.saved != nil && now < m.calm[1]:
		m.books.kill()
		m.knows = m.savedAt
		return m.reader.resume(m.saved)
	}
	m.knows = now
	return nil
}

// pause is the time until the next poll that succeeds. The shorter the time is
// that a full reply covers, the sooner it comes.
func (m *model) pause(now int64, r *shown) int64 {
	wait := 10*second + m.upTo(120*second)
	if r.Truncated {
		wait = 2*second + m.upTo(max(10*second, min(90*second, r.now-r.rows[0].at)))
	}
	switch p := m.random.IntN(10_000); {
	case now < m.calm[0] || now > m.calm[1]:
	case p < 5:
		wait = 29*minute + m.upTo(3*minute)
	case p < 10:
		wait = 30*minute + m.upTo(60*minute)
	case p < 40:
		wait = minute + m.upTo(28*minute)
	case p < 500:
		wait *= 3
	}
	if !m.ran(m.knows, now+wait) { // nobody can know how long an outage was that the clock was set in
		wait = 10 * second
	}
	return wait
}

func (m *model) upTo(most int64) int64 { return m.random.Int64N(most + 1) }

func (m *model) oneIn(n int) bool { return m.random.IntN(n) == 0 }

// setClock puts the server's clock back and forth four times in a day.
func (m *model) setClock(start int64) {
	m.skew = []setting{{from: start}}
	if !m.steps {
		return
	}
	for i := range int64(4) {
		m.skew = append(m.skew, setting{start + i*6*hour + m.upTo(6*hour), -m.upTo(24 * minute)})
	}
}

// clock is the server's.
func (m *model) clock(now int64) int64 {
	by := int64(0)
	for _, s := range m.skew {
		if s.from <= now {
			by = s.by
		}
	}
	return now + by
}

// ran says whether the clock was not set between two moments.
func (m *model) ran(from, to int64) bool { return m.clock(to)-m.clock(from) == to-from }

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
