package receipt

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/money"
	"tillway/terminal"
)

var update = flag.Bool("update", false, "write the golden receipts anew")

var header = Header{
	Name: "TILLWAY TEST SHOP", Location: []string{"Salem Al Mubarak Street, Block 1", "Salmiya, Kuwait"},
	Zone: time.FixedZone("Kuwait", 3*3600),
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// approved is a chip sale with everything that a record can have.
func approved(t *testing.T) terminal.Sale {
	t.Helper()
	kwd, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	s := terminal.Sale{
		V: terminal.RecordVersion, ID: 1042, Kind: terminal.KindSale, State: terminal.Approved, Acquirer: "nac", Batch: 7,
		Amount: money.New(10_525, kwd), Reference: "table 7", Started: time.Date(2026, 11, 23, 6, 14, 50, 0, time.UTC),
		TerminalID: "TILL0001", MerchantID: "KW0000000000001", STAN: 42, Invoice: 43,
		LocalTime: time.Date(2026, 11, 23, 6, 15, 7, 0, time.UTC),
		MaskedPAN: "476173******0119", Scheme: "visa", Label: "VISA CREDIT", AID: "A0000000031010", Entry: "chip", Method: emv.NoCVM,
		ResponseCode: "00", RRN: "632709000042", AuthCode: "A12345",
		Outcome: terminal.Outcome{Code: terminal.CodeApproved, Happened: "Approved.", Do: "Give the customer the receipt."},
	}
	for tag, v := range map[tlv.Tag]string{
		emv.TagApplicationCryptogram: "8CC495A66CACA38E", emv.TagCID: "40", emv.TagATC: "0011", emv.TagTVR: "8000008000",
		emv.TagTSI: "6800", emv.TagCVMResults: "1F0002", emv.TagAuthorisationResponseCode: "3030",
		emv.TagIssuerApplicationData: "06010A03A00000",
	} {
		s.Tags.Put(tag, unhex(t, v))
	}
	return s
}

func ended(t *testing.T, state terminal.State, code string, o terminal.Outcome) terminal.Sale {
	t.Helper()
	s := approved(t)
	s.State, s.ResponseCode, s.AuthCode, s.Outcome = state, code, "", o
	s.Tags.Put(emv.TagCID, []byte{byte(emv.AAC)})
	s.Tags.Put(emv.TagAuthorisationResponseCode, []byte(code))
	return s
}

// The golden receipts are what customers get: they were read as one would read them.
func TestGoldenReceipts(t *testing.T) {
	declined := ended(t, terminal.Declined, "51", terminal.Outcome{
		Code: "declined", Happened: "Not enough money on the card.", Do: "The customer is not charged. Ask for another card.",
	})
	reversed := ended(t, terminal.Reversed, "", terminal.Conclude(
		terminal.Row{From: terminal.FinishUnanswered, Event: terminal.CardRefuses, To: terminal.Reversed}, terminal.Sale{}, terminal.Outcome{}, ""))
	reversed.RRN = ""
	cancelled := approved(t)
	cancelled = terminal.Sale{
		ID: cancelled.ID, Kind: cancelled.Kind, State: terminal.Cancelled, Batch: 7, Amount: cancelled.Amount,
		Started: cancelled.Started, TerminalID: cancelled.TerminalID, MerchantID: cancelled.MerchantID,
		Outcome: terminal.Conclude(terminal.Row{From: terminal.AwaitCard, Event: terminal.TimeOut, To: terminal.Cancelled}, terminal.Sale{}, terminal.Outcome{}, ""),
	}
	swiped := approved(t)
	swiped.Entry, swiped.Method, swiped.Label, swiped.AID, swiped.Tags = terminal.EnteredFallback, emv.OnlinePIN, "", "", emv.Data{}
	signed := approved(t)
	signed.Method, signed.Signature, signed.HostText = emv.Signature, true, "THANK YOU"
	toSign, both := signed, signed
	toSign.State, toSign.Outcome = terminal.AgreementOnline, terminal.Outcome{}
	both.Method = emv.OfflinePIN
	differs := signed
	differs.State, differs.HostText = terminal.Reversed, ""
	differs.Outcome = terminal.Conclude(terminal.Row{From: terminal.AgreementOnline, Event: terminal.NotAgreed, To: terminal.Reversed}, terminal.Sale{}, terminal.Outcome{}, "It does not match.")
	for _, row := range []struct {
		file      string
		sale      terminal.Sale
		copied    Copy
		duplicate bool
		width     int
	}{
		{"approved-customer", approved(t), Customer, false, 0},
		{"approved-merchant", approved(t), Merchant, false, 0},
		{"approved-merchant-32", approved(t), Merchant, false, 32},
		{"approved-duplicate", approved(t), Customer, true, 0},
		{"declined-customer", declined, Customer, false, 0},
		{"declined-merchant", declined, Merchant, false, 0},
		{"fallback-merchant", swiped, Merchant, false, 0},
		{"reversed-customer", reversed, Customer, false, 0},
		{"cancelled-customer", cancelled, Customer, false, 0},
		{"signature-to-compare", toSign, Merchant, false, 0},
		{"signature-merchant", signed, Merchant, false, 0},
		{"signature-refused", differs, Merchant, false, 0},
		{"signature-refused-customer", differs, Customer, false, 0},
		{"pin-and-signature-customer", both, Customer, false, 0},
	} {
		t.Run(row.file, func(t *testing.T) {
			r, err := Draw(row.sale, header, row.copied, row.duplicate)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, row.file, r.Text(row.width))
		})
	}
}

// earlier is the sale that refunds and voids are of.
func earlier(t *testing.T, kind terminal.Kind) terminal.Sale {
	t.Helper()
	s := approved(t)
	s.ID, s.Kind, s.STAN, s.Invoice, s.RRN = 1041, kind, 40, 41, "632709000040"
	s.LocalTime = s.LocalTime.Add(-2 * time.Hour)
	return s
}

// ofKind is an approved transaction of a kind.
func ofKind(t *testing.T, kind terminal.Kind, change func(*terminal.Sale)) terminal.Sale {
	t.Helper()
	s := approved(t)
	s.Kind = kind
	if kind.WithoutCard() {
		s.Entry, s.Method, s.Tags = "", emv.NoVerification, emv.Data{}
	}
	if change != nil {
		change(&s)
	}
	return s
}

// TestGoldenKinds: every kind's paper, read as a customer would: what was done, for how much, and what that means for the money.
func TestGoldenKinds(t *testing.T) {
	kwd := approved(t).Amount.Currency
	amount := func(minor int64) money.Amount { return money.New(minor, kwd) }
	of := func(s *terminal.Sale) { s.Of = 1041 }
	not := func(s *terminal.Sale) {
		s.Of, s.State, s.ResponseCode, s.AuthCode = 1041, terminal.Declined, "05", ""
		s.Outcome = terminal.Outcome{Code: "declined", Happened: "The bank said no.", Do: "Ask for help."}
	}
	sale, held := earlier(t, terminal.KindSale), earlier(t, terminal.KindPreauth)
	for _, row := range []struct {
		file string
		sale terminal.Sale
		of   terminal.Sale
		copy Copy
	}{
		{"sale-tip-cashback", ofKind(t, terminal.KindSale, func(s *terminal.Sale) { s.Amount, s.Tip, s.Cashback = amount(25_500), amount(2_000), amount(5_500) }), terminal.Sale{}, Customer},
		{"sale-in-part", ofKind(t, terminal.KindSale, func(s *terminal.Sale) { s.Approved, s.ResponseCode = amount(4_000), "10" }), terminal.Sale{}, Customer},
		{"sale-in-part-to-sign", ofKind(t, terminal.KindSale, func(s *terminal.Sale) {
			s.Approved, s.ResponseCode, s.Signature, s.Method, s.State = amount(4_000), "10", true, emv.Signature, terminal.AgreementOnline
		}), terminal.Sale{}, Merchant},
		{"sale-offline", ofKind(t, terminal.KindSale, func(s *terminal.Sale) { s.Way, s.ResponseCode, s.RRN, s.AuthCode = terminal.WayOffline, "", "", "" }), terminal.Sale{}, Customer},
		{"sale-deferred", ofKind(t, terminal.KindSale, func(s *terminal.Sale) { s.Way, s.ResponseCode, s.RRN, s.AuthCode = terminal.WayDeferred, "", "", "" }), terminal.Sale{}, Customer},
		{"sale-deferred-merchant", ofKind(t, terminal.KindSale, func(s *terminal.Sale) { s.Way, s.ResponseCode, s.RRN, s.AuthCode = terminal.WayDeferred, "", "", "" }), terminal.Sale{}, Merchant},
		{"sale-twin", ofKind(t, terminal.KindSale, func(s *terminal.Sale) { s.Twin = 1040 }), terminal.Sale{}, Merchant},
		{"forced", ofKind(t, terminal.KindForced, func(s *terminal.Sale) { s.Way, s.ResponseCode, s.RRN = terminal.WayVoice, "", "" }), terminal.Sale{}, Customer},
		{"refund", ofKind(t, terminal.KindRefund, of), sale, Customer},
		{"refund-merchant", ofKind(t, terminal.KindRefund, of), sale, Merchant},
		{"refund-without-original", ofKind(t, terminal.KindRefund, nil), terminal.Sale{}, Customer},
		{"refund-declined", ofKind(t, terminal.KindRefund, not), sale, Customer},
		{"void", ofKind(t, terminal.KindVoid, of), sale, Customer},
		{"void-declined", ofKind(t, terminal.KindVoid, not), sale, Customer},
		{"preauth", ofKind(t, terminal.KindPreauth, nil), terminal.Sale{}, Customer},
		{"preauth-declined", ofKind(t, terminal.KindPreauth, func(s *terminal.Sale) { not(s); s.Of = 0 }), terminal.Sale{}, Customer},
		{"increment", ofKind(t, terminal.KindIncrement, of), held, Customer},
		{"increment-declined", ofKind(t, terminal.KindIncrement, not), held, Customer},
		{"completion", ofKind(t, terminal.KindCompletion, of), held, Customer},
		{"balance", ofKind(t, terminal.KindBalance, func(s *terminal.Sale) { s.Amount, s.Balance = amount(0), amount(123_456) }), terminal.Sale{}, Customer},
		{"balance-merchant", ofKind(t, terminal.KindBalance, func(s *terminal.Sale) { s.Amount, s.Balance = amount(0), amount(123_456) }), terminal.Sale{}, Merchant},
	} {
		t.Run(row.file, func(t *testing.T) {
			r, err := Draw(row.sale, header, row.copy, false)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, row.file, r.About(row.of).Text(0))
			for l := range strings.Lines(r.About(row.of).Text(MinWidth)) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(l, "\n")); n > MinWidth {
					t.Errorf("%d columns on the narrowest paper: %q", n, l)
				}
			}
		})
	}
}

// Nothing but an approved sale, forced sale or completion is paid by the customer, and no receipt of another kind, or of a failure,
// may be read as one of those.
func TestWhoIsCharged(t *testing.T) {
	for _, kind := range append(terminal.Kinds(), "of a later release") {
		for _, state := range []terminal.State{terminal.Approved, terminal.Declined, terminal.Cancelled, terminal.Reversed} {
			sale := ofKind(t, kind, func(s *terminal.Sale) { s.State, s.Outcome = state, terminal.Outcome{Happened: "It ended."} })
			charged := state == terminal.Approved && (kind == terminal.KindSale || kind == terminal.KindForced || kind == terminal.KindCompletion)
			for _, copied := range []Copy{Customer, Merchant} {
				r, err := Draw(sale, header, copied, false)
				if err != nil {
					t.Fatal(err)
				}
				if r.Charged != charged || strings.HasPrefix(r.Statement, "CHARGED") != charged || r.Done != (state == terminal.Approved) {
					t.Errorf("%s %s: charged %t, done %t, %q", kind, state, r.Charged, r.Done, r.Statement)
				}
				if text := r.Text(0); !charged && r.Statement != "" && !strings.Contains(text, r.Statement) {
					t.Errorf("%s %s does not say %q:\n%s", kind, state, r.Statement, text)
				} else if state != terminal.Approved && (strings.Contains(text, "APPROVED") || r.Statement == "") {
					t.Errorf("%s %s:\n%s", kind, state, text)
				}
			}
		}
	}
}

// What is on a customer's account is the customer's: neither the merchant's paper nor its data has it.
func TestBalanceIsTheCustomers(t *testing.T) {
	sale := ofKind(t, terminal.KindBalance, nil)
	sale.Amount, sale.Balance = money.New(0, sale.Amount.Currency), money.New(98_765, sale.Amount.Currency)
	for copied, shown := range map[Copy]bool{Customer: true, Merchant: false} {
		r, err := Draw(sale, header, copied, false)
		if err != nil {
			t.Fatal(err)
		}
		model, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(r.Text(0), "98.765") != shown || strings.Contains(string(model), "98765") != shown {
			t.Errorf("%s copy:\n%s\n%s", copied, r.Text(0), model)
		}
	}
}

// An approval in part that waits for a word alone has no slip to sign.
func TestInPartHasNoSlipWithoutSignature(t *testing.T) {
	sale := approved(t)
	sale.State, sale.Approved = terminal.AgreementOnline, money.New(4_000, sale.Amount.Currency)
	if _, err := Draw(sale, header, Merchant, false); !errors.Is(err, ErrNotFinal) {
		t.Errorf("%v", err)
	}
}

// TestReprintOfAVoidedSale: whoever holds it is not to get goods or money for it again.
func TestReprintOfAVoidedSale(t *testing.T) {
	r, err := Draw(approved(t), header, Customer, true)
	if err != nil {
		t.Fatal(err)
	}
	void := ofKind(t, terminal.KindVoid, func(s *terminal.Sale) { s.ID, s.Of = 1050, 1042 })
	voided := r.Since([]terminal.Sale{void}, true)
	golden(t, "sale-voided-later", voided.Text(0))
	if voided.Charged || voided.Statement != "NOT CHARGED" {
		t.Errorf("%+v", voided)
	}
	if refund := r.Since([]terminal.Sale{ofKind(t, terminal.KindRefund, func(s *terminal.Sale) { s.ID, s.Of = 1051, 1042 })}, true); !refund.Charged || refund.Verdict != "APPROVED" {
		t.Errorf("a refund does not undo the sale: %+v", refund)
	}
}

// Another transaction's numbers are never printed as the original's.
func TestAboutTakesTheRightOne(t *testing.T) {
	r, err := Draw(ofKind(t, terminal.KindVoid, func(s *terminal.Sale) { s.Of = 1041 }), header, Customer, false)
	if err != nil {
		t.Fatal(err)
	}
	other := earlier(t, terminal.KindSale)
	other.ID = 1039
	if r.About(other).Original != nil || r.About(earlier(t, terminal.KindSale)).Original == nil {
		t.Error("the wrong original is taken, or the right one is not")
	}
	plain, err := Draw(approved(t), header, Customer, false)
	if err != nil {
		t.Fatal(err)
	}
	if plain.About(terminal.Sale{}).Original != nil {
		t.Error("a sale of its own has an original")
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What the schemes demand of both copies, and what they forbid, in every layout.
func TestRequiredAndForbiddenElements(t *testing.T) {
	sale := approved(t)
	for _, copied := range []Copy{Customer, Merchant} {
		r, err := Draw(sale, header, copied, false)
		if err != nil {
			t.Fatal(err)
		}
		model, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for form, text := range map[string]string{"text": r.Text(42), "narrow": r.Text(24), "html": r.HTML(), "json": string(model)} {
			flat := strings.Join(strings.Fields(text), " ")
			for _, must := range []string{
				"TILLWAY TEST SHOP", "Salmiya, Kuwait", "KW0000000000001", "TILL0001", "SALE", "1042", "2026-11-23", "09:15:07",
				"KWD", "APPROVED", "VISA CREDIT", "************0119", "A0000000031010", "CHIP", "NO CARDHOLDER VERIFICATION",
				"A12345", "632709000042", "000042", "000043", "000007", "table 7",
			} {
				if !strings.Contains(flat, must) {
					t.Errorf("%s %s lacks %q", copied, form, must)
				}
			}
			if !strings.Contains(flat, "10.525") && !strings.Contains(flat, "10525") {
				t.Errorf("%s %s lacks the amount", copied, form)
			}
			for _, mustNot := range []string{"476173", "2812", "28-12", "12/28", "DUPLICATE", "NOT CHARGED"} {
				if strings.Contains(text, mustNot) {
					t.Errorf("%s %s has %q", copied, form, mustNot)
				}
			}
		}
		if chip := strings.Contains(r.Text(42), "8CC495A66CACA38E"); chip != (copied == Merchant) {
			t.Errorf("%s copy prints the cryptogram: %t", copied, chip)
		}
		if !strings.Contains(string(model), "8CC495A66CACA38E") {
			t.Errorf("%s copy's JSON lacks the cryptogram", copied)
		}
	}
}

// Only an approved sale is charged, and every other says that it is not, and why.
func TestNotChargedIsSaidInWords(t *testing.T) {
	for _, state := range []terminal.State{terminal.Declined, terminal.Cancelled, terminal.Reversed} {
		for _, happened := range []string{"The bank said no.", ""} {
			r, err := Draw(ended(t, state, "05", terminal.Outcome{Happened: happened}), header, Customer, false)
			if err != nil {
				t.Fatal(err)
			}
			text := r.Text(42)
			if r.Charged || !strings.Contains(text, "NOT CHARGED") || !strings.Contains(text, strings.ToUpper(string(state))) ||
				strings.Contains(text, "APPROVED") || r.Reason == "" || !strings.Contains(text, r.Reason) {
				t.Errorf("%s:\n%s", state, text)
			}
		}
	}
}

func TestNoReceiptBeforeTheEnd(t *testing.T) {
	for _, row := range terminal.Table() {
		sale := approved(t)
		sale.State = row.From
		if _, err := Draw(sale, header, Customer, false); !errors.Is(err, ErrNotFinal) {
			t.Errorf("%s: %v", row.From, err)
		}
		r, err := Draw(sale, header, Merchant, false)
		if agrees := strings.HasPrefix(string(row.From), "Agreement"); agrees != (err == nil) {
			t.Errorf("%s, merchant's copy: %v", row.From, err)
		} else if agrees && (r.Charged || !strings.Contains(r.Text(0), "X ____") || strings.Contains(r.Text(0), "APPROVED")) {
			t.Errorf("%s: a slip to sign is not one: %s", row.From, r.Text(0))
		}
	}
}

// TestPINNotVerified: no receipt says that a PIN was verified when the bank did not approve.
func TestPINNotVerified(t *testing.T) {
	for _, state := range []terminal.State{terminal.Declined, terminal.Reversed} {
		sale := approved(t)
		sale.Method, sale.State = emv.OnlinePIN, state
		r, err := Draw(sale, header, Customer, false)
		if err != nil {
			t.Fatal(err)
		}
		if text := r.Text(42); strings.Contains(text, "VERIFIED BY PIN") || !strings.Contains(text, "PIN ENTERED") {
			t.Errorf("%s: %s", state, text)
		}
	}
}

func TestVerificationStatements(t *testing.T) {
	for method, want := range map[emv.Method]string{
		emv.NoVerification: "CARDHOLDER NOT VERIFIED", emv.NoCVM: "NO CARDHOLDER VERIFICATION",
		emv.Signature: "VERIFIED BY SIGNATURE", emv.OnlinePIN: "VERIFIED BY PIN", emv.OfflinePIN: "VERIFIED BY PIN",
	} {
		sale := approved(t)
		sale.Method = method
		for _, copied := range []Copy{Customer, Merchant} {
			r, err := Draw(sale, header, copied, false)
			if err != nil {
				t.Fatal(err)
			}
			text := r.Text(42)
			if !strings.Contains(text, want) {
				t.Errorf("%q: no %q", method, want)
			}
			if strings.Contains(text, "X ____") {
				t.Errorf("%q, %s copy: there is nothing left to sign", method, copied)
			}
		}
	}
}

// A record that holds a whole card number, by whatever mistake, is still printed with its last four digits only.
func TestCardNumberIsMaskedAgain(t *testing.T) {
	for in, want := range map[string]string{
		"4761739001010119": "************0119", "476173******0119": "************0119", "****0119": "************0119",
		"": "", "119": "", "47617390****": "",
	} {
		if got := last4(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

// Text from card, host and shop cannot steer a printer or a browser, and no line is longer than the paper.
func TestHostileText(t *testing.T) {
	sale := approved(t)
	sale.Label = "VISA\x1b@\x1dV\x00<script>alert(1)</script>"
	sale.HostText = "\u202eEDOC\r\nSECOND LINE & \"quotes\""
	sale.Reference = strings.Repeat("x", 500)
	sale.RRN = "\x9b31m"
	r, err := Draw(sale, header, Merchant, true)
	if err != nil {
		t.Fatal(err)
	}
	if page := r.HTML(); strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;script&gt;") || !strings.Contains(page, "&amp;") {
		t.Errorf("HTML is not escaped:\n%s", page)
	}
	for _, width := range []int{-5, 0, 1, 24, 32, 42, 48, 96, 10_000} {
		limit := min(max(width, MinWidth), MaxWidth)
		if width == 0 {
			limit = DefaultWidth
		}
		text := r.Text(width)
		for _, c := range text {
			if (c < ' ' && c != '\n') || (c >= 0x7F && c < 0xA0) || c == '\u202e' {
				t.Fatalf("width %d: character %U", width, c)
			}
		}
		for l := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(l, "\n")); n > limit {
				t.Errorf("width %d: %d columns: %q", width, n, l)
			}
		}
	}
}

// The same record gives the same receipt, also after it has been in the journal.
func TestReprintIsTheSameButForTheWord(t *testing.T) {
	sale := approved(t)
	stored, err := json.Marshal(sale)
	if err != nil {
		t.Fatal(err)
	}
	var again terminal.Sale
	if err := json.Unmarshal(stored, &again); err != nil {
		t.Fatal(err)
	}
	first, err := Draw(sale, header, Merchant, false)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Draw(again, header, Merchant, true)
	if err != nil {
		t.Fatal(err)
	}
	var without []string
	lines := strings.Split(second.Text(42), "\n")
	for i := 0; i < len(lines); i++ {
		if strings.Contains(lines[i], "DUPLICATE") {
			i++ // and the rule below it
			continue
		}
		without = append(without, lines[i])
	}
	if got := strings.Join(without, "\n"); got != first.Text(42) {
		t.Errorf("reprint\n%s\nfirst\n%s", second.Text(42), first.Text(42))
	}
}

// What a technician needs of a failure stays in the journal.
func TestReasonsAreForCustomers(t *testing.T) {
	const detail = "read tcp 127.0.0.1:49118: connection reset"
	for _, code := range []string{
		terminal.CodeCardDeclined, terminal.CodeCardError, terminal.CodeCardRemoved, terminal.CodeCancelled, terminal.CodeTimedOut,
		terminal.CodeUnreachable, terminal.CodeNoAnswer, terminal.CodeCardRefused, terminal.CodePowerLost, terminal.CodeTerminalFault,
	} {
		for _, copied := range []Copy{Customer, Merchant} {
			r, err := Draw(ended(t, terminal.Reversed, "", terminal.Outcome{Code: code, Happened: detail}), header, copied, false)
			if err != nil {
				t.Fatal(err)
			}
			if text := r.Text(96); strings.Contains(text, "127.0.0.1") || !strings.HasSuffix(r.Reason, ".") || !strings.Contains(text, r.Reason) {
				t.Errorf("%s, %s copy:\n%s", code, copied, text)
			}
		}
	}
}

// A card that is not the sale's did not decline: the paper says what it was.
func TestOtherCardIsNoDecline(t *testing.T) {
	const happened = "This is not the card that paid transaction 1041."
	for _, code := range []string{terminal.CodeOtherCard, terminal.CodeNotTaken} {
		if got := Reason(terminal.Refusal(code, happened)); got != happened {
			t.Errorf("%s: %q", code, got)
		}
	}
}

// A code in brackets stays on one line; brackets that are too long, or that never close, break as other words do.
func TestWrapKeepsBracketsTogether(t *testing.T) {
	for text, want := range map[string]string{
		"The PIN was wrong: 2 tries are left. (code 55)":          "The PIN was wrong: 2 tries are left.|(code 55)",
		"a (b c d e f g h i j k l m n o p q r s t u v w x y z) z": "a (b c d e f g h i j k l m n o p q r s t u|v w x y z) z",
		"open (for ever and ever and ever and ever and":           "open (for ever and ever and ever and ever|and",
	} {
		if got := strings.Join(wrap(text, 42), "|"); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// The receipt bears the time under which the acquirer has the sale, where the acquirer said it; the record keeps both.
func TestHostsTimeOnTheReceipt(t *testing.T) {
	zone := time.FixedZone("KWT", 3*3600)
	s := approved(t)
	if got := when(s, zone); !got.Equal(s.LocalTime) {
		t.Errorf("without a host's time: %v", got)
	}
	s.HostTime = time.Date(2026, 11, 23, 6, 18, 30, 0, time.UTC)
	if got := when(s, zone).Format(time.DateTime); got != "2026-11-23 09:18:30" {
		t.Errorf("with it: %s", got)
	}
}
