package umamitest

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Traffic is made-up visits to a small shop: visitors come from somewhere,
// view a few pages over some minutes, now and then fire an event, and leave.
//
// The same Seed and clock make the same rows, however often the server is
// asked: each minute is made up from the seed and the minute alone.
type Traffic struct {
	Seed uint64
	// Rate is how many visitors come in a minute, on average; each makes three
	// or four rows. Zero: 6.
	Rate float64
	// Until is when the last visitor comes, who may stay for some minutes. Zero:
	// there is no last one.
	Until time.Time
	// Late is how long a row may take to reach the database, and so a reply,
	// after its CreatedAt; a third of them take some time. Zero: none does.
	Late time.Duration
	// Alike is the share of page views that happen twice at the same instant,
	// alike in every column that a reply shows. Zero: one in 40; below 0: none.
	Alike float64
	// Bursts is how many crowds come in an hour, on average. Zero: none.
	Bursts float64
	// Crowd is how many page views a crowd makes, within two seconds. Zero:
	// 300.
	Crowd int
}

// longestVisit is time enough for any visit to end.
const longestVisit = 20 * time.Minute

// generator makes traffic up to an instant, in the order of createdAt.
type generator struct {
	Traffic
	next    int64  // the first minute that is not made up yet
	pending []*Row // of later minutes, in order
}

// begin goes far enough back for the first window to be as busy as any.
func (g *generator) begin(now time.Time) {
	if g.Rate <= 0 {
		g.Rate = 6
	}
	if g.Alike == 0 {
		g.Alike = 1. / 40
	}
	if g.Crowd <= 0 {
		g.Crowd = 300
	}
	g.next = minuteOf(now.Add(-realtimeRange - longestVisit).UnixMilli())
}

// until gives the rows of all minutes up to that of now which it has not given
// before; those of the running minute may still lie ahead.
func (g *generator) until(now time.Time) []*Row {
	var due []*Row
	for ; g.next <= minuteOf(now.UnixMilli()); g.next++ {
		g.minute(g.next)
		end := time.UnixMilli((g.next + 1) * time.Minute.Milliseconds())
		n, _ := slices.BinarySearchFunc(g.pending, end, func(r *Row, t time.Time) int { return r.CreatedAt.Compare(t) })
		due = append(due, g.pending[:n]...)
		g.pending = slices.Clone(g.pending[n:])
	}
	return due
}

// minute makes up the visits that begin in one minute.
func (g *generator) minute(m int64) {
	random := rand.New(rand.NewPCG(g.Seed, uint64(m))) //nolint:gosec // it must repeat itself
	start := time.UnixMilli(m * time.Minute.Milliseconds()).UTC()
	if !g.Until.IsZero() && !start.Before(g.Until) {
		return
	}
	for range poisson(random, g.Rate) {
		at := start.Add(upToDuration(random, time.Minute))
		v := visitor{Traffic: &g.Traffic, random: random, at: at}
		g.bring(at, v.visit())
	}
	for range poisson(random, g.Bursts/60) {
		at := start.Add(upToDuration(random, time.Minute))
		g.bring(at, g.crowd(random, at))
	}
	slices.SortStableFunc(g.pending, func(a, b *Row) int { return a.CreatedAt.Compare(b.CreatedAt) })
}

// bring adds what began at an instant, unless nobody comes any more.
func (g *generator) bring(at time.Time, rows []*Row) {
	if g.Until.IsZero() || at.Before(g.Until) {
		g.pending = append(g.pending, rows...)
	}
}

// crowd makes up what comes when many follow the same link.
func (g *generator) crowd(random *rand.Rand, at time.Time) (rows []*Row) {
	const each = 8 // rows of one visitor
	for made := 0; made < g.Crowd; made += each {
		v := visitor{Traffic: &g.Traffic, random: random}
		v.arrive()
		v.now.URLPath, v.now.PageTitle = home.path, home.title
		for range min(each, g.Crowd-made) {
			v.at = at.Add(upToDuration(random, 2*time.Second))
			v.row(Pageview, "")
		}
		rows = append(rows, v.rows...)
	}
	return rows
}

func poisson(random *rand.Rand, mean float64) int {
	const step = 30 // e^-30 is a number that a float64 can hold
	n := 0
	for ; mean > 0; mean -= step {
		product, limit := random.Float64(), math.Exp(-min(mean, step))
		for ; product > limit; n++ {
			product *= random.Float64()
		}
	}
	return n
}

func upToDuration(random *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(random.Int64N(most.Milliseconds())) * time.Millisecond
}

// pick chooses an element; one that stands in the list more often is chosen
// more often.
func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

type page struct{ path, title, event string }

var (
	home  = page{"/", "Umbrella & Sons", ""}
	pages = []page{
		home, home,
		{"/umbrellas", "Umbrellas", "open-filter"},
		{"/umbrellas/classic", "The Classic", "add-to-cart"},
		{"/umbrellas/storm", "The Storm", "add-to-cart"},
		{"/umbrellas/pocket", "The Pocket", "add-to-cart"},
		{"/raincoats", "Raincoats", "open-filter"},
		{"/raincoats/yellow", "The Yellow One", "add-to-cart"},
		{"/cart", "Your cart", "checkout"},
		{"/blog", "Stories", ""},
		{"/blog/who-invented-it", "Who invented it?", "play-video"},
		{"/repairs", "Repairs", "ask"},
		{"/about", "About us", ""},
		{"/kontakt/größe", "Größen", ""},
	}
	entries = []page{home, home, home, pages[3], pages[4], pages[7], pages[10]}

	referrers = []struct{ domain, path string }{
		{},
		{},
		{},
		{},
		{},
		{"google.com", "/"},
		{"google.com", "/"},
		{"google.com", "/"},
		{"duckduckgo.com", "/"},
		{"bing.com", "/search"},
		{"news.ycombinator.com", "/item"},
		{"t.co", "/k2Yd"},
		{"reddit.com", "/r/rain"},
		{"com.google.android.gm", ""},
		{"", "blank"},
	}

	homes = []struct{ country, language string }{
		{"US", "en-US"},
		{"US", "en-US"},
		{"US", "en-US"},
		{"US", "es-US"},
		{"DE", "de-DE"},
		{"DE", "de-DE"},
		{"GB", "en-GB"},
		{"GB", "en-GB"},
		{"FR", "fr-FR"},
		{"PL", "pl-PL"},
		{"JP", "ja-JP"},
		{"IN", "en-IN"},
		{"BR", "pt-BR"},
		{"NZ", "en-NZ"},
		{"", "en-US"},
	}

	machines = []struct{ browser, os, device, screen string }{
		{"chrome", "Windows 10", "desktop", "1920x1080"},
		{"chrome", "Windows 10", "laptop", "1536x864"},
		{"edge-chromium", "Windows 10", "laptop", "1920x1200"},
		{"firefox", "Linux", "desktop", "2560x1440"},
		{"safari", "Mac OS", "laptop", "1512x982"},
		{"chrome", "Mac OS", "desktop", "2560x1440"},
		{"ios", "iOS", "mobile", "390x844"},
		{"ios", "iOS", "mobile", "393x852"},
		{"ios", "iOS", "tablet", "820x1180"},
		{"chrome", "Android OS", "mobile", "412x915"},
		{"chrome", "Android OS", "mobile", "360x800"},
		{"samsung", "Android OS", "mobile", "360x780"},
	}
)

// visitor is one visitor on the way through the shop.
type visitor struct {
	*Traffic
	random *rand.Rand
	at     time.Time
	now    Visit // the page view last made
	rows   []*Row
}

// arrive makes up who it is.
func (v *visitor) arrive() {
	where, with, from := pick(v.random, homes), pick(v.random, machines), pick(v.random, referrers)
	v.now = Visit{
		SessionID: newUUID(v.random), Hostname: "shop.example.com",
		Browser: with.browser, OS: with.os, Device: with.device, Screen: with.screen,
		Country: where.country, Language: where.language,
		ReferrerDomain: from.domain, ReferrerPath: from.path,
	}
	if v.random.IntN(12) == 0 {
		v.now.URLQuery = "utm_source=news&utm_medium=email"
	}
}

func (v *visitor) visit() []*Row {
	v.arrive()
	on := pick(v.random, entries)
	for views := 1; ; views++ {
		v.view(on)
		if v.random.IntN(3) == 0 || views == 8 {
			return v.rows
		}
		// The page that links to the next one is its referrer's path; the
		// domain is left out, as Umami does with the site's own.
		v.now.URLQuery, v.now.ReferrerDomain, v.now.ReferrerPath = "", "", ""
		on = pick(v.random, pages)
		v.wait(3*time.Second, 90*time.Second)
	}
}

// view makes a page view and what comes with it.
func (v *visitor) view(on page) {
	v.now.URLPath, v.now.PageTitle = on.path, on.title
	v.row(Pageview, "")
	if v.random.Float64() < v.Alike {
		v.row(Pageview, "")
	}
	if v.random.IntN(10) == 0 {
		v.wait(time.Second, 3*time.Second)
		v.row(Beacon, "")
	}
	if on.event != "" && v.random.IntN(3) == 0 {
		v.wait(time.Second, 20*time.Second)
		v.row(CustomEvent, on.event)
	}
}

func (v *visitor) wait(least, most time.Duration) {
	v.at = v.at.Add(least + upToDuration(v.random, most-least))
}

func (v *visitor) row(kind Kind, name string) {
	row := &Row{Visit: v.now, ID: newUUID(v.random), Kind: kind, EventName: name}
	row.CreatedAt, row.VisibleAt = v.at, v.at
	if v.Late >= time.Millisecond && v.random.IntN(3) == 0 {
		row.VisibleAt = v.at.Add(upToDuration(v.random, v.Late))
	}
	if kind == Beacon {
		row.Hostname, row.URLQuery, row.ReferrerDomain, row.ReferrerPath = "", "", "", ""
	}
	v.rows = append(v.rows, row)
}
