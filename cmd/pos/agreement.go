package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"tillway/money"
	"tillway/terminal"
)

// A signature is compared by a person, and nobody else says that it matches: pos prints the slip to sign on and takes the
// word, at the sale or by a command of its own.

type signatureAnswer struct {
	Matches bool `json:"matches"`
}

// Neither has anybody but a person the word on an approval for less.
type agreementAnswer struct {
	Agreed bool `json:"agreed"`
}

// Nor on a warning before anything is sent.
type confirmAnswer struct {
	Meant bool `json:"meant"`
}

func (a *app) signature() *cobra.Command {
	return &cobra.Command{
		Use: "signature ID matches|differs", Short: "Say whether the signature of the running sale matches the card's",
		Long: `signature says whether the customer's signature is the card's. The sale waits for it: one that matches is approved, one that
differs is reversed, and so is one of which nobody says anything in time.

pos receipt ID --copy merchant --original draws the slip to sign on. Where pos sale runs at a terminal it asks by itself.`,
		Example: "  pos signature 1042 matches\n  pos signature 1042 differs",
		Args:    args("ID", "matches|differs"),
		RunE: func(c *cobra.Command, argv []string) error {
			path, err := salePath(argv[0], "/signature")
			if err != nil {
				return err
			}
			answer := signatureAnswer{Matches: argv[1] == "matches"}
			if !answer.Matches && argv[1] != "differs" {
				return usage("%q is no answer: matches or differs", argv[1])
			}
			return a.answer(c.Context(), argv[0], path, answer)
		},
	}
}

// agreement answers for a sale that waits for more than a signature, or for another thing: yes or no.
func (a *app) agreement() *cobra.Command {
	return &cobra.Command{
		Use: "agree ID yes|no", Short: "Say whether the running sale stands as the bank approved it",
		Long: `agree answers for a sale that the bank has approved for less than was asked for. "yes": the customer pays the rest in another way, and the
sale stands for what the bank approved. "no": all of it is reversed. Without an answer in time it is reversed too.

Where a signature is wanted as well, "yes" says that it matches, too. Where pos sale runs at a terminal it asks by itself.`,
		Example: "  pos agree 1042 yes\n  pos agree 1042 no",
		Args:    args("ID", "yes|no"),
		RunE: func(c *cobra.Command, argv []string) error {
			path, err := salePath(argv[0], "/agreement")
			if err != nil {
				return err
			}
			answer := agreementAnswer{Agreed: argv[1] == "yes"}
			if !answer.Agreed && argv[1] != "no" {
				return usage("%q is no answer: yes or no", argv[1])
			}
			return a.answer(c.Context(), argv[0], path, answer)
		},
	}
}

// confirmation answers for a sale that waits, before anything is sent, because its card has just paid the same amount.
func (a *app) confirmation() *cobra.Command {
	return &cobra.Command{
		Use: "confirm ID yes|no", Short: "Say whether the same card is meant to pay the same amount again",
		Long: `confirm answers for a sale whose card has just paid the same amount. "yes": it is a second purchase, and the sale goes on. "no": it is the
same one, and the sale is cancelled; nothing has been sent. Whether the terminal waits for the answer, or only points it out, is the
profile's to say (same_card). Where pos sale runs at a terminal it asks by itself.`,
		Example: "  pos confirm 1042 yes\n  pos confirm 1042 no",
		Args:    args("ID", "yes|no"),
		RunE: func(c *cobra.Command, argv []string) error {
			path, err := salePath(argv[0], "/confirmation")
			if err != nil {
				return err
			}
			answer := confirmAnswer{Meant: argv[1] == "yes"}
			if !answer.Meant && argv[1] != "no" {
				return usage("%q is no answer: yes or no", argv[1])
			}
			return a.answer(c.Context(), argv[0], path, answer)
		},
	}
}

// answer gives a word on the running sale.
func (a *app) answer(ctx context.Context, id, path string, word any) error {
	cl := a.client()
	defer cl.close()
	var snap terminal.Snapshot
	if err := cl.post(ctx, path, word, &snap); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(snap)
	}
	a.printf("Taken; the outcome is the sale's: pos show %s\n", id)
	return nil
}

// agree prints the slip where there is something to sign, and asks for the word where somebody can give it: once a sale.
func (s *selling) agree(ctx context.Context) {
	if s.asked || s.app.json {
		return
	}
	s.asked = true
	var sale terminal.Sale // where it cannot be had, a signature is asked about
	if err := s.client.get(ctx, "/v1/sales/"+s.id.String(), &sale); err != nil {
		s.app.tell("The sale's record could not be fetched: " + err.Error())
	}
	if signs(sale) {
		slip, err := s.client.raw(ctx, requestLimit, "GET", "/v1/sales/"+s.id.String()+"/receipt?copy=merchant&format=text&lang=en&original=true", nil)
		if err != nil {
			s.app.tell("The slip to sign on could not be fetched: " + err.Error())
		} else {
			s.app.printf("%s", slip)
		}
	}
	question, elsewhere := s.question(sale)
	s.ask(ctx, question, elsewhere, "/agreement", func(yes bool) any { return agreementAnswer{yes} })
}

// confirm asks whether the same card is meant to pay the same again, once a sale.
func (s *selling) confirm(ctx context.Context) {
	if s.warned || s.app.json {
		return
	}
	s.warned = true
	s.ask(ctx, "Is it meant to pay again? [y/n] ", fmt.Sprintf("Say whether it is meant to pay again: pos confirm %s yes, or pos confirm %s no.", s.id, s.id),
		"/confirmation", func(yes bool) any { return confirmAnswer{yes} })
}

// ask has a question answered at the terminal, or says how it is answered from elsewhere.
func (s *selling) ask(ctx context.Context, question, elsewhere, path string, word func(yes bool) any) {
	f, ok := s.app.in.(*os.File)
	if ok {
		_, err := unix.IoctlGetTermios(int(f.Fd()), getTermios) //nolint:gosec // a descriptor is small
		ok = err == nil
	}
	if !ok {
		s.app.tell(elsewhere)
		return
	}
	s.hush()
	s.entry.Wait()
	ctx, s.quiet = context.WithCancel(ctx)
	s.entry.Go(func() { s.askHere(ctx, f, question, path, word) })
}

// hush ends a question that nobody waits for any more: it was answered elsewhere, or its time is over.
func (s *selling) hush() {
	if s.quiet != nil {
		s.quiet()
		s.quiet = nil
	}
}

// signs says that the running sale waits for a signature, alone or with something else.
func signs(sale terminal.Sale) bool { return sale.Signature || sale.Approved.Minor == 0 }

// question is what the cashier is asked, and how it is answered from elsewhere.
func (s *selling) question(sale terminal.Sale) (question, elsewhere string) {
	if sale.Approved.Minor == 0 {
		return "Signature matches? [y/n] ", fmt.Sprintf("Say whether it matches: pos signature %s matches, or pos signature %s differs.", s.id, s.id)
	}
	rest := money.New(sale.Amount.Minor-sale.Approved.Minor, sale.Amount.Currency).Format()
	question = fmt.Sprintf("The bank approved only %s of %s. Does the customer pay the other %s in another way", sale.Approved.Format(), sale.Amount.Format(), rest)
	if sale.Signature {
		question += ", and does the signature match"
	}
	return question + "? [y/n] ", fmt.Sprintf("The bank approved only %s of %s. Say whether the customer pays the other %s in another way: pos agree %s yes, or pos agree %s no.",
		sale.Approved.Format(), sale.Amount.Format(), rest, s.id, s.id)
}

// askHere asks at the terminal until there is a plain answer or the sale is over. What was typed before the question
// is no answer to it.
func (s *selling) askHere(ctx context.Context, f *os.File, question, path string, word func(yes bool) any) {
	for {
		if _, more := typed(f, 0); !more {
			break
		}
	}
	fmt.Fprint(s.app.errOut, question)
	var line string
	for ctx.Err() == nil {
		text, _ := typed(f, keyPoll)
		line += text
		said, rest, whole := strings.Cut(line, "\n")
		if !whole {
			continue
		}
		line = rest
		yes := false
		switch strings.ToLower(strings.TrimSpace(said)) {
		case "y", "yes":
			yes = true
		case "n", "no":
		default:
			fmt.Fprint(s.app.errOut, "Type y or n. "+question)
			continue
		}
		var snap terminal.Snapshot
		if err := s.client.post(ctx, "/v1/sales/"+s.id.String()+path, word(yes), &snap); err != nil && ctx.Err() == nil {
			s.app.tell("The answer was not taken: " + err.Error())
		}
		return
	}
}

// typed is what was typed within so many milliseconds; ok is false when nothing was.
func typed(f *os.File, wait int) (text string, ok bool) {
	fd := int(f.Fd())                                          //nolint:gosec // a descriptor is small
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // as above
	if n, err := unix.Poll(fds, wait); n == 0 || err != nil {
		return "", false
	}
	b := make([]byte, 64)
	n, err := unix.Read(fd, b)
	if n <= 0 || err != nil && !errors.Is(err, unix.EINTR) {
		return "", false
	}
	return string(b[:n]), true
}
