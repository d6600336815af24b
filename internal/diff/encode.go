package diff

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
)

// encodingVersion is the first byte of every encoded State.
const encodingVersion = 1

var (
	errDamaged = errors.New("damaged")
	errNewer   = errors.New("written by a newer version")
)

// MarshalBinary packs a State: about 9 bytes for each remembered row and 19
// for each session.
func (s *State) MarshalBinary() ([]byte, error) {
	e := encoder{encodingVersion}
	e.signed(s.now, s.newest-s.now, s.horizon-s.now, s.shownTo-s.now, s.doubt-s.now, s.hiddenTo-s.now, s.judged-minuteOf(s.now))
	e.flag(s.full, s.order == newestRows, s.order == oldestRows, s.unsteady, s.series.known)
	e.unsigned(s.owed)
	if s.series.known {
		for _, n := range s.series.counts {
			e.signed(int64(n))
		}
	}
	last := make(map[string]int64) // a session counts where it was last
	for _, m := range s.minutes {
		for _, a := range m.active {
			last[a.id] = max(last[a.id], a.last)
		}
	}
	e.unsigned(len(s.minutes))
	from, before := s.horizon, minuteOf(s.now)
	for _, m := range s.minutes {
		e.signed(m.n - before)
		e.unsigned(m.views)
		e.unsigned(m.missed)
		e.unsigned(m.counted)
		before = m.n
		e.unsigned(len(m.seen))
		for _, row := range m.seen {
			// One bit says whether there is more to tell than of one page view or event.
			more := int64(0)
			if row.count != 1 || row.beacons != 0 {
				more = 1
			}
			e.signed((row.at-from)<<1 | more)
			if more == 1 {
				e.unsigned(int(row.count))
				e.unsigned(int(row.beacons))
			}
			from = row.at
			for shift := 0; shift < hashBits; shift += 8 {
				e = append(e, byte(row.hash>>shift)) //nolint:gosec // byte by byte
			}
		}
		final := 0
		for _, a := range m.active {
			if a.last == last[a.id] {
				final++
			}
		}
		e.unsigned(final)
		for _, a := range m.active {
			if a.last == last[a.id] {
				e.id(a.id)
				e.signed(a.last - m.n*minuteMillis)
			}
		}
	}
	return e, nil
}

// UnmarshalBinary unpacks what MarshalBinary packed.
func (s *State) UnmarshalBinary(data []byte) error {
	d := decoder{data: data}
	if v := d.byte(); v > encodingVersion {
		return errNewer
	} else if v != encodingVersion {
		return errDamaged
	}
	var read State
	read.now = d.signed()
	for _, at := range []*int64{&read.newest, &read.horizon, &read.shownTo, &read.doubt, &read.hiddenTo} {
		*at = read.now + d.signed()
	}
	read.judged = minuteOf(read.now) + d.signed()
	flags := d.byte()
	read.full, read.unsteady = flags&1 != 0, flags&8 != 0
	switch {
	case flags&2 != 0:
		read.order = newestRows
	case flags&4 != 0:
		read.order = oldestRows
	}
	read.owed = d.count()
	read.series = newSeries(read.now)
	if read.series.known = flags&16 != 0; read.series.known {
		for i := range read.series.counts {
			read.series.counts[i] = int(d.signed())
		}
	}
	read.minutes = make([]*minute, d.length(6))
	from, before := read.horizon, minuteOf(read.now)
	for i := range read.minutes {
		m := &minute{n: before + d.signed(), views: d.count(), missed: d.count(), counted: d.count()}
		before = m.n
		m.seen = make([]seen, d.length(1+hashBits/8))
		for j := range m.seen {
			row := seen{count: 1}
			packed := d.signed()
			row.at = from + packed>>1
			if packed&1 != 0 {
				row.count, row.beacons = int32(d.count()), int32(d.count()) //nolint:gosec // count checks
			}
			from = row.at
			for shift := 0; shift < hashBits; shift += 8 {
				row.hash |= uint64(d.byte()) << shift
			}
			m.seen[j] = row
		}
		m.active = make([]active, d.length(2))
		for j := range m.active {
			m.active[j] = active{d.id(), d.signed() + m.n*minuteMillis}
		}
		read.minutes[i] = m
	}
	if d.bad || len(d.data) != 0 || !read.sound() {
		return errDamaged
	}
	// What was accepted goes out as it came in: nothing else was ever packed.
	if again, err := read.MarshalBinary(); err != nil || !bytes.Equal(again, data) {
		return errDamaged
	}
	*s = read
	return nil
}

// sound says whether a State that was read can be searched.
func (s *State) sound() bool {
	for i, m := range s.minutes {
		if i > 0 && s.minutes[i-1].n >= m.n || !slices.IsSortedFunc(m.seen, seen.compare) {
			return false
		}
		for _, row := range m.seen {
			if minuteOf(row.at) != m.n {
				return false
			}
		}
		for j, a := range m.active {
			if j > 0 && m.active[j-1].id >= a.id {
				return false
			}
		}
	}
	return true
}

type encoder []byte

func (e *encoder) signed(values ...int64) {
	for _, v := range values {
		*e = binary.AppendVarint(*e, v)
	}
}

func (e *encoder) unsigned(n int) {
	*e = binary.AppendUvarint(*e, uint64(n)) //nolint:gosec // counts are never negative
}

func (e *encoder) flag(flags ...bool) {
	var b byte
	for i, f := range flags {
		if f {
			b |= 1 << i
		}
	}
	*e = append(*e, b)
}

// id writes a session id: 16 bytes for a UUID in lower case, which all servers
// send; else its length, never 0 or above 255, and its bytes.
func (e *encoder) id(id string) {
	if raw, ok := packUUID(id); ok {
		*e = append(append(*e, 0), raw[:]...)
		return
	}
	e.unsigned(len(id))
	*e = append(*e, id...)
}

func packUUID(id string) (raw [16]byte, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return raw, false
	}
	packed := id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:]
	if _, err := hex.Decode(raw[:], []byte(packed)); err != nil {
		return raw, false
	}
	return raw, unpackUUID(raw) == id
}

func unpackUUID(raw [16]byte) string {
	h := hex.EncodeToString(raw[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// decoder reads what an encoder wrote. After anything that cannot be, bad is
// set and zeros are read.
type decoder struct {
	data []byte
	bad  bool
}

func (d *decoder) fail() {
	d.bad, d.data = true, nil
}

func (d *decoder) signed() int64 {
	v, n := binary.Varint(d.data)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *decoder) count() int {
	v, n := binary.Uvarint(d.data)
	if n <= 0 || v > 1<<31-1 {
		d.fail()
		return 0
	}
	d.data = d.data[n:]
	return int(v)
}

// length reads how many things follow, each of at least size bytes.
func (d *decoder) length(size int) int {
	n := d.count()
	if n > len(d.data)/size {
		d.fail()
		return 0
	}
	return n
}

func (d *decoder) byte() byte {
	if len(d.data) == 0 {
		d.fail()
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

func (d *decoder) id() string {
	n := d.count()
	packed := n == 0
	if packed {
		n = 16
	}
	if n > len(d.data) {
		d.fail()
		return ""
	}
	raw := d.data[:n]
	d.data = d.data[n:]
	if packed {
		return unpackUUID([16]byte(raw))
	}
	return string(raw)
}
