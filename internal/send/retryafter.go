package send

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// RetryAfter reads the header of that name, seconds or a date; 0 where it is
// missing, past or not to be read. A date counts from the server's own clock
// where it tells it.
func RetryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		switch {
		case !(seconds > 0): // NaN too
			return 0
		case seconds > math.MaxInt64/float64(time.Second)-1:
			return math.MaxInt64
		}
		return time.Duration(seconds * float64(time.Second))
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(0, date.Sub(now))
}
