package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// stamp is a time as the wire has it, and for a point of a series its count.
type stamp struct {
	at    time.Time // UTC; where the text names no zone, its wall clock read as UTC
	zoned bool      // the text names a zone, rightly or not
	count int
}

var errNoTime = errors.New("not a time")

// parseStamp reads the layouts that servers write: date and time with a T or
// a space between them, with or without a fraction, with or without a zone.
// A date of zeros, as MySQL and one of the public documents have it, is the
// zero time.
func parseStamp(s string) (stamp, error) {
	if year, clock, ok := strings.Cut(s, "-00-00"); ok &&
		year != "" && strings.Trim(year, "0123456789") == "" && strings.Trim(clock, "T :.0Z") == "" {
		return stamp{}, nil
	}
	if len(s) > 10 && s[10] == ' ' {
		s = s[:10] + "T" + s[11:]
	}
	at, err := time.Parse(time.RFC3339, s)
	zoned := err == nil
	if !zoned {
		at, err = time.Parse("2006-01-02T15:04:05", s)
	}
	if err != nil {
		return stamp{}, errNoTime // time's own error repeats the text
	}
	return inRange(at, zoned)
}

func parseMillis(s string) (stamp, error) {
	ms, err := strconv.ParseFloat(s, 64)
	if err != nil || ms < -1<<52 || ms > 1<<52 {
		return stamp{}, errNoTime
	}
	return inRange(time.UnixMilli(int64(ms)), true)
}

// inRange refuses what time.Time can hold but not marshal, with room for the
// offset of a zone.
func inRange(at time.Time, zoned bool) (stamp, error) {
	at = at.UTC()
	if y := at.Year(); !at.IsZero() && (y < 2 || y > 9998) {
		return stamp{}, fmt.Errorf("%w: year %d", errNoTime, y)
	}
	return stamp{at: at, zoned: zoned}, nil
}
