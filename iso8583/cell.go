package iso8583

import "github.com/moov-io/iso8583/field"

// cell is one field of a workspace: moov's own Binary field, which keeps the bytes it is given, with our rule for packing
// and unpacking. NewInstance gives itself: a message has each field once.
type cell struct {
	*field.Binary
	rule *rule
	used uint64 // turn in which the field was last packed
}

// NewInstance is how moov makes a message's field out of the spec's.
func (c *cell) NewInstance() field.Field { return c }

// rule packs and unpacks one field as its row says (moov's Packer and Unpacker).
type rule struct {
	ws      *workspace
	row     Field
	nibbles *nibbles // nil when not BCD
	filler  byte
	padded  []byte
	out     []byte
}

var (
	_ field.Packer   = (*rule)(nil)
	_ field.Unpacker = (*rule)(nil)
)

// Pack pads, encodes and puts the length before.
func (r *rule) Pack(data []byte, spec *field.Spec) ([]byte, error) {
	data = r.pad(data)
	length, err := spec.Pref.EncodeLength(spec.Length, len(data))
	if err != nil {
		return nil, misfit(r.row.Number, "%v", err)
	}
	encoded, err := spec.Enc.Encode(data)
	if err != nil {
		return nil, misfit(r.row.Number, "%v", err)
	}
	r.out = append(append(r.out[:0], length...), encoded...)
	return r.out, nil
}

func (r *rule) pad(data []byte) []byte {
	missing := r.row.Max - len(data)
	if r.row.Length != Fixed || missing <= 0 || len(data) == 0 {
		return data
	}
	switch r.row.Padding {
	case ZeroLeft:
		r.padded = fill(r.padded[:0], '0', missing)
		r.padded = append(r.padded, data...)
	case SpaceRight:
		r.padded = append(r.padded[:0], data...)
		r.padded = fill(r.padded, ' ', missing)
	case NoPadding, FillerRight:
		return data
	}
	return r.padded
}

func fill(b []byte, c byte, n int) []byte {
	for range n {
		b = append(b, c)
	}
	return b
}

// Unpack reads the length and the value.
func (r *rule) Unpack(data []byte, spec *field.Spec) ([]byte, int, error) {
	length, prefixed, err := spec.Pref.DecodeLength(spec.Length, data)
	if err != nil {
		return nil, 0, malformed(r.row.Number, "%v", err)
	}
	v, read, err := spec.Enc.Decode(data[prefixed:], length)
	if err != nil {
		return nil, 0, malformed(r.row.Number, "%v", err)
	}
	r.ws.rest = len(data) - prefixed - read
	return v, prefixed + read, nil
}
