package emulator

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tillway/emv"
	"tillway/emv/cryptogram"
	"tillway/emv/tlv"
)

// Tags of the card's own side. Terminal data reach the card only through the lists it gave out.
const (
	tagAID            = tlv.Tag(0x4F)
	tagLabel          = tlv.Tag(0x50)
	tagTrack2         = tlv.Tag(0x57)
	tagPAN            = tlv.Tag(0x5A)
	tagDirectoryEntry = tlv.Tag(0x61)
	tagFCI            = tlv.Tag(0x6F)
	tagRecord         = tlv.Tag(0x70)
	tagFormat2        = tlv.Tag(0x77)
	tagFormat1        = tlv.Tag(0x80)
	tagAIP            = tlv.Tag(0x82)
	tagCommandData    = tlv.Tag(0x83)
	tagDFName         = tlv.Tag(0x84)
	tagPriority       = tlv.Tag(0x87)
	tagSFI            = tlv.Tag(0x88)
	tagARC            = tlv.Tag(0x8A)
	tagCDOL1          = tlv.Tag(0x8C)
	tagCDOL2          = tlv.Tag(0x8D)
	tagIssuerAuth     = tlv.Tag(0x91)
	tagAFL            = tlv.Tag(0x94)
	tagTVR            = tlv.Tag(0x95)
	tagDate           = tlv.Tag(0x9A)
	tagType           = tlv.Tag(0x9C)
	tagProprietary    = tlv.Tag(0xA5)
	tagExpiry         = tlv.Tag(0x5F24)
	tagLanguages      = tlv.Tag(0x5F2D)
	tagCurrency       = tlv.Tag(0x5F2A)
	tagPSN            = tlv.Tag(0x5F34)
	tagAmount         = tlv.Tag(0x9F02)
	tagAmountOther    = tlv.Tag(0x9F03)
	tagIAD            = tlv.Tag(0x9F10)
	tagCodeTable      = tlv.Tag(0x9F11)
	tagPreferredName  = tlv.Tag(0x9F12)
	tagLastOnlineATC  = tlv.Tag(0x9F13)
	tagPINTries       = tlv.Tag(0x9F17)
	tagCountry        = tlv.Tag(0x9F1A)
	tagAC             = tlv.Tag(0x9F26)
	tagCID            = tlv.Tag(0x9F27)
	tagATC            = tlv.Tag(0x9F36)
	tagUnpredictable  = tlv.Tag(0x9F37)
	tagPDOL           = tlv.Tag(0x9F38)
)

const pseName = "1PAY.SYS.DDF01"

// application is one payment application with its memory.
type application struct {
	Application
	fci    []byte
	files  map[byte][][]byte // by SFI, records from 1
	afl    []byte
	pdol   tlv.DOL
	cdol1  tlv.DOL
	cdol2  tlv.DOL
	master []byte // the card's own key, derived from the issuer's

	signer       *signer // nil: no offline data authentication
	records      []Record
	tamper       map[tlv.Tag]Change
	scriptMaster []byte
	pinMaster    []byte // for the confidentiality of a new PIN
	issued       bool   // certificates and signatures are in the files

	// what outlives a reset
	atc          uint16
	lastOnline   uint16
	unfinished   bool // an ARQC was given out and the second GENERATE AC never came
	authFailed   bool // issuer authentication failed in the last transaction that went online
	authNotDone  bool // the last transaction went online and no issuer authentication was performed
	challengeSeq uint32
	pinLeft      byte
	readable     map[tlv.Tag][]byte // further objects of GET DATA
}

func personalise(p Application) (*application, error) {
	a := &application{Application: p, atc: p.ATC, lastOnline: p.LastOnlineATC}
	data, err := changes("data", p.Data)
	if err != nil {
		return nil, err
	}
	a.records = changed(p.Records, data, true)
	if a.tamper, err = changes("tamper", p.Tamper); err != nil {
		return nil, err
	}
	for _, check := range []func() error{
		a.checkWords, a.checkPIN, a.lists, a.derive, a.open, a.selectable,
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// open writes the files as they will be, but for the arithmetic of certificates, and locates them.
func (a *application) open() error {
	a.readable = map[tlv.Tag][]byte{}
	for name, v := range a.GetData {
		tag, err := tlv.ParseTag(name)
		if err != nil {
			return fmt.Errorf("%w: get_data: %w", ErrProfile, err)
		}
		if len(v) > maxRecordBytes-5 {
			return fmt.Errorf("%w: get_data: tag %s has %d bytes", ErrProfile, tag, len(v))
		}
		a.readable[tag] = v
	}
	if a.signer != nil {
		for _, r := range a.records {
			if r.SFI == a.signer.SFI {
				return fmt.Errorf("%w: rsa: file %d has records already", ErrProfile, r.SFI)
			}
		}
	}
	all := a.records
	if a.signer != nil {
		all = slices.Concat(all, a.signer.records(nil, true))
	}
	if err := a.file(all); err != nil {
		return err
	}
	a.locate(all)
	return a.file(changed(all, a.tamper, false))
}

// issue writes certificates and signatures, once, when the card is first used: a card that is only loaded is spared the
// arithmetic.
func (a *application) issue() {
	if a.signer == nil || a.issued {
		return
	}
	a.issued = true
	must(a.file(slices.Concat(a.records, a.signer.records(nil, true))))
	all := slices.Concat(a.records, a.signer.records(a.static(), false))
	must(a.file(changed(all, a.tamper, false)))
}

func (a *application) checkWords() error {
	switch {
	case len(a.AID) < 5 || len(a.AID) > 16:
		return fmt.Errorf("%w: aid has %d bytes, 5 to 16 are wanted", ErrProfile, len(a.AID))
	case a.Format != 1 && a.Format != 2:
		return fmt.Errorf("%w: format is %d, it must be 1 (template 80) or 2 (template 77)", ErrProfile, a.Format)
	case len(a.AIP) != 2:
		return fmt.Errorf("%w: aip has %d bytes, 2 are wanted", ErrProfile, len(a.AIP))
	case len(a.Label) > 16 || len(a.PreferredName) > 16:
		return fmt.Errorf("%w: label and preferred_name have at most 16 characters", ErrProfile)
	case len(a.Languages) > 8 || len(a.Languages)%2 != 0:
		return fmt.Errorf("%w: languages is one to four pairs of letters", ErrProfile)
	case len(a.Key.IMKAC) != 16:
		return fmt.Errorf("%w: key.imk_ac has %d bytes, 16 are wanted", ErrProfile, len(a.Key.IMKAC))
	case a.Key.CVN != 10 && a.Key.CVN != 18:
		return fmt.Errorf("%w: key.cvn is %d, 10 and 18 are known", ErrProfile, a.Key.CVN)
	case !slices.Contains([]string{DecideTC, DecideARQC, DecideAAC}, a.Risk.First):
		return fmt.Errorf("%w: risk.first must be tc, arqc or aac", ErrProfile)
	case !slices.Contains([]string{DecideTC, DecideAAC}, a.Risk.Second):
		return fmt.Errorf("%w: risk.second must be tc or aac", ErrProfile)
	case a.Risk.CIDBits > 0x0F:
		return fmt.Errorf("%w: risk.cid_bits is %d, at most 15", ErrProfile, a.Risk.CIDBits)
	case a.Risk.IssuerAuthentication != "mandatory" && a.Risk.IssuerAuthentication != "optional":
		return fmt.Errorf("%w: risk.issuer_authentication must be mandatory or optional", ErrProfile)
	}
	return nil
}

func (a *application) lists() error {
	var err error
	if a.pdol, err = tlv.ParseDOL(a.PDOL); err != nil {
		return fmt.Errorf("%w: pdol: %w", ErrProfile, err)
	}
	for _, l := range []struct {
		tag tlv.Tag
		dol *tlv.DOL
	}{{tagCDOL1, &a.cdol1}, {tagCDOL2, &a.cdol2}} {
		v, err := a.unique(l.tag)
		if err != nil {
			return err
		}
		if *l.dol, err = tlv.ParseDOL(v); err != nil {
			return fmt.Errorf("%w: data object list %s: %w", ErrProfile, l.tag, err)
		}
	}
	for _, tag := range signed {
		if !a.cdol1.Has(tag) {
			return fmt.Errorf("%w: list %s does not ask for %s, which cryptogram version %d is computed over",
				ErrProfile, tagCDOL1, tag, a.Key.CVN)
		}
	}
	return nil
}

// unique finds the one value of a tag that the card itself needs out of its records.
func (a *application) unique(tag tlv.Tag) ([]byte, error) {
	var found []byte
	n := 0
	for _, r := range a.records {
		for name, v := range r.Data {
			if t, err := tlv.ParseTag(name); err == nil && t == tag {
				found = v
				n++
			}
		}
	}
	if n != 1 {
		return nil, fmt.Errorf("%w: %d records hold tag %s, the card needs exactly one", ErrProfile, n, tag)
	}
	return found, nil
}

// file writes the records into their files.
func (a *application) file(records []Record) error {
	a.files = map[byte][][]byte{}
	open := map[byte]bool{} // a record without oda was seen in this file
	for i, r := range records {
		if r.SFI < 1 || r.SFI > 30 {
			return fmt.Errorf("%w: record %d: sfi is %d, 1 to 30 are files", ErrProfile, i+1, r.SFI)
		}
		if r.ODA && open[r.SFI] {
			return fmt.Errorf("%w: record %d: records with oda stand first in their file", ErrProfile, i+1)
		}
		open[r.SFI] = open[r.SFI] || !r.ODA
		b, err := r.bytes()
		if err != nil {
			return fmt.Errorf("record %d: %w", i+1, err)
		}
		if len(a.files[r.SFI]) == maxRecords {
			return fmt.Errorf("%w: file %d has more than %d records", ErrProfile, r.SFI, maxRecords)
		}
		a.files[r.SFI] = append(a.files[r.SFI], b)
	}
	return nil
}

func (r Record) bytes() ([]byte, error) {
	b := []byte(r.Raw)
	switch {
	case len(r.Raw) > 0 && len(r.Data) > 0:
		return nil, fmt.Errorf("%w: data and raw exclude each other", ErrProfile)
	case len(r.Raw) == 0:
		body, err := objects(r.Data)
		if err != nil {
			return nil, err
		}
		if len(body) > maxRecordBytes { // before Append, which has a bound of its own
			return nil, fmt.Errorf("%w: %d bytes of data, a record has at most %d", ErrProfile, len(body), maxRecordBytes)
		}
		b = tlv.Append(nil, tagRecord, body)
	}
	if len(b) > maxRecordBytes {
		return nil, fmt.Errorf("%w: %d bytes, a record has at most %d", ErrProfile, len(b), maxRecordBytes)
	}
	return b, nil
}

// objects writes data objects in ascending order of their tags.
func objects(data map[string]Hex) ([]byte, error) {
	byTag := map[tlv.Tag][]byte{}
	for name, v := range data {
		tag, err := tlv.ParseTag(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProfile, err)
		}
		if _, twice := byTag[tag]; twice {
			return nil, fmt.Errorf("%w: tag %s stands twice in one record", ErrProfile, tag)
		}
		byTag[tag] = v
	}
	var b []byte
	for _, tag := range slices.Sorted(maps.Keys(byTag)) {
		b = tlv.Append(b, tag, byTag[tag])
	}
	return b, nil
}

// locate computes the application file locator: one entry a file, in the order in which the files are first used
// (Book 3, 10.2).
func (a *application) locate(records []Record) {
	oda := map[byte]byte{}
	var order []byte
	for _, r := range records {
		if !slices.Contains(order, r.SFI) {
			order = append(order, r.SFI)
		}
		if r.ODA {
			oda[r.SFI]++
		}
	}
	for _, sfi := range order {
		a.afl = append(a.afl, sfi<<3, 1, byte(len(a.files[sfi])), oda[sfi]) //nolint:gosec // at most maxRecords
	}
}

// selectable writes the FCI that SELECT answers with (Book 1, table 45).
func (a *application) selectable() error {
	var body []byte
	body = appendText(body, tagLabel, a.Label)
	if a.Priority != 0 {
		body = tlv.Append(body, tagPriority, []byte{a.Priority})
	}
	if len(a.PDOL) > 0 {
		body = tlv.Append(body, tagPDOL, a.PDOL)
	}
	body = appendText(body, tagLanguages, a.Languages)
	if a.CodeTable != 0 {
		body = tlv.Append(body, tagCodeTable, []byte{a.CodeTable})
	}
	body = appendText(body, tagPreferredName, a.PreferredName)
	more, err := objects(a.FCI)
	if err != nil {
		return fmt.Errorf("fci: %w", err)
	}
	if body = append(body, more...); len(body) > maxRecordBytes {
		return fmt.Errorf("%w: fci: %d bytes, at most %d fit", ErrProfile, len(body), maxRecordBytes)
	}
	inner := tlv.Append(nil, tagDFName, a.AID)
	a.fci = tlv.Append(nil, tagFCI, tlv.Append(inner, tagProprietary, body))
	if len(a.fci) > maxRecordBytes {
		return fmt.Errorf("%w: fci: %d bytes, at most %d fit", ErrProfile, len(a.fci), maxRecordBytes)
	}
	return nil
}

func appendText(b []byte, tag tlv.Tag, text string) []byte {
	if text == "" {
		return b
	}
	return tlv.Append(b, tag, []byte(text))
}

// derive makes the card's own master key from the issuer's, the account number and the sequence number in the records.
func (a *application) derive() error {
	number, err := a.unique(tagPAN)
	if err != nil {
		return err
	}
	pan, err := emv.NewPAN(strings.TrimRight(strings.ToUpper(fmt.Sprintf("%x", number)), "F"))
	if err != nil {
		return fmt.Errorf("%w: tag %s: %w", ErrProfile, tagPAN, err)
	}
	psn := "00" // Book 2, A1.4: a card without a sequence number
	if b, err := a.unique(tagPSN); err == nil {
		psn = fmt.Sprintf("%02x", b)
	}
	if a.master, err = cryptogram.MasterKey(a.Key.IMKAC, pan.Clear(), psn); err != nil {
		return fmt.Errorf("%w: key of the card: %w", ErrProfile, err)
	}
	if a.RSA != nil {
		if a.signer, err = newSigner(a.RSA, pan.Clear()); err != nil {
			return err
		}
	}
	return a.scriptKey(pan.Clear(), psn)
}

// environment writes the FCI and the directory records of the PSE (Book 1, tables 43 and 46).
func environment(p PSE, apps []*application) (fci []byte, records [][]byte, err error) {
	if p.SFI < 1 || p.SFI > 10 {
		return nil, nil, fmt.Errorf("%w: pse: sfi is %d, the directory is file 1 to 10", ErrProfile, p.SFI)
	}
	if len(p.Languages) > 8 || len(p.Languages)%2 != 0 {
		return nil, nil, fmt.Errorf("%w: pse: languages is one to four pairs of letters", ErrProfile)
	}
	body := tlv.Append(nil, tagSFI, []byte{p.SFI})
	body = appendText(body, tagLanguages, p.Languages)
	if p.CodeTable != 0 {
		body = tlv.Append(body, tagCodeTable, []byte{p.CodeTable})
	}
	fci = tlv.Append(nil, tagFCI, tlv.Append(tlv.Append(nil, tagDFName, []byte(pseName)), tagProprietary, body))
	if p.OmitDirectory {
		return fci, nil, nil
	}
	if len(p.Records) > 0 {
		for _, r := range p.Records {
			if len(r) > maxRecordBytes || len(p.Records) > maxRecords {
				return nil, nil, fmt.Errorf("%w: pse: at most %d records of at most %d bytes", ErrProfile, maxRecords, maxRecordBytes)
			}
			records = append(records, r)
		}
		return fci, records, nil
	}
	for _, a := range apps {
		entry := appendText(tlv.Append(nil, tagAID, a.AID), tagLabel, a.Label)
		entry = appendText(entry, tagPreferredName, a.PreferredName)
		if a.Priority != 0 {
			entry = tlv.Append(entry, tagPriority, []byte{a.Priority})
		}
		records = append(records, tlv.Append(nil, tagRecord, tlv.Append(nil, tagDirectoryEntry, entry)))
	}
	return fci, records, nil
}
