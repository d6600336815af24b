package umamitest_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/seed721439b2/umami-go/umamitest"
)

// A reply of a busy site: 100 rows a second, so that a window holds 180,000.
func BenchmarkReply(b *testing.B) {
	now := noon
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithClock(func() time.Time { return now }))
	for i := range 180_000 {
		srv.Visit(umamitest.Visit{
			SessionID: "s" + strconv.Itoa(i%500), URLPath: "/" + strconv.Itoa(i%20),
			CreatedAt: noon.Add(time.Duration(i) * 10 * time.Millisecond),
		})
	}
	now = noon.Add(30 * time.Minute)
	req := &http.Request{
		Method: http.MethodGet, URL: mustParse(path), Header: http.Header{"Authorization": {admin}},
	}
	b.ReportAllocs()
	for b.Loop() {
		srv.ServeHTTP(discard{}, req)
	}
}
