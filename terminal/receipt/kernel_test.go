package receipt_test

import (
	"strings"
	"testing"
	"time"

	"tillway/terminal/receipt"
)

// The slip that a certifier asks for: on the narrowest paper too, every digit of the checksum is there, in order.
func TestKernelSlip(t *testing.T) {
	const sum = "0123456789abcdef0123456789abcdeffedcba9876543210fedcba9876543210"
	at := time.Date(2026, 11, 23, 6, 15, 7, 0, time.UTC)
	slip := receipt.DrawKernel(
		receipt.Kernel{Name: "contact", Version: "1.0.0-dev", Checksum: sum},
		receipt.Header{Name: "TILLWAY TEST SHOP", Location: []string{"Salmiya\x1b[2J"}, Zone: time.FixedZone("", 3*3600)},
		"KW0000000000001", "TILL0001", "1.2.3", at,
	)
	for _, width := range []int{0, receipt.MinWidth, 32, receipt.MaxWidth} {
		text := slip.Text(width)
		for _, want := range []string{"EMV KERNEL", "CONTACT", "1.0.0-dev", "KW0000000000001", "TILL0001", "09:15:07", "0123 4567 89ab cdef", "fedc ba98 7654 3210"} {
			if !strings.Contains(text, want) {
				t.Errorf("width %d: no %q in\n%s", width, want, text)
			}
		}
		if _, digits, _ := strings.Cut(text, "(SHA-256)"); strings.Join(strings.FieldsFunc(digits, func(r rune) bool { return r <= ' ' || r == '-' }), "") != sum {
			t.Errorf("width %d: the checksum does not read back:\n%s", width, text)
		}
		if strings.Contains(text, "\x1b") {
			t.Error("a control character is printed")
		}
	}
	if page := slip.HTML(); !strings.Contains(page, "0123 4567 89ab cdef") || strings.Contains(page, "<script") {
		t.Error(page)
	}
}
