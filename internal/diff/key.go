package diff

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math/bits"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// hashBits of a hash are kept, so that a remembered row is small in a
// checkpoint. Rows are told apart by their time as well.
const hashBits = 48

// identity is what tells rows of one instant apart: the columns that every server
// version and endpoint has.
func identity(row *wire.Row) [4]string {
	return [4]string{row.SessionID, row.EventName, row.URLPath, row.ReferrerDomain}
}

// hash of a row's identity. It must stay as it is: checkpoints hold it.
func hash(row *wire.Row) uint64 {
	h := mix(0, 0)
	for _, column := range identity(row) {
		h = mix(h, uint64(len(column)))
		for ; len(column) >= 8; column = column[8:] {
			h = mix(h, uint64(column[0])|uint64(column[1])<<8|uint64(column[2])<<16|uint64(column[3])<<24|
				uint64(column[4])<<32|uint64(column[5])<<40|uint64(column[6])<<48|uint64(column[7])<<56)
		}
		rest := uint64(0)
		for i := range len(column) {
			rest = rest<<8 | uint64(column[i])
		}
		h = mix(h, rest)
	}
	return h >> (64 - hashBits)
}

// mix adds eight bytes to a hash: a product of 128 bits, folded.
func mix(h, word uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, word^0xe7037ed1a0b428db)
	return hi ^ lo
}

// Key names a visit for those who store it: the columns that tell rows apart,
// and its ordinal among rows alike.
func Key(row *wire.Row, ordinal int) string {
	text := make([]byte, 0, 256)
	text = binary.AppendVarint(text, millis(row.CreatedAt))
	for _, column := range identity(row) {
		text = binary.AppendUvarint(text, uint64(len(column)))
		text = append(text, column...)
	}
	text = binary.AppendUvarint(text, uint64(ordinal)) //nolint:gosec // never negative
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
