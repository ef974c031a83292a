package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// wireMessage is a captured frame, read by a parser of the checker's own: the few fields it looks at, from the layout
// that public NAC messages agree on. It shares no code with the codec, the dialect or the host.
type wireMessage struct {
	mti, pan, amount, stan, rc, tid string
	track2                          bool
	expiry                          string // of DE 14, or of track 2
	pinKey, macKey                  string // key serial numbers
	pin, mac                        bool
	said                            map[int]string // every field
}

// layout is one field: how its length is given, and whether its content is packed digits.
type layout struct {
	fixed  int // bytes; 0 where a length stands before
	prefix int // bytes of BCD length
	digits bool
}

var nacLayout = map[int]layout{
	2: {0, 1, true}, 3: {3, 0, true}, 4: {6, 0, true}, 11: {3, 0, true}, 12: {3, 0, true}, 13: {2, 0, true}, 14: {2, 0, true},
	22: {2, 0, true}, 23: {2, 0, true}, 24: {2, 0, true}, 25: {1, 0, true}, 35: {0, 1, true}, 37: {12, 0, false}, 38: {6, 0, false},
	39: {2, 0, false}, 41: {8, 0, false}, 42: {15, 0, false}, 49: {2, 0, true}, 54: {0, 2, false}, 55: {0, 2, false}, 52: {8, 0, false}, 60: {0, 2, false}, 61: {0, 2, false},
	62: {0, 2, false}, 63: {0, 2, false}, 64: {8, 0, false},
}

func readWire(b []byte) (m wireMessage, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("frame %x: %v", b, r)
		}
	}()
	m.said = map[int]string{}
	b = b[5:] // TPDU
	m.mti = hex.EncodeToString(b[:2])
	bitmap := b[2:10]
	b = b[10:]
	for n := 2; n <= 64; n++ {
		if bitmap[(n-1)/8]&(0x80>>((n-1)%8)) == 0 {
			continue
		}
		l, known := nacLayout[n]
		if !known {
			return m, fmt.Errorf("field %d is not in the checker's layout", n)
		}
		size, odd := l.fixed, false
		if l.prefix > 0 {
			count, err := strconv.Atoi(hex.EncodeToString(b[:l.prefix]))
			if err != nil {
				return m, err
			}
			if size = count; l.digits {
				size, odd = (count+1)/2, count%2 == 1
			}
			b = b[l.prefix:]
		}
		value := string(b[:size])
		if l.digits {
			if value = strings.ToUpper(hex.EncodeToString(b[:size])); odd {
				value = strings.TrimSuffix(strings.TrimPrefix(value, "0"), "F")
			}
		}
		b = b[size:]
		m.keep(n, value)
	}
	if len(b) != 0 {
		return m, fmt.Errorf("%d bytes behind the last field", len(b))
	}
	return m, nil
}

func (m *wireMessage) keep(n int, value string) {
	m.said[n] = value
	switch n {
	case 2:
		m.pan = value
	case 4:
		m.amount = value
	case 11:
		m.stan = value
	case 35:
		m.track2 = true
		m.pan, m.expiry, _ = strings.Cut(value, "D")
		m.expiry = m.expiry[:4]
	case 39:
		m.rc = value
	case 41:
		m.tid = value
	case 52:
		m.pin = true
	case 61:
		for i := 0; i+4 <= len(value); {
			n, err := strconv.Atoi(value[i+2 : i+4])
			if err != nil {
				panic(err)
			}
			switch value[i : i+2] {
			case "PK":
				m.pinKey = value[i+4 : i+4+n]
			case "MK":
				m.macKey = value[i+4 : i+4+n]
			}
			i += 4 + n
		}
	case 64:
		m.mac = true
	case 14:
		m.expiry = value
	}
}

// sameSale says whether a reversal says what its request said, and leaves nothing out but track, chip and PIN; its keys
// and MAC are its own.
func sameSale(request, reversal wireMessage) error {
	for n, asked := range request.said {
		switch n {
		case 23, 35, 52, 55, 61, 64: // track, chip, PIN, and the keys and MAC that are each message's own
			continue
		}
		if got := reversal.said[n]; got != asked {
			return fmt.Errorf("field %d is %q, was %q", n, got, asked)
		}
	}
	if request.pan != reversal.pan || request.expiry != reversal.expiry {
		return errors.New("it is for another card")
	}
	return nil
}
