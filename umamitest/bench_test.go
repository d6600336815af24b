package umamitest_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/seed721439b2/umami-go/umamitest"
)

// One page of 50,000 rows, and a mere count of them.
func BenchmarkEvents(b *testing.B) {
	srv := atNoon()
	for i := range 100_000 {
		srv.Visit(umamitest.Visit{
			SessionID: "s" + strconv.Itoa(i%500), URLPath: "/" + strconv.Itoa(i%20),
			CreatedAt: noon.Add(time.Duration(i-100_000) * 10 * time.Millisecond),
		})
	}
	from := strconv.FormatInt(noon.Add(-500*time.Second).UnixMilli(), 10)
	for _, size := range []string{"1", "50000"} {
		req := &http.Request{
			Method: http.MethodGet, Header: http.Header{"Authorization": {admin}},
			URL: mustParse(eventsPath + "?startAt=" + from + "&endAt=4102444800000&pageSize=" + size),
		}
		b.Run(size, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				srv.ServeHTTP(discard{}, req)
			}
		})
	}
}

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
