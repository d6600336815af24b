package diff

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// hashBits of a hash are kept, so that a remembered row is small in a
// checkpoint. Rows are told apart by their time as well.
const hashBits = 48

// hash tells rows of one instant apart, by the columns that every server
// version and endpoint has (FNV-1a). It must stay as it is: checkpoints hold
// it.
func hash(row *wire.Row) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, column := range [...]string{row.SessionID, row.EventName, row.URLPath, row.ReferrerDomain} {
		for i := range len(column) {
			h = (h ^ uint64(column[i])) * prime
		}
		h = (h ^ 0xff) * prime // no byte of UTF-8
	}
	return (h >> hashBits) ^ h&(1<<hashBits-1)
}

// Key names a visit for those who store it: the columns that tell rows apart,
// and its ordinal among rows alike.
func Key(row *wire.Row, ordinal int) string {
	text := make([]byte, 0, 256)
	text = binary.AppendVarint(text, millis(row.CreatedAt))
	for _, column := range [...]string{row.SessionID, row.EventName, row.URLPath, row.ReferrerDomain} {
		text = binary.AppendUvarint(text, uint64(len(column)))
		text = append(text, column...)
	}
	text = binary.AppendUvarint(text, uint64(ordinal)) //nolint:gosec // never negative
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
