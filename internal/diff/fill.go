package diff

import (
	"math"
	"slices"
	"time"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// Hidden says of what stretch of time a listing of rows is wanted: where rows
// came that the reply did not show, or may have come. It ends at the reply's own
// time. ok is false where nothing is hidden, or nothing that could be told from
// what was delivered.
func (b *Step) Hidden() (from time.Time, ok bool) {
	if b.skipped() {
		return time.Time{}, false
	}
	since := int64(math.MaxInt64)
	for _, g := range b.foresee() {
		if to := millis(g.To); to > b.next.horizon {
			since = min(since, millis(g.From))
		}
	}
	if b.next.full && (b.next.order == oldestRows || b.next.order == unknown && b.newest < b.inTime()) {
		if b.first() {
			since = b.start
		} else {
			since = min(since, b.prev.doubt)
		}
	}
	if since == math.MaxInt64 {
		return time.Time{}, false
	}
	if !b.first() {
		since = min(since, b.prev.newest-Late.Milliseconds())
	}
	since -= since % time.Second.Milliseconds()
	return instant(max(since, b.next.horizon)), true
}

// foresee finds the gaps that Finish would tell of, and those that it would not
// yet where what is hidden may be shown again.
func (b *Step) foresee() []Gap {
	gaps := b.trial(b.next.unsteady)
	if b.next.unsteady {
		gaps = append(gaps, b.trial(false)...)
	}
	return gaps
}

func (b *Step) trial(unsteady bool) []Gap {
	trial := *b
	trial.next.minutes = slices.Clone(b.next.minutes)
	trial.next.unsteady = unsteady
	trial.ours, trial.change = make(map[int64]*minute), Change{}
	trial.forget()
	trial.findGaps()
	return trial.change.Gaps
}

// Add enters rows of a listing. Those that were delivered are not new.
func (b *Step) Add(rows []wire.Row) {
	b.takeRows(rows)
	b.added = true
}

// Fill is Add for all rows from an instant up to the reply's own time. What was
// hidden there is hidden no more.
func (b *Step) Fill(from time.Time, rows []wire.Row) {
	b.Add(rows)
	b.filled, b.since = true, millis(from)
	if b.next.hidesNewest() {
		b.cut = b.next.now
	}
	b.next.shownTo = b.allShown()
	b.next.doubt = b.next.shownTo
	b.next.judged = minuteOf(b.next.now)
}
