package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"tillway/terminal"
)

// A signature is compared by a person, and nobody else says that it matches: pos prints the slip to sign on and takes the
// word, at the sale or by a command of its own.

type signatureAnswer struct {
	Matches bool `json:"matches"`
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
			cl := a.client()
			defer cl.close()
			var snap terminal.Snapshot
			if err := cl.post(c.Context(), path, answer, &snap); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(snap)
			}
			a.printf("Taken; the outcome is the sale's: pos show %s\n", argv[0])
			return nil
		},
	}
}

// sign prints the slip, once, and asks for the word where somebody can give it.
func (s *selling) sign(ctx context.Context) {
	if s.signing || s.app.json {
		return
	}
	s.signing = true
	slip, err := s.client.raw(ctx, requestLimit, "GET", "/v1/sales/"+s.id.String()+"/receipt?copy=merchant&format=text&original=true", nil)
	if err != nil {
		s.app.tell("The slip to sign on could not be fetched: " + err.Error())
	} else {
		s.app.printf("%s", slip)
	}
	f, ok := s.app.in.(*os.File)
	if ok {
		_, err = unix.IoctlGetTermios(int(f.Fd()), getTermios) //nolint:gosec // a descriptor is small
	}
	if !ok || err != nil {
		s.app.tell(fmt.Sprintf("Say whether it matches: pos signature %s matches, or pos signature %s differs.", s.id, s.id))
		return
	}
	s.entry.Go(func() { s.askSignature(ctx, f) })
}

// askSignature asks at the terminal until there is a plain answer or the sale is over. What was typed before the question
// is no answer to it.
func (s *selling) askSignature(ctx context.Context, f *os.File) {
	for {
		if _, more := typed(f, 0); !more {
			break
		}
	}
	const question = "Signature matches? [y/n] "
	fmt.Fprint(s.app.errOut, question)
	var line string
	for ctx.Err() == nil {
		text, _ := typed(f, keyPoll)
		line += text
		word, rest, whole := strings.Cut(line, "\n")
		if !whole {
			continue
		}
		line = rest
		var answer signatureAnswer
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "y", "yes":
			answer.Matches = true
		case "n", "no":
		default:
			fmt.Fprint(s.app.errOut, "Type y or n. "+question)
			continue
		}
		var snap terminal.Snapshot
		if err := s.client.post(ctx, "/v1/sales/"+s.id.String()+"/signature", answer, &snap); err != nil && ctx.Err() == nil {
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
