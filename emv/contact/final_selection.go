package contact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"tillway/emv"
)

// selectAndInitiate takes an application of the list and starts it. One that the card refuses is taken off the list and
// the next is tried, until the list is empty (Book 1, 12.4; Book 3, 10.1).
func (s *session) selectAndInitiate(ctx context.Context) (ending, error) {
	slices.SortStableFunc(s.candidates, func(a, b candidate) int { return rank(a) - rank(b) })
	for len(s.candidates) > 0 {
		i, end, err := s.choose(ctx)
		if err != nil || end != goOn {
			return end, err
		}
		c := s.candidates[i]
		s.restart()
		ok, err := s.finalSelection(ctx, c)
		if err == nil && ok {
			ok, err = s.initiateApplicationProcessing(ctx)
		}
		if err != nil || ok {
			return goOn, err
		}
		s.candidates = slices.Delete(s.candidates, i, i+1)
	}
	s.restart()
	return s.nothingInCommon(), nil
}

// rank orders candidates: priority 1 to 15, those without one last (Book 1, 12.2.3).
func rank(c candidate) int {
	if c.Priority == 0 {
		return 16
	}
	return int(c.Priority)
}

// choose asks the cardholder where there is a choice or the card wants a confirmation, and from then on always: once one
// was chosen and then refused by the card, no other is taken without the cardholder. Without a cardholder to ask, the
// first that wants no confirmation is taken (Book 1, 12.4).
func (s *session) choose(ctx context.Context) (int, ending, error) {
	const section = "Book 1, 12.4"
	if s.holder == nil {
		i := slices.IndexFunc(s.candidates, func(c candidate) bool { return !c.MustConfirm })
		if i < 0 {
			return 0, ending{emv.Terminated, "the application wants the cardholder's confirmation, and nobody can be asked"}, nil
		}
		return i, goOn, nil
	}
	if len(s.candidates) == 1 && !s.candidates[0].MustConfirm && !s.chosen {
		return 0, goOn, nil
	}
	list := make([]emv.Candidate, len(s.candidates))
	for i, c := range s.candidates {
		list[i] = c.Candidate
	}
	i, ok, err := s.holder.Choose(ctx, list)
	switch {
	case err != nil:
		return 0, goOn, fmt.Errorf("asking the cardholder: %w", err)
	case !ok:
		s.explain("outcome", "the cardholder chose no application", section)
		return 0, ending{emv.Terminated, "the cardholder chose no application"}, nil
	case i < 0 || i >= len(list):
		return 0, goOn, fmt.Errorf("cardholder's choice %d of %d: %w", i, len(list), ErrParams)
	}
	s.chosen = true
	s.explain("selection", "the cardholder chose the application", section)
	return i, goOn, nil
}

// finalSelection selects the chosen application; ok is false when the card refuses it (Book 1, 12.4).
// Writes: 4F, 84, 9F06, 9F09, 9F1B, 9F33 where the application has its own, and what the FCI brings (50, 5F2D, 87, 9F11, 9F12, 9F38, …).
func (s *session) finalSelection(ctx context.Context, c candidate) (ok bool, err error) {
	data, err := s.selectFile(ctx, c.AID, selectFirst)
	if status, answered := statusOf(err); answered {
		s.blocked = s.blocked || errors.Is(err, emv.ErrBlocked)
		s.explain("selection", "the application is refused: "+status.Error(), "Book 1, 12.4")
		return false, nil
	}
	if err != nil {
		return false, err
	}
	file, err := parseFCI(data)
	if err != nil || !bytes.Equal(file.name, c.AID) {
		s.explain("selection", "the application's FCI makes no sense or names another one", "Book 1, 12.4")
		return false, nil
	}
	s.storeFCI(file.body)
	s.app, s.aid = c.app, c.AID
	s.explain("selection", fmt.Sprintf("%X is selected, priority %d", c.AID, c.Priority), "Book 1, 12.4")
	table := file.codeTable()
	if table == 0 { // what only the directory has counts here too (Book 1, 12.2.2)
		table = c.CodeTable
	}
	if e, _ := emv.Lookup(emv.TagLanguagePreference); !s.data.Has(emv.TagLanguagePreference) && e.Fits(len(c.Language)) {
		s.data.Put(emv.TagLanguagePreference, []byte(c.Language))
	}
	s.label = s.labelOf(s.data.Value(emv.TagApplicationPreferredName), s.data.Value(emv.TagApplicationLabel), table)
	if s.label == "" {
		s.label = c.Label
	}
	s.data.Put(emv.TagADFName, c.AID)
	s.put(emv.TagAIDTerminal, c.AID)
	if c.app.Version != [2]byte{} {
		s.put(emv.TagApplicationVersionTerminal, c.app.Version[:])
	}
	if c.app.Capabilities != [3]byte{} {
		s.put(emv.TagTerminalCapabilities, capabilities(s.params, c.app.Capabilities))
	}
	s.put(emv.TagTerminalFloorLimit, fourBytes(c.app.FloorLimitMinor))
	return true, nil
}

// language is the card's preference, for prompts to the cardholder (Book 4, 11.1). Reads: 5F2D.
func (s *session) language() string { return string(s.data.Value(emv.TagLanguagePreference)) }
