package secure

import (
	"errors"
	"fmt"

	"tillway/device/secure/x9"
)

// poolKeys is how many DUKPT keys are derived at once. What the file then holds is behind them: it can neither give one
// of them again nor derive one that was given. A crash or a restart skips those that are left.
const poolKeys = 16

// What a folder put back together with its witness, or without it, may have used since: so far the counter jumps.
const (
	marginTDES = 1 << 16
	marginAES  = 1 << 24
)

// dukpt is the terminal's form of either DUKPT.
type dukpt interface {
	next() (key, ksn []byte, err error)
	advance(counter uint64) error
	counter() uint64
	state() []byte
	Erase()
}

type tdesDUKPT struct{ *x9.TDESDevice }

func (d tdesDUKPT) next() (key, ksn []byte, err error) {
	key, serial, err := d.Next()
	return key, serial[:], exhausted(err)
}

func (d tdesDUKPT) advance(counter uint64) error {
	if counter > 1<<21 {
		return ErrExhausted
	}
	return exhausted(d.AdvanceTo(uint32(counter)))
}

func (d tdesDUKPT) counter() uint64 { return uint64(d.Counter()) }
func (d tdesDUKPT) state() []byte   { return d.AppendState(make([]byte, 0, maxState)) }

type aesDUKPT struct{ *x9.AESDevice }

func (d aesDUKPT) next() (key, ksn []byte, err error) {
	key, serial, err := d.Next()
	return key, serial[:], exhausted(err)
}

func (d aesDUKPT) advance(counter uint64) error {
	if counter > 1<<32-1 {
		return ErrExhausted
	}
	return exhausted(d.AdvanceTo(uint32(counter)))
}

func (d aesDUKPT) counter() uint64 { return d.Counter() }
func (d aesDUKPT) state() []byte   { return d.AppendState(make([]byte, 0, maxState)) }

func exhausted(err error) error {
	if errors.Is(err, x9.ErrExhausted) {
		return ErrExhausted
	}
	return err
}

// loadDUKPT starts from an initial key. base is its KSN with the counter at zero.
func loadDUKPT(a Algorithm, ik, base []byte) (dukpt, error) {
	if a == TDES {
		d, err := x9.NewTDESDevice(ik, x9.KSN(base))
		return tdesDUKPT{d}, err
	}
	d, err := x9.NewAESDevice(ik, [8]byte(base[:8]))
	return aesDUKPT{d}, err
}

// readDUKPT goes on from registers.
func readDUKPT(a Algorithm, state []byte) (dukpt, error) {
	if a == TDES {
		d, err := x9.ReadTDESDevice(state)
		return tdesDUKPT{d}, err
	}
	d, err := x9.ReadAESDevice(state)
	return aesDUKPT{d}, err
}

func margin(a Algorithm) uint64 {
	if a == TDES {
		return marginTDES
	}
	return marginAES
}

// counterOf takes the counter out of a KSN of this key, and refuses another's.
func (k *setKey) counterOf(ksn []byte) (uint64, error) {
	var base []byte
	var counter uint64
	if k.algorithm == TDES {
		serial, err := x9.ParseKSN(ksn)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		initial := serial.Initial()
		base, counter = initial[:], uint64(serial.Counter())
	} else {
		serial, err := x9.ParseAESKSN(ksn)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		initial := serial.WithCounter(0)
		base, counter = initial[:], uint64(serial.Counter())
	}
	if string(base) != string(k.base) {
		return 0, fmt.Errorf("KSN of another key: %w", ErrUsage)
	}
	return counter, nil
}

// left counts the keys from counter on: the numbers of so many bits with at most so many ones.
func left(a Algorithm, counter uint64) uint64 {
	width, ones := 32, 16
	if a == TDES {
		width, ones = 21, 10
	}
	if counter>>width != 0 {
		return 0
	}
	return below(1<<width, width, ones) - below(counter, width, ones)
}

// below counts the numbers under n with at most so many ones.
func below(n uint64, width, ones int) (count uint64) {
	for bit := width; bit >= 0 && ones >= 0; bit-- {
		if n>>bit&1 == 0 {
			continue
		}
		c := uint64(1) // bit over j
		for j := 0; j <= min(bit, ones); j++ {
			count += c
			c = c * uint64(bit-j) / uint64(j+1)
		}
		ones--
	}
	return count
}

// ksn is this key's serial number with another counter.
func (k *setKey) ksn(counter uint64) []byte {
	if k.algorithm == TDES {
		s := x9.KSN(k.base).WithCounter(uint32(counter))
		return s[:]
	}
	s := x9.AESKSN(k.base).WithCounter(uint32(counter))
	return s[:]
}
