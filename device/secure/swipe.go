package secure

import (
	"bytes"
	"context"
	"fmt"

	"tillway/device/secure/x9"
)

// SwipeSet is the name under which the key of the terminal's enciphering stripe reader is loaded: it is the reader's, and no
// acquirer's.
const SwipeSet = "stripe"

// PadSet is the name under which the key is loaded that this module and its PIN pad know each other by.
const PadSet = "pinpad"

// SwipeVariant says which working key of DUKPT a reader's maker took for tracks. Under AES it is always that for data (X9.24-3, 6.3.2,
// 3000).
type SwipeVariant uint8

// The variants.
const (
	SwipeDataKey SwipeVariant = iota + 1 // the data key for requests (X9.24-1:2009, A.4.1)
	SwipePINKey                          // the variant for PINs, as MagTek's readers do
)

// EncipheredSwipe is one pass of a card as an enciphering reader sent it.
type EncipheredSwipe struct {
	KSN     []byte // 10 bytes (TDES) or 12 (AES)
	Variant SwipeVariant
	Blocks  [][]byte // one to three, each enciphered by itself in CBC from zeros: whole blocks, at most maxSwipeBlock bytes
}

// Bounds of a swipe.
const (
	maxSwipeBlocks = 3
	maxSwipeBlock  = 256
)

// Swipes deciphers what a stripe reader enciphered. The reader's initial key stays in the module. What comes back is clear card
// data, and the caller's to guard as what a chip says.
type Swipes interface {
	// DecipherSwipe deciphers each block under the reader's key. A serial number that is not above that of the last card is refused: a
	// recorded swipe pays for nothing again; the last one is on disk with the module's next commit. A serial number comes in clear, so
	// one counts only when a track 2 came out of its blocks: else anybody at the cable ends the reader's use with one high number. Errors: ErrNoKey, ErrUsage (the
	// serial number is another reader's), ErrReplayed, ErrRequest.
	DecipherSwipe(ctx context.Context, s EncipheredSwipe) ([][]byte, error)
}

func (s EncipheredSwipe) check() error {
	if len(s.Blocks) == 0 || len(s.Blocks) > maxSwipeBlocks || s.Variant < SwipeDataKey || s.Variant > SwipePINKey {
		return fmt.Errorf("swipe of %d blocks: %w", len(s.Blocks), ErrRequest)
	}
	for _, b := range s.Blocks {
		if len(b) == 0 || len(b) > maxSwipeBlock {
			return fmt.Errorf("block of %d bytes: %w", len(b), ErrRequest)
		}
	}
	return nil
}

// DecipherSwipe is Swipes'.
func (f *File) DecipherSwipe(ctx context.Context, s EncipheredSwipe) (out [][]byte, err error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := f.begin(ctx); err != nil { // one at a time: the counter goes up
		return nil, err
	}
	defer f.done()
	f.mu.Lock()
	k := f.content.keys[keyName(SwipeSet, UseSwipe)]
	f.mu.Unlock()
	if k == nil {
		return nil, fmt.Errorf("key of the stripe reader: %w: load the one that its maker or injector sent, with pos keys import %s swipe FILE", ErrNoKey, SwipeSet)
	}
	counter, err := k.counterOf(s.KSN)
	if err != nil {
		return nil, err
	}
	if counter < f.content.marks[k.markName()] {
		return nil, fmt.Errorf("serial number %X: %w", s.KSN, ErrReplayed)
	}
	guarded(func() { out, err = k.decipherSwipe(s) })
	if err != nil {
		return nil, err
	}
	if !holdsTrack2(out) {
		return out, nil // noise, or nobody's: no card that could be paid with again
	}
	c := f.content.clone()
	c.marks[k.markName()] = counter + 1
	f.mu.Lock()
	f.content = c
	f.mu.Unlock()
	return out, nil
}

// holdsTrack2 says that the texts, one behind the other without the zeros that fill them up, hold a start sentinel, an account number and
// a separator (ISO/IEC 7813). Whatever is a card to anybody holds them (device/magstripe); what another key makes of noise does not.
func holdsTrack2(texts [][]byte) bool {
	const least, most = 8, 19 // digits of an account number
	digits := -1              // since the start sentinel; below 0: there was none
	for _, text := range texts {
		for _, c := range bytes.TrimRight(text, "\x00") {
			switch {
			case c == ';':
				digits = 0
			case digits >= 0 && c >= '0' && c <= '9':
				digits++
			case c == '=' && digits >= least && digits <= most:
				return true
			default:
				digits = -1
			}
		}
	}
	return false
}

// decipherSwipe derives the swipe's working key from the reader's initial key, as a host does. Within guarded.
func (k *setKey) decipherSwipe(s EncipheredSwipe) (out [][]byte, err error) {
	key, err := k.swipeKey(s)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	do, size := x9.DecryptCBC, x9.BlockSize
	if k.algorithm != TDES {
		do, size = x9.DecryptCBCAES, x9.AESBlockSize
	}
	for _, b := range s.Blocks {
		text, err := do(key, make([]byte, size), b)
		if err != nil {
			return nil, fmt.Errorf("block of %d bytes in blocks of %d: %w", len(b), size, ErrRequest)
		}
		out = append(out, text)
	}
	return out, nil
}

func (k *setKey) swipeKey(s EncipheredSwipe) ([]byte, error) {
	if k.algorithm == TDES {
		ksn, err := x9.ParseKSN(s.KSN)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		txn, err := x9.TDESTransactionKey(k.key, ksn)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		defer clear(txn)
		use := x9.TDESDataRequest
		if s.Variant == SwipePINKey {
			use = x9.TDESPIN
		}
		return x9.TDESWorkingKey(txn, use)
	}
	ksn, err := x9.ParseAESKSN(s.KSN)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	txn, err := x9.AESTransactionKey(k.key, ksn)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	defer clear(txn)
	kind := map[Algorithm]x9.KeyType{AES128: x9.AES128, AES192: x9.AES192, AES256: x9.AES256}[k.algorithm]
	return x9.AESWorkingKey(txn, x9.AESDataEncrypt, kind, ksn)
}
