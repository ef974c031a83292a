package main

import (
	"fmt"
	"strings"

	"tillway/emv"
)

// explained is a transaction as card run and why tell it: what came of it, and why.
type explained struct {
	AID, Label string
	ODA        emv.ODA
	Method     emv.Method
	Data       emv.Data
	Why        []emv.Why
}

// printExplained prints results first, bit by bit, then the steps in the order in which they ran.
func (a *app) printExplained(x explained) {
	row := func(label, value string) {
		if value != "" {
			a.printf("%-12s %s\n", label, oneLine(value))
		}
	}
	row("Application", strings.TrimSpace(x.AID+" "+x.Label))
	row("Data auth.", dataAuthentication(x))
	row("Verified", string(x.Method))
	if cid := x.Data.Value(emv.TagCID); len(cid) == 1 {
		row("Cryptogram", strings.TrimSpace(strings.Join(emv.CID(cid[0]).Names(), ", ")+fmt.Sprintf(" %X", x.Data.Value(emv.TagApplicationCryptogram))))
	}
	if arc := x.Data.Value(emv.TagAuthorisationResponseCode); len(arc) == 2 {
		row("Response", string(arc))
	}
	if v := x.Data.Value(emv.TagTVR); len(v) == 5 {
		a.printBits("TVR", v, x.Why, func(bit uint8) (string, string) { return emv.TVRBit(bit).String(), emv.TVRBit(bit).Name() })
	}
	if v := x.Data.Value(emv.TagTSI); len(v) == 2 {
		a.printBits("TSI", v, x.Why, func(bit uint8) (string, string) { return emv.TSIBit(bit).String(), emv.TSIBit(bit).Name() })
	}
	if v := x.Data.Value(emv.TagCVMResults); len(v) == 3 {
		row("CVM Results", fmt.Sprintf("%X", v))
		for _, n := range cvmResults(v) {
			a.printf("  %s\n", n)
		}
	}
	a.printSteps(x.Why)
}

func dataAuthentication(x explained) string {
	switch {
	case x.AID == "":
		return ""
	case x.ODA.Method == "" || x.ODA.Method == "none":
		return "none"
	case x.ODA.OK:
		return strings.ToUpper(x.ODA.Method) + ", passed"
	}
	return strings.ToUpper(x.ODA.Method) + ", FAILED"
}

// printBits prints each bit that is set, with the reasons that were kept for it.
func (a *app) printBits(element string, value []byte, why []emv.Why, name func(bit uint8) (place, name string)) {
	a.printf("%-12s %X\n", element, value)
	for i, b := range value {
		for bit := 8; bit >= 1; bit-- {
			if b&(1<<(bit-1)) == 0 {
				continue
			}
			place, named := name(uint8(10*(i+1) + bit)) //nolint:gosec // at most 58
			a.printf("  %s  %s\n", strings.TrimPrefix(place, element+" "), bitText(place, named, why))
		}
	}
}

// bitText is a bit's name with the reasons that were kept for it.
func bitText(place, name string, why []emv.Why) string {
	var reasons []string
	for _, w := range why {
		if w.Bit != place {
			continue
		}
		text := strings.TrimPrefix(strings.TrimPrefix(w.Reason, name), ": ")
		reasons = append(reasons, strings.TrimSpace(oneLine(text)+" ("+w.Section+")"))
	}
	switch {
	case len(reasons) == 0:
		return name + ": no reason was kept"
	case strings.HasPrefix(reasons[0], "("):
		return name + " " + strings.Join(reasons, "; ")
	}
	return name + ": " + strings.Join(reasons, "; ")
}

// printSteps prints every reason under the step that gave it. A record of an earlier release has no steps.
func (a *app) printSteps(why []emv.Why) {
	if len(why) == 0 {
		return
	}
	a.printf("\nReasons, step by step\n")
	last := "-"
	for _, w := range why {
		if w.Step != last {
			last = w.Step
			if last != "" {
				a.printf("  %s\n", oneLine(last))
			} else if w.Step != why[0].Step {
				a.printf("  Of this run\n")
			}
		}
		a.printf("    %-18s %s (%s)\n", oneLine(w.Bit), oneLine(w.Reason), w.Section)
	}
}
