package umami_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/seed721439b2/umami-go"
)

// Parts of answers.
const (
	head     = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	whole    = head + "Content-Length: 200\r\n\r\n"
	chunked  = head + "Transfer-Encoding: chunked\r\n\r\n"
	zipped   = head + "Content-Encoding: gzip\r\nConnection: close\r\n\r\n"
	toTheEnd = head + "Connection: close\r\n\r\n"
	half     = `{"events":[`

	forEver = math.MaxInt32
	silence = 15 * time.Second // WithTimeout, by default
)

// A block is what endless answers are made of.
var block = strings.Repeat(" ", 64<<10)

// networkFaults are those that do not depend on what is asked.
func networkFaults() []fault {
	refused := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	errno := func(name string, err error) fault {
		return fault{name: name, refuses: refused(err), want: seen{is: err, attempts: 4}}
	}
	// broken is an answer after which the call is tried again.
	broken := func(name string, plays act, text string) fault {
		return fault{name: name, plays: plays, want: seen{text: text, attempts: 4}}
	}
	resets := func(name string, plays act) fault {
		return fault{name: name, plays: plays, want: seen{is: syscall.ECONNRESET, attempts: 4}}
	}
	cut := func(name string, plays act) fault {
		return fault{name: name, plays: plays, want: seen{is: io.ErrUnexpectedEOF, attempts: 4}}
	}
	silent := func(name string, plays act) fault {
		return fault{name: name, plays: plays, want: seen{is: context.DeadlineExceeded, text: "no complete answer within 15s", attempts: 4, each: silence}}
	}
	body := func(f fault) fault { // the header was good
		f.want.decode = true
		return f
	}
	tooLarge := func(name string, plays act) fault {
		return fault{name: name, plays: plays, want: seen{is: umami.ErrResponseTooLarge}}
	}
	table := []fault{
		// The connection.
		errno("refused", syscall.ECONNREFUSED),
		errno("no route", syscall.EHOSTUNREACH),
		errno("no network", syscall.ENETUNREACH),
		errno("reset while connecting", syscall.ECONNRESET),
		errno("too many open files", syscall.EMFILE),
		{name: "no such host", refuses: refused(&net.DNSError{Err: "no such host", Name: "umami.test", IsNotFound: true}), want: seen{text: "no such host", attempts: 4}},
		{name: "no answer to who that is", refuses: refused(&net.DNSError{Err: "i/o timeout", IsTimeout: true}), want: seen{text: "i/o timeout", attempts: 4}},
		{
			name: "no answer to connecting", refuses: func(ctx context.Context) error {
				select {
				case <-ctx.Done():
				case <-time.After(30 * time.Second): // net/http's own limit
				}
				return syscall.ETIMEDOUT
			},
			want:  seen{is: context.DeadlineExceeded, attempts: 4, each: silence},
			login: &seen{is: context.DeadlineExceeded, each: silence}, // it may have arrived
		},
		{name: "reset after connect", connects: func(l *line) { l.reset() }, want: seen{is: syscall.ECONNRESET, attempts: 4}},
		{name: "closed after connect", connects: func(*line) {}, want: seen{text: "GET", attempts: 4}, login: &seen{text: "POST"}},
		{
			name: "silence after connect", connects: func(l *line) { thenNothingRead(l) },
			want: seen{is: context.DeadlineExceeded, attempts: 4, each: silence},
		},
		{name: "an echo", connects: func(l *line) { _, _ = io.Copy(l, l) }, want: seen{text: "malformed HTTP", attempts: 4}},
		{name: "SSH", connects: speaks("SSH-2.0-OpenSSH_9.6\r\n"), want: seen{text: "malformed HTTP", attempts: 4}},
		{name: "SMTP", connects: speaks("220 mail.example.com ESMTP\r\n"), want: seen{text: "malformed HTTP", attempts: 4}},
		{name: "https where http was asked for", connects: func(l *line) { _, _ = l.Read(make([]byte, 4096)); says("\x15\x03\x01\x00\x02\x02\x16")(l) }, want: seen{text: "malformed HTTP response", attempts: 4}},

		// Before and in the header.
		broken("closed before the answer", thenCloses(""), "EOF"),
		resets("reset before the answer", thenResets("")),
		silent("silence before the answer", thenNothing("")),
		broken("cut in the status line", thenCloses("HTTP/1.1 20"), "malformed HTTP status code"),
		cut("cut after the status line", thenCloses("HTTP/1.1 200 OK\r\n")),
		broken("cut in a header line", thenCloses(head+"Content-Le"), "malformed MIME header"),
		cut("cut in the header", thenCloses(head)),
		resets("reset in the header", thenResets(head)),
		silent("silence in the header", thenNothing(head+"Content-Le")),
		silent("a byte of the header every second", drips("", head)),
		broken("an endless status line", floods("HTTP/1.1 200 ", block, forEver), "server response headers exceeded"),
		broken("an endless header line", floods(head+"X-Long: ", block, forEver), "server response headers exceeded"),
		broken("endless header lines", floods(head, strings.Repeat("X-More: and more\r\n", 4000), forEver), "server response headers exceeded"),
		broken("endless names of header lines", floods(head, numbered("X-%d: 1\r\n", 4000), forEver), "server response headers exceeded"),
		broken("endless 100 Continue", floods("", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000), forEver), "server response headers exceeded"),
		broken("endless early hints", floods("", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", 1000), forEver), "server response headers exceeded"),
		silent("an early hint every second", hintsForEver),
		broken("garbage", thenCloses("\x00\xff\xfe garbage\r\n\r\n"), "malformed HTTP"),
		broken("HTTP/0.9", thenCloses(idle), "malformed HTTP"),
		broken("a status of two digits", thenCloses("HTTP/1.1 20 OK\r\n\r\n"), "malformed HTTP status code"),
		broken("a status of four digits", thenCloses("HTTP/1.1 2000 OK\r\n\r\n"), "malformed HTTP status code"),
		broken("a status of letters", thenCloses("HTTP/1.1 two OK\r\n\r\n"), "malformed HTTP status code"),
		broken("a negative status", thenCloses("HTTP/1.1 -20 OK\r\n\r\n"), "malformed HTTP status code"),
		broken("another protocol's version", thenCloses("ICY 200 OK\r\n\r\n"), "malformed HTTP version"),
		broken("HTTP/2 without being asked", thenCloses("\x00\x00\x12\x04\x00\x00\x00\x00\x00\r\n\r\n"), "malformed HTTP"),
		broken("a header line without a colon", thenCloses("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), "malformed MIME header"),
		broken("a header line without a name", thenCloses("HTTP/1.1 200 OK\r\n: x\r\n\r\n"), "malformed MIME header"),
		broken("a header that begins with a space", thenCloses("HTTP/1.1 200 OK\r\n X: x\r\n\r\n"), "malformed MIME header"),
		broken("a NUL in a header", thenCloses("HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n"), "malformed MIME header"),
		broken("two lengths", thenCloses(head+"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}"), "Content-Length"),
		broken("a negative length", thenCloses(head+"Content-Length: -1\r\n\r\n{}"), "Content-Length"),
		broken("a length of letters", thenCloses(head+"Content-Length: many\r\n\r\n{}"), "Content-Length"),
		broken("a length above 64 bits", thenCloses(head+"Content-Length: 99999999999999999999\r\n\r\n{}"), "Content-Length"),
		broken("an unknown transfer coding", thenCloses(head+"Transfer-Encoding: identity, gzip\r\n\r\n{}"), "transfer encoding"),

		// In the body.
		body(cut("a length above the body's", thenCloses(whole+half))),
		body(cut("the largest length that there is", thenCloses(head+"Content-Length: 9223372036854775807\r\n\r\n"+half))),
		body(resets("reset before the body", thenResets(whole))),
		body(resets("reset in the body", thenResets(whole+half))),
		silent("silence after the header", thenNothing(whole)),
		silent("silence in the body", thenNothing(whole+half)),
		silent("a byte of the body every second", drips(whole, strings.Repeat(" ", 200))),
		silent("a chunk every second", drips(chunked, strings.Repeat("1\r\n \r\n", 50))),
		body(cut("cut before a chunk", thenCloses(chunked))),
		body(cut("cut in a chunk's length", thenCloses(chunked+"1"))),
		body(cut("cut in a chunk", thenCloses(chunked+"ff\r\n"+half))),
		body(cut("cut before the last chunk", thenCloses(chunked+"b\r\n"+half+"\r\n"))),
		body(broken("a chunk's length of letters", thenCloses(chunked+"zz\r\n"+half), "invalid byte in chunk length")),
		body(broken("a chunk's length above 64 bits", thenCloses(chunked+"fffffffffffffffff\r\n"+half), "chunk length too large")),
		body(broken("no end of a chunk", thenCloses(chunked+"1\r\n{}}}}}"), "malformed chunked encoding")),
		body(broken("an endless chunk's length", floods(chunked, strings.Repeat("0", 4096), forEver), "")),
		body(broken("endless chunk extensions", floods(chunked, "1;"+strings.Repeat("x", 4000)+"\r\n \r\n", forEver), "too much non-data")),
		body(broken("endless trailers", floods(chunked+"0\r\n", strings.Repeat("X-More: and more\r\n", 4000), forEver), "trailer")),
		body(broken("a body that is not the gzip it claims to be", thenCloses(zipped+idle), "gzip: invalid header")),
		body(cut("cut in the gzip header", thenCloses(zipped+gzipped(idle)[:5]))),
		body(cut("cut in the gzip", thenCloses(zipped+gzipped(idle)[:60]))),
		body(cut("cut in the gzip's sum", thenCloses(zipped+gzipped(idle)[:len(gzipped(idle))-3]))),
		body(broken("gzip with a bit flipped", thenCloses(zipped+flipped(gzipped(idle), 40)), "")),
		body(broken("gzip with a wrong sum", thenCloses(zipped+flipped(gzipped(idle), len(gzipped(idle))-8)), "gzip: invalid checksum")),
		body(broken("gzip with a wrong length", thenCloses(zipped+flipped(gzipped(idle), len(gzipped(idle))-4)), "gzip: invalid checksum")),
		body(broken("something after the gzip", thenCloses(zipped+gzipped(idle)+"something more"), "gzip: invalid header")),
		body(broken("an endless name in the gzip header", floods(zipped+"\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\xff", strings.Repeat("x", 4096), forEver), "gzip: invalid header")),
		silent("endless empty gzips", patiently(strings.Repeat(gzipped(""), 10))),
		tooLarge("1 GiB", floods(head+fmt.Sprintf("Content-Length: %d\r\n\r\n", 1<<30), block, 1<<14)),
		tooLarge("1 GiB of unknown length", floods(toTheEnd, block, 1<<14)),
		tooLarge("1 GiB in chunks", floods(chunked, "10000\r\n"+block+"\r\n", 1<<14)),
		tooLarge("an endless text", floods(toTheEnd+`{"events":"`, strings.Repeat("x", 64<<10), forEver)),
		tooLarge("a gzip bomb of 10 MB that becomes 10 GB", floods(zipped+gzipHeader, bomb(), 10<<10)),
		{name: "500 with a gzip bomb", plays: floods(strings.Replace(zipped, "200", "500", 1)+gzipHeader, bomb(), 10<<10), want: seen{status: 500, attempts: 4}},
		{name: "500 with 1 GiB", plays: floods("HTTP/1.1 500 Oh\r\nContent-Length: 1073741824\r\n\r\n", block, 1<<14), want: seen{status: 500, attempts: 4}},
		{name: "500, cut in the body", plays: thenCloses("HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\nha"), want: seen{status: 500, attempts: 4}},
		{name: "500, and silence in the body", plays: thenNothing("HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\nha"), want: seen{status: 500, attempts: 4, each: silence}},
		{name: "404, reset in the body", plays: thenResets("HTTP/1.1 404 Oh\r\nContent-Length: 100\r\n\r\nha"), want: seen{status: 404}},
		{name: "401 with an endless body", plays: floods("HTTP/1.1 401 Oh\r\nConnection: close\r\n\r\n", block, forEver), want: seen{status: 401, ends: true}},
		{name: "switching protocols, and silence", plays: thenNothing("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), want: seen{status: 101}},
		{name: "early hints, then a failure", plays: says("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + status(502, "")), want: seen{status: 502, attempts: 4}},
		{name: "status 600", plays: thenCloses(status(600, "")), want: seen{status: 600, attempts: 4}},
		{name: "status 999", plays: thenCloses(status(999, "")), want: seen{status: 999, attempts: 4}},
	}
	table = append(table, retryAfterFaults()...)
	table = append(table, redirectFaults()...)
	table = append(table, echoFaults()...)
	return append(table, tlsFaults()...)
}

func (f fault) with(plays act) fault {
	f.plays = plays
	return f
}

// retryAfterFaults ask for a wait.
func retryAfterFaults() []fault {
	var table []fault
	for _, tt := range []struct {
		name, value string
		wait        time.Duration
	}{
		{"0", "Retry-After: 0", 0},
		{"-1", "Retry-After: -1", 0},
		{"7", "Retry-After: 7", 7 * time.Second},
		{"1e18", "Retry-After: 1e18", 30 * time.Second},
		{"10^18 in digits", "Retry-After: 1000000000000000000", 30 * time.Second},
		{"1e400", "Retry-After: 1e400", 0},
		{"NaN", "Retry-After: NaN", 0},
		{"garbage", "Retry-After: soon", 0},
		{"empty", "Retry-After:", 0},
		{"twice", "Retry-After: 3\r\nRetry-After: 9", 3 * time.Second},
		{"a past date", "Retry-After: Fri, 31 Dec 1999 23:00:00 GMT", 0},
		{"a near date", "Date: Sun, 22 Nov 2026 08:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 08:00:09 GMT", 9 * time.Second},
		{"a far date", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", 30 * time.Second},
		{"a date before the calendar", "Retry-After: Mon, 01 Jan 0000 00:00:00 GMT", 0},
	} {
		table = append(table,
			fault{name: "503, Retry-After " + tt.name, plays: says(status(503, "", tt.value)), want: seen{status: 503, attempts: 4, wait: tt.wait}},
			// After a 429, at least MinWait, for all calls.
			fault{name: "429, Retry-After " + tt.name, plays: says(status(429, "", tt.value)), want: seen{status: 429, attempts: 4, wait: max(tt.wait, 500*time.Millisecond)}},
		)
	}
	return table
}

// redirectFaults lead astray.
func redirectFaults() []fault {
	astray := func(name string, location string) fault {
		return fault{name: "redirect " + name, plays: says(status(307, "", "Location: "+location)), want: seen{is: umami.ErrRedirectRefused}}
	}
	// around leads to itself.
	around := func(code int) fault {
		f := fault{name: fmt.Sprintf("%d in circles", code), want: seen{is: umami.ErrRedirectRefused, text: "10 in a row", attempts: 10}}
		f.plays = func(l *line) bool { return says(status(code, "", "Location: "+l.path))(l) }
		f.login = &f.want
		if code < 307 {
			f.login = &seen{is: umami.ErrRedirectRefused, text: "turns the POST into a GET"}
		}
		return f
	}
	return []fault{
		around(301), around(302), around(303), around(307), around(308),
		astray("to another host", "http://other.test/api"),
		astray("to another host without a scheme", "//other.test/api"),
		astray("to a host below", "http://x.umami.test/api"),
		astray("to another port", "http://umami.test:8080/api"),
		astray("from http to https", "https://umami.test/api"),
		astray("to a file", "file:///etc/passwd"),
		astray("to ftp", "ftp://umami.test/api"),
		astray("to a script", "javascript:alert(1)"),
		astray("to data", "data:application/json,{}"),
		astray("to nowhere", "http://"),
		astray("to an address of the network's own", "http://169.254.169.254/latest/meta-data"),
		astray("to a host that turns the writing around", "http://%E2%80%AEtset.imamu/"),
		{name: "redirect without a place", plays: says(status(302, "")), want: seen{status: 302}},
		{name: "redirect to what is no URL", plays: says(status(302, "", "Location: http://[::1")), want: seen{status: 302}},
		{name: "redirect to a very long place", plays: says(status(302, "", "Location: http://other.test/"+strings.Repeat("x", 500_000))), want: seen{is: umami.ErrRedirectRefused}},
		{name: "redirect to a very long host", plays: says(status(302, "", "Location: http://"+strings.Repeat("x", 500_000))), want: seen{is: umami.ErrRedirectRefused}},
		{
			name: "redirect from https to http", tls: func() *tls.Config { return authority().config(0) },
			plays: says(status(307, "", "Location: http://umami.test/api")), want: seen{is: umami.ErrRedirectRefused},
		},
	}
}

// echoFaults repeat the credential where it ends up in an error.
func echoFaults() []fault {
	broken := func(name, format, text string) fault {
		return fault{name: "the credential in " + name, plays: repeats(format), want: seen{text: text, attempts: 4}}
	}
	body := func(f fault) fault {
		f.want.decode = true
		return f
	}
	page := func(code int, format string) act {
		return repeats(fmt.Sprintf("HTTP/1.1 %d Oh\r\nConnection: close\r\n\r\n", code) + format)
	}
	return []fault{
		broken("the status line", "%s\r\n\r\n", "malformed HTTP response"),
		broken("the version", "%s 200 OK\r\n\r\n", "malformed HTTP version"),
		broken("the status", "HTTP/1.1 %s OK\r\n\r\n", "malformed HTTP status code"),
		broken("a header line", head+"%s\r\n\r\n", "malformed MIME header"),
		broken("a header line that is too long", head+strings.Repeat("x", 990)+"%s\r\n\r\n", "malformed MIME header"),
		broken("the length", head+"Content-Length: %s\r\n\r\n", "Content-Length"),
		broken("the transfer coding", head+"Transfer-Encoding: %s\r\n\r\n", "transfer encoding"),
		body(broken("a chunk's length", chunked+"%s\r\n\r\n", "chunk length")),
		body(broken("a trailer", chunked+"0\r\n%s\r\n\r\n", "malformed MIME header")),
		{name: "the credential in a Location", plays: func(l *line) bool {
			e := url.QueryEscape(l.heard)
			return says(status(307, "", "Location: http://u:"+e+"@other.test/"+e+"?"+e+"#"+e))(l)
		}, want: seen{is: umami.ErrRedirectRefused}},
		{name: "the credential in a Location that is no URL", plays: repeats(status(307, "", "Location: http://[%s")), want: seen{status: 307}},
		{name: "the credential in Retry-After", plays: repeats(status(503, "", "Retry-After: %s")), want: seen{status: 503, attempts: 4}},
		{name: "the credential in the reason", plays: repeats("HTTP/1.1 500 %s\r\nContent-Length: 0\r\n\r\n"), want: seen{status: 500, attempts: 4}},
		{name: "the credential in an error", plays: page(400, `{"error":{"message":"%s","code":"%s","errors":["%s"],"properties":{"%s":"%s"}}}`), want: seen{status: 400, ends: true}},
		{name: "the credential in an error of another kind", plays: page(400, `{"error":["%s"]}`), want: seen{status: 400, ends: true}},
		{name: "the credential in a text", plays: page(403, "%s %s"), want: seen{status: 403}},
		{name: "the credential at the end of a message", plays: page(403, strings.Repeat("x", 192)+"%s"), want: seen{status: 403}},
		{name: "the credential at the end of what is read", plays: page(403, strings.Repeat("x", 64<<10-7)+"%s"), want: seen{status: 403}},
		{name: "the credential in a page", plays: page(200, "<pre>%s</pre>"), want: seen{decode: true}},
		{name: "the credential in a reply", plays: page(200, `{"token":5,"events":"%s","%s":1}`), want: seen{decode: true}},
		{name: "the credential in a time", plays: page(200, `{"token":["%s"],"events":[],"timestamp":"%s"}`), want: seen{decode: true}},
		{name: "the credential at the end of a long name", plays: page(200, `{"token":["%s"],"events":[{"`+strings.Repeat("x", 180)+`%s":}]}`), want: seen{decode: true}},
		{name: "the credential in a name", plays: page(200, `{"token":["%s"],"events":[{"%s":}]}`), want: seen{decode: true}},
		{name: "the credential where the body is cut", plays: func(l *line) bool { return thenCloses(whole + half + l.heard[:len(l.heard)-2])(l) }, want: seen{is: io.ErrUnexpectedEOF, decode: true, attempts: 4}},
	}
}

// tlsFaults are of servers of https.
func tlsFaults() []fault {
	// final is not tried again.
	served := func(name string, c *x509.Certificate, text string) fault {
		f := fault{name: name, tls: func() *tls.Config { return authority().serving(c, 0) }, want: seen{text: text}}
		f.login = &f.want
		return f
	}
	good := func() *tls.Config { return authority().config(0) }
	early, late := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	return []fault{
		served("TLS with another's name", &x509.Certificate{DNSNames: []string{"other.test"}}, "certificate is valid for other.test, not umami.test"),
		served("TLS with no name", &x509.Certificate{}, "certificate is not valid for any names"),
		served("TLS with a name that writes on the terminal", &x509.Certificate{DNSNames: []string{"\x1b[2J\x1b]0;title\a.test"}}, "certificate is valid for"),
		served("TLS with a certificate that is over", &x509.Certificate{DNSNames: []string{"umami.test"}, NotBefore: early, NotAfter: early.AddDate(1, 0, 0)}, "expired"),
		served("TLS with a certificate that is to come", &x509.Certificate{DNSNames: []string{"umami.test"}, NotBefore: late, NotAfter: late.AddDate(1, 0, 0)}, "not yet valid"),
		{name: "TLS with a certificate of nobody's", tls: stranger, want: seen{text: "unknown authority"}},
		{name: "TLS 1.0", tls: func() *tls.Config { return authority().config(tls.VersionTLS10) }, want: seen{text: "protocol version not supported", attempts: 4}},
		{name: "TLS 1.1", tls: func() *tls.Config { return authority().config(tls.VersionTLS11) }, want: seen{text: "protocol version not supported", attempts: 4}},
		{
			name: "TLS that asks for the client's certificate", tls: func() *tls.Config {
				c := good()
				c.ClientAuth = tls.RequireAnyClientCert
				return c
			},
			want: seen{text: "certificate required", attempts: 4},
		},
		{name: "http where https was asked for", tls: good, connects: speaks("HTTP/1.1 400 Bad Request\r\n\r\n"), want: seen{text: "HTTP response to HTTPS client", attempts: 4}},
		{name: "closed in the handshake", tls: good, connects: func(l *line) { _, _ = l.Read(make([]byte, 4096)) }, want: seen{text: "EOF", attempts: 4}},
		{name: "reset in the handshake", tls: good, connects: func(l *line) { _, _ = l.Read(make([]byte, 4096)); l.reset() }, want: seen{is: syscall.ECONNRESET, attempts: 4}},
		{name: "silence in the handshake", tls: good, connects: thenNothingRead, want: seen{text: "TLS handshake timeout", attempts: 4, each: 10 * time.Second}},
		{name: "garbage in the handshake", tls: good, connects: speaks("garbage that is no TLS record"), want: seen{text: "first record does not look like a TLS handshake", attempts: 4}},
		{name: "TLS that is cut in the body", tls: good, plays: thenCuts(whole + half), want: seen{is: io.ErrUnexpectedEOF, decode: true, attempts: 4}},
		{name: "TLS that is cut where the end cannot be told", tls: good, plays: thenCuts(toTheEnd + half), want: seen{decode: true}},
	}
}

// replyFaults are wrong as answers to GetRealtime.
func replyFaults() []fault {
	idle := strings.Replace(idle, "1795337488224", "946684800000", 1) // when a bubble begins
	wrong := func(name, body, text string) fault {
		return fault{name: name, plays: says(ok(body)), want: seen{decode: true, text: text}}
	}
	used := func(name, body string) fault { return fault{name: name, plays: says(ok(body))} }
	row := func(column string) string {
		return `{"events":[{"__type":"pageview","sessionId":"a","urlPath":"/","createdAt":"2000-01-01T00:00:00Z",` + column + `}],"timestamp":946684800000}`
	}
	at := func(when string) string { return `{"events":[{"createdAt":` + when + `}],"timestamp":946684800000}` }
	return []fault{
		wrong("nothing", "", "the body is empty"),
		wrong("spaces", " \r\n\t", "the body is empty"),
		wrong("null", "null", ""),
		wrong("a list", "[]", ""),
		wrong("a text", `"ok"`, ""),
		wrong("a number", "42", ""),
		wrong("true", "true", ""),
		wrong("an empty object", "{}", "lacks events or timestamp"),
		wrong("another service's object", `{"status":"ok"}`, "lacks events or timestamp"),
		wrong("an error with 200", `{"error":{"message":"Unauthorized","code":"unauthorized","status":401}}`, "lacks events or timestamp"),
		wrong("a proxy's login page", "<!DOCTYPE html><title>Sign in</title>", "a web page"),
		wrong("a page after a byte order mark", "\ufeff<html>", "a web page"),
		wrong("JSON after a byte order mark", "\ufeff"+idle, ""),
		wrong("UTF-16", "\xff\xfe{\x00}\x00", ""),
		wrong("cut JSON", idle[:100], ""),
		wrong("a length below the body's", idle[:len(idle)-1], ""),
		wrong("two replies", idle+idle, "more text after the reply"),
		wrong("something after the reply", idle+"}", "more text after the reply"),
		wrong("JavaScript", `{events:[]}`, ""),
		wrong("NaN", `{"events":[],"timestamp":NaN}`, ""),
		wrong("a comma too many", `{"events":[],}`, ""),
		wrong("a comment", `{"events":[]/**/,"timestamp":946684800000}`, ""),
		wrong("a raw newline in a text", row("\"browser\":\"a\nb\""), ""),
		wrong("lists 100,000 deep", `{"events":`+strings.Repeat("[", 100_000), "depth"),
		wrong("objects 100,000 deep", strings.Repeat(`{"a":`, 100_000), "depth"),
		wrong("100,000 deep where nobody looks", `{"more":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`,"events":[],"timestamp":946684800000}`, "depth"),
		wrong("rows that are no list", `{"events":{},"timestamp":946684800000}`, "/events"),
		wrong("a row that is no object", `{"events":[1],"timestamp":946684800000}`, "/events/0"),
		wrong("a text that is a number", row(`"browser":1`), "/events/0/browser"),
		wrong("a timestamp that overflows", `{"events":[],"timestamp":1e400}`, "/timestamp"),
		wrong("a timestamp out of range", `{"events":[],"timestamp":1e18}`, "/timestamp"),
		wrong("a timestamp before the calendar", `{"events":[],"timestamp":-1e15}`, "/timestamp"),
		wrong("a date of the year 10000", at(`"10000-01-01T00:00:00Z"`), "/events/0/createdAt"),
		wrong("a date of the year -1", at(`"-0001-01-01T00:00:00Z"`), "/events/0/createdAt"),
		wrong("a month 13", at(`"2000-13-01T00:00:00Z"`), "/events/0/createdAt"),
		wrong("February 30", at(`"2000-02-30T00:00:00Z"`), "/events/0/createdAt"),
		wrong("an hour 25", at(`"2000-01-01T25:00:00Z"`), "/events/0/createdAt"),
		wrong("a date of words", at(`"yesterday"`), "/events/0/createdAt"),
		wrong("a gzip without the header for it", gzipped(idle), ""),
		used("100 Continue first", "").with(says("HTTP/1.1 100 Continue\r\n\r\n" + ok(idle))),
		used("early hints first", "").with(says("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + ok(idle))),
		used("lines that end with a newline alone", "").with(says(strings.ReplaceAll(head+"Content-Length: "+fmt.Sprint(len(idle))+"\r\n\r\n", "\r\n", "\n") + idle)),
		used("HTTP/1.0 to the end", "").with(thenCloses("HTTP/1.0 200 OK\r\n\r\n" + idle)),
		used("gzip", "").with(thenCloses(zipped + gzipped(idle))),
		used("gzip in two pieces", "").with(thenCloses(zipped + gzipped(idle[:50]) + gzipped(idle[50:]))),
		used("chunks of one byte", "").with(says(chunked + chunks(idle) + "0\r\n\r\n")),
		used("trailers", "").with(says(chunked + chunks(idle) + "0\r\nX-More: and more\r\n\r\n")),
		used("a length and chunks", "").with(says(head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(idle) + "0\r\n\r\n")),
		used("something after the answer", "").with(says(ok(idle) + "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")),
		used("a space in a header's name", "").with(says(status(200, idle, "X Y: x"))),
		used("closed after the answer", "").with(thenCloses(ok(idle))),
		wrong("a million keys", `{"events":[],"timestamp":946684800000,"urls":{`+strings.TrimSuffix(numbered(`"%d":1,`, 1_000_000), ",")+`}}`, "more counts than any server sends"),
		wrong("a million keys that are no counts", `{"urls":{`+numbered(`"%d":[],`, 1_000_000), "more counts than any server sends"),
		wrong("a million minutes", `{"series":{"views":[`+strings.Repeat(`{"x":1,"y":1},`, 1_000_000), "more minutes than any server sends"),
		wrong("a million empty rows", `{"events":[`+strings.Repeat("{},", 1_000_000), "more rows than any server sends"),
		wrong("a million rows of a type to come", `{"events":[`+strings.Repeat(`{"__type":"x"},`, 1_000_000), "more rows than any server sends"),
		used("a million names that nobody knows", `{`+numbered(`"%d":1,`, 1_000_000)+`"events":[],"timestamp":946684800000}`),
		used("a million rows that are null", `{"events":[null`+strings.Repeat(",null", 1_000_000)+`],"timestamp":946684800000}`),
		used("names that repeat", `{"events":[{"createdAt":1}],"events":[],"timestamp":7,"timestamp":946684800000}`),
		used("UTF-8 that is broken", row("\"browser\":\"\xff\xc0\x80\"")),
		used("UTF-8 that is broken in a key", "{\"urls\":{\"\xff\":1,\"\xfe\":2},\"events\":[],\"timestamp\":1}"),
		used("half a surrogate", row(`"browser":"\ud800 \udc00\ud800"`)),
		used("a NUL in a text", row(`"browser":"\u0000"`)),
		used("counts that overflow", `{"urls":{"/":1e400,"/a":9223372036854775808},"totals":{"views":1e99},"events":[],"timestamp":946684800000}`),
		used("a count of the series that overflows", `{"series":{"views":[{"x":"2000-01-01T00:00:00Z","y":1e400}]},"events":[],"timestamp":946684800000}`),
	}
}

// listingFaults are wrong as answers to ListEvents.
func listingFaults() []fault {
	wrong := func(name, body, text string) fault {
		return fault{name: "a list: " + name, plays: says(ok(body)), want: seen{decode: true, text: text}}
	}
	used := func(name, body string) fault { return fault{name: "a list: " + name, plays: says(ok(body))} }
	return []fault{
		wrong("nothing", "", "the body is empty"),
		wrong("null", "null", ""),
		wrong("a series, as servers before 2.13 send", "[]", "older than 2.13"),
		wrong("a proxy's login page", "<!DOCTYPE html><title>Sign in</title>", "a web page"),
		wrong("a realtime reply", idle, "lacks data"),
		wrong("rows that are no list", `{"data":{},"count":1}`, "/data"),
		wrong("a row that is no object", `{"data":[1],"count":1}`, "/data/0"),
		wrong("cut", `{"data":[`, ""),
		wrong("100,000 deep", `{"data":`+strings.Repeat("[", 100_000), ""),
		wrong("a million empty rows", `{"data":[`+strings.Repeat("{},", 1_000_000), "more rows than any server sends"),
		wrong("a date out of range", `{"data":[{"createdAt":1e18}],"count":1}`, "/data/0/createdAt"),
		used("a million rows that are null", `{"data":[null`+strings.Repeat(",null", 1_000_000)+`],"count":0}`),
		used("a count that overflows", `{"data":[],"count":1e400}`),
		used("a negative count", `{"data":[],"count":-1}`),
		used("more rows to come that never do", `{"data":[],"count":9}`),
	}
}

// tokenFaults are wrong as answers to a login or to the id of a share link.
func tokenFaults() []fault {
	wrong := func(name, body, text string) fault {
		return fault{name: name, plays: says(ok(body)), want: seen{decode: true, text: text}}
	}
	return []fault{
		wrong("no answer in the answer", "", "no JSON object with a token"),
		wrong("a null for a token's object", "null", "the token is empty"),
		wrong("a list for a token's object", "[]", "no JSON object with a token"),
		wrong("a login page", "<!DOCTYPE html><title>Sign in</title>", "a web page"),
		wrong("no token", `{"user":{"id":"x"}}`, "the token is empty"),
		wrong("an empty token", `{"token":""}`, "the token is empty"),
		wrong("a token that is null", `{"token":null}`, "the token is empty"),
		wrong("a token that is a number", `{"token":5}`, "no JSON object with a token"),
		wrong("a token of two lines", `{"token":"tr4d3d-Lp2\r\nX-Evil: 1"}`, "holds a space, a newline"),
		wrong("a token with a NUL", `{"token":"tr4d3d-Lp2\u0000"}`, "holds a space, a newline"),
		wrong("a token that is not ASCII", `{"token":"tr4d3d-Lp2é"}`, "holds a space, a newline"),
		wrong("a token of 16 MB", `{"token":"tr4d3d-Lp2`+strings.Repeat("x", 16_000_000)+`"}`, "the token is longer than any"),
		wrong("a token that is cut", `{"token":"tr4d3d-Lp2`, "no JSON object with a token"),
		wrong("a token 100,000 deep", strings.Repeat(`{"token":`, 100_000), "no JSON object with a token"),
		{name: "a second factor", plays: says(ok(`{"requiresTwoFactor":true,"partialToken":"tr4d3d-Lp2"}`)), want: seen{is: umami.ErrTwoFactorRequired}},
		{name: "a second factor and a token", plays: says(ok(`{"requiresTwoFactor":true,"token":"tr4d3d-Lp2"}`)), want: seen{is: umami.ErrTwoFactorRequired}},
	}
}

// statusFaults are all statuses, with a body and without.
func statusFaults() []fault {
	var table []fault
	for code := 100; code <= 599; code++ {
		for _, body := range []string{"", idle} {
			if code < 200 && body != "" {
				continue // it would be the beginning of the next answer
			}
			f := fault{name: fmt.Sprintf("%d without a body", code), plays: says(status(code, body))}
			if body != "" {
				f.name = fmt.Sprintf("%d with a body", code)
			}
			switch {
			case code == 101: // no HTTP from here on, so no body either
				f.plays, f.want.status = thenCloses(status(code, body)), code
			case code < 200: // not yet the answer
				f.want = seen{is: context.DeadlineExceeded, attempts: 4, each: silence}
			case code < 300:
				f.want.decode = body == "" || code == 204
			case code >= 500 || code == 429:
				f.want = seen{status: code, attempts: 4}
				if code == 429 {
					f.want.wait = 500 * time.Millisecond
				}
			default:
				f.want.status = code
				f.want.ends = code == 400 || code == 401
			}
			f.login = new(f.want.once())
			f.listing = new(f.want)
			if f.want == (seen{}) { // no token in it, and no data
				f.login, f.listing = &seen{decode: true}, &seen{decode: true}
			}
			table = append(table, f)
		}
	}
	return table
}

// thenNothingRead waits until the client hangs up, without a word.
func thenNothingRead(l *line) { _, _ = io.Copy(io.Discard, l) }

// speaks without waiting for the end of the request, and then listens.
func speaks(text string) func(*line) {
	return func(l *line) {
		_, _ = l.Read(make([]byte, 1))
		go says(text)(l)
		thenNothingRead(l)
	}
}

// thenCuts answers, and breaks the connection off without the end that TLS has.
func thenCuts(text string) act {
	return func(l *line) bool {
		says(text)(l)
		_ = l.Conn.(*tls.Conn).NetConn().Close()
		return false
	}
}

// hintsForEver never comes to an answer.
func hintsForEver(l *line) bool {
	for says("HTTP/1.1 103 Early Hints\r\n\r\n")(l) {
		time.Sleep(time.Second)
	}
	return false
}

// patiently lets a little time pass with each block, without which the fake
// clock would never come to a timeout.
func patiently(block string) act {
	begin, more := says(zipped), says(block)
	return func(l *line) bool {
		begin(l)
		for more(l) {
			time.Sleep(time.Millisecond)
		}
		return false
	}
}

// numbered is text for each number below n.
func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// chunks are text in chunks of one byte.
func chunks(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteString("1\r\n" + text[i:i+1] + "\r\n")
	}
	return b.String()
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func flipped(text string, at int) string {
	b := []byte(text)
	b[at] ^= 0x10
	return string(b)
}

const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// bomb is a block of a kilobyte that becomes a megabyte, again and again.
var bomb = sync.OnceValue(func() string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(make([]byte, 1<<20))
	_ = w.Flush()
	return b.String()
})

// stranger serves a certificate of an authority that nobody knows.
func stranger() *tls.Config { return newAuthority().config(0) }
