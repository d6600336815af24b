package umamitest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// WebsiteID is the website that every Server has. An administrator who asks
// for another one gets an empty reply, as from a real server.
const WebsiteID = "0fd211ef-6f1f-41f4-8e6e-f2f0570bfbd1"

// Server is a fake Umami server with one website. Make one with NewServer. It
// is safe for concurrent use, also as an http.Handler.
type Server struct {
	// URL is what umami.NewClient takes: the server's origin, for the profiles
	// of Umami Cloud followed by /v1.
	URL string
	// WebsiteID is the constant WebsiteID.
	WebsiteID string

	setting
	profile   Profile
	now       func() time.Time
	inProcess bool
	twoFactor bool
	lag       time.Duration    // of replicas; 0: there are none
	skew      time.Duration    // of the clock
	noEvents  int              // the status of the events endpoint; 0: it answers
	sites     []Website        // in the order of their ids
	listener  *httptest.Server // nil in process

	mu       sync.Mutex
	store    store
	random   *rand.Rand // for ids that the caller leaves out
	traffic  *generator // nil: none
	tokens   int        // how often they were ended
	faults   []queued
	requests []*Request
	replica  *rand.Rand // which one answers
	over     bool
	waiting  map[*http.Request]context.CancelFunc // requests that Close must end
	listings uint64                               // how often events were listed
}

var _ http.Handler = (*Server)(nil)

// Option changes a setting of NewServer. Options may come in any order.
type Option func(*Server)

// WithProfile sets which server is imitated. Default: V3_1.
func WithProfile(p Profile) Option { return func(s *Server) { s.profile = p } }

// WithDatabase sets the database behind the server. Default: Postgres. The
// profiles of Umami Cloud have ClickHouse whatever is set.
func WithDatabase(d Database) Option { return func(s *Server) { s.database = d } }

// WithDatabaseTimezone sets the time zone of the Postgres session. Default: UTC.
// Servers of 3.0.0 and later mislabel the series if it is another; earlier ones
// and ClickHouse do not care.
func WithDatabaseTimezone(zone *time.Location) Option { return func(s *Server) { s.session = zone } }

// WithClock sets the server's clock. Default: time.Now, which inside a
// testing/synctest bubble is the bubble's clock. now must be safe for
// concurrent use and must not call the server. Delay waits by time.Now's clock
// whatever is set.
func WithClock(now func() time.Time) Option { return func(s *Server) { s.now = now } }

// WithClockSkew shifts the server's clock by a duration, back if that is negative.
func WithClockSkew(by time.Duration) Option { return func(s *Server) { s.skew = by } }

// WithReplicas makes a third of the realtime replies come from a replica of the
// database that is behind by up to lag: they show an older state with the
// timestamp of now. They are the same replies in every run.
func WithReplicas(lag time.Duration) Option { return func(s *Server) { s.lag = lag } }

// WithShuffledTies puts rows of the same instant in another order in each
// realtime reply, so that at the limit any of them may be cut off. ClickHouse, whose
// instants are whole seconds, does so.
func WithShuffledTies() Option {
	return func(s *Server) { s.ties = rand.New(rand.NewPCG(3, 3)) } //nolint:gosec // the same in every run
}

// InProcess makes a server without a listener: nothing but its own Client and
// HTTPClient, or a caller of ServeHTTP, reaches it, and its URL is
// http://umami.test (with /v1 for the profiles of Umami Cloud).
func InProcess() Option { return func(s *Server) { s.inProcess = true } }

// WithTraffic makes up visits. Default: none. They begin early enough for the
// first reply to show a full window (30 minutes).
func WithTraffic(t Traffic) Option { return func(s *Server) { s.traffic = &generator{Traffic: t} } }

// WithTwoFactor makes a correct login ask for a second factor, as servers since
// 3.3 do where the account has one.
func WithTwoFactor() Option { return func(s *Server) { s.twoFactor = true } }

// NewServer starts a server, by default on a loopback port. Close ends it. An
// invalid option, such as an unknown Profile, panics.
func NewServer(opts ...Option) *Server {
	s := &Server{
		WebsiteID: WebsiteID,
		setting:   setting{website: WebsiteID, session: time.UTC},
		profile:   V3_1,
		now:       time.Now,
		sites:     []Website{firstSite},
		store:     newStore(),
		random:    rand.New(rand.NewPCG(1, 1)), //nolint:gosec // ids that tests can repeat
		replica:   rand.New(rand.NewPCG(2, 2)), //nolint:gosec // the same in every run
		waiting:   make(map[*http.Request]context.CancelFunc),
	}
	for _, opt := range opts {
		opt(s)
	}
	known := false
	if s.traits, known = profiles[s.profile]; !known {
		panic(fmt.Sprintf("umamitest: %v is not a profile", s.profile))
	}
	if s.noEvents != 0 && (s.noEvents < 400 || s.noEvents > 599) {
		panic(fmt.Sprintf("umamitest: %d is not the status of an error", s.noEvents))
	}
	if s.session == nil || s.now == nil {
		panic("umamitest: the database's time zone and the clock must not be nil")
	}
	if s.lag < 0 {
		panic("umamitest: a replica cannot be ahead")
	}
	if s.cloud {
		s.database = ClickHouse
	}
	if clock := s.now; s.skew != 0 {
		s.now = func() time.Time { return clock().Add(s.skew) }
	}
	if s.traffic != nil {
		s.traffic.begin(s.now())
	}
	s.URL = "http://umami.test"
	if !s.inProcess {
		s.listener = httptest.NewServer(s)
		s.URL = s.listener.URL
	}
	if s.cloud {
		s.URL += "/v1"
	}
	return s
}

// Close ends the server, also for requests that are under way.
func (s *Server) Close() {
	s.mu.Lock()
	s.over = true
	for _, end := range s.waiting { // they would hold the listener up
		end()
	}
	s.mu.Unlock()
	if s.listener != nil {
		s.listener.CloseClientConnections()
		s.listener.Close()
	}
}

// wait gives a request that has to wait a context that Close ends, too. done must
// be called at the end of the wait.
func (s *Server) wait(r *http.Request) (ctx context.Context, done func()) {
	ctx, end := context.WithCancel(r.Context())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		end()
	}
	s.waiting[r] = end
	return ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiting, r)
		end()
	}
}

func (s *Server) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// Visit adds a page view and returns it as the database has it.
func (s *Server) Visit(v Visit) Row { return s.add(Row{Visit: v, Kind: Pageview}) }

// Event adds a custom event and returns it as the database has it. An empty name
// panics.
func (s *Server) Event(name string, v Visit) Row {
	if name == "" {
		panic("umamitest: an event needs a name")
	}
	return s.add(Row{Visit: v, Kind: CustomEvent, EventName: name})
}

// Performance adds a beacon with web vitals and returns it as the database has
// it. Browsers send them to servers since 3.1. The code of 2.12 to 3.1 shows
// them, as page views (without a hostname, where it shows one) which its series
// does not count; other profiles hide them.
func (s *Server) Performance(v Visit) Row { return s.add(Row{Visit: v, Kind: Beacon}) }

func (s *Server) add(row Row) Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.catchUp(now)
	row.ID = newUUID(s.random)
	if row.SessionID == "" {
		row.SessionID = newUUID(s.random)
	}
	s.fill(&row, now)
	s.store.add(&row)
	return row
}

// cut leaves of a time what the database keeps.
func (s *setting) cut(t time.Time) time.Time {
	if s.database == ClickHouse {
		return t.UTC().Truncate(time.Second)
	}
	return t.UTC().Truncate(time.Millisecond)
}

// fill completes a row.
func (s *Server) fill(row *Row, now time.Time) {
	if row.CreatedAt.IsZero() {
		row.CreatedAt = now
	}
	if row.VisibleAt.IsZero() {
		row.VisibleAt = now
	}
	if row.VisibleAt.Before(row.CreatedAt) {
		row.VisibleAt = row.CreatedAt
	}
	row.CreatedAt, row.VisibleAt = s.cut(row.CreatedAt), row.VisibleAt.UTC().Truncate(time.Millisecond)
	visitor := Visit{Browser: "chrome", OS: "Windows 10", Device: "desktop", Screen: "1920x1080", Language: "en-US"}
	if known, ok := s.store.byID[row.SessionID]; ok {
		visitor = known.Visit
	}
	or(&row.Browser, visitor.Browser)
	or(&row.OS, visitor.OS)
	or(&row.Device, visitor.Device)
	or(&row.Country, visitor.Country)
	or(&row.City, visitor.City)
	or(&row.Screen, visitor.Screen)
	or(&row.Language, visitor.Language)
	if row.Kind != Beacon {
		or(&row.Hostname, "www.example.com")
	}
}

func or(s *string, instead string) {
	if *s == "" {
		*s = instead
	}
}

// Truth returns everything that happened so far and is visible, in the order of
// CreatedAt, whether a reply shows it or not: what a perfect reader would know.
// Rows of the same instant are in the order of their arrival. The rows are copies;
// VisibleAt tells since when a reply could show each.
func (s *Server) Truth() []Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.catchUp(now)
	truth := make([]Row, 0, len(s.store.rows))
	for _, e := range s.store.rows {
		if e.visible <= now.UnixMilli() {
			truth = append(truth, *e.Row)
		}
	}
	return truth
}

// happened gives what did up to now, or an empty store. The caller holds the
// lock.
func (s *Server) happened(empty bool) (*store, time.Time) {
	now := s.now()
	s.catchUp(now)
	if empty {
		none := newStore()
		return &none, now
	}
	return &s.store, now
}

// catchUp makes up the traffic up to now. The caller holds the lock.
func (s *Server) catchUp(now time.Time) {
	if s.traffic == nil {
		return
	}
	for _, row := range s.traffic.until(now) {
		if row.Kind == Beacon && (!s.beacons || !s.hostnames) {
			continue // this version's script sends none
		}
		row.CreatedAt = s.cut(row.CreatedAt)
		s.store.add(row)
	}
}
