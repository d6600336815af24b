package umami_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/send"
)

// peer is the other end of all connections of a client: it reads requests, and
// writes bytes. It speaks over net.Pipe, so that a fake clock can run.
type peer struct {
	fault
	at     string // the path whose requests meet the fault; "" for none
	answer func(*http.Request) string

	mu      sync.Mutex
	healed  bool
	dials   int
	refused int // dials that were refused, or connections that met the fault before a request
	faulty  int // requests that met the fault
	sent    []string
	strayed []string // where else the client went
	lines   []*line
	dialing []context.CancelFunc
}

// line is one connection, as the peer has it.
type line struct {
	net.Conn
	in    *bufio.Reader
	path  string // of the request
	heard string // the credential in it
	reset func() // makes the end a reset
}

// act is what the peer does with a request. It says whether the connection can
// serve another one.
type act func(*line) (again bool)

// says answers with text.
func says(text string) act {
	b := []byte(text) // once: it may be said again and again
	return func(l *line) bool {
		_, err := l.Write(b)
		return err == nil
	}
}

// thenCloses answers with text and hangs up.
func thenCloses(text string) act {
	return func(l *line) bool {
		says(text)(l)
		return false
	}
}

// thenResets answers with text and resets the connection.
func thenResets(text string) act {
	return func(l *line) bool {
		says(text)(l)
		l.reset()
		return false
	}
}

// thenNothing answers with text and then waits until the client hangs up.
func thenNothing(text string) act {
	return func(l *line) bool {
		says(text)(l)
		_, _ = l.in.ReadByte()
		return false
	}
}

// drips answers with text at once, and then with more, a byte every second.
func drips(text, more string) act {
	return func(l *line) bool {
		again := says(text)(l)
		for i := range more {
			time.Sleep(time.Second)
			again = again && says(more[i:i+1])(l)
			if !again {
				return false
			}
		}
		return true
	}
}

// floods answers with text, and then with a block again and again, n times or
// until the client hangs up.
func floods(text, block string, n int) act {
	begin, more := says(text), says(block)
	return func(l *line) bool {
		again := begin(l)
		for range n {
			if again = again && more(l); !again {
				return false
			}
		}
		return true
	}
}

// repeats answers with a text that holds the credential of the request, in place
// of each %s, and hangs up.
func repeats(format string) act {
	return func(l *line) bool { return thenCloses(strings.ReplaceAll(format, "%s", l.heard))(l) }
}

// pipeEnd is the client's end of a connection.
type pipeEnd struct {
	net.Conn
	was *sync.Map // "reset" where the peer did so
}

func (e pipeEnd) Read(p []byte) (int, error) {
	n, err := e.Conn.Read(p)
	return n, e.told("read", err)
}

func (e pipeEnd) Write(p []byte) (int, error) {
	n, err := e.Conn.Write(p)
	return n, e.told("write", err)
}

func (e pipeEnd) told(op string, err error) error {
	if _, reset := e.was.Load("reset"); reset && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)) {
		return &net.OpError{Op: op, Net: "tcp", Err: syscall.ECONNRESET}
	}
	return err
}

// transport is what a client without a Transport of its own sends by, but for
// where it leads.
func (p *peer) transport() *http.Transport {
	t := send.Transport().(*http.Transport).Clone()
	t.Proxy = nil
	t.DialContext = p.dial
	if p.tls != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: authority().pool}
	}
	return t
}

// base is the server's URL.
func (p *peer) base() string {
	if p.tls != nil {
		return "https://umami.test"
	}
	return "http://umami.test"
}

func (p *peer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	p.mu.Lock()
	p.dials++
	if port := map[bool]string{false: "80", true: "443"}[p.tls != nil]; address != "umami.test:"+port {
		p.strayed = append(p.strayed, address)
	}
	well := p.healed || p.at == ""
	p.mu.Unlock()
	if p.refuses != nil && !well {
		p.met(&p.refused)
		ctx, cancel := context.WithCancel(ctx)
		p.mu.Lock()
		p.dialing = append(p.dialing, cancel)
		p.mu.Unlock()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: p.refuses(ctx)}
	}
	near, far := net.Pipe()
	was := new(sync.Map)
	l := &line{Conn: far, reset: func() { was.Store("reset", true) }}
	p.mu.Lock()
	p.lines = append(p.lines, l)
	p.mu.Unlock()
	go p.serve(l, well)
	return pipeEnd{near, was}, nil
}

func (p *peer) met(count *int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*count++
}

// serve is one connection.
func (p *peer) serve(l *line, well bool) {
	defer l.Close()
	l.in = bufio.NewReader(l.Conn)
	if p.connects != nil && !well {
		p.met(&p.refused)
		p.connects(l)
		return
	}
	if p.tls != nil {
		config := p.tls()
		if well {
			config = authority().config(0)
		}
		l.Conn = tls.Server(l.Conn, config)
		l.in = bufio.NewReader(l.Conn)
		if l.Conn.(*tls.Conn).Handshake() != nil {
			p.met(&p.refused)
			_, _ = io.Copy(io.Discard, l.Conn.(*tls.Conn).NetConn()) // the client may still be speaking
			return
		}
	}
	for {
		req, err := http.ReadRequest(l.in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		l.path, l.heard = req.URL.Path, credential(req, body)
		if !p.does(req)(l) {
			return
		}
	}
}

// credential is what a request must keep to itself.
func credential(req *http.Request, body []byte) string {
	var login struct {
		Password string `json:"password"`
	}
	if json.Unmarshal(body, &login) == nil && login.Password != "" {
		return login.Password
	}
	if id, ok := strings.CutPrefix(req.URL.Path, sharePath); ok {
		return id
	}
	return strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ") + req.Header.Get("X-Umami-Share-Token")
}

// does chooses what a request meets.
func (p *peer) does(req *http.Request) act {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, req.Method+" "+req.URL.Path)
	if p.at != "" && !p.healed && p.plays != nil && strings.HasPrefix(req.URL.Path, p.at) {
		p.faulty++
		return p.plays
	}
	return says(p.answer(req))
}

// attempts is how often the client met the fault.
func (p *peer) attempts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused + p.faulty
}

// heal ends the fault.
func (p *peer) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.healed = true
}

// begin lets the fault begin at the requests of a path. Connections that are
// open end, so that one that the fault is about is made.
func (p *peer) begin(at string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = at
	if p.plays == nil {
		p.hangUp()
	}
}

func (p *peer) hangUp() {
	for _, l := range p.lines {
		_ = l.Close()
	}
	for _, cancel := range p.dialing {
		cancel()
	}
	p.lines, p.dialing = nil, nil
}

// close ends all connections, and waits until the client has noticed.
func (p *peer) close() {
	p.mu.Lock()
	p.hangUp()
	p.mu.Unlock()
	time.Sleep(2 * time.Second) // for those that are between two bytes
}

// ok is an answer of status 200.
func ok(body string) string { return status(200, body) }

// status is an answer with a body.
func status(code int, body string, header ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", code, http.StatusText(code))
	for _, line := range header {
		b.WriteString(line + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

// ca signs the certificates of the peers. The clock of a bubble begins in
// 2000.
type ca struct {
	pool *x509.CertPool
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var authority = sync.OnceValue(newAuthority)

func newAuthority() *ca {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	a := &ca{pool: x509.NewCertPool(), key: key}
	a.cert, _ = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, key)
	a.pool.AddCert(a.cert)
	return a
}

// sign makes a certificate, valid in 2000 where it does not say otherwise.
func (a *ca) sign(c *x509.Certificate, key *ecdsa.PrivateKey) (*x509.Certificate, []byte) {
	c.SerialNumber = big.NewInt(1)
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, a.key)
	if err != nil {
		panic(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return parsed, der
}

// config serves a good certificate, by TLS up to a version (0: the newest).
func (a *ca) config(version uint16) *tls.Config {
	return a.serving(&x509.Certificate{DNSNames: []string{"umami.test"}}, version)
}

func (a *ca) serving(c *x509.Certificate, version uint16) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	_, der := a.sign(c, key)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion:   tls.VersionTLS10, MaxVersion: version,
	}
}

// Without a fault, all is well.
func TestPeer(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{{}, {tls: func() *tls.Config { return authority().config(0) }}} {
		synctest.Test(t, func(t *testing.T) {
			r := begin(t, f, "", "BearerToken")
			defer r.peer.close()
			for range 3 {
				_, err := r.client.GetRealtime(t.Context(), site, nil)
				require.NoError(t, err)
			}
			require.Equal(t, 1, r.peer.dials)
			require.Len(t, r.peer.sent, 3)
		})
	}
}
