package contact

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"tillway/emv"
	"tillway/emv/tlv"
)

const sectionScript = "Book 3, 10.10"

// Bounds of what an issuer may make the terminal send. A terminal supports scripts of 128 bytes in all, tags and lengths
// counted (Book 4, 6.3.9). Results of 9F5B fit one data object.
const (
	maxScriptBytes = 128
	maxScripts     = 50
)

// script is one issuer script: 71 or 72.
type script struct {
	tag      tlv.Tag
	id       [4]byte // 9F18, zeros where there is none
	commands [][]byte
	fault    string // why it cannot be run, empty when it can
}

// The first half of the first byte of a result (Book 4, A5: Issuer Script Results).
const (
	scriptNotPerformed = 0x00
	scriptFailed       = 0x10
	scriptSuccessful   = 0x20
)

// readScripts takes the scripts in the order in which they came, repeats kept (Book 3, 10.10). One with which the length of
// all is more than the terminal supports is not performed, and neither is one that does not parse; those after it are
// (Book 4, 12.2.4).
func (s *session) readScripts(items []tlv.Item) []script {
	var scripts []script
	total := 0
	for _, it := range items {
		if it.Tag != emv.TagIssuerScriptTemplate1 && it.Tag != emv.TagIssuerScriptTemplate2 {
			continue
		}
		if len(scripts) == maxScripts {
			s.explain("issuer script", fmt.Sprintf("more than %d scripts: the others are left out", maxScripts), sectionScript)
			break
		}
		sc := readScript(it)
		switch n := len(tlv.Append(nil, it.Tag, it.Value)); {
		case sc.fault != "":
		case total+n > maxScriptBytes:
			sc.fault = fmt.Sprintf("with its %d bytes the scripts have more than %d", n, maxScriptBytes)
		default:
			total += n
		}
		scripts = append(scripts, sc)
	}
	return scripts
}

// readScript separates the commands. The identifier is read if it can be, also of a script that makes no sense.
// unread is what stands behind the objects that could be read.
func unread(b []byte, items []tlv.Item) []byte {
	for _, it := range items {
		b = bytes.TrimLeft(b, "\x00")[len(it.Raw):]
	}
	return bytes.TrimLeft(b, "\x00")
}

// cutScript is a script whose own length is wrong: received, and not performed (Book 3, Annex E1, scenario 3).
func cutScript(b []byte, why error) (script, bool) {
	if len(b) == 0 || tlv.Tag(b[0]) != emv.TagIssuerScriptTemplate1 && tlv.Tag(b[0]) != emv.TagIssuerScriptTemplate2 {
		return script{}, false
	}
	body := b[min(2, len(b)):]
	if len(b) > 1 && (b[1] == 0x81 || b[1] == 0x82) { // the length has so many bytes more
		body = body[min(int(b[1]&0x0F), len(body)):]
	}
	sc := readScript(tlv.Item{Tag: tlv.Tag(b[0]), Value: body})
	sc.fault, sc.commands = why.Error(), nil
	return sc, true
}

func readScript(it tlv.Item) script {
	sc := script{tag: it.Tag}
	items, err := tlv.Parse(it.Value)
	if err != nil {
		sc.fault = err.Error()
	}
	for _, in := range items {
		switch {
		case in.Tag == emv.TagIssuerScriptIdentifier && len(in.Value) == len(sc.id):
			copy(sc.id[:], in.Value)
		case in.Tag == emv.TagIssuerScriptCommand && len(in.Value) >= 4:
			sc.commands = append(sc.commands, in.Value)
		case sc.fault == "":
			sc.fault = fmt.Sprintf("tag %s of %d bytes has no place in it", in.Tag, len(in.Value))
		}
	}
	return sc
}

// scriptsBefore runs the scripts of template 71, before the final GENERATE AC.
// Reads: 71. Writes: 95, 9B, 9F5B.
func (s *session) scriptsBefore(ctx context.Context) (ending, error) {
	return goOn, s.runScripts(ctx, emv.TagIssuerScriptTemplate1, emv.TVRScriptFailedBeforeFinalAC)
}

// scriptsAfter runs the scripts of template 72. The card has decided by then, so a card that goes away now changes the
// scripts' results and not the transaction's: what it gave, a TC or an AAC, stands.
// Reads: 72. Writes: 95, 9B, 9F5B.
func (s *session) scriptsAfter(ctx context.Context) {
	if err := s.runScripts(ctx, emv.TagIssuerScriptTemplate2, emv.TVRScriptFailedAfterFinalAC); err != nil {
		s.setTVR(emv.TVRScriptFailedAfterFinalAC, "the card went away: "+err.Error(), sectionScript)
	}
}

func (s *session) runScripts(ctx context.Context, tag tlv.Tag, failed emv.TVRBit) error {
	for _, sc := range s.scripts {
		if sc.tag != tag {
			continue
		}
		result, err := s.runScript(ctx, sc)
		s.results = append(append(s.results, result), sc.id[:]...)
		s.put(emv.TagIssuerScriptResults, s.results)
		s.setTSI(emv.TSIScriptProcessingPerformed)
		switch {
		case sc.fault != "":
			s.setTVR(failed, "the script cannot be run: "+sc.fault, sectionScript)
		case result&0xF0 != scriptSuccessful:
			s.setTVR(failed, fmt.Sprintf("command %d failed", result&0x0F), sectionScript)
		default:
			s.explain("issuer script", fmt.Sprintf("%d commands of %s carried out", len(sc.commands), tag), sectionScript)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// runScript sends a script's commands until one fails; 90xx, 62xx and 63xx count as carried out: only the first status byte
// counts (Book 3, 10.10 and E1). The result is the first byte of 9F5B: what became of it, and the number of the command that failed, F for 15 and over.
func (s *session) runScript(ctx context.Context, sc script) (result byte, err error) {
	if sc.fault != "" {
		return scriptNotPerformed, nil
	}
	for i, command := range sc.commands {
		if !wholeCommand(command) {
			return failedAt(i), nil
		}
		_, err := s.transmit(ctx, "script command", command)
		status, answered := statusOf(err)
		var bad *cardFault
		if err == nil || answered && (status.Warning() || status.SW1 == 0x90) {
			continue
		}
		if answered || errors.As(err, &bad) {
			return failedAt(i), nil
		}
		return failedAt(i), err
	}
	return scriptSuccessful, nil
}

func failedAt(i int) byte { return scriptFailed | byte(min(i+1, 15)) }

// wholeCommand says whether a command is of one of the four cases of a short APDU (ISO/IEC 7816-4, 5.1): a reader cannot
// send any other, and an issuer's slip is not to look like a card that left.
func wholeCommand(c []byte) bool {
	if len(c) <= 5 {
		return len(c) >= 4
	}
	lc := int(c[4])
	return lc > 0 && (len(c) == 5+lc || len(c) == 6+lc)
}
