package diff_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/diff"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// The promises of the Poller that the core keeps, one test for each. The sites
// are tiny: some show three rows where a real one shows a hundred.

// scene is a site, and a core that follows it.
type scene struct {
	t    *testing.T
	site *site
	core *diff.Core
}

func newScene(t *testing.T, b behaviour) *scene {
	t.Helper()
	return &scene{t, newSite(b, nil), diff.New(false)}
}

// clock reads a time of the day on which everything happens.
func clock(text string) int64 {
	at, err := time.Parse(time.TimeOnly, text)
	if err != nil {
		panic(err)
	}
	return at.AddDate(2026, 10, 22).UnixMilli()
}

// view lets sessions view the page "/", each at a time: "12:00:05 ann". A third
// word is another page; a "until 12:00:09" says that it comes late.
func (s *scene) view(visits ...string) {
	for _, v := range visits {
		words := strings.Fields(v)
		r := wire.Row{SessionID: words[1], URLPath: "/"}
		at, visible := clock(words[0]), clock(words[0])
		if len(words) > 3 && words[len(words)-2] == "until" {
			visible = clock(words[len(words)-1])
			words = words[:len(words)-2]
		}
		if len(words) > 2 {
			r.URLPath = words[2]
		}
		s.site.happen(r, at, visible)
	}
}

// event is view for custom events, whose third word is their name.
func (s *scene) event(events ...string) {
	for _, e := range events {
		words := strings.Fields(e)
		s.site.happen(wire.Row{SessionID: words[1], EventName: words[2]}, clock(words[0]), clock(words[0]))
	}
}

// poll shows the site to the core and gives what it says.
func (s *scene) poll(now string) []string { return s.pollReplica(now, now) }

// pollReplica is poll where the reply comes from a replica that is behind.
func (s *scene) pollReplica(now, asOf string) []string {
	return said(s.core.Next(&s.site.show(clock(now), clock(asOf)).Reply))
}

// resume goes on from a checkpoint, as after a restart.
func (s *scene) resume() {
	s.t.Helper()
	text, err := json.Marshal(diff.Checkpoint{State: s.core.State()})
	require.NoError(s.t, err)
	var c diff.Checkpoint
	require.NoError(s.t, json.Unmarshal(text, &c))
	s.core = diff.Resume(c.State)
}

// said writes a change as one reads it.
func said(c diff.Change) []string {
	var lines []string
	for _, v := range c.Rows {
		line := fmt.Sprintf("%s %s %s", short(v.Row.CreatedAt), v.Row.SessionID, v.Row.URLPath+v.Row.EventName)
		if v.Row.Performance {
			line += " beacon"
		}
		lines = append(lines, line)
	}
	for _, v := range c.Started {
		lines = append(lines, "started "+v.SessionID)
	}
	for _, e := range c.Ended {
		lines = append(lines, fmt.Sprintf("ended %s %s", e.SessionID, short(e.Last)))
	}
	reasons := map[diff.Reason]string{diff.Truncated: "truncated", diff.Outage: "outage", diff.Resumed: "resumed"}
	for _, g := range c.Gaps {
		lines = append(lines, fmt.Sprintf("gap %s to %s %s %d", short(g.From), short(g.To), reasons[g.Reason], g.Missed))
	}
	if c.Stale > 0 {
		lines = append(lines, fmt.Sprintf("stale %v", c.Stale))
	}
	return lines
}

func short(t time.Time) string { return t.Format("15:04:05.999") }

// lines is what a poll is expected to say.
func lines(said ...string) []string { return said }

func head(n int, lines []string) []string { return lines[:min(n, len(lines))] }

func tail(n int, lines []string) []string { return lines[min(n, len(lines)):] }

var (
	all     = behaviour{series: unsent, listed: 1000} // to 2.11
	newest3 = behaviour{limit: 3}
	oldest3 = behaviour{limit: 3, oldest: true}
)

func TestPromise1Once(t *testing.T) {
	t.Parallel()

	t.Run("a row is told once", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:01 ann", "12:00:02 bob /pricing")
		assert.Equal(t, lines("12:00:01 ann /", "12:00:02 bob /pricing", "started ann", "started bob"), s.poll("12:00:10"))
		s.event("12:00:03 ann signup")
		assert.Equal(t, lines("12:00:03 ann signup"), s.poll("12:00:20"))
		assert.Empty(t, s.poll("12:00:30"))
	})

	t.Run("rows alike are as many visits as the fullest reply shows", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:01 ann", "12:00:01 ann")
		assert.Equal(t, lines("12:00:01 ann /", "12:00:01 ann /", "started ann"), s.poll("12:00:10"))
		s.view("12:00:01 ann")
		assert.Equal(t, lines("12:00:01 ann /"), s.poll("12:00:20"))
		assert.Empty(t, s.pollReplica("12:00:30", "12:00:00"), "none of them shown")
		assert.Empty(t, s.poll("12:00:40"), "all three again")
	})

	t.Run("a row that vanishes and comes back is no new one", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann", "12:00:02 bob", "12:00:03 cem")
		s.poll("12:00:10")
		s.view("12:00:11 dan", "12:00:12 eva")
		assert.Equal(t, lines("12:00:11 dan /", "12:00:12 eva /", "started dan", "started eva"), s.poll("12:00:20"))
		assert.Empty(t, s.pollReplica("12:00:30", "12:00:10"))
		assert.Empty(t, s.poll("12:00:40"))
	})

	t.Run("late and backdated rows are told", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:05 ann", "12:00:04 bob until 12:00:08", "11:45:00 cem until 12:00:19")
		assert.Equal(t, lines("12:00:05 ann /", "started ann"), s.poll("12:00:06"))
		assert.Equal(t, lines("12:00:04 bob /", "started bob"), s.poll("12:00:10"))
		assert.Equal(t, lines("11:45:00 cem /", "started cem"), s.poll("12:00:20"))
	})

	t.Run("rows are remembered for two minutes before the cut", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:00 ann", "12:01:59 bob", "12:02:00 cem")
		s.poll("12:02:01")
		s.view("12:03:59 dan", "12:03:59 eva", "12:03:59 fay")
		s.poll("12:04:01")
		assert.Empty(t, s.pollReplica("12:04:02", "12:02:02"), "bob and cem are remembered, ann is too old to be new")
	})

	t.Run("a server that is upgraded shows the same rows", func(t *testing.T) {
		t.Parallel()
		at := instant(clock("12:00:01"))
		old := wire.Row{ID: "7", SessionID: "ann", CreatedAt: at, URLPath: "/", URLQuery: "a=b", PageTitle: "Home", Country: "DE"}
		now := wire.Row{SessionID: "ann", CreatedAt: at, URLPath: "/", Hostname: "example.com", Browser: "firefox"}
		core := diff.New(false)
		first := core.Next(&wire.Reply{Pageviews: []wire.Row{old}, Timestamp: at.Add(time.Second)})
		require.Len(t, first.Rows, 1)
		second := core.Next(&wire.Reply{Pageviews: []wire.Row{now}, Timestamp: at.Add(2 * time.Second), SeriesSent: true, Limit: 100})
		assert.Empty(t, second.Rows)
		assert.Equal(t, first.Rows[0].Key, diff.Key(&now, 0))
	})

	t.Run("a server that is upgraded to tell beacons apart", func(t *testing.T) {
		t.Parallel()
		at := instant(clock("12:00:01"))
		row := wire.Row{SessionID: "ann", CreatedAt: at, URLPath: "/"}
		core := diff.New(false)
		first := core.Next(&wire.Reply{Pageviews: []wire.Row{row}, Timestamp: at.Add(time.Second)})
		require.Len(t, first.Rows, 1)
		row.Performance = true
		assert.Empty(t, core.Next(&wire.Reply{Pageviews: []wire.Row{row}, Timestamp: at.Add(2 * time.Second)}).Rows)
		assert.Equal(t, first.Rows[0].Key, diff.Key(&row, 0))
	})

	t.Run("a beacon is not the page view that it came with", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.site.happen(wire.Row{SessionID: "ann", URLPath: "/", Performance: true}, clock("12:00:01"), clock("12:00:01"))
		assert.Equal(t, lines("12:00:01 ann / beacon", "started ann"), s.poll("12:00:02"))
		s.view("12:00:01 ann / until 12:00:04")
		assert.Equal(t, lines("12:00:01 ann /"), s.poll("12:00:05"))
	})

	t.Run("visits alike have keys of their own", func(t *testing.T) {
		t.Parallel()
		row := wire.Row{SessionID: "ann", URLPath: "/", CreatedAt: instant(clock("12:00:01"))}
		core := diff.New(false)
		r := wire.Reply{Pageviews: []wire.Row{row}, Timestamp: row.CreatedAt}
		first := core.Next(&r)
		r.Pageviews = []wire.Row{row, row, row}
		rest := core.Next(&r)
		require.Len(t, rest.Rows, 2)
		assert.Equal(t, diff.Key(&row, 0), first.Rows[0].Key)
		assert.Equal(t, diff.Key(&row, 1), rest.Rows[0].Key)
		assert.Equal(t, diff.Key(&row, 2), rest.Rows[1].Key)
	})

	t.Run("a reply told again says nothing", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann", "12:00:02 ann", "12:00:03 ann", "12:00:04 ann")
		s.poll("12:00:05")
		assert.Empty(t, s.poll("12:00:05"))
	})
}

func TestPromise2Ordered(t *testing.T) {
	t.Parallel()
	s := newScene(t, all)
	s.view("12:00:03 ann", "12:00:01 bob", "11:59:59 cem")
	s.event("12:00:02 ann signup", "12:00:00 cem signup")
	assert.Equal(t, lines("11:59:59 cem /", "12:00:00 cem signup", "12:00:01 bob /", "12:00:02 ann signup", "12:00:03 ann /",
		"started cem", "started bob", "started ann"), s.poll("12:00:10"))
}

func TestPromise3SessionsAreReal(t *testing.T) {
	t.Parallel()

	t.Run("a copied row that moves starts nobody", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann", "12:00:02 bob")
		assert.Equal(t, lines("12:00:01 ann /", "12:00:02 bob /", "started ann", "started bob"), s.poll("12:00:10"))
		s.view("12:00:11 ann", "12:00:12 bob")
		assert.Equal(t, lines("12:00:11 ann /", "12:00:12 bob /"), s.poll("12:00:13"), "now it is of other rows")
	})

	t.Run("who is cut off has not ended", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann")
		s.poll("12:00:10")
		s.view("12:00:11 bob", "12:00:12 bob", "12:00:13 bob")
		s.poll("12:00:14")
		s.poll("12:00:20")
		s.view("12:00:31 ann")
		assert.Equal(t, lines("12:00:31 ann /"), s.poll("12:00:34"), "back, and never gone")
		s.poll("12:20:00")
		assert.Equal(t, lines("ended bob 12:00:13", "ended ann 12:00:31"), s.poll("12:31:00"))
	})

	t.Run("a session ends a whole window after its last row", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:00 ann", "12:00:58 bob")
		s.poll("12:00:59")
		s.poll("12:20:00")
		assert.Empty(t, s.poll("12:30:59"), "still shown")
		assert.Equal(t, lines("ended ann 12:00:00"), s.poll("12:31:00"), "a late row of bob may still come")
		assert.Equal(t, lines("ended bob 12:00:58"), s.poll("12:31:04"))
		s.view("12:31:05 ann")
		assert.Equal(t, lines("12:31:05 ann /", "started ann"), s.poll("12:31:06"))
	})

	t.Run("not while a late row may come", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:59 ann", "12:30:58 ann / until 12:31:02")
		s.poll("12:01:00")
		s.poll("12:20:00")
		assert.Empty(t, s.poll("12:31:01"))
		assert.Equal(t, lines("12:30:58 ann /"), s.poll("12:31:10"))
	})

	t.Run("not while a replica may lag", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:00 ann", "12:00:59 bob", "12:29:59 ann")
		s.poll("12:01:00")
		s.pollReplica("12:01:10", "12:00:30")
		s.poll("12:20:00")
		assert.Empty(t, s.pollReplica("12:31:30", "12:29:40"), "neither of them")
		assert.Equal(t, lines("12:29:59 ann /"), s.poll("12:31:40"))
		assert.Equal(t, lines("ended bob 12:00:59"), s.poll("12:33:10"))
	})

	t.Run("not while a server hides the newest rows", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, oldest3)
		s.view("12:00:01 ann", "12:10:01 bob", "12:20:01 cem", "12:25:01 ann", "12:26:01 dan")
		assert.Equal(t, lines("12:00:01 ann /", "12:10:01 bob /", "12:20:01 cem /", "started ann", "started bob", "started cem",
			"stale 5m59s"), s.poll("12:27:10"))
		assert.Equal(t, lines("12:25:01 ann /", "stale 59s"), s.poll("12:31:10"), "dan is still hidden, and so might be others of ann")
	})

	t.Run("a session that is listed without a row is real", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, behaviour{limit: 3, listed: 50})
		s.view("12:00:01 ann", "12:00:02 bob", "12:00:03 bob", "12:00:04 bob")
		assert.Equal(t, lines("12:00:02 bob /", "12:00:03 bob /", "12:00:04 bob /", "started bob", "started ann",
			"gap 11:30:00 to 12:00:02 truncated 0"), s.poll("12:00:10"))
		s.poll("12:20:00")
		assert.Equal(t, lines("ended ann 12:00:01", "ended bob 12:00:04"), s.poll("12:31:10"))
	})
}

func TestPromise4AGapIsSaid(t *testing.T) {
	t.Parallel()

	t.Run("a full reply that begins after all that is known", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann")
		s.poll("12:00:02")
		s.view("12:00:11 ann", "12:00:12 ann", "12:00:13 ann")
		s.event("12:00:10 ann signup")
		assert.Equal(t, lines("12:00:11 ann /", "12:00:12 ann /", "12:00:13 ann /", "gap 11:59:56 to 12:00:11 truncated 0"), s.poll("12:00:14"))
		assert.Empty(t, s.poll("12:00:30"), "the event is not in the series")
		assert.Empty(t, s.poll("12:01:10"))
	})

	t.Run("a minute that counts more page views, once it is over", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:50 ann", "12:00:51 ann", "12:00:52 ann")
		s.poll("12:00:53")
		s.view("12:00:53 ann", "12:00:54 ann", "12:00:55 ann", "12:00:56 ann", "12:00:57 ann", "12:00:49 bob until 12:00:53.5")
		assert.Equal(t, lines("12:00:55 ann /", "12:00:56 ann /", "12:00:57 ann /", "gap 12:00:50 to 12:00:55 truncated 0"), head(4, s.poll("12:00:58")))
		assert.Empty(t, s.poll("12:01:04"), "late rows may still come")
		assert.Equal(t, lines("gap 12:00:00 to 12:00:55 truncated 3"), s.poll("12:01:05"))
		assert.Empty(t, s.poll("12:01:20"))
	})

	t.Run("overlap alone does not tell", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann", "12:00:11 ann", "12:00:12 ann", "12:00:10 bob until 12:00:13.5")
		s.poll("12:00:13")
		s.view("12:00:14 ann")
		assert.Equal(t, lines("12:00:14 ann /", "gap 12:00:07 to 12:00:11 truncated 0"), s.poll("12:00:15"), "bob came behind the cut")
	})

	t.Run("the count of a gap is that of its minutes", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann")
		s.poll("12:00:10")
		s.view("12:00:20 ann", "12:01:20 ann", "12:01:21 ann", "12:02:20 ann", "12:02:21 ann", "12:02:22 ann", "12:02:23 ann")
		assert.Equal(t, lines("12:02:21 ann /", "12:02:22 ann /", "12:02:23 ann /", "gap 11:59:56 to 12:02:21 truncated 3"), s.poll("12:02:30"),
			"the one at 12:02:20 is of a minute that goes on")
		assert.Equal(t, lines("gap 12:02:00 to 12:02:21 truncated 1"), s.poll("12:03:10"))
	})

	t.Run("a page view that is backdated behind the cut", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann", "12:00:02 ann", "12:05:01 ann")
		s.poll("12:05:10")
		s.view("12:05:11 ann", "12:05:12 ann")
		s.poll("12:05:20")
		s.view("12:03:00 bob until 12:05:30")
		assert.Equal(t, lines("gap 12:03:00 to 12:04:00 truncated 1"), s.poll("12:05:30"))
	})

	t.Run("an outage longer than the window", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:01 ann", "12:15:00 ann", "12:31:00 ann")
		s.poll("12:00:30")
		assert.Equal(t, lines("12:31:00 ann /", "gap 12:00:25 to 12:01:00 outage -1"), tail(1, s.poll("12:31:00")))
	})

	t.Run("where the window begins within a minute", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, behaviour{series: unsent, listed: 1000, exact: true}) // 2.0 to 2.8
		s.poll("12:00:30")
		s.view("12:01:15 ann")
		assert.Equal(t, lines("gap 12:00:25 to 12:01:20 outage -1"), s.poll("12:31:20"))
	})

	t.Run("nor is a row that leaves it one that a replica lacks", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, behaviour{series: unsent, listed: 1000, exact: true})
		s.view("12:00:10 ann")
		s.poll("12:10:00")
		assert.Empty(t, s.poll("12:30:12"))
		assert.Equal(t, lines("ended ann 12:00:10"), s.poll("13:00:05"), "no gap in less than a window")
	})

	t.Run("and not one that is shorter", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:01 ann", "12:15:00 ann", "12:31:00 ann")
		s.poll("12:00:30")
		assert.Equal(t, lines("12:15:00 ann /"), s.poll("12:30:20"))
	})

	t.Run("no false alarm while replies are not full", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, behaviour{limit: 100})
		for i := range 90 {
			s.view(instant(clock("12:00:00")+int64(i)*20_000).Format("15:04:05") + " ann")
		}
		for now := clock("12:00:00"); now < clock("13:10:00"); now += 29_000 {
			c := s.core.Next(&s.site.show(now, now).Reply)
			require.Empty(t, c.Gaps, "at %v", instant(now))
		}
	})

	t.Run("no number where the series says nothing", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, behaviour{limit: 3, series: emptied})
		s.view("12:00:01 ann")
		s.poll("12:00:02")
		s.view("12:00:10 ann", "12:00:11 ann", "12:00:12 ann", "12:00:13 ann")
		assert.Contains(t, s.poll("12:00:14"), "gap 11:59:56 to 12:00:11 truncated -1")
		assert.Empty(t, s.poll("12:01:10"))
		assert.Equal(t, lines("ended ann 12:00:13"), s.poll("12:31:10"), "and it is said once")
	})

	t.Run("no number of minutes that are gone", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("11:59:01 ann")
		s.poll("11:59:10")
		s.view("12:00:01 ann", "12:00:02 ann", "12:00:03 ann", "12:00:04 ann", "12:00:05 ann")
		s.poll("12:00:06")
		s.view("12:01:04 ann", "12:01:05 ann", "12:01:06 ann")
		s.poll("12:01:04.5")
		assert.Contains(t, s.poll("12:31:03"), "gap 12:00:00 to 12:01:00 outage -1", "it was not over at the last poll")
	})

	t.Run("what a burst after idle time hides may have come at any time", func(t *testing.T) {
		t.Parallel()
		// The second reply may be of a replica that had not seen the event. The
		// gap reaches back as far as replicas may lag.
		s := newScene(t, newest3)
		s.view("12:00:01 ann")
		s.poll("12:00:10")
		s.event("12:09:50 bob signup")
		s.pollReplica("12:10:00", "12:09:40")
		s.view("12:10:07 ann", "12:10:08 ann", "12:10:09 ann")
		assert.Contains(t, s.poll("12:10:10"), "gap 12:07:55 to 12:10:07 truncated 0")
	})

	t.Run("a cut that stays where it was hides nothing new", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann")
		s.poll("12:00:02")
		s.view("12:00:10 ann", "12:00:11 ann", "12:00:12 ann")
		s.poll("12:00:13")
		assert.Empty(t, s.poll("12:00:14"))
		s.view("12:00:14.5 ann")
		assert.Equal(t, lines("12:00:14.5 ann /", "gap 12:00:10 to 12:00:11 truncated 0"), s.poll("12:00:15"), "from the last gap on")
	})

	t.Run("a cut that moves through what is known hides nothing new", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann")
		s.poll("12:00:02")
		s.view("12:00:10.1 ann", "12:00:10.2 ann", "12:00:10.3 ann", "12:00:10.4 ann")
		s.poll("12:00:20")
		s.view("12:00:21 ann")
		assert.Equal(t, lines("12:00:21 ann /"), s.poll("12:00:30"))
		s.view("12:00:31 ann")
		assert.Equal(t, lines("12:00:31 ann /"), s.poll("12:00:40"))
	})

	t.Run("what was counted and is shown after all is taken off later", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann")
		s.poll("12:00:02")
		s.view("12:00:20 bob", "12:00:21 cem", "12:00:30 ann", "12:00:31 ann", "12:00:32 ann")
		s.poll("12:00:40")
		assert.Equal(t, lines("gap 12:00:00 to 12:00:30 truncated 2"), s.poll("12:01:10"))
		assert.Equal(t, lines("12:00:20 bob /", "12:00:21 cem /", "started bob", "started cem"), s.pollReplica("12:01:20", "12:00:30"))
		s.view("12:05:10 ann", "12:05:11 ann", "12:05:12 ann", "12:05:13 ann", "12:05:14 ann", "12:05:15 ann")
		s.poll("12:05:20")
		s.view("12:09:10 ann", "12:09:11 ann", "12:09:12 ann")
		assert.Equal(t, lines("gap 12:05:00 to 12:09:10 truncated 1"), tail(3, s.poll("12:09:20")), "three are missing, two were said too many")
	})

	t.Run("once rows have come back, they are counted when none can", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann", "12:00:02 ann", "12:00:03 ann")
		s.poll("12:00:04")
		s.pollReplica("12:00:10", "12:00:02") // it lags, and now that is known
		s.view("12:01:01 bob", "12:01:02 ann", "12:01:03 ann", "12:01:04 ann")
		s.poll("12:01:10")
		assert.Empty(t, s.poll("12:03:10"), "the page view of bob may still be shown")
		assert.Equal(t, lines("12:01:01 bob /", "started bob"), s.pollReplica("12:03:02", "12:01:03"))
		s.view("12:04:01 ann", "12:04:02 ann", "12:04:03 ann")
		s.poll("12:04:10")
		assert.Empty(t, s.poll("12:10:10"))
	})

	t.Run("a reset takes nothing back", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("11:59:01 ann")
		s.poll("11:59:02")
		s.view("12:00:01 ann", "12:00:02 ann", "12:01:01 ann", "12:01:02 ann", "12:01:03 ann")
		assert.Contains(t, s.poll("12:01:10"), "gap 11:58:56 to 12:01:01 truncated 2")
		s.site = newSite(newest3, nil)
		s.view("12:01:20 ann", "12:02:20 ann", "12:02:21 ann", "12:02:22 ann", "12:02:23 ann", "12:10:01 ann", "12:10:02 ann", "12:10:03 ann")
		s.poll("12:01:30")
		s.poll("12:02:30")
		assert.Contains(t, strings.Join(s.poll("12:10:10"), "\n"), "truncated 1", "only the one at 12:02:20 is missing")
	})
}

func TestPromise4WhereTheNewestRowsAreHidden(t *testing.T) {
	t.Parallel()

	t.Run("what is hidden now will be shown", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, oldest3)
		s.view("12:00:01 ann", "12:01:01 ann", "12:02:01 ann", "12:03:01 ann", "12:04:01 ann")
		assert.Equal(t, lines("12:00:01 ann /", "12:01:01 ann /", "12:02:01 ann /", "started ann", "stale 1m59s"), s.poll("12:05:10"))
		assert.Equal(t, lines("12:03:01 ann /", "stale 59s"), s.poll("12:31:10"))
		assert.Equal(t, lines("12:04:01 ann /"), s.poll("12:32:10"), "all are shown, and it is not stale")
	})

	t.Run("what leaves the window before is missing", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, oldest3)
		s.view("12:00:01 ann", "12:00:02 ann", "12:00:03 ann", "12:00:04 ann", "12:01:01 ann", "12:01:02 ann")
		s.event("12:00:05 ann signup")
		s.poll("12:02:10")
		assert.Equal(t, lines("12:01:01 ann /", "12:01:02 ann /", "gap 12:00:03 to 12:01:00 truncated 1"), s.poll("12:31:10"))
	})

	t.Run("what was hidden before it is known that it was", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, oldest3)
		s.view("11:50:00 ann", "12:00:01 ann", "12:00:02 ann", "12:00:03 ann")
		s.event("12:00:30 ann signup", "12:01:20 ann signup")
		s.poll("12:00:40")
		s.poll("12:01:40")
		assert.Equal(t, lines("12:00:03 ann /"), head(1, s.poll("12:22:10")))
		assert.Contains(t, s.poll("12:31:10"), "gap 12:00:03 to 12:01:00 truncated 0")
	})

	t.Run("what was hidden before an outage", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, oldest3)
		s.view("12:00:01 ann", "12:00:02 ann", "12:00:03 ann", "12:00:20 ann")
		s.event("12:00:30 ann signup")
		s.poll("12:00:40")
		assert.Contains(t, s.poll("13:10:00"), "gap 12:00:03 to 12:40:00 outage -1")
	})

	t.Run("a row that is backdated before all that are shown", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, oldest3)
		s.view("12:00:01 ann", "12:01:01 ann", "12:02:01 ann", "12:03:01 ann")
		s.poll("12:04:10")
		s.view("11:50:00 bob / until 12:04:20")
		assert.Equal(t, lines("11:50:00 bob /"), head(1, s.poll("12:04:30")))
	})

	t.Run("it is known again after a quiet time", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, oldest3)
		s.view("12:00:01 ann", "12:01:01 ann", "12:02:01 ann", "12:03:01 ann")
		s.poll("12:04:10")
		s.poll("12:35:00")
		s.view("12:40:01 ann", "12:40:02 ann", "12:40:03 ann", "12:40:04 ann")
		assert.Equal(t, lines("12:40:01 ann /", "12:40:02 ann /", "12:40:03 ann /"), head(3, s.poll("12:40:10")))
		assert.Empty(t, s.poll("12:41:10"), "the fourth is not missing yet")
		assert.Equal(t, lines("ended ann 12:40:03", "gap 12:40:03 to 12:41:00 truncated 1"), s.poll("13:11:10"))
	})

	t.Run("minutes that are over and gone uncounted", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, oldest3)
		s.view("12:00:01 ann", "12:00:02 ann", "12:00:03 ann", "12:01:04 ann", "12:02:04 ann")
		s.poll("12:02:30")
		s.view("12:33:04 ann")
		assert.Equal(t, lines("12:33:04 ann /", "gap 12:00:03 to 12:02:00 truncated 1", "gap 12:02:00 to 12:04:00 outage -1"), head(3, s.poll("12:34:30")))
	})

	t.Run("a full site that is quiet is not stale", func(t *testing.T) {
		t.Parallel()
		for _, b := range []behaviour{newest3, oldest3} {
			s := newScene(t, b)
			s.view("12:00:01 ann", "12:10:01 ann", "12:20:01 ann")
			assert.NotContains(t, strings.Join(s.poll("12:29:00"), "\n"), "stale")
		}
	})

	t.Run("a server that is upgraded to show the newest rows", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, oldest3)
		s.view("12:00:01 ann", "12:01:01 ann", "12:02:01 ann", "12:03:01 ann", "12:04:01 ann", "12:05:01 ann", "12:06:01 ann")
		s.poll("12:07:10")
		s.site.behaviour = newest3
		assert.Equal(t, lines("12:04:01 ann /", "12:05:01 ann /", "12:06:01 ann /", "gap 12:02:01 to 12:04:01 truncated 1"), s.poll("12:07:20"))
	})

	t.Run("and one that is upgraded to hide them", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann", "12:01:01 ann", "12:02:01 ann")
		s.poll("12:02:10")
		s.view("12:03:01 ann", "12:04:01 ann")
		s.poll("12:04:10")
		s.site.behaviour = oldest3
		assert.Equal(t, lines("stale 1m59s"), s.poll("12:05:10"))
		assert.Empty(t, s.poll("12:33:10"), "all of it is known, and nothing was missed")
	})
}

func TestPromise5Rate(t *testing.T) {
	t.Parallel()
	s := newScene(t, behaviour{limit: 4})
	s.view("12:00:00 ann", "12:00:02 ann", "12:00:04 ann")
	rate := func(now, before string) float64 {
		r := s.site.show(clock(now), clock(now))
		last := time.Time{}
		if before != "" {
			last = instant(clock(before))
		}
		return s.core.Next(&r.Reply).Rate(&r.Reply, last)
	}
	assert.Zero(t, rate("12:00:05", ""), "a first reply that is not full tells nothing")
	s.view("12:00:06 ann", "12:00:08 ann")
	assert.InDelta(t, 0.5, rate("12:00:10", "12:00:05"), 1e-9, "four rows reach back eight seconds")
	s.view("12:00:11 ann", "12:00:12 ann", "12:00:13 ann", "12:00:14 ann")
	assert.InDelta(t, 1, rate("12:00:15", "12:00:10"), 1e-9, "four in four seconds")
	assert.InDelta(t, 4./60, rate("12:01:11", "12:00:15"), 1e-9, "calm again")
}

func TestPromise6MemoryIsBounded(t *testing.T) {
	t.Parallel()

	t.Run("by what a later reply can show", func(t *testing.T) {
		t.Parallel()
		// A crowd of 200 rows a second in three sessions, polled each second for
		// longer than a window.
		var s *site
		core := diff.New(false)
		largest := 0
		for i := range 200 * 40 * 60 {
			at := clock("12:00:00") + int64(i)*5
			if i%2000 == 0 {
				s = newSite(behaviour{limit: 100, series: unsent}, nil) // what was before is hidden for ever
			}
			s.happen(wire.Row{SessionID: []string{"ann", "bob", "cem"}[i%3], URLPath: "/"}, at, at)
			if i%200 == 199 {
				core.Next(&s.show(at, at).Reply)
			}
			if i%20_000 == 19_999 {
				packed, err := core.State().MarshalBinary()
				require.NoError(t, err)
				largest = max(largest, len(packed))
			}
		}
		const remembered = 100 * 122 // 100 shown each second, for two minutes and a bit
		assert.InDelta(t, 7*remembered, largest, 2000, "seven bytes each, where they come 5 ms apart")
	})

	t.Run("and by nothing of the replies themselves", func(t *testing.T) {
		t.Parallel()
		core := diff.New(false)
		r := &wire.Reply{Pageviews: []wire.Row{{SessionID: "ann", CreatedAt: instant(clock("12:00:01"))}}, Timestamp: instant(clock("12:00:02"))}
		core.Next(r)
		kept := weak.Make(r)
		runtime.GC()
		assert.Nil(t, kept.Value())
		runtime.KeepAlive(core)
	})
}

func TestPromise9Resume(t *testing.T) {
	t.Parallel()

	t.Run("all that came in between, and nothing twice", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:01 ann", "12:00:02 ann", "12:00:02 ann")
		s.poll("12:00:10")
		s.resume()
		s.view("12:00:11 ann", "12:00:02 ann / until 12:00:11", "12:15:00 bob")
		assert.Equal(t, lines("12:00:02 ann /", "12:00:11 ann /", "12:15:00 bob /", "started bob"), s.poll("12:29:00"))
	})

	t.Run("sessions go on", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:01 5f0c9f4e-0d6b-4a61-9c3b-0a1b2c3d4e5f", "12:00:02 of-another-kind", "12:10:01 of-another-kind")
		s.poll("12:10:10")
		s.resume()
		assert.Equal(t, lines("ended 5f0c9f4e-0d6b-4a61-9c3b-0a1b2c3d4e5f 12:00:01"), s.poll("12:31:10"))
		s.resume()
		assert.Equal(t, lines("ended of-another-kind 12:10:01"), s.poll("12:41:10"))
	})

	t.Run("past the limit, a gap", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann")
		s.poll("12:00:10")
		s.resume()
		s.view("12:01:01 ann", "12:01:02 ann", "12:01:03 ann", "12:01:04 ann")
		assert.Contains(t, s.poll("12:02:10"), "gap 11:59:56 to 12:01:02 resumed 1")
		s.view("12:03:01 ann", "12:03:02 ann", "12:03:03 ann", "12:03:04 ann")
		assert.Contains(t, s.poll("12:04:10"), "gap 12:01:02 to 12:03:02 truncated 1", "later ones are of another reason")
	})

	t.Run("past the window, a gap", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.poll("12:00:10")
		s.resume()
		assert.Equal(t, lines("gap 12:00:05 to 12:30:10 resumed -1"), s.poll("13:00:10"))
	})

	t.Run("not from what is no checkpoint", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann")
		s.poll("12:00:10")
		text, err := json.Marshal(diff.Checkpoint{Website: "w", Filters: "f", Seq: 7, State: s.core.State()})
		require.NoError(t, err)
		var whole diff.Checkpoint
		require.NoError(t, json.Unmarshal(text, &whole))
		assert.Equal(t, "w f 7", fmt.Sprint(whole.Website, " ", whole.Filters, " ", whole.Seq))
		for name, damaged := range map[string]string{
			"empty":           `{}`,
			"null":            `null`,
			"a list":          `[]`,
			"of a newer SDK":  strings.Replace(string(text), `"version":1`, `"version":2`, 1),
			"of another site": strings.Replace(string(text), `"w"`, `"v"`, 1),
			"of another time": strings.Replace(string(text), `"seq":7`, `"seq":8`, 1),
			"cut":             strings.Replace(string(text), `"state":"`, `"state":"AAAA`, 1),
		} {
			var c diff.Checkpoint
			require.Error(t, json.Unmarshal([]byte(damaged), &c), name)
			assert.Nil(t, c.State, name)
		}
		_, err = json.Marshal(diff.Checkpoint{})
		require.Error(t, err)
	})
}

func TestPromise9CheckpointSize(t *testing.T) {
	t.Parallel()
	// About 12 bytes for each remembered row and 26 for each session.
	m := &model{behaviour: behaviour{limit: 100}, random: newRandom(1), books: newLedger()}
	m.site = newSite(m.behaviour, m.random)
	m.setClock(0)
	core := diff.New(false)
	for now, rows := clock("12:00:00"), 0; rows < 5000; now += 200 {
		r := m.anything(m.newID())
		m.site.happen(r, now, now)
		if rows++; rows%50 == 0 {
			core.Next(&m.site.show(now, now).Reply)
		}
	}
	text, err := json.Marshal(diff.Checkpoint{Website: m.newID(), State: core.State()})
	require.NoError(t, err)
	remembered := int(diff.Memory/(200*time.Millisecond)) + 100
	t.Logf("%d bytes for %d rows and %d sessions", len(text), remembered, 5000)
	assert.InDelta(t, 12*remembered+26*5000, len(text), 0.05*26*5000)
}

func TestPromise10TheServersClockCounts(t *testing.T) {
	t.Parallel()

	t.Run("it is put back", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:01 ann", "12:20:01 ann", "12:30:01 bob")
		s.poll("12:30:10")
		assert.Empty(t, s.poll("12:10:20"), "20 minutes back: what is shown is known")
		s.view("12:10:25 ann")
		assert.Equal(t, lines("12:10:25 ann /"), s.poll("12:10:30"))
		assert.Empty(t, s.poll("12:30:40"), "and is known when its time comes again")
		assert.Equal(t, lines("ended ann 12:20:01"), s.poll("12:51:10"))
	})

	t.Run("it is put back on a busy site", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("12:00:01 ann", "12:20:01 ann", "12:30:01 ann", "12:30:02 ann", "12:30:03 ann")
		s.poll("12:30:10")
		assert.Equal(t, lines("gap 11:50:00 to 12:20:05 outage -1"), s.poll("12:20:10"), "nothing of it can be told to be new")
		s.view("12:20:11 ann")
		assert.Equal(t, lines("12:20:11 ann /"), head(1, s.poll("12:20:20")))
	})

	t.Run("it is put back by more than a window", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("13:30:01 ann")
		s.poll("13:30:10")
		s.view("12:30:11 bob") // right after that
		assert.Equal(t, lines("gap 12:00:00 to 12:30:15 outage -1"), head(1, s.poll("12:30:20")))
		s.view("12:30:21 bob")
		assert.Equal(t, lines("12:30:21 bob /", "started bob"), s.poll("12:30:30"))
	})

	t.Run("it was wrong for one reply", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:01 ann")
		s.poll("12:00:10")
		s.core.Next(&wire.Reply{Timestamp: instant(clock("23:00:00"))})
		s.view("12:00:11 bob")
		assert.Equal(t, lines("12:00:11 bob /", "started bob"), s.poll("12:00:30"))
	})

	t.Run("two servers behind one name", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, all)
		s.view("12:00:01 ann", "12:00:09 ann")
		s.poll("12:00:10")
		assert.Empty(t, s.poll("12:00:08"), "the second is behind by two seconds")
		s.view("12:00:08.5 bob")
		assert.Equal(t, lines("12:00:08.5 bob /", "started bob"), s.poll("12:00:11"))
	})

	t.Run("rows of the future", func(t *testing.T) {
		t.Parallel()
		// Some server versions show them before their time.
		core := diff.New(false)
		future := wire.Row{SessionID: "eve", URLPath: "/", CreatedAt: instant(clock("23:00:00"))}
		now := instant(clock("12:00:10"))
		first := core.Next(&wire.Reply{Pageviews: []wire.Row{future, future, future}, Timestamp: now, Truncated: true, Limit: 3})
		assert.Len(t, first.Rows, 3)
		row := wire.Row{SessionID: "ann", URLPath: "/", CreatedAt: now.Add(time.Second)}
		second := core.Next(&wire.Reply{Pageviews: []wire.Row{future, future, row}, Timestamp: now.Add(5 * time.Second), Truncated: true, Limit: 3})
		assert.Equal(t, lines("12:00:11 ann /", "started ann"), head(2, said(second)), "they hide nothing else")
	})
}

func TestStart(t *testing.T) {
	t.Parallel()

	t.Run("with what was asked for in the minute before", func(t *testing.T) {
		t.Parallel()
		// The query began at 12:00:59.9, and its reply is of the time after it.
		s := newScene(t, all)
		s.view("11:30:20 ann", "11:30:40 bob", "12:00:30 eve")
		first := s.site.show(clock("12:00:59.9"), clock("12:00:59.9"))
		first.Timestamp = instant(clock("12:01:00.2"))
		assert.Equal(t, lines("11:30:20 ann /", "11:30:40 bob /", "12:00:30 eve /"), head(3, said(s.core.Next(&first.Reply))))
	})

	t.Run("with what is there, and a gap for what the cut hides", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.view("11:31:00 ann", "11:50:00 ann", "12:00:01 ann", "12:00:02 ann", "12:00:03 ann")
		assert.Equal(t, lines("12:00:01 ann /", "12:00:02 ann /", "12:00:03 ann /", "started ann", "gap 11:30:00 to 12:00:01 truncated 2"),
			s.poll("12:00:10"))
	})

	t.Run("with what comes later", func(t *testing.T) {
		t.Parallel()
		for name, b := range map[string]behaviour{"all": all, "newest": newest3, "oldest": oldest3} {
			s := newScene(t, b)
			s.core = diff.New(true)
			s.view("11:50:00 ann", "11:51:00 ann", "11:59:50 ann", "11:59:55 ann", "11:59:58 ann")
			require.Empty(t, strings.Join(s.poll("12:00:10"), "\n"), name)
			s.view("12:01:01 bob", "12:01:02 ann")
			told := s.poll("12:29:20")
			if !b.oldest {
				assert.Equal(t, lines("12:01:01 bob /", "12:01:02 ann /", "started bob"), told, name)
				continue
			}
			assert.Equal(t, lines("stale 1m2s"), told, name)
			assert.Equal(t, lines("12:01:01 bob /", "12:01:02 ann /", "started bob"), s.poll("12:30:20"), name)
		}
	})

	t.Run("skipping does not make an idle site unsteady", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, newest3)
		s.core = diff.New(true)
		s.view("11:50:00 ann")
		s.poll("12:00:10")
		s.poll("12:00:20")
		s.view("12:00:31 ann", "12:00:32 ann", "12:00:33 ann", "12:00:34 ann")
		s.poll("12:00:40")
		assert.Equal(t, lines("gap 12:00:00 to 12:00:32 truncated 1"), s.poll("12:01:10"))
	})
}
