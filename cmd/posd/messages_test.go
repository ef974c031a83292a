package main

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/terminal/profile"
	"tillway/till"
)

// TestMessagesOfASale: what a certifier wants beside card log and receipt is there after a sale, in its order, under its trace alone,
// without the card's number; of a sale that was reversed the reversal is among it.
func TestMessagesOfASale(t *testing.T) {
	kept := &messages{clock: time.Now}
	s, _ := quickSecured(t, "credit", answerAll, nil, func(p *parts) { p.messages = kept })
	before := time.Now()
	first, second := sellOne(t, s, 1_300), sellOne(t, s, 2_000)
	got := kept.Messages([]uint32{first.STAN}, before)
	if len(got) != 2 || got[0].From != till.FromTerminal || got[1].From != till.FromHost || got[0].STAN != first.STAN || got[1].Fields["39"] != first.ResponseCode {
		t.Fatalf("%+v", got)
	}
	if got[0].Fields["4"] != "000000001300" || got[0].Fields["2"] != first.MaskedPAN && got[0].Fields["35"] == "" {
		t.Errorf("%+v", got[0].Fields)
	}
	if got[0].Names["4"] == "" || len(got[0].Names) != len(got[0].Fields) || len(got[1].Names) != len(got[1].Fields) {
		t.Errorf("names %q", got[0].Names)
	}
	text, err := json.Marshal(kept.Messages([]uint32{first.STAN, second.STAN}, before))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "4761739001010119") || !strings.Contains(string(text), "0119") {
		t.Errorf("the number is there, or not even its end: %s", text)
	}
	if got := kept.Messages([]uint32{first.STAN, second.STAN}, time.Now()); len(got) != 0 {
		t.Errorf("of later: %+v", got)
	}
	if second.State != terminal.Approved {
		t.Error(second.State)
	}
	var none *messages
	if none.Messages([]uint32{1}, before) != nil || newMessages(nil, time.Now) != nil {
		t.Error("remembered without transcripts")
	}
}

// TestMessagesAreBounded: the oldest go first.
func TestMessagesAreBounded(t *testing.T) {
	kept := &messages{clock: time.Now}
	p, err := profile.Ready("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	d, err := openDialect(simAcquirer(), p, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for range maxMessages + 10 {
		kept.add(till.FromHost, d.Codec(), slog.New(slog.DiscardHandler), []byte("no message"))
	}
	if len(kept.last) != maxMessages || kept.last[0].Note == "" || kept.last[0].Fields != nil {
		t.Errorf("%d messages, the first %+v", len(kept.last), kept.last[0])
	}
}
