package main

import (
	"fmt"
	"strings"

	"tillway/device/transcript"
	"tillway/emv"
)

// cardResult is what card run prints.
type cardResult struct {
	Outcome   string                `json:"outcome"` // "approved", "declined", "online", "terminated"
	Reason    string                `json:"reason,omitempty"`
	AID       string                `json:"aid"`
	Label     string                `json:"label,omitempty"`
	CVM       string                `json:"cvm,omitempty"`
	ATR       string                `json:"atr,omitempty"`
	ODA       emv.ODA               `json:"oda"`
	Tags      map[string]string     `json:"tags"`
	Exchanges []transcript.Exchange `json:"exchanges"`
	Why       []emv.Why             `json:"why"`
	Replay    *replay               `json:"replay,omitempty"` // of a session that was repeated as it was

	data  emv.Data
	ended emv.Outcome
}

func newCardResult(out emv.Outcome, notes []emv.Why) cardResult {
	r := cardResult{
		Outcome: string(out.Decision), Reason: out.Reason, AID: fmt.Sprintf("%X", out.AID), Label: out.Label,
		CVM: string(out.Method), ODA: out.ODA, Tags: map[string]string{}, Exchanges: []transcript.Exchange{}, Why: append(append([]emv.Why{}, out.Why...), notes...),
		data: out.Data, ended: out,
	}
	if r.ODA.Method == "" {
		r.ODA.Method = "none"
	}
	if r.Outcome == string(emv.OtherInterface) || r.Outcome == "" {
		r.Outcome = string(emv.Terminated)
	}
	for _, t := range out.Data.Tags() {
		r.Tags[t.String()] = fmt.Sprintf("%X", out.Data.Value(t))
	}
	return r
}

func (a *app) printResult(r cardResult) {
	a.printf("%s", strings.ToUpper(r.Outcome))
	if r.Reason != "" {
		a.printf(": %s", oneLine(r.Reason))
	}
	a.printf("\n")
	a.printReplay(r.Replay)
	a.printf("\n")
	a.printExplained(explained{r.AID, r.Label, r.ODA, r.ended.Method, r.data, r.Why})
	a.printf("\nData objects\n")
	for _, t := range r.data.Tags() {
		v := r.data.Value(t)
		e, _ := emv.Lookup(t)
		o := object{Tag: t.String(), Name: nameOf(t), Format: string(e.Format), Length: len(v), Value: fmt.Sprintf("%X", v), Text: valueText(e, v)}
		a.printf("  %s\n", o)
		for _, m := range meaning(t, v) {
			a.printf("      %s\n", m)
		}
	}
	a.printf("\nExchanges\n")
	for i, x := range r.Exchanges {
		a.printf("  %2d  %s: %s\n      > %X\n      < %X\n", i+1, commandText(x.Command), answerText(x.Response), x.Command, x.Response)
	}
}
