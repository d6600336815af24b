package wire

import (
	"bytes"
	"hash/maphash"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// texts holds the texts of one reply, each once. Most repeat, and mostly in the
// same order: the names of one row are those of the row before, and so are many
// of its values. So each name remembers which name came after it last, and
// which value it had.
type texts struct {
	known []text
	slots []uint32 // by hash, the index in known of each text
	last  uint32   // index of the name read last
	room  strings.Builder
}

// text is a text that may stand between quotes as it is.
type text struct {
	string
	next  uint32 // index of the name that came after it
	value uint32 // index of its value
}

const (
	fewSlots = 1 << 10 // for the about 300 texts of a full reply

	// What a server sends has far fewer; what an attacker sends is not worth it.
	mostTexts = 1 << 15

	// A text that is kept keeps up to so many bytes of others in memory.
	roomSize = 1 << 10
)

var seed = maphash.MakeSeed()

// reset forgets all texts, so that none is kept or shared between replies.
func (t *texts) reset() {
	if len(t.slots) != fewSlots {
		t.slots = make([]uint32, fewSlots)
	}
	clear(t.slots)
	clear(t.known)
	t.known = append(t.known[:0], text{}) // the empty text, which needs no slot
	t.last = 0
	t.room.Reset()
}

// find returns a text of the reply, and its index among the known ones, or 0.
func (t *texts) find(raw []byte, plain bool) (string, uint32) {
	if len(raw) == 0 {
		return "", 0
	}
	if !plain && (!utf8.Valid(raw) || bytes.IndexByte(raw, '\\') >= 0) {
		return t.keep(unquote(raw)), 0
	}
	slot := t.slot(maphash.Bytes(seed, raw))
	for ; t.slots[slot] != 0; slot = (slot + 1) & (len(t.slots) - 1) {
		if i := t.slots[slot]; t.known[i].string == string(raw) {
			return t.known[i].string, i
		}
	}
	if len(t.known) == mostTexts {
		return t.keep(raw), 0
	}
	s, i := t.keep(raw), uint32(len(t.known)) //nolint:gosec // no body is so large
	t.known = append(t.known, text{string: s})
	t.slots[slot] = i
	if len(t.known) > len(t.slots)/4*3 {
		t.grow()
	}
	return s, i
}

func (t *texts) slot(hash uint64) int { return int(hash) & (len(t.slots) - 1) } //nolint:gosec // any bits will do

func (t *texts) grow() {
	t.slots = make([]uint32, 2*len(t.slots))
	for i, known := range t.known {
		if i == 0 {
			continue
		}
		slot := t.slot(maphash.String(seed, known.string))
		for t.slots[slot] != 0 {
			slot = (slot + 1) & (len(t.slots) - 1)
		}
		t.slots[slot] = uint32(i)
	}
}

// unquote returns what a text says that holds escapes or broken UTF-8, for which
// U+FFFD stands then.
func unquote(raw []byte) []byte {
	quoted := append(append([]byte{'"'}, raw...), '"')
	said, _ := jsontext.AppendUnquote(nil, quoted) // valid, but perhaps for the UTF-8
	return said
}

// keep copies a text. Several share one allocation.
func (t *texts) keep(b []byte) string {
	if t.room.Cap()-t.room.Len() < len(b) {
		t.room.Reset()
		t.room.Grow(max(len(b), roomSize))
	}
	start := t.room.Len()
	t.room.Write(b)
	return t.room.String()[start:]
}
