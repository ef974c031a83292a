package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillway/device/emulator"
	"tillway/device/transcript"
	"tillway/emv"
	"tillway/emv/contact"
	"tillway/emv/tlv"
	"tillway/terminal"
	"tillway/terminal/profile"
)

// cardFlags are the flags of card run.
type cardFlags struct {
	profile    string
	capk       string
	set        []string
	online     string
	arc        string
	issuerData string
	pin        string
	un         []string
	replay     string
	card       string
	record     string
}

func (a *app) card() *cobra.Command {
	var f cardFlags
	run := &cobra.Command{
		Use:   "run FILE",
		Short: "Run the contact kernel against a recorded or an emulated card",
		Long: `run runs a whole transaction of the contact kernel and prints what came of it: the application, every data object known
at the end, verification results and why each bit was set, cryptograms, and the exchanges with the card.

FILE is a transcript (JSON), a card profile of the emulator (TOML), or the name of one of its ready cards (pos card
list). With --card tcp:HOST:PORT in place of FILE the card is dialled; it speaks the vpcd protocol.

--profile says what the terminal is: one [[application]] with its aid is enough, docs/profile.md has every key. --set
fixes an object of the terminal, and the kernel decides by it: --set 9F35=25 makes the terminal offline-capable. --un
gives the unpredictable numbers in the order they are drawn: that of INTERNAL AUTHENTICATE, then that of GENERATE AC.

Everything is shown in the clear: this is for test cards. Without --online the run ends where the issuer would be
asked. --capk gives the certification authorities' keys for offline data authentication, of the environment that the
profile names (test, unless it says live); an emulated card is trusted by the emulator's own (pos card capk). --pin is
entered wherever the card's list asks for a PIN, again after a wrong one; without it a PIN is left out.
A recording answers by kind of command, whatever terminal it was made with; --replay strict demands every command byte
for byte. A session that a terminal or --record wrote has all else in it: it is repeated strictly with no other flag, and
must come to the same end; flags overrule it.

Exit status: 0 approved, or stopped at online; 1 declined or terminated; 2 wrong usage, or a recording that was left.`,
		Example: "  pos card run credit --online approve --json\n  pos card run session.json --set 9F02=000000001000 --un D3173A1F --online approve",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(c *cobra.Command, argv []string) error { return a.runCard(c.Context(), f, c.Flags().Changed, argv) },
	}
	fl := run.Flags()
	fl.StringVar(&f.profile, "profile", "kuwait", "terminal profile: a TOML file, or "+strings.Join(profile.ReadyNames(), " or "))
	fl.StringVar(&f.capk, "capk", "", "CA public keys: a JSON file")
	fl.StringArrayVar(&f.set, "set", nil, "fix a terminal-side data object, TAG=HEX; again for more")
	fl.StringVar(&f.online, "online", "", "the issuer's answer: approve, decline or unable; absent: stop where it would be asked")
	fl.StringVar(&f.arc, "arc", "", "authorisation response code, 8A: four hex digits")
	fl.StringVar(&f.issuerData, "issuer-data", "", "TLV of 91, 71 and 72 of the issuer's answer, in hex")
	fl.StringVar(&f.pin, "pin", "", "the cardholder's PIN, 4 to 12 digits; absent: a PIN is left out")
	fl.StringArrayVar(&f.un, "un", nil, "unpredictable number, eight hex digits; again for the next one")
	fl.StringVar(&f.replay, "replay", "lenient", "how a transcript answers: strict or lenient")
	fl.StringVar(&f.card, "card", "", "dial a card: tcp:HOST:PORT")
	fl.StringVar(&f.record, "record", "", "write the whole session to a file, to be repeated: for test cards, everything is in the clear")
	return group("card", "Run the card kernel against a recorded or emulated card", run, a.cardList(), a.cardKeys())
}

func (a *app) runCard(ctx context.Context, f cardFlags, has given, argv []string) error {
	p, err := loadProfile(f.profile)
	if err != nil {
		return err
	}
	plan, err := f.plan(p, time.Now())
	if err != nil {
		return err
	}
	plan.profile = profileOf(f.profile, p)
	open, err := openCard(ctx, f, has, argv)
	if err != nil {
		return err
	}
	if f.capk == "" && open.ours && p.Terminal.CAKeys == profile.TestKeys {
		if err := plan.trust(emulator.AuthorityKeys(), "the emulator's own", profile.TestKeys); err != nil {
			return err
		}
	}
	asWas := open.session != nil && plan.repeat(open.session, f, has)
	result, err := plan.run(ctx, open.card)
	if errors.Is(err, contact.ErrParams) { // nothing was run, so there is nothing to show
		_ = open.close() // a recording that was not begun has all of it left
		return usage("%w", err)
	}
	if asWas {
		result.Replay = compare(open.session, result.ended)
	}
	result.ATR = fmt.Sprintf("%X", open.atr)
	left := open.close()
	if errors.Is(left, transcript.ErrLeftover) && result.Outcome == string(emv.Online) {
		left = nil // the run was to stop where the recording goes on
	}
	if err == nil {
		err = left
	}
	if err == nil && asWas && !result.Replay.Same {
		err = errDiffers
	}
	if f.record != "" {
		if err := writeRecord(f.record, plan.recorded); err != nil {
			return err
		}
	}
	result.Exchanges = append(result.Exchanges, open.log.Transcript().Exchanges...)
	if a.json {
		if err := a.printJSON(result); err != nil {
			return err
		}
	} else {
		a.printResult(result)
	}
	switch {
	case err != nil:
		return usage("%w", err)
	case result.Outcome == string(emv.Approved), result.Outcome == string(emv.Online):
		return nil
	}
	return &exit{code: exitDeclined}
}

// maxFile bounds what is read of a file that was named.
const maxFile = 4 << 20

func readFile(path string) ([]byte, error) {
	in, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, usage("%w", err)
	}
	defer func() { _ = in.Close() }()
	b, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, usage("%w", err)
	}
	if len(b) > maxFile {
		return nil, usage("%s is larger than the %d bytes that are read", path, maxFile)
	}
	return b, nil
}

func loadProfile(name string) (profile.Profile, error) {
	p, err := profile.Ready(name)
	if errors.Is(err, profile.ErrNoProfile) {
		text, err := readFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return profile.Profile{}, usage("%q is no file, and no ready profile: those are %s", name, strings.Join(profile.ReadyNames(), ", "))
		}
		if err != nil {
			return profile.Profile{}, err
		}
		if p, err = profile.Parse(text); err != nil {
			return profile.Profile{}, usage("%s: %w", name, err)
		}
		return p, nil
	}
	return p, err
}

// plan is one run, decided before the card is touched.
type plan struct {
	params emv.Params
	holder emv.Cardholder
	online string
	answer emv.HostAnswer
	notes  []emv.Why

	profile  transcript.Profile
	recorded transcript.Transcript // once it has run
}

func (f cardFlags) plan(p profile.Profile, now time.Time) (plan, error) {
	if err := checkPIN(f.pin); err != nil {
		return plan{}, err
	}
	fixed, err := parseSet(f.set)
	if err != nil {
		return plan{}, err
	}
	random, err := newUNSource(f.un)
	if err != nil {
		return plan{}, err
	}
	amount, err := fixedAmount(fixed, p.Currency)
	if err != nil {
		return plan{}, err
	}
	out := plan{params: p.Params(terminal.Order{Kind: terminal.KindSale, Amount: amount}, now, 1), online: f.online}
	out.params.Random, out.params.Fixed = random, fixed
	out.holder = typedPIN{f.pin, random}
	rehearse(&out.params, p)
	if err := agree(&out.params, fixed); err != nil {
		return plan{}, err
	}
	if f.capk != "" {
		text, err := readFile(f.capk)
		if err != nil {
			return plan{}, err
		}
		if err := out.trust(text, f.capk, p.Terminal.CAKeys); err != nil {
			return plan{}, err
		}
	}
	out.answer, err = f.hostAnswer()
	return out, err
}

// rehearse gives the kernel what a profile may bring for such runs only: earlier sales, an exception file, draws.
func rehearse(params *emv.Params, p profile.Profile) {
	params.Selection, params.ForceOnline = p.Selection, p.ForceOnline
	if len(p.EarlierSales) > 0 {
		params.History = p.EarlierSales
	}
	if len(p.Exceptions) > 0 {
		params.ExceptionFile = p.Exceptions
	}
}

func (f cardFlags) hostAnswer() (emv.HostAnswer, error) {
	var h emv.HostAnswer
	switch f.online {
	case "approve":
		h.Result = emv.HostApproved
	case "decline":
		h.Result = emv.HostDeclined
	case "unable":
		h.Result = emv.HostUnable
	case "":
		if f.arc != "" || f.issuerData != "" {
			return h, usage("--arc and --issuer-data are the issuer's answer: say which with --online approve, decline or unable")
		}
	default:
		return h, usage("--online %q: there are approve, decline and unable", f.online)
	}
	if f.arc != "" {
		b, err := hex.DecodeString(f.arc)
		if err != nil || len(b) != 2 {
			return h, usage("--arc %q is not four hex digits, like 3030", f.arc)
		}
		h.ARC = [2]byte(b)
	}
	if f.issuerData != "" {
		b, err := hex.DecodeString(f.issuerData)
		if err != nil {
			return h, usage("--issuer-data is not hex")
		}
		if _, err := tlv.Parse(b); err != nil {
			return h, usage("--issuer-data: %w", err)
		}
		h.IssuerData = b
	}
	return h, nil
}

func parseSet(set []string) (map[tlv.Tag][]byte, error) {
	fixed := map[tlv.Tag][]byte{}
	for _, s := range set {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, usage("--set %q: write TAG=HEX, like 9F02=000000001000", s)
		}
		tag, err := tlv.ParseTag(name)
		if err != nil {
			return nil, usage("--set %q: %w", s, err)
		}
		b, err := hex.DecodeString(value)
		if err != nil {
			return nil, usage("--set %q: the value is not hex", s)
		}
		fixed[tag] = b
	}
	return fixed, nil
}

// run runs the kernel. What is known is in the result even when there is an error.
func (p *plan) run(ctx context.Context, card emv.Card) (cardResult, error) {
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	kernel := p.kernel(contact.New(contact.Config{Log: slog.New(slog.DiscardHandler)}))
	tx, out, err := kernel.Begin(ctx, card, p.params, p.holder)
	if err == nil && tx != nil && p.online != "" {
		first := out
		out, err = tx.Complete(ctx, p.answer)
		if err != nil && len(out.Data.Tags()) == 0 {
			out = first
			out.Decision = ""
		}
	}
	result := newCardResult(out, p.notes)
	if err != nil {
		result.Outcome = string(emv.Terminated)
		result.Reason = err.Error()
		if errors.Is(err, contact.ErrParams) {
			return result, fmt.Errorf("the kernel refuses what it is given: %w", err)
		}
		if errors.Is(err, transcript.ErrUnexpected) {
			return result, fmt.Errorf("the kernel leaves the recording: %w", err)
		}
	}
	return result, nil
}
