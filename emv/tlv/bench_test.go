package tlv_test

import (
	"testing"

	"tillway/emv/tlv"
)

// BenchmarkWalk opens a record of a card, all levels.
func BenchmarkWalk(b *testing.B) {
	record := unhex("70625A0847613400000000508C159F02069F03069F1A0295055F2A029A039C019F37048D178A029F02069F03069F1A0295055F2A029A039C019F37045F24031712319F0702FF809F0802008C9F0D0500000000009F0E0500000000009F0F050000000000")
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		objects := 0
		if err := tlv.Walk(record, func(int, tlv.Item) error { objects++; return nil }); err != nil || objects != 10 {
			b.Fatal(objects, err)
		}
	}
}

// BenchmarkFill composes the data of a GENERATE AC.
func BenchmarkFill(b *testing.B) {
	list, value := unhex("9F02069F03069F1A0295055F2A029A039C019F3704"), unhex("000000010525")
	b.ReportAllocs()
	for b.Loop() {
		dol, err := tlv.ParseDOL(list)
		if err != nil {
			b.Fatal(err)
		}
		if n := len(dol.Fill(func(tlv.Tag) ([]byte, tlv.Padding, bool) { return value, tlv.PadNumeric, true })); n != 29 {
			b.Fatal(n)
		}
	}
}
