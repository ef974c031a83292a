package x9

import (
	"fmt"
	"strings"
)

// usages is the matrix of X9.143:2021, Tables 2 to 4, and TR-31:2018, Tables 6 to 8: for each usage the algorithms and the
// modes of use that go with it. Mode N, "no special restrictions", stands where the tables allow it. Usages of two digits
// are proprietary and go with everything.
var usages = map[string]struct{ algorithms, modes string }{
	"B0": {"TA", "XN"}, // base derivation key
	"B1": {"TA", "XN"}, // initial DUKPT key
	"B2": {"T", "XN"},  // base key variant
	"B3": {"TAH", "XN"},
	"C0": {"TA", "CGVN"},   // card verification key
	"D0": {"TAD", "BDEN"},  // data encryption
	"D1": {"RE", "BDEN"},   // data encryption, asymmetric
	"D2": {"TA", "BDEN"},   // decimalization table
	"D3": {"TA", "BDEN"},   // sensitive data
	"E0": {"TA", "XNEBDG"}, // issuer master keys: application cryptogram …
	"E1": {"TA", "XNEBDG"},
	"E2": {"TA", "XNEBDG"},
	"E3": {"TA", "XNEBDG"},
	"E4": {"TA", "XNEBDG"},
	"E5": {"TA", "XNEBDG"},
	"E6": {"TA", "XNEBDG"},
	"E7": {"TA", "XN"},
	"I0": {"TAD", "N"},
	"I1": {"TA", "N"},
	"K0": {"TAR", "BDEN"}, // key encryption
	"K1": {"TA", "BDEN"},  // key block protection
	"K2": {"RE", "BDEN"},
	"K3": {"RE", "XBDEN"},
	"K4": {"TA", "BDEN"},  // key block protection, ISO 20038
	"M0": {"T", "CGVN"},   // ISO 16609 MAC algorithm 1
	"M1": {"TD", "CGVN"},  // ISO/IEC 9797-1 MAC algorithm 1 …
	"M2": {"T", "CGVN"},   //
	"M3": {"TD", "CGVN"},  // … 3, the retail MAC
	"M4": {"TD", "CGVN"},  //
	"M5": {"TA", "CGVN"},  //
	"M6": {"TA", "CGVN"},  // CMAC
	"M7": {"H", "CGVN"},   // HMAC
	"M8": {"TA", "CGVN"},  //
	"P0": {"TA", "BDEN"},  // PIN encryption
	"P1": {"TA", "CGVNE"}, // PIN generation
	"S0": {"RES", "SVN"},
	"S1": {"RES", "SVN"},
	"S2": {"RES", "SVNTXY"},
	"V0": {"TA", "CGVN"}, // PIN verification
	"V1": {"TA", "CGVN"}, // … IBM 3624
	"V2": {"TA", "CGVN"}, // … PVV
	"V3": {"TA", "CGVN"},
	"V4": {"TA", "CGVN"},
	"V5": {"TA", "CGVN"},
}

// The characters that the fields of a header may have.
const (
	algorithms      = "ADEHRST"
	modes           = "BCDEGNSTVXY"
	exportabilities = "ENS"
	contexts        = "012"
)

// checkForm refuses a header whose fields have values that the standard does not know. Error: ErrKeyBlock.
func (h KeyBlockHeader) checkForm() error {
	_, known := usages[h.Usage]
	switch {
	case len(h.Usage) != 2 || !alphanumeric(h.Usage) || (!known && !proprietary(h.Usage)):
		return fmt.Errorf("key usage: %w", ErrKeyBlock)
	case !oneOf(h.Algorithm, algorithms):
		return fmt.Errorf("algorithm: %w", ErrKeyBlock)
	case !oneOf(h.Mode, modes):
		return fmt.Errorf("mode of use: %w", ErrKeyBlock)
	case len(h.KeyVersion) != 2 || !alphanumeric(h.KeyVersion):
		return fmt.Errorf("key version number: %w", ErrKeyBlock)
	case !strings.ContainsRune(exportabilities, rune(h.Exportability)):
		return fmt.Errorf("exportability: %w", ErrKeyBlock)
	case h.Context != 0 && !strings.ContainsRune(contexts, rune(h.Context)):
		return fmt.Errorf("key context: %w", ErrKeyBlock)
	}
	return nil
}

func oneOf(c byte, list string) bool {
	return (c >= '0' && c <= '9') || strings.IndexByte(list, c) >= 0
}

func proprietary(usage string) bool {
	return usage[0] >= '0' && usage[0] <= '9' && usage[1] >= '0' && usage[1] <= '9'
}

// Check refuses a header whose usage, algorithm and mode of use do not go together. A caller that wants one kind of key
// compares the fields as well. Errors: ErrKeyBlock, ErrKeyBlockRule.
func (h KeyBlockHeader) Check() error {
	if err := h.checkForm(); err != nil {
		return err
	}
	row, known := usages[h.Usage]
	if !known {
		return nil // proprietary
	}
	if strings.IndexByte(row.algorithms, h.Algorithm) < 0 {
		return fmt.Errorf("usage %s with algorithm %c: %w", h.Usage, h.Algorithm, ErrKeyBlockRule)
	}
	if strings.IndexByte(row.modes, h.Mode) < 0 {
		return fmt.Errorf("usage %s with mode of use %c: %w", h.Usage, h.Mode, ErrKeyBlockRule)
	}
	if h.Algorithm == 'H' {
		if _, ok := h.OptionalData("HM"); !ok {
			return fmt.Errorf("HMAC key without its hash algorithm (HM): %w", ErrKeyBlockRule)
		}
	}
	return nil
}

// keyLengthFits says whether an algorithm has keys of n bytes. Single DES passes here (X9.143 carries it); CheckTDESKey
// tells it apart.
func keyLengthFits(algorithm byte, n int) bool {
	switch algorithm {
	case 'A':
		return n == 16 || n == 24 || n == 32
	case 'T':
		return n == 8 || n == 16 || n == 24
	case 'D':
		return n == 8
	default:
		return n > 0 && n <= maxKeyBlock/2
	}
}

// strengthOf is the strength in bits of a symmetric key, after NIST SP 800-57 part 1; other keys have none to compare.
func strengthOf(algorithm byte, n int) int {
	switch algorithm {
	case 'A':
		return 8 * n
	case 'H':
		return min(8*n, 256)
	case 'T', 'D':
		return map[int]int{8: 56, 16: 80, 24: 112}[n]
	default:
		return 0
	}
}

// protection is the strength in bits of a protection key of n bytes.
func protection(version byte, n int) int {
	if version == 'D' || version == 'E' {
		return strengthOf('A', n)
	}
	return strengthOf('T', n)
}
