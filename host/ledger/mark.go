package ledger

import (
	"crypto/hmac"
	"crypto/sha256"
)

// Mark is what the books keep in place of data that they must recognise and may not hold, like a card's number: a keyed
// digest (HMAC-SHA-256), under a key that lies in a file of its own. use keeps two kinds of data apart. In memory there is
// no key: marks are then good for comparing alone.
func (l *Ledger) Mark(use string, data []byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, l.key)
	h.Write([]byte(use))
	h.Write([]byte{0})
	h.Write(data)
	return [sha256.Size]byte(h.Sum(nil))
}
