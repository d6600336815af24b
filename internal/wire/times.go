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
// A date of zeros, as MySQL and the Cloud document have it, is the zero time.
func (d *day) parseStamp(b []byte) (stamp, error) {
	if at, zoned, ok := d.parse(b); ok {
		return inRange(at, zoned)
	}
	s := string(b)
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

// day is a day as the wire has it, and when it begins. The times of a reply are
// of one or two.
type day struct {
	text  [len(time.DateOnly)]byte
	begin int64 // seconds since 1970
}

// parse reads "2006-01-02T15:04:05", with a space for the T, a fraction of up
// to nine digits and a Z or without: what nearly all servers write, and what
// need not be held against a layout.
func (d *day) parse(b []byte) (at time.Time, zoned, ok bool) {
	const date, seconds = len(time.DateOnly), len("2006-01-02T15:04:05")
	if len(b) < seconds || b[date] != 'T' && b[date] != ' ' || b[13] != ':' || b[16] != ':' {
		return at, false, false
	}
	if string(b[:date]) != string(d.text[:]) {
		begin, err := time.Parse(time.DateOnly, string(b[:date]))
		if err != nil {
			return at, false, false
		}
		d.begin = begin.Unix()
		copy(d.text[:], b)
	}
	hour, ok1 := digits(b[11:13])
	minute, ok2 := digits(b[14:16])
	second, ok3 := digits(b[17:seconds])
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 59 {
		return at, false, false
	}
	rest := b[seconds:]
	if zoned = len(rest) > 0 && rest[len(rest)-1] == 'Z'; zoned {
		rest = rest[:len(rest)-1]
	}
	var nanos int64
	if len(rest) > 0 {
		if nanos, ok = digits(rest[1:]); !ok || rest[0] != '.' || len(rest) > len(".123456789") {
			return at, false, false
		}
		for range len(".123456789") - len(rest) {
			nanos *= 10
		}
	}
	return time.Unix(d.begin+hour*3600+minute*60+second, nanos).UTC(), zoned, true
}

func parseMillis(b []byte) (stamp, error) {
	if ms, ok := digits(b); ok && ms <= 1<<52 {
		return inRange(time.UnixMilli(ms), true)
	}
	ms, err := strconv.ParseFloat(string(b), 64)
	if err != nil || ms < -1<<52 || ms > 1<<52 {
		return stamp{}, errNoTime
	}
	return inRange(time.UnixMilli(int64(ms)), true)
}

// digits reads up to 18 digits.
func digits(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// What time.Time can hold but not marshal is refused, with room for the offset
// of a zone.
var (
	earliest = time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
)

func inRange(at time.Time, zoned bool) (stamp, error) {
	at = at.UTC()
	if !at.IsZero() && (at.Before(earliest) || !at.Before(latest)) {
		return stamp{}, fmt.Errorf("%w: year %d", errNoTime, at.Year())
	}
	return stamp{at: at, zoned: zoned}, nil
}
