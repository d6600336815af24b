package send_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/send"
)

// Waits take any time up to a bound that doubles from MinWait to MaxWait.
func TestBackoffJitter(t *testing.T) {
	t.Parallel()
	bounds := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second}
	synctest.Test(t, func(t *testing.T) {
		least, most := make([]time.Duration, len(bounds)), make([]time.Duration, len(bounds))
		for range 300 {
			s := &script{steps: []transport{always(500, "")}}
			c := config(s)
			c.MaxWait, c.MaxRetries = 3*time.Second, len(bounds)
			_, err := get(t.Context(), t, c)
			require.NoError(t, err)
			require.Len(t, s.waits(), len(bounds))
			for i, wait := range s.waits() {
				require.Positive(t, wait)
				require.LessOrEqual(t, wait, bounds[i])
				most[i] = max(most[i], wait)
				if least[i] == 0 || wait < least[i] {
					least[i] = wait
				}
			}
		}
		for i, bound := range bounds { // by chance one time in 10^13
			assert.Less(t, least[i], bound/10, "wait %d has a floor", i+1)
			assert.Greater(t, most[i], bound*9/10, "wait %d never comes near its bound", i+1)
		}
	})
}

// Whatever the server asks for is waited, to MaxWait.
func TestBackoffRetryAfter(t *testing.T) {
	t.Parallel()
	const jitter = -1 // the wait is not the server's
	for name, tt := range map[string]struct {
		status int
		header []string
		want   time.Duration
	}{
		"429, seconds":                 {429, []string{"Retry-After", "7"}, 7 * time.Second},
		"503, seconds":                 {503, []string{"Retry-After", "7"}, 7 * time.Second},
		"500, seconds":                 {500, []string{"Retry-After", "7"}, 7 * time.Second},
		"below MinWait":                {503, []string{"Retry-After", "0.1"}, 100 * time.Millisecond},
		"429, below MinWait":           {429, []string{"Retry-After", "0.1"}, 500 * time.Millisecond},
		"as long as MaxWait":           {503, []string{"Retry-After", "30"}, 30 * time.Second},
		"above MaxWait":                {503, []string{"Retry-After", "31"}, 30 * time.Second},
		"a year":                       {429, []string{"Retry-After", "31536000"}, 30 * time.Second},
		"more than a duration holds":   {503, []string{"Retry-After", "1e18"}, 30 * time.Second},
		"more than a number holds":     {503, []string{"Retry-After", "1e999"}, jitter},
		"a date":                       {503, []string{"Retry-After", "Sat, 01 Jan 2000 00:00:09 GMT"}, 9 * time.Second},
		"a date by the server's clock": {503, []string{"Retry-After", "Sun, 22 Nov 2026 08:51:38 GMT", "Date", "Sun, 22 Nov 2026 08:51:28 GMT"}, 10 * time.Second},
		"a date far off":               {503, []string{"Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"}, 30 * time.Second},
		"a date gone by":               {503, []string{"Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"}, jitter},
		"a date gone by there":         {503, []string{"Retry-After", "Sat, 01 Jan 2000 00:00:09 GMT", "Date", "Sat, 01 Jan 2000 00:01:00 GMT"}, jitter},
		"none":                         {503, nil, jitter},
		"empty":                        {503, []string{"Retry-After", ""}, jitter},
		"zero":                         {503, []string{"Retry-After", "0"}, jitter},
		"negative":                     {503, []string{"Retry-After", "-7"}, jitter},
		"not a number":                 {503, []string{"Retry-After", "NaN"}, jitter},
		"garbage":                      {503, []string{"Retry-After", "soon"}, jitter},
		"with a unit":                  {503, []string{"Retry-After", "7s"}, jitter},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []transport{always(tt.status, "", tt.header...), always(200, "")}}
				_, err := get(t.Context(), t, config(s))
				require.NoError(t, err)
				require.Len(t, s.waits(), 1)
				if tt.want == jitter {
					assert.Positive(t, s.waits()[0])
					assert.LessOrEqual(t, s.waits()[0], 500*time.Millisecond)
				} else {
					assert.Equal(t, tt.want, s.waits()[0])
				}
			})
		})
	}
}

// What an APIError tells is what the server said, whatever is waited.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-1": 0, "-1e300": 0, "NaN": 0, "-Inf": 0, "garbage": 0, "1 2": 0, "Sun, 22 Nov": 0,
		"1": time.Second, "1.5": 1500 * time.Millisecond, "3600": time.Hour,
		"1e18": 1<<63 - 1, "Inf": 1<<63 - 1, "9223372036854775807": 1<<63 - 1, "9223372036.854775807": 1<<63 - 1,
		"Sun, 22 Nov 2026 08:51:38 GMT": 10 * time.Second, "Sunday, 22-Nov-26 08:51:38 GMT": 10 * time.Second,
	} {
		h := http.Header{"Retry-After": {value}, "Date": {"Sun, 22 Nov 2026 08:51:28 GMT"}}
		assert.Equal(t, want, send.RetryAfter(h), "%q", value)
	}
}

// After a 429 without a word on when, all calls pause for MinWait, and the
// jitter comes on top, so that they don't come back together.
func TestBackoff429(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			s := &script{steps: []transport{always(429, "")}}
			_, err := get(t.Context(), t, config(s))
			require.NoError(t, err)
			require.Len(t, s.waits(), 3)
			for i, wait := range s.waits() {
				assert.GreaterOrEqual(t, wait, 500*time.Millisecond)
				assert.LessOrEqual(t, wait, 500*time.Millisecond<<i+500*time.Millisecond)
			}
		}
	})
}
