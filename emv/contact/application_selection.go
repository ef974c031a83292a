package contact

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"tillway/emv"
	"tillway/emv/tlv"
)

// pse is the name of the Payment System Environment (Book 1, 12.2.2).
const pse = "1PAY.SYS.DDF01"

const (
	selectFirst = 0x00 // first or only occurrence (Book 1, 11.3.2)
	selectNext  = 0x02
)

// candidate is an application that card and terminal have in common, with the terminal's row for it.
type candidate struct {
	emv.Candidate
	app emv.Application
}

// applicationSelection builds the candidate list: from the PSE's directory, or else by trying every AID of the terminal
// (Book 1, 12.3.1 to 12.3.3).
// Reads: 4F, 50, 84, 87, 88, 9F11, 9F12. Writes: nothing, the list only.
func (s *session) applicationSelection(ctx context.Context) (ending, error) {
	if s.params.Has(emv.FeaturePSE) {
		if end, err := s.readPSE(ctx); err != nil || end != goOn {
			return end, err
		}
	}
	from, section := "on the PSE's list", "Book 1, 12.3.2"
	if len(s.candidates) == 0 {
		if end, err := s.tryAIDs(ctx); err != nil || end != goOn {
			return end, err
		}
		from, section = "found by trying its AIDs", "Book 1, 12.3.3"
	}
	s.explain("selection", fmt.Sprintf("applications that the terminal has, %s: %d", from, len(s.candidates)), section)
	if len(s.candidates) == 0 {
		end := s.nothingInCommon()
		if !s.blocked { // the terminal ends it, and may read the card another way; a blocked card stays refused
			end.decision = emv.OtherInterface
		}
		return end, nil
	}
	return goOn, nil
}

func (s *session) nothingInCommon() ending {
	reason := "card and terminal have no application in common"
	if s.blocked {
		reason = "application blocked"
	}
	s.explain("outcome", reason, "Book 1, 12.4")
	return ending{emv.Terminated, reason}
}

func (s *session) cardBlocked() ending {
	reason := "card blocked, or SELECT not supported"
	s.explain("outcome", reason, "Book 1, 12.3.2")
	return ending{emv.Terminated, reason}
}

func (s *session) selectFile(ctx context.Context, name []byte, occurrence byte) ([]byte, error) {
	return s.transmit(ctx, "SELECT", apdu(0x00, 0xA4, 0x04, occurrence, name))
}

// readPSE reads the directory (Book 1, 12.3.2). No directory, a blocked one or one that makes no sense leaves the list
// empty, which means: try the AIDs.
func (s *session) readPSE(ctx context.Context) (ending, error) {
	data, err := s.selectFile(ctx, []byte(pse), selectFirst)
	if errors.Is(err, emv.ErrCardBlocked) {
		return s.cardBlocked(), nil
	}
	if _, answered := statusOf(err); answered {
		return goOn, nil
	}
	if err != nil {
		return goOn, err
	}
	dir, err := parseFCI(data)
	if err != nil {
		s.explain("selection", "the PSE makes no sense, AIDs are tried: "+err.Error(), "Book 1, 12.3.2")
		return goOn, nil
	}
	sfi, _ := tlv.Find(dir.proprietary, emv.TagSFI)
	if len(sfi) != 1 || sfi[0] < 1 || sfi[0] > 10 {
		s.explain("selection", "the PSE names no directory file from 1 to 10, AIDs are tried", "Book 1, 12.2.3")
		return goOn, nil
	}
	for record := byte(1); record <= maxPSERecords; record++ {
		data, err := s.transmit(ctx, "READ RECORD", apdu(0x00, 0xB2, record, sfi[0]<<3|0x04, nil))
		if errors.Is(err, emv.ErrRecordNotFound) {
			return goOn, nil
		}
		if err == nil {
			err = s.readDirectory(data, dir)
		}
		var bad *cardFault
		if _, answered := statusOf(err); answered || errors.As(err, &bad) {
			s.candidates = nil
			s.explain("selection", "the directory cannot be read, AIDs are tried: "+err.Error(), "Book 1, 12.3.2")
			return goOn, nil
		}
		if err != nil {
			return goOn, err
		}
	}
	s.explain("selection", "the directory has no end: its first records are taken", "Book 1, 12.2.3")
	return goOn, nil
}

// readDirectory adds the entries of one directory record (Book 1, 12.2.3). Entries without a usable AID, those of a
// further directory among them, are passed over. Language and code table are the directory's, where the entry has none.
func (s *session) readDirectory(record []byte, dir fci) error {
	items, err := template(record, emv.TagReadRecordTemplate)
	if err != nil {
		return fault("Book 1, 12.2.3", "directory record: %v", err)
	}
	for _, it := range items {
		if it.Tag != emv.TagApplicationTemplate {
			continue
		}
		entry, err := tlv.Parse(it.Value)
		if err != nil {
			return fault("Book 1, 12.2.3", "directory entry: %v", err)
		}
		if aid, ok := tlv.Find(entry, emv.TagADFName); ok {
			s.addCandidate(aid, entry, dir)
		}
	}
	return nil
}

// tryAIDs selects the terminal's applications one by one (Book 1, 12.3.3).
func (s *session) tryAIDs(ctx context.Context) (ending, error) {
	for i, app := range s.params.Applications {
		occurrence := byte(selectFirst)
		for range maxNextOccurrence {
			data, err := s.selectFile(ctx, app.AID, occurrence)
			if i == 0 && occurrence == selectFirst && errors.Is(err, emv.ErrCardBlocked) { // later it only says: not there
				return s.cardBlocked(), nil
			}
			blocked := errors.Is(err, emv.ErrBlocked)
			if _, answered := statusOf(err); answered && !blocked {
				break
			} else if err != nil && !answered {
				return goOn, err
			}
			more := s.consider(app, data, blocked)
			if !more {
				break
			}
			occurrence = selectNext
		}
	}
	return goOn, nil
}

// consider takes one answer to SELECT by AID, and says whether another application may stand behind it: only where the
// name was longer than what was asked for, and the terminal allows that (Book 1, 12.3.3, steps 4 to 7).
func (s *session) consider(app emv.Application, data []byte, blocked bool) (more bool) {
	file, err := parseFCI(data)
	if err != nil || !bytes.HasPrefix(file.name, app.AID) {
		s.blocked = s.blocked || blocked
		return false
	}
	exact := len(file.name) == len(app.AID)
	if !exact && !app.PartialSelect {
		return false
	}
	if blocked {
		s.blocked = true
		s.explain("selection", "an application is blocked", "Book 1, 12.3.3")
	} else {
		s.addCandidate(file.name, file.proprietary, file)
	}
	return !exact
}

// addCandidate adds an application once, when the terminal has a row for it and the list is not full.
func (s *session) addCandidate(aid []byte, items []tlv.Item, from fci) {
	app, ok := s.match(aid)
	if !ok || len(s.candidates) >= maxCandidates {
		return
	}
	for _, c := range s.candidates {
		if bytes.Equal(c.AID, aid) {
			return
		}
	}
	c := candidate{app: app}
	c.AID = bytes.Clone(aid)
	c.CodeTable = from.codeTable()
	if v, ok := tlv.Find(items, emv.TagApplicationPriorityIndicator); ok && len(v) == 1 {
		c.Priority, c.MustConfirm = v[0]&0x0F, v[0]&0x80 != 0
	}
	if v, ok := tlv.Find(from.proprietary, emv.TagLanguagePreference); ok {
		c.Language = printable(v)
	}
	c.PreferredName, _ = tlv.Find(items, emv.TagApplicationPreferredName)
	label, _ := tlv.Find(items, emv.TagApplicationLabel)
	c.Label = s.labelOf(c.PreferredName, label, c.CodeTable)
	s.candidates = append(s.candidates, c)
}

// match finds the terminal's row for an AID: the same, or the longest of those it begins with that allow it
// (Book 1, 12.3.1).
func (s *session) match(aid []byte) (best emv.Application, ok bool) {
	if len(aid) < 5 || len(aid) > 16 {
		return best, false
	}
	for _, app := range s.params.Applications {
		if bytes.HasPrefix(aid, app.AID) && (len(aid) == len(app.AID) || app.PartialSelect) && len(app.AID) > len(best.AID) {
			best, ok = app, true
		}
	}
	return best, ok
}
