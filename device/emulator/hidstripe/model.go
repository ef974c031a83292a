package hidstripe

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"tillway/device/secure/x9"
)

// Model is what is played.
type Model string

// The models.
const (
	SureSwipe Model = "magtek"           // MagTek USB HID swipe reader: clear, report of 337 bytes
	MagneSafe Model = "magtek-magnesafe" // MagTek MagneSafe V5: enciphered under the PIN variant, report of 856 bytes
	MiniMag   Model = "idtech"           // ID TECH MiniMag: clear, report of 509 bytes
	SecureMag Model = "idtech-securemag" // ID TECH SecureMag, original format: both tracks enciphered as one block
	Enhanced  Model = "idtech-enhanced"  // ID TECH SecureMag, enhanced format: each track by itself
	EnhancedA Model = "idtech-aes"       // the same under AES-128
)

// ErrModel says that there is no such model, or that its key is missing.
var ErrModel = errors.New("no such stripe reader")

// ErrTracks says that a text is no pass of a card.
var ErrTracks = errors.New("no tracks to swipe: write them from % or ; to ?")

// traits are a model's ids, report and cipher.
type traits struct {
	vendor, product uint16
	name            string
	report          int
	enciphers       bool
	aes             bool
}

func traitsOf(m Model) (traits, bool) {
	t, ok := map[Model]traits{
		SureSwipe: {0x0801, 0x0002, "USB Swipe Reader", 337, false, false},
		MagneSafe: {0x0801, 0x0011, "USB MagneSafe Reader", 856, true, false},
		MiniMag:   {0x0ACD, 0x0500, "MiniMag", 509, false, false},
		SecureMag: {0x0ACD, 0x2010, "SecureMag", 509, true, false},
		Enhanced:  {0x0ACD, 0x2010, "SecureMag", 509, true, false},
		EnhancedA: {0x0ACD, 0x2010, "SecureMag", 509, true, true},
	}[m]
	return t, ok
}

// Models lists them.
func Models() []Model { return []Model{SureSwipe, MagneSafe, MiniMag, SecureMag, Enhanced, EnhancedA} }

// split takes a pass apart: track 1 and track 2, from start to end sentinel. One that could not be read is "E" between them.
func split(tracks string) (one, two string, err error) {
	for rest := strings.TrimSpace(tracks); rest != ""; {
		end := strings.IndexByte(rest, '?')
		if end < 0 || len(rest) > 200 {
			return "", "", ErrTracks
		}
		switch t := rest[:end+1]; rest[0] {
		case '%':
			one = t
		case ';':
			two = t
		default:
			return "", "", ErrTracks
		}
		rest = rest[end+1:]
	}
	if one == "" && two == "" || len(one) > 100 || len(two) > 60 {
		return "", "", ErrTracks
	}
	return one, two, nil
}

// bad is a track that the head could not decode.
func bad(track string) bool { return track == "%E?" || track == ";E?" }

// mask shows the first and last four digits of the number, and stars or zeros for the rest of the track.
func mask(track string, with byte) string {
	b := []byte(track)
	from := 1 + strings.IndexAny(track, ";")
	if track[0] == '%' {
		from = 2
	}
	end := bytes.IndexAny(b, "=^")
	for i := from; i < len(b)-1; i++ {
		switch {
		case b[i] == '=' || b[i] == '^':
		case track[0] == '%' && i > end && i < strings.LastIndexByte(track, '^'): // the name is shown
		case i < end && (i < from+4 || i >= end-4):
		default:
			b[i] = with
		}
	}
	return string(b)
}

// seal enciphers a track in CBC from zeros, filled up with zeros.
func (r *Reader) seal(key []byte, text string) ([]byte, error) {
	size, do := 8, x9.EncryptCBC
	if r.aes {
		size, do = 16, x9.EncryptCBCAES
	}
	padded := make([]byte, (len(text)+size-1)/size*size)
	copy(padded, text)
	return do(key, make([]byte, size), padded)
}

// nextKey is the working key of the next pass, and its serial number.
func (r *Reader) nextKey() (key, ksn []byte, err error) {
	r.counter++
	if r.aes {
		k := x9.AESKSN(append(bytes.Clone(r.cfg.KSN[:8]), 0, 0, 0, 0)).WithCounter(r.counter)
		txn, err := x9.AESTransactionKey(r.cfg.Key, k)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrModel, err)
		}
		key, err = x9.AESWorkingKey(txn, x9.AESDataEncrypt, x9.AES128, k)
		return key, k[:], err
	}
	k := x9.KSN(r.cfg.KSN).WithCounter(r.counter)
	txn, err := x9.TDESTransactionKey(r.cfg.Key, k)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	use := x9.TDESDataRequest
	if r.cfg.Model == MagneSafe {
		use = x9.TDESPIN
	}
	key, err = x9.TDESWorkingKey(txn, use)
	return key, k[:], err
}

// report makes one input report of a pass.
func (r *Reader) report(one, two string) ([]byte, error) {
	out := make([]byte, r.traits.report)
	for i, t := range []string{one, two} {
		if bad(t) {
			out[i] = 1
		}
	}
	if bad(one) {
		one = ""
	}
	if bad(two) {
		two = ""
	}
	switch r.cfg.Model {
	case SureSwipe:
		out[3], out[4] = byte(len(one)), byte(len(two))
		copy(out[7:], one)
		copy(out[117:], two)
		return out, nil
	case MiniMag:
		text := strings.TrimSpace(one + "\r" + two)
		out[3], out[4] = byte(len(one)), byte(len(two))
		out[7], out[8] = byte(len(text)), byte(len(text)>>8)
		copy(out[9:], text)
		return out, nil
	case MagneSafe, SecureMag, Enhanced, EnhancedA: // these encipher
	}
	key, ksn, err := r.nextKey()
	if err != nil {
		return nil, err
	}
	if r.cfg.Model == MagneSafe {
		return out, r.magneSafe(out, key, ksn, one, two)
	}
	clear(out)
	return out, r.frame(out, key, ksn, one, two)
}

// magneSafe fills MagTek's long report.
func (r *Reader) magneSafe(out, key, ksn []byte, one, two string) error {
	for i, t := range []string{one, two} {
		if t == "" {
			continue
		}
		block, err := r.seal(key, t)
		if err != nil {
			return err
		}
		out[3+i] = byte(len(block))
		copy(out[7+112*i:], block)
		masked := mask(t, '0')
		out[505+i] = byte(len(masked))
		copy(out[508+112*i:], masked)
		out[852+i] = byte(len(t))
	}
	out[494] = 0x06 // keys injected, encryption enabled
	copy(out[495:], ksn)
	return nil
}

// lrc is a track with the check character that ID TECH's readers send: the exclusive or of all characters, in the track's own code.
func lrc(track string) string {
	if track == "" {
		return ""
	}
	base := byte('0')
	if track[0] == '%' {
		base = ' '
	}
	sum := byte(0)
	for i := range len(track) {
		sum ^= track[i] - base
	}
	return track + string(rune(base+sum))
}

// frame fills ID TECH's frame, in the original or the enhanced format.
func (r *Reader) frame(out, key, ksn []byte, one, two string) error {
	status := byte(0x3F)
	if two == "" {
		status &^= 2
	}
	one, two = lrc(one), lrc(two)
	lengths := []byte{byte(len(one)), byte(len(two)), 0}
	var shown, sealed, hashes []byte
	flags := [2]byte{0, 0x80}
	var texts []string
	for i, t := range []string{one, two} {
		if t == "" {
			continue
		}
		shown = append(shown, mask(t[:len(t)-1], '*')+"*"...)
		hashes = append(hashes, make([]byte, 20)...)
		flags[0] |= 1 << i
		flags[1] |= 9 << i
		texts = append(texts, t)
	}
	kind := []byte{0x00, status}
	head := lengths
	if r.cfg.Model == SecureMag {
		texts = []string{one + two}
	} else {
		kind[0] = 0x80
		if r.aes {
			flags[0] |= 0x10
		}
		head = append(head, flags[:]...)
	}
	for _, t := range texts {
		block, err := r.seal(key, t)
		if err != nil {
			return err
		}
		sealed = append(sealed, block...)
	}
	data := bytes.Join([][]byte{kind, head, shown, sealed, hashes, ksn}, nil)
	var xor, sum byte
	for _, c := range data {
		xor ^= c
		sum += c
	}
	whole := append([]byte{2, byte(len(data)), byte(len(data) >> 8)}, data...)
	whole = append(whole, xor, sum, 3)
	if len(whole) > len(out) {
		return ErrTracks
	}
	copy(out, whole)
	return nil
}
