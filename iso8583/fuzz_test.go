package iso8583_test

import (
	"bytes"
	"errors"
	"testing"

	"tillway/iso8583"
)

// characterTable has the same fields as small, in characters.
func characterTable() iso8583.Table {
	table := small()
	table.CharacterHeader = true
	for i, f := range table.Fields {
		if f.Encoding != iso8583.BCD {
			continue
		}
		f.Encoding = iso8583.ASCII
		if f.Padding == iso8583.FillerRight {
			f.Padding = iso8583.NoPadding
		}
		if f.Length == iso8583.LLBCD {
			f.Length = iso8583.LLASCII
		}
		table.Fields[i] = f
	}
	return table
}

// What unpacks packs back to the same bytes, from both sorts of table; what does not says which field, in few words.
func FuzzUnpack(f *testing.F) {
	f.Add(unhex(f, "0200 4000040020000000 15 0371449635398431 0051 11 12345678D28F"))
	f.Add(unhex(f, "0810 A000000002000000 0000000000000000 920000 3030"))
	f.Add(unhex(f, "0210 0000000000000200 0005 9103414243"))
	f.Add([]byte("0200600004000000000016476173900101011920123405" + "1"))
	codecs := []*iso8583.Codec{compile(f, small()), compile(f, characterTable())}
	f.Fuzz(func(t *testing.T, frame []byte) {
		for _, c := range codecs {
			m, err := c.Unpack(frame)
			if err != nil {
				if e, ok := errors.AsType[*iso8583.Error](err); !ok || len(e.Error()) > 200 {
					t.Fatalf("error %v", err)
				}
				continue
			}
			if again, err := c.Pack(m); err != nil || !bytes.Equal(again, frame) {
				t.Fatalf("%X packs again to %X (%v)", frame, again, err)
			}
		}
	})
}

// What packs unpacks to the same values, padding apart.
func FuzzPack(f *testing.F) {
	f.Add(2, "4761739001010119")
	f.Add(35, "4761739001010119D28122011758989389123")
	f.Add(48, "any \x00 text")
	f.Add(22, "5")
	codecs := []*iso8583.Codec{compile(f, small()), compile(f, characterTable())}
	f.Fuzz(func(t *testing.T, number int, value string) {
		if number < 2 || number > 128 {
			return
		}
		for _, c := range codecs {
			m := iso8583.NewMessage("0200")
			m.Set(number, value)
			frame, err := c.Pack(m)
			if err != nil {
				if !errors.Is(err, iso8583.ErrValue) {
					t.Fatalf("error %v", err)
				}
				continue
			}
			back, err := c.Unpack(frame)
			if err != nil {
				t.Fatalf("field %d of %d characters packs and does not unpack: %v", number, len(value), err)
			}
			got, _ := back.Get(number)
			if len(got) < len(value) || (got != value && !padded(got, value)) {
				t.Fatalf("field %d: %q comes back as %q", number, value, got)
			}
		}
	})
}

func padded(got, value string) bool {
	missing := len(got) - len(value)
	if missing <= 0 || value == "" {
		return false
	}
	zeros := got[:missing]
	spaces := got[len(value):]
	return (got[missing:] == value && bytes.Count([]byte(zeros), []byte("0")) == missing) ||
		(got[:len(value)] == value && bytes.Count([]byte(spaces), []byte(" ")) == missing)
}
