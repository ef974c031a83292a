package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// A signing key's file may be enciphered under a passphrase: age's format with its one recipient of scrypt, so that the program of
// that name opens it too, and nobody has to believe in a format of ours.

const (
	minPassphrase = 12 // bytes
	scryptWork    = 18 // log2: about a second, and 256 MB, for every guess
)

// sealedKey says whether a file is one.
func sealedKey(text []byte) bool { return bytes.HasPrefix(text, []byte(armor.Header)) }

func sealKey(text, phrase []byte) ([]byte, error) {
	to, err := age.NewScryptRecipient(string(phrase))
	if err != nil {
		return nil, err
	}
	to.SetWorkFactor(scryptWork)
	var out bytes.Buffer
	armoured := armor.NewWriter(&out)
	w, err := age.Encrypt(armoured, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Close(), armoured.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// openKey asks for the passphrase.
func (a *app) openKey(path string, sealed []byte) ([]byte, error) {
	phrase, err := a.hidden("Passphrase of " + path + ": ")
	if err != nil {
		return nil, fmt.Errorf("the passphrase of %s: %w", path, err)
	}
	defer clear(phrase)
	by, err := age.NewScryptIdentity(string(phrase))
	if err != nil {
		return nil, fmt.Errorf("the passphrase of %s: %w", path, err)
	}
	by.SetMaxWorkFactor(scryptWork)
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(sealed)), by)
	if err != nil {
		return nil, fmt.Errorf("%s does not open: another passphrase, or the file is damaged", path)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxSigningKey))
	if err != nil {
		return nil, fmt.Errorf("%s does not open: the file is damaged", path)
	}
	return text, nil
}

// newPassphrase asks for one twice.
func (a *app) newPassphrase() ([]byte, error) {
	phrase, err := a.hidden(fmt.Sprintf("Passphrase for the key, at least %d characters: ", minPassphrase))
	if err != nil {
		return nil, usage("the passphrase: %w", err)
	}
	if len(phrase) < minPassphrase {
		return nil, usage("a passphrase has at least %d characters: four words that nobody says together do", minPassphrase)
	}
	again, err := a.hidden("Once more: ")
	if err != nil {
		return nil, usage("the passphrase: %w", err)
	}
	defer clear(again)
	if !bytes.Equal(phrase, again) {
		return nil, usage("the two are not the same: no key was made")
	}
	return phrase, nil
}
