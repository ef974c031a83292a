package host

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"tillway/device/secure/x9"
	"tillway/host/ledger"
)

// What a host that is started again must not forget beside its books: which key serial numbers were used, under which session keys a
// terminal works, what it was ordered, and how many PIN tries a card has left. Session keys are kept as they went over the wire,
// under the terminal's master key.

const (
	keysPrefix  = "keys/"
	triesPrefix = "tries/"
)

// keptKeys is a terminal's keys as the ledger keeps them.
type keptKeys struct {
	PIN       string `json:"pin,omitempty"` // highest serial numbers, hexadecimal
	MAC       string `json:"mac,omitempty"`
	InForce   string `json:"in_force,omitempty"` // the field of the answer that brought the session keys
	Next      string `json:"next,omitempty"`
	Made      int    `json:"made,omitempty"`
	Order     string `json:"order,omitempty"`
	Done      string `json:"done,omitempty"`
	Challenge string `json:"challenge,omitempty"`
}

// keepKeys writes how a terminal's keys stand, where that has changed. The caller holds mu.
func (h *Host) keepKeys(terminal string) {
	s := h.secured[terminal]
	if h.cfg.Books == nil || s == nil {
		return
	}
	k := keptKeys{PIN: hex.EncodeToString(s.pin.seen), MAC: hex.EncodeToString(s.mac.seen), Order: s.order, Done: s.done, Challenge: s.challenge}
	if s.session != nil {
		k.InForce, k.Next, k.Made = s.session.inForce.text, s.session.next.text, s.session.made
	}
	if k == s.kept {
		return
	}
	s.kept = k
	h.keepJSON(keysPrefix+strings.TrimSpace(terminal), k)
}

// keepTries writes how many PIN tries an account has left. The caller holds mu.
func (h *Host) keepTries(account string, left int) {
	if h.cfg.Books != nil && account != "" {
		h.keepJSON(triesPrefix+account, left)
	}
}

func (h *Host) keepJSON(name string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic("host: a record that is no JSON: " + err.Error())
	}
	h.work.Records = append(h.work.Records, ledger.Record{Key: name, Body: body})
}

// restoreTries takes up how many PIN tries an account had left; that of an account that is gone is nothing to anybody.
func (h *Host) restoreTries(account string, body []byte) error {
	var left int
	if err := json.Unmarshal(body, &left); err != nil || left < 0 {
		return errors.New("tries that are none")
	}
	h.issuer.ResumeTries(h.panOf(account), left)
	return nil
}

// restoreKeys takes up how a terminal's keys stood. Keys that the configuration has changed since begin anew.
func (h *Host) restoreKeys(terminal string, body []byte) error {
	var k keptKeys
	if err := json.Unmarshal(body, &k); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	s := h.secured[fmt.Sprintf("%-8s", terminal)]
	if s == nil {
		return nil
	}
	s.order, s.done, s.challenge = k.Order, k.Done, k.Challenge
	if s.session == nil {
		s.pin.resume(k.PIN)
		s.mac.resume(k.MAC)
		return nil
	}
	inForce, err := s.session.open(k.InForce)
	next, nerr := s.session.open(k.Next)
	if err == nil && nerr == nil {
		s.session.inForce, s.session.next, s.session.made = inForce, next, k.Made
	}
	return nil
}

// resume takes up the highest serial number that was used of a key, where it is this key's.
func (d *device) resume(serial string) {
	if t, err := d.derive(strings.ToUpper(serial)); err == nil {
		t.use()
	}
}

// open reads what renew has written. Errors: where it is not under this master key.
func (s *session) open(text string) (keyPair, error) {
	if text == "" {
		return keyPair{}, nil
	}
	read := s.openBlocks
	if s.ecb {
		read = s.openECB
	}
	keys, err := read(text)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{pin: keys[0], mac: keys[1], text: text}, nil
}

var errKeysText = errors.New("session keys that are none")

func (s *session) openECB(text string) (keys [2][]byte, err error) {
	const key, check = 32, 6
	if len(text) != 2*(key+check) {
		return keys, errKeysText
	}
	for i := range keys {
		one := text[i*(key+check):][:key]
		cryptogram, err := hex.DecodeString(one)
		if err != nil {
			return keys, errKeysText
		}
		if keys[i], err = x9.DecryptECB(s.master, cryptogram); err != nil {
			return keys, err
		}
		if err := x9.CheckTDESKey(keys[i]); err != nil {
			return keys, err
		}
	}
	return keys, nil
}

func (s *session) openBlocks(text string) (keys [2][]byte, err error) {
	for rest := text; rest != ""; {
		if len(rest) < 5 {
			return keys, errKeysText
		}
		n, err := strconv.ParseUint(rest[2:5], 10, 16)
		if err != nil || int(n) > len(rest)-5 { //nolint:gosec // three digits
			return keys, errKeysText
		}
		name, value := rest[:2], rest[5:5+n]
		rest = rest[5+n:]
		if i := strings.IndexByte("PM", name[0]); i >= 0 && name[1] == 'B' {
			if _, keys[i], err = x9.UnwrapKeyBlock(s.master, value); err != nil {
				return keys, err
			}
		}
	}
	if len(keys[0]) == 0 || len(keys[1]) == 0 {
		return keys, errKeysText
	}
	return keys, nil
}
