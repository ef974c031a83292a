// Package iso8583 packs, unpacks and describes ISO 8583 messages. A message is described by data, a Table: one row a
// field, with four free choices (kind, encoding, length prefix, padding). It knows no acquirer: tables are brought by the
// dialects (iso8583/dialect/*).
//
// The codec is github.com/moov-io/iso8583: its messages, bitmap, scanner and fields do the work. What is ours is passed
// in where that library lets it be passed in (spec.Enc, spec.Pref, spec.Packer, spec.Unpacker, NewInstance), because its
// stock BCD is slow, its left padding strips zeros that belong to the value, and it has no track-2 nibbles. Around it
// stand the bounds it lacks: no trailing bytes, at most two bitmaps, no field longer than its row says, no digit that is
// none, a pad nibble that is zero. DE 55 stays opaque here; package emv/tlv reads it.
//
// Errors carry field numbers and lengths, never contents.
// Sources: ISO 8583:1987 (fields, bitmap, n/an/ans/b/z, LLVAR and LLLVAR); field attributes of public terminal messages.
package iso8583
