package contact_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"tillway/emv"
)

// A second, much simpler reading of the books: what a sale's card and terminal must come to, from a few numbers, in one
// page. Cards drawn at random are sold to, and kernel and page have to agree; where they do not, the name of the draw repeats it.

// drawn is one card and terminal.
type drawn struct {
	rules                       [][2]byte // method and condition
	amount, x, y, floor         int64
	home                        bool // the card's currency is the sale's
	kind, terminal, methods     byte // 9C, 9F35, second byte of 9F33
	usage                       [2]byte
	domestic                    bool
	deny, online, otherwise     [5]byte // issuer action codes
	tacDeny, tacOnline, tacElse [5]byte
}

func draw(r *rand.Rand) drawn {
	pick := func(from ...byte) byte { return from[r.IntN(len(from))] }
	code := func(odds int) (c [5]byte) {
		for i := range 40 {
			if r.IntN(odds) == 0 {
				c[i/8] |= 1 << (i % 8)
			}
		}
		return c
	}
	d := drawn{
		amount: 1000 + r.Int64N(3), x: 1000 + r.Int64N(3), y: 1000 + r.Int64N(3), floor: 1001,
		home: r.IntN(3) > 0, kind: pick(0x00, 0x00, 0x01, 0x09), terminal: pick(0x21, 0x22, 0x23, 0x24, 0x25, 0x26),
		methods: pick(0x68, 0x28, 0x48, 0x20, 0x08), usage: [2]byte{byte(r.Uint32()), byte(r.Uint32())}, domestic: r.IntN(2) > 0,
		deny: code(60), online: code(9), otherwise: code(9), tacDeny: code(60), tacOnline: code(20), tacElse: code(20),
	}
	for range r.IntN(5) {
		rule := [2]byte{pick(0x00, 0x02, 0x02, 0x06, 0x1E, 0x1E, 0x1F, 0x20) | pick(0x00, 0x40), pick(0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 0x0A)}
		d.rules = append(d.rules, rule)
	}
	return d
}

// supports says whether the terminal does a method (Book 4, 6.3.4).
func (d drawn) supports(method byte) bool {
	return method == 0x00 || d.methods&map[byte]byte{0x02: 0x40, 0x1E: 0x20, 0x1F: 0x08}[method] != 0
}

// holds says whether a rule's condition is met (Book 3, C3).
func (d drawn) holds(method, condition byte) bool {
	cash, unattended := d.kind == 0x01, d.terminal&0x0F > 3
	return map[byte]bool{
		0: true, 1: cash && unattended, 2: d.kind == 0x00, 3: d.supports(method), 4: cash && !unattended, 5: d.kind == 0x09,
		6: d.home && d.amount < d.x, 7: d.home && d.amount > d.x, 8: d.home && d.amount < d.y, 9: d.home && d.amount > d.y,
	}[condition]
}

// verification is Book 3, 10.5 for a terminal whose only PIN is the issuer's, and it is entered.
func (d drawn) verification() (tvr byte, results string) {
	results = "3F0001"
	for _, rule := range d.rules {
		method := rule[0] & 0x3F
		if !d.holds(method, rule[1]) {
			continue
		}
		known := method == 0x00 || method == 0x02 || method == 0x1E || method == 0x1F
		if known && d.supports(method) {
			result := map[byte]byte{0x00: 1, 0x1F: 2}[method]
			if method == 0x02 {
				tvr |= 0x04
			}
			results = fmt.Sprintf("%02X%02X%02X", rule[0], rule[1], result)
			if method != 0x00 {
				return tvr, results
			}
			break
		}
		if !known {
			tvr |= 0x40
		} else if method == 0x02 {
			tvr |= 0x10
		}
		if rule[0]&0x40 == 0 {
			break
		}
	}
	return tvr | 0x80, results
}

// allowed is Book 3, 10.4.2 away from ATMs.
func (d drawn) allowed() bool {
	home := func(at, abroad byte) byte {
		if d.domestic {
			return at
		}
		return abroad
	}
	switch d.kind {
	case 0x01:
		return d.usage[0]&1 != 0 && d.usage[0]&home(0x80, 0x40) != 0
	case 0x09:
		return d.usage[0]&1 != 0 && d.usage[0]&home(0x28, 0x14) != 0 && d.usage[1]&home(0x80, 0x40) != 0
	}
	return d.usage[0]&1 != 0 && d.usage[0]&home(0x28, 0x14) != 0
}

// outcome is the whole sale: no offline data authentication, the card gives what is asked for (Book 3, 10.7).
func (d drawn) outcome() (want emv.Decision, tvr [5]byte, results string) {
	tvr[0], results = 0x80, "3F0000"
	if len(d.rules) > 0 {
		tvr[2], results = d.verification()
	} else {
		tvr[0] |= 0x20 // a list without rules is none, and the card said that it has one
	}
	if !d.allowed() {
		tvr[1] |= 0x10
	}
	if d.amount >= d.floor {
		tvr[3] |= 0x80
	}
	hit := func(codes ...[5]byte) bool {
		for _, c := range codes {
			for i := range c {
				if c[i]&tvr[i] != 0 {
					return true
				}
			}
		}
		return false
	}
	switch kind := (d.terminal - 1) % 16 % 3; { // 0 online only, 1 both, 2 offline only
	case hit(d.deny, d.tacDeny), kind == 2 && hit(d.otherwise, d.tacElse):
		return emv.Declined, tvr, results
	case kind == 0, kind == 1 && hit(d.online, d.tacOnline):
		return emv.Online, tvr, results
	}
	return emv.Approved, tvr, results
}

// entersPIN has a PIN pad for the issuer's PIN, and enters it.
type entersPIN struct{ *holder }

func (entersPIN) OnlinePIN(context.Context, emv.PINRequest) (emv.PINEntry, error) {
	return emv.PINEntered, nil
}

func TestKernelAgreesWithASimplerOne(t *testing.T) {
	ends := map[emv.Decision]int{}
	for seed := range uint64(1500) {
		d := draw(rand.New(rand.NewPCG(seed, 1))) //nolint:gosec // a draw that can be repeated
		list := fmt.Sprintf("8E=%08X%08X", d.x, d.y)
		for _, rule := range d.rules {
			list += fmt.Sprintf("%02X%02X", rule[0], rule[1])
		}
		objects := fmt.Sprintf("%s 9F07=%X 9F0E=%X 9F0F=%X 9F0D=%X", list, d.usage, d.deny, d.online, d.otherwise)
		if !d.domestic {
			objects += " 5F28=0840"
		}
		if !d.home {
			objects += " 9F42=0840"
		}
		fixed := fmt.Sprintf("9F02=%012d 9C=%02X 9F35=%02X 9F33=E0%02X00 9F40=F000F0A001", d.amount, d.kind, d.terminal, d.methods)
		if d.kind == 0x09 {
			fixed += " 9F03=000000000100"
		}
		p := fix(terminal(), fixed)
		p.LiteralActionCodes = true
		app := &p.Applications[0]
		app.TACDenial, app.TACOnline, app.TACDefault, app.FloorLimitMinor = d.tacDeny, d.tacOnline, d.tacElse, d.floor
		want, tvr, results := d.outcome()
		_, out := begin(t, newChip(objects, ""), p, entersPIN{&holder{}})
		if got, _ := out.Data.Get(emv.TagTVR); out.Decision != want || fmt.Sprintf("%X", got) != fmt.Sprintf("%X", tvr) {
			t.Errorf("draw %d: %s with TVR %X, want %s with %X: %+v", seed, out.Decision, got, want, tvr, d)
		}
		if got, _ := out.Data.Get(emv.TagCVMResults); fmt.Sprintf("%X", got) != results {
			t.Errorf("draw %d: CVM Results %X, want %s: %+v", seed, got, results, d)
		}
		ends[out.Decision]++
	}
	for _, end := range []emv.Decision{emv.Online, emv.Approved, emv.Declined} {
		if ends[end] < 50 {
			t.Errorf("of all draws only %d end %s", ends[end], end)
		}
	}
}
