package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"tillway/device/transcript"
	"tillway/emv"
	"tillway/emv/contact"
	"tillway/emv/tlv"
	"tillway/terminal/profile"
)

// replay is what card run says of a session that it repeated.
type replay struct {
	Kernel      transcript.Version `json:"kernel"` // that recorded it
	Same        bool               `json:"same"`
	Differences []string           `json:"differences"`
}

// errDiffers is the exit of a replay that came to another end.
var errDiffers = errors.New("the replay ends otherwise than the session did")

// given says which flags of card run stand on the command line.
type given func(flag string) bool

// repeat puts what a session had into the plan, wherever the command line does not say otherwise; asWas says that it
// nowhere does, so that the end must be the recorded one.
func (p *plan) repeat(s *transcript.Session, f cardFlags, has given) (asWas bool) {
	mine := *p
	p.params, p.holder = s.Play()
	p.online = ""
	if answer, ok := s.Answer(); ok {
		p.online, p.answer = string(answer.Result), answer
	}
	asWas = true
	overrule := func(by bool, do func()) {
		if by {
			asWas = false
			do()
		}
	}
	overrule(has("profile"), func() {
		was := p.params
		p.params = mine.params
		p.params.Amount, p.params.AmountOther, p.params.TransactionType = was.Amount, was.AmountOther, was.TransactionType
		p.params.Time, p.params.SequenceCounter, p.params.CAKeys = was.Time, was.SequenceCounter, was.CAKeys
		p.params.Random, p.params.Fixed = was.Random, was.Fixed
	})
	overrule(has("capk"), func() { p.params.CAKeys = mine.params.CAKeys })
	overrule(has("un"), func() { p.params.Random = mine.params.Random })
	overrule(has("pin"), func() { p.holder = mine.holder })
	overrule(has("online") || has("arc") || has("issuer-data"), func() { p.online, p.answer = mine.online, mine.answer })
	overrule(has("set"), func() {
		fixed := map[tlv.Tag][]byte{}
		maps.Copy(fixed, p.params.Fixed)
		maps.Copy(fixed, mine.params.Fixed)
		p.params.Fixed = fixed
		if mine.params.Fixed[emv.TagAmountAuthorised] != nil || mine.params.Fixed[emv.TagAmountAuthorisedBinary] != nil {
			p.params.Amount = mine.params.Amount
		}
	})
	return asWas
}

// compare says how a repeated session ended.
func compare(s *transcript.Session, out emv.Outcome) *replay {
	r := &replay{Kernel: s.Kernel, Differences: append([]string{}, s.Differences(out)...)}
	r.Same = len(r.Differences) == 0
	return r
}

// kernel is the kernel of a run; where a file was named that records it, with the recording in front. The file is for
// test cards: it has everything in the clear, a plaintext PIN too.
func (p *plan) kernel(inner transcript.Beginner) transcript.Beginner {
	return transcript.Kernel{
		Kernel: inner, ClearPIN: true, Profile: p.profile,
		Version: transcript.Version{Name: "contact", Version: contact.Version, Checksum: contact.Checksum()},
		Keep:    func(t transcript.Transcript) { p.recorded = t },
	}
}

// writeRecord writes the run to the file of --record.
func writeRecord(path string, t transcript.Transcript) error {
	f, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return usage("--record: %w", err)
	}
	if err := errors.Join(t.Write(f), f.Close()); err != nil {
		return usage("--record: %w", err)
	}
	return nil
}

// profileOf names a profile and the text that it was read from.
func profileOf(name string, p profile.Profile) transcript.Profile {
	text, err := profile.Text(name)
	if errors.Is(err, profile.ErrNoProfile) {
		text, err = readFile(name)
	}
	if err != nil { // it was read a moment ago, and is gone
		return transcript.Profile{Name: p.Name}
	}
	return transcript.Profile{Name: p.Name, SHA256: fmt.Sprintf("%x", sha256.Sum256(text))}
}

func (a *app) printReplay(r *replay) {
	if r == nil {
		return
	}
	recorded := oneLine(strings.TrimSpace(r.Kernel.Name + " " + r.Kernel.Version + " " + shortSum(r.Kernel.Checksum)))
	if r.Kernel.Checksum == contact.Checksum() {
		recorded += ", this one"
	}
	if r.Same {
		a.printf("Replayed: the same commands, outcome, data and reasons as the session had (kernel %s)\n", recorded)
		return
	}
	a.printf("Replayed: it ends otherwise than the session did (kernel %s)\n", recorded)
	for _, d := range r.Differences {
		a.printf("  %s\n", oneLine(d))
	}
}
