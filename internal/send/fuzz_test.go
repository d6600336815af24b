package send_test

import (
	"math"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/send"
)

// Whatever a server writes into Retry-After and Date is a wait of zero or more.
// Whole seconds are those seconds, and a date that is told with the server's
// clock is the time between them.
func FuzzRetryAfter(f *testing.F) {
	const date = "Sun, 22 Nov 2026 08:51:28 GMT"
	for _, value := range []string{
		"", "0", "-1", "7", "1.5", "+3", "1e18", "1e400", "NaN", "-Inf", "0x1p-2", "1_000", "9223372036.854775807", "9223372037", "garbage",
		"Sun, 22 Nov 2026 08:51:38 GMT", "Sunday, 22-Nov-26 08:51:38 GMT", "Sun Nov 22 08:51:38 2026", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0000 00:00:00 GMT",
	} {
		f.Add(value, date)
		f.Add(value, "")
	}
	f.Fuzz(func(t *testing.T, value, date string) {
		h := http.Header{"Retry-After": {value}, "Date": {date}}
		wait := send.RetryAfter(h)
		require.GreaterOrEqual(t, wait, time.Duration(0))
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			exact := time.Duration(math.MaxInt64)
			if n < math.MaxInt64/int64(time.Second) {
				exact = time.Duration(max(n, 0)) * time.Second
			}
			require.InDelta(t, float64(exact), float64(wait), 1e-9*float64(exact), "%q", value)
			return
		}
		at, err := http.ParseTime(value)
		now, noClock := http.ParseTime(date)
		if err == nil && noClock == nil {
			require.Equal(t, max(0, at.Sub(now)), wait)
			// What was waited is not asked for again.
			h.Set("Date", now.Add(wait).UTC().Format(http.TimeFormat))
			if wait < 200*365*24*time.Hour && now.Year() > 0 && now.Year() < 9000 {
				require.Less(t, send.RetryAfter(h), time.Second)
			}
		}
	})
}
