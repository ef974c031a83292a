package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tillway/device/secure"
	"tillway/device/survey"
	"tillway/emv/oda"
	"tillway/terminal/selftest"
	certs "tillway/till/certificate"
)

// keys looks for every key that the acquirer needs.
func (e *examiner) keys(ctx context.Context) []selftest.Finding {
	switch {
	case e.disk == nil || e.profile == nil:
		return []selftest.Finding{selftest.Missed(selftest.Keys, "", e.closed)}
	}
	st, err := e.disk.keys.Status(ctx)
	switch {
	case errors.Is(err, secure.ErrDestroyed):
		return []selftest.Finding{selftest.Bad("keys_destroyed", "", "Every key of this terminal was erased: nothing is sold with this state folder any more.")}
	case err != nil:
		return []selftest.Finding{selftest.Bad("keyd_gone", "", "The secure module does not answer: "+inOneLine(err)+".")}
	}
	a := e.config.Acquirer
	held := map[string]secure.KeyStatus{}
	for _, k := range st.Keys {
		if k.Set == a.Name {
			held[k.Use] = k
		}
	}
	all := []selftest.Finding{selftest.Good(selftest.Keys, "secure module", st.Where+", "+st.Memory)}
	for _, use := range keysWanted(a, *e.profile) {
		all = append(all, e.key(use, held, st.Pad))
	}
	if st.Pad != nil {
		all = append(all, padFinding(*st.Pad))
	}
	return all
}

// key judges one use. held has the acquirer's keys by use.
func (e *examiner) key(use secure.Use, held map[string]secure.KeyStatus, pad *secure.PadState) selftest.Finding {
	name := use.String()
	k, there := held[name]
	if !there {
		k, there = held[name+", proposed"]
	}
	switch {
	case there && k.Scheme == "DUKPT":
		return selftest.Good(selftest.Keys, name, fmt.Sprintf("DUKPT, %s, check value %s, next serial number %X, %d left", k.Algorithm, k.Check, k.KSN, k.Left))
	case there:
		return selftest.Good(selftest.Keys, name, fmt.Sprintf("%s, %s, check value %s", k.Scheme, k.Algorithm, k.Check))
	case use == secure.UsePIN && pad != nil:
		return selftest.Good(selftest.Keys, name, "the PIN pad's own")
	}
	a := e.config.Acquirer
	fix := fmt.Sprintf("pos keys import %s %s FILE.", a.Name, map[secure.Use]string{secure.UseMAC: "mac", secure.UsePIN: "pin"}[use])
	_, kek := held["KEK"]
	_, master := held["master"]
	switch {
	case !kek:
		fix = fmt.Sprintf("pos keys component %s 1 2 and 2 2 by two people first, then pos keys import.", a.Name)
	case a.sessionKeys() && !master:
		fix = fmt.Sprintf("pos keys import %s master FILE.", a.Name)
	case a.sessionKeys():
		fix = "It comes from the bank: pos keys exchange asks for it."
	}
	if use == secure.UsePIN {
		return selftest.Bad("pin_key_missing", name, "The key that PINs are enciphered with is not loaded: sales that need a PIN are refused.").Do(fix)
	}
	return selftest.Bad("mac_key_missing", name, "The key that messages are authenticated with is not loaded: nothing can be sent to the bank.").Do(fix)
}

func padFinding(pad secure.PadState) selftest.Finding {
	if pad.Ready {
		return selftest.Good(selftest.PINPad, pad.Port, "ready, serial number "+pad.Serial)
	}
	return survey.Local().PadHealth(pad.Port, pad.Cause)
}

// caKeys looks at the last days of the certification authorities' public keys.
func (e *examiner) caKeys(context.Context) []selftest.Finding {
	if e.profile == nil {
		return []selftest.Finding{selftest.Missed(selftest.CAKeys, "", e.closed)}
	}
	if e.config.CAKeys == "" {
		return []selftest.Finding{selftest.Good(selftest.CAKeys, "", "none are needed: the profile authenticates no card offline")}
	}
	text, err := e.config.caKeysText()
	if err != nil {
		return []selftest.Finding{selftest.Bad("ca_keys_file", e.config.CAKeys, "The file of the authorities' keys cannot be read: "+inOneLine(err)+".")}
	}
	file, err := oda.ParseKeys(text, oda.Environment(e.profile.Terminal.CAKeys))
	if err != nil {
		return []selftest.Finding{selftest.Bad("ca_keys_file", e.config.CAKeys, "The file of the authorities' keys is not right: "+inOneLine(err)+".")}
	}
	var all []selftest.Finding
	now := e.now()
	for _, k := range file.Keys {
		name := fmt.Sprintf("%X %02X", k.RID, k.Index)
		switch end := k.Expiry.AddDate(0, 0, 1); {
		case k.Expiry.IsZero():
		case !now.Before(end):
			all = append(all, selftest.Bad("ca_keys_ended", name, fmt.Sprintf("The public key %02X of %X ended on %s: its cards are not authenticated any more.", k.Index, k.RID, k.Expiry.Format(time.DateOnly))))
		case end.Sub(now) < expirySoon:
			all = append(all, selftest.Bad("ca_keys_end", name, fmt.Sprintf("The public key %02X of %X ends on %s.", k.Index, k.RID, k.Expiry.Format(time.DateOnly))))
		}
	}
	if len(all) == 0 {
		all = append(all, selftest.Good(selftest.CAKeys, "", fmt.Sprintf("%d keys, none ends within %d days", len(file.Keys), int(expirySoon.Hours()/24))))
	}
	return all
}

// certificates looks at the files: what the host shows by itself is the host's check.
func (e *examiner) certificates(context.Context) []selftest.Finding {
	a, now := e.config.Acquirer, e.now()
	if e.config.waits() {
		return []selftest.Finding{selftest.Missed(selftest.Certificates, "", e.closed)}
	}
	var all []selftest.Finding
	if a.caPEM != nil {
		all = certificateText(a.caPEM, e.config.params.Version, now)
	} else {
		all = certificateFile(a.CA, "acquirer.ca", "the acquirer's CA certificate", now)
	}
	if a.Certificate != "" {
		all = append(all, certificateFile(a.Certificate, "acquirer.certificate", "this terminal's certificate", now)...)
		if _, err := tls.LoadX509KeyPair(a.Certificate, a.Key); err != nil {
			all = append(all, selftest.Bad("certificate_file", "acquirer.key", "acquirer.certificate and acquirer.key do not belong together: "+inOneLine(err)+"."))
		}
	}
	switch own := filepath.Join(e.config.State, "ecr"); {
	case e.config.ECR.Listen == "":
	case e.config.ECR.Certificate != "":
		all = append(all, certificateFile(e.config.ECR.Certificate, "ecr.certificate", "the certificate of the ECR door", now)...)
	default:
		all = append(all, certificateFile(filepath.Join(own, certs.CAFile), "ecr ca.pem", "the authority of the ECR door", now)...)
	}
	if e.config.Screen.Listen != "" {
		all = append(all, selftest.Good(selftest.Certificates, "screen", "none: this machine's own browser only"))
	}
	return all
}

// certificateFile judges every certificate of a PEM file.
func certificateFile(path, subject, whose string, now time.Time) []selftest.Finding {
	text, err := os.ReadFile(path) //nolint:gosec // the technician names the file
	if err != nil {
		return []selftest.Finding{selftest.Bad("certificate_file", subject, "The file of "+whose+" cannot be read: "+inOneLine(err)+".")}
	}
	all := certificatesIn(text, subject, whose, now)
	if len(all) == 0 {
		return []selftest.Finding{selftest.Bad("certificate_file", subject, path+" holds no certificate.")}
	}
	return all
}

// certificateText judges those of the parameter package.
func certificateText(text []byte, version uint32, now time.Time) []selftest.Finding {
	const subject = "acquirer-ca.pem"
	all := certificatesIn(text, subject, "the acquirer's CA certificate in the parameter package", now)
	if len(all) == 0 {
		return []selftest.Finding{selftest.Bad("certificate_file", subject, fmt.Sprintf("Version %d of the parameter package holds no certificate of the acquirer.", version))}
	}
	return all
}

// certificatesIn judges every certificate of a text.
func certificatesIn(text []byte, subject, whose string, now time.Time) []selftest.Finding {
	var all []selftest.Finding
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			continue
		}
		all = append(all, ends(subject, capital(whose), cert, now))
	}
	return all
}

// capital begins a sentence.
func capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
