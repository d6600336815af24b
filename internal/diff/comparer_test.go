package diff_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed721439b2/umami-go/internal/diff"
	"github.com/seed721439b2/umami-go/internal/modelseed"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// comparer is the reader that one writes first: what a reply has and the one
// before had not is new, and the other way around.
type comparer struct {
	rows     map[visit]int
	sessions map[string]time.Time
}

func (c *comparer) Next(r *wire.Reply) diff.Change {
	var change diff.Change
	rows := make(map[visit]int)
	for _, list := range [][]wire.Row{r.Events, r.Pageviews} {
		for i := range list {
			row := &list[len(list)-1-i]
			v := visitOf(row)
			rows[v]++
			if rows[v] > c.rows[v] {
				change.Rows = append(change.Rows, diff.Visit{Row: row, Key: diff.Key(row, rows[v]-1), SessionID: row.SessionID})
			}
		}
	}
	sessions := make(map[string]time.Time)
	for i := range r.Sessions {
		s := &r.Sessions[i]
		sessions[s.SessionID] = s.CreatedAt
		if _, known := c.sessions[s.SessionID]; !known {
			change.Started = append(change.Started, diff.Visit{SessionID: s.SessionID})
		}
	}
	for id, last := range c.sessions {
		if _, still := sessions[id]; !still {
			change.Ended = append(change.Ended, diff.Ended{SessionID: id, Last: last})
		}
	}
	c.rows, c.sessions = rows, sessions
	return change
}

func (c *comparer) checkpoint() any { return *c }

func (c *comparer) resume(checkpoint any) error {
	*c, _ = checkpoint.(comparer)
	return nil
}

func (*comparer) useListing(func(from, to time.Time) []wire.Row) {}

// Whoever merely compares two replies fails, whatever the server.
func TestModelFailsAComparer(t *testing.T) {
	t.Parallel()
	modelseed.Run(t, func(t *testing.T, seed uint64) {
		t.Helper()
		for _, b := range behaviours {
			assert.ErrorContains(t, follow(b, seed, 1, &comparer{}), "promise", b.name)
		}
	})
}
