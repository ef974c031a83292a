package main

import (
	"encoding/binary"
	"fmt"

	"tillway/device/secure/x9"
	"tillway/emv/cryptogram"
	"tillway/emv/oda"
)

// shortKCV is a check value of two bytes, as security modules show it for card keys.
func shortKCV(key []byte) (string, error) {
	v, err := x9.KCV(key)
	return upperHex(v[:2]), err
}

func calcAC(in *calcIn) (map[string]any, error) {
	derive := cryptogram.MasterKeyA
	switch option := in.or("A", "mk"); option {
	case "A", "a":
	case "B", "b":
		derive = cryptogram.MasterKey
	default:
		return nil, fmt.Errorf("mk %.10q: A or B", option)
	}
	mk, err := derive(in.bytes("imk", "imk_ac"), in.text("pan"), in.or("00", "psn"))
	if err != nil {
		return nil, err
	}
	sk, err := sessionKey(in, mk)
	if err != nil {
		return nil, err
	}
	pad := cryptogram.Pad80
	switch name := in.or("80", "pad"); name {
	case "80", "emv", "2":
	case "00", "0", "zeros", "visa", "1":
		pad = cryptogram.PadZeros
	default:
		return nil, fmt.Errorf("pad %.10q: 80 or 00", name)
	}
	ac, err := cryptogram.AC(sk, in.data(), pad)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"arqc": upperHex(ac[:]), "mk": upperHex(mk), "sk": upperHex(sk)}
	if out["mk_kcv"], err = shortKCV(mk); err != nil {
		return nil, err
	}
	if out["sk_kcv"], err = shortKCV(sk); err != nil {
		return nil, err
	}
	key := sk
	if in.or("sk", "arpc_key") == "mk" {
		key = mk
	}
	if in.has("arpc_rc", "csu") {
		out["arpc"], err = arpc(in, key, ac, in.or("1", "arpc_method") == "2")
	}
	return out, err
}

func sessionKey(in *calcIn, mk []byte) ([]byte, error) {
	switch way := in.or("common", "sk"); way {
	case "none":
		return mk, nil
	case "common", "common_r":
		r := in.bytes("r", "atc")
		if len(r) == 2 {
			r = append(r, 0, 0, 0, 0, 0, 0)
		}
		return cryptogram.SessionKeyFrom(mk, [8]byte(in.exactly(8, r, "r")))
	case "mchip", "mastercard":
		if in.has("r") {
			return cryptogram.SessionKeyFrom(mk, [8]byte(in.fixed(8, "r")))
		}
		atc := binary.BigEndian.Uint16(in.fixed(2, "atc"))
		return cryptogram.SessionKeyMChip(mk, atc, [4]byte(in.fixed(4, "un")))
	case "visa", "visa_sm":
		return cryptogram.ScriptKeyVisa(mk, binary.BigEndian.Uint16(in.fixed(2, "atc", "r")))
	default:
		return nil, fmt.Errorf("sk %.20q: common, mchip, visa_sm or none", way)
	}
}

// arpc is the issuer's answer: method 1 with a response code, method 2 with a card status update.
func arpc(in *calcIn, key []byte, ac [8]byte, method2 bool) (string, error) {
	if method2 {
		m, err := cryptogram.ARPC2(key, ac, [4]byte(in.fixed(4, "csu")), in.optional("prop_auth_data", "prop_auth", "prop", "proprietary"))
		return upperHex(m[:]), err
	}
	m, err := cryptogram.ARPC1(key, ac, [2]byte(in.fixed(2, "arpc_rc", "arc")))
	return upperHex(m[:]), err
}

// calcCVN makes the cryptogram of a named scheme out of its data objects, the answer to it, and script MACs.
func calcCVN(in *calcIn) (map[string]any, error) {
	scheme, ok := cryptogram.ByName(in.text("cvn"))
	if !ok {
		return nil, fmt.Errorf("cvn %.20q: not known", in.or("", "cvn"))
	}
	out := map[string]any{}
	mk, err := cardKey(in, scheme, "ac", out)
	if err != nil {
		return nil, err
	}
	tags := &calcIn{}
	tags.values, _ = in.values["tags"].(map[string]any)
	atc := binary.BigEndian.Uint16(tags.fixed(2, "9F36"))
	sk, err := scheme.SessionKey(mk, atc, [4]byte(tags.fixed(4, "9F37")))
	if err != nil {
		return nil, err
	}
	data := cryptogramData(in, tags, scheme)
	if tags.err != nil {
		return nil, fmt.Errorf("tags: %w", tags.err)
	}
	ac, err := cryptogram.AC(sk, data, scheme.Pad)
	if err != nil {
		return nil, err
	}
	out["arqc"] = upperHex(ac[:])
	if out["sk_kcv"], err = shortKCV(sk); err != nil {
		return nil, err
	}
	key := mk
	if scheme.AnswerKey {
		key = sk
	}
	if in.has("arpc_rc", "arc", "csu") {
		if out["arpc"], err = arpc(in, key, ac, scheme.Method2); err != nil {
			return nil, err
		}
	}
	return out, scriptMACs(in, scheme, atc, ac, out)
}

func cardKey(in *calcIn, scheme cryptogram.Scheme, use string, out map[string]any) ([]byte, error) {
	mk, err := scheme.MasterKey(in.bytes("imk_"+use), in.text("pan"), in.or("00", "psn"))
	if err != nil {
		return nil, err
	}
	out["mk_"+use+"_kcv"], err = shortKCV(mk)
	return mk, err
}

func cryptogramData(in, tags *calcIn, scheme cryptogram.Scheme) []byte {
	var data []byte
	for _, e := range [...]struct {
		tag    string
		length int
	}{{"9F02", 6}, {"9F03", 6}, {"9F1A", 2}, {"95", 5}, {"5F2A", 2}, {"9A", 3}, {"9C", 1}, {"9F37", 4}, {"82", 2}, {"9F36", 2}} {
		data = append(data, tags.fixed(e.length, e.tag)...)
	}
	if scheme.Tail == cryptogram.TailIAD {
		if tags.has("9F10") && !in.has("iad") {
			return append(data, tags.bytes("9F10")...)
		}
		return append(data, in.bytes("iad")...)
	}
	data = append(data, in.bytes("cvr")...)
	if scheme.Tail == cryptogram.TailCounters {
		data = append(data, in.fixed(8, "counters")...)
	}
	return data
}

// scriptMACs signs the usual commands without data (card block, application unblock and block, PIN unblock), and the one
// that script names.
func scriptMACs(in *calcIn, scheme cryptogram.Scheme, atc uint16, ac [8]byte, out map[string]any) error {
	if in.has("imk_smc") {
		if _, err := cardKey(in, scheme, "smc", out); err != nil {
			return err
		}
	}
	if !in.has("imk_smi") {
		return nil
	}
	mk, err := cardKey(in, scheme, "smi", out)
	if err != nil {
		return err
	}
	commands := []string{"8416000008", "8418000008", "841E000008", "8424000008"}
	if in.has("script") {
		commands = append(commands, upperHex(in.bytes("script")))
	}
	for _, command := range commands {
		b := in.unhex(command, "script")
		if len(b) < 5 {
			in.fail("script: a command header has five bytes")
			return nil
		}
		mac, err := scheme.ScriptMAC(mk, b[:5], b[5:], atc, ac)
		if err != nil {
			return err
		}
		out["script_mac_"+command] = upperHex(mac[:])
	}
	return nil
}

func calcCVV(in *calcIn) (map[string]any, error) {
	v, err := cryptogram.CVV(in.bytes("cvk"), in.text("pan"), in.text("expiry"), in.text("sc", "service"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"cvv": v}, nil
}

func calcPVV(in *calcIn) (map[string]any, error) {
	v, err := cryptogram.PVV(in.bytes("pvk"), in.text("pvki"), in.text("pin"), in.text("pan"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"pvv": v}, nil
}

func calcIBM3624(in *calcIn) (map[string]any, error) {
	pan := in.text("pan")
	start := in.number(0, 0, 19, "verify_offset", "pan_verify_offset")
	v := cryptogram.Validation{
		PAN: pan, Start: start, Length: in.number(min(16, max(0, len(pan)-start)), 0, 19, "verify_len", "pan_verify_length"),
		Table: in.text("dec_table", "conversion_table"),
	}
	fill := in.or("F", "pan_pad")
	if len(fill) != 1 {
		in.fail("pan_pad: one hexadecimal digit")
		return nil, in.err
	}
	v.Fill = fill[0]
	pvk := in.bytes("pvk")
	if !in.has("offset") && in.has("pin") {
		offset, err := cryptogram.IBM3624Offset(pvk, v, in.text("pin"))
		if err != nil {
			return nil, err
		}
		return map[string]any{"offset": offset}, nil
	}
	pin, err := cryptogram.IBM3624PIN(pvk, v, in.text("offset"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"pin": pin}, nil
}

// calcODA recovers issuer key, card key and dynamic data as far as the parameters go. Without static_data the hash of the
// card's certificate cannot be checked: card_authenticated says whether it was.
func calcODA(in *calcIn) (map[string]any, error) {
	authority := oda.Key{Modulus: in.bytes("capk_modulus"), Exponent: in.bytes("capk_exponent")}
	rid, index := [5]byte(in.fixed(5, "rid")), in.fixed(1, "index")
	pan := in.or("", "pan")
	sum := oda.CheckSum(rid, index[0], authority)
	out := map[string]any{"capk_sha1": upperHex(sum[:])}
	if !in.has("issuer_cert_90") {
		return out, nil
	}
	certified, err := oda.IssuerCertificate(authority, in.bytes("issuer_cert_90"), in.optional("issuer_remainder_92"), in.bytes("issuer_exp_9F32"), pan)
	if err != nil {
		return nil, err
	}
	issuer := certified.Key
	out["issuer_modulus"] = upperHex(issuer.Modulus)
	if in.has("ssad_93") && in.has("static_data") {
		dac, err := oda.DataAuthenticationCode(issuer, in.bytes("ssad_93"), in.bytes("static_data"))
		if err != nil {
			return nil, err
		}
		out["dac_9F45"] = fmt.Sprintf("%04X", dac)
	}
	if !in.has("icc_cert_9F46") {
		return out, nil
	}
	certificate, remainder, exponent := in.bytes("icc_cert_9F46"), in.optional("icc_remainder_9F48"), in.bytes("icc_exp_9F47")
	var card oda.Key
	if in.has("static_data") {
		certified, err = oda.CardCertificate(issuer, certificate, remainder, exponent, pan, in.bytes("static_data"))
		card = certified.Key
	} else {
		card, err = oda.CardKeyUnauthenticated(issuer, certificate, remainder, exponent, pan)
	}
	if err != nil {
		return nil, err
	}
	out["icc_modulus"], out["card_authenticated"] = upperHex(card.Modulus), in.has("static_data")
	if !in.has("sdad_9F4B") {
		return out, nil
	}
	d, err := oda.RecoverDynamic(card, in.bytes("sdad_9F4B"))
	if err == nil {
		err = d.Verify(in.bytes("ddol_data", "un"))
	}
	if err != nil {
		return nil, err
	}
	out["sdad_type"], out["dynamic_number"] = "DDA", upperHex(d.Number)
	if d.Combined {
		out["sdad_type"], out["cryptogram"] = "CDA", upperHex(d.Cryptogram)
	}
	return out, nil
}
