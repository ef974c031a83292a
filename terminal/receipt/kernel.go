package receipt

import (
	"strings"
	"time"
)

// Kernel is a card kernel as a certifier asks for it: which one, of which version, built from which source.
type Kernel struct {
	Name     string `json:"name"` // "contact"
	Version  string `json:"version"`
	Checksum string `json:"checksum"` // SHA-256 over the kernel's source, 64 lower-case hex digits (emv/contact.Checksum)
}

// KernelSlip is the receipt of its own that names the kernel of a terminal. It is drawn from the program that runs, not
// from the journal.
type KernelSlip struct {
	Merchant   Header    `json:"merchant"`
	MerchantID string    `json:"mid"`
	TerminalID string    `json:"tid"`
	Time       time.Time `json:"time"`
	Release    string    `json:"release"` // of the program
	Kernel     Kernel    `json:"kernel"`
}

// DrawKernel makes the slip. at is the wall clock; the printed time is in the header's zone.
func DrawKernel(k Kernel, header Header, merchantID, terminalID, release string, at time.Time) KernelSlip {
	if header.Zone != nil {
		at = at.In(header.Zone)
	}
	return KernelSlip{
		Merchant: clean(header), MerchantID: line(merchantID), TerminalID: line(terminalID), Time: at, Release: line(release),
		Kernel: Kernel{line(k.Name), line(k.Version), line(k.Checksum)},
	}
}

func (s KernelSlip) page() []block {
	p := append(
		head(s.Merchant, s.MerchantID, s.TerminalID),
		block{kind: big, text: "EMV KERNEL"},
		of("DATE", s.Time.Format("2006-01-02")),
		of("TIME", s.Time.Format("15:04:05")),
		of("RELEASE", s.Release),
		of("KERNEL", strings.ToUpper(s.Kernel.Name)),
		of("VERSION", s.Kernel.Version),
		block{kind: rule},
		block{kind: centre, text: "CHECKSUM (SHA-256)"},
	)
	for _, group := range groups(s.Kernel.Checksum) {
		p = append(p, block{kind: centre, text: group, raw: true})
	}
	return append(p, block{kind: rule})
}

// groups breaks hex into lines of sixteen digits, four and four, so that they can be compared by eye.
func groups(hex string) []string {
	var lines, fours []string
	for len(hex) > 0 {
		n := min(4, len(hex))
		fours = append(fours, hex[:n])
		hex = hex[n:]
		if len(fours) == 4 || hex == "" {
			lines = append(lines, strings.Join(fours, " "))
			fours = nil
		}
	}
	return lines
}
