package diff_test

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// traffic makes what happens between two moments: quiet and normal hours, busy
// minutes, bursts.
func (m *model) traffic(from, to int64) {
	often := int64(1)
	if m.limit == 0 { // each reply shows the whole window
		often = 8
	}
	for now, first := from, true; now < to; first = false {
		var until, every int64
		switch p := m.random.IntN(20); {
		case p < 8 || first:
			until, every = now+20*minute+m.upTo(40*minute), 20*second*often
		case p < 15:
			until, every = now+20*minute+m.upTo(100*minute), 3*minute
		case p < 17:
			until, every = now+2*minute+m.upTo(3*minute), second*often
		default:
			m.burst(now, int((100+m.upTo(10)*m.upTo(240))/often), to)
			continue
		}
		for ; now < until; now += 1 + m.upTo(2*every) {
			m.visit(now, to)
		}
	}
	slices.SortStableFunc(m.coming, func(a, b *coming) int { return cmp.Compare(a.at, b.at) })
	for _, c := range m.coming {
		m.site.happen(c.Row, c.at, c.visible)
	}
	m.coming = m.coming[:0]
}

// coming is a row made up and not yet in the site, which takes them fastest in
// order.
type coming struct {
	wire.Row
	at, visible int64
}

// visit is one visitor's way through the site.
func (m *model) visit(now, to int64) {
	id := m.newID()
	for range 1 + m.random.IntN(6) {
		m.happens(m.anything(id), now, to)
		wait := second + m.upTo(90*second)
		if m.oneIn(40) { // and back just before the session ends, or just after
			wait = 29*minute + m.upTo(3*minute)
		}
		now += wait
	}
}

// burst is a crowd of few sessions within some seconds. Many of its rows are
// alike.
func (m *model) burst(now int64, n int, to int64) {
	ids := make([]string, 1+m.random.IntN(20))
	for i := range ids {
		ids[i] = m.newID()
	}
	spread := m.upTo(6) * second
	for range n {
		m.happens(m.anything(ids[m.random.IntN(len(ids))]), now+m.upTo(spread), to)
	}
}

var (
	paths     = []string{"/", "/", "/", "/pricing", "/blog", ""}
	referrers = []string{"", "", "", "duckduckgo.com"}
	names     = []string{"signup", "download"}
)

// anything is a page view, an event, or a web-vitals beacon.
func (m *model) anything(id string) wire.Row {
	r := wire.Row{SessionID: id, URLPath: paths[m.random.IntN(len(paths))], ReferrerDomain: referrers[m.random.IntN(len(referrers))]}
	switch p := m.random.IntN(20); {
	case p < 4:
		r.EventName = names[m.random.IntN(len(names))]
	case p == 4:
		r.Performance = true
	}
	return r
}

// happens lets a row happen, by the server's clock, and perhaps come late or
// twice. What would outlive the day does not happen.
func (m *model) happens(r wire.Row, now, to int64) {
	for again := true; again && now < to; again = m.oneIn(20) {
		late := int64(0)
		if m.oneIn(3) {
			late = m.upTo(lateness)
		}
		m.coming = append(m.coming, &coming{r, m.clock(now), now + late})
	}
}

// backdate sends a row with a timestamp of its own now and then, also one like
// another. On servers that cut their replies it is a page view of a session of
// its own, and none where there is no series: nobody can know of an event that
// came behind the cut later than rows are late, nor that its session was not
// idle. A replica that lags would not count it. Nor is any backdated where a
// listing of an oldest-rows server breaks off: who has more than enough rows
// remembers none so old.
func (m *model) backdate(now int64) bool {
	if !m.oneIn(30) || m.lags || m.lists || m.breaks && m.oldest || m.series == emptied || now > m.calm[1] {
		return false
	}
	at := m.clock(now) - m.upTo(25*minute)
	r := m.anything(m.newID())
	if m.limit > 0 {
		r.EventName, r.Performance = "", false
	}
	if i := m.site.after(at); i > 0 && m.oneIn(2) {
		if old := m.site.rows[i-1]; m.limit == 0 || visitOf(&old.Row).isView() {
			r, at = old.Row, old.at
		}
	}
	switch {
	case at < windowStart(now)+5*minute: // by a clock that was put back: nobody remembers so far
		return false
	case m.limit > 0 && at < m.wiped: // nobody can count what comes to a minute that was reset
		return false
	}
	m.site.happen(r, at, now)
	return true
}

func (m *model) newID() string {
	a, b := m.random.Uint64(), m.random.Uint64()
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffff_ffff_ffff)
}
