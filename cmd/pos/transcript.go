package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tillway/device/transcript"
)

func (a *app) transcript() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "transcript ID", Short: "Print what terminal and card said to each other in a sale", Args: args("ID"),
		Long: `transcript prints a sale's transcript as the daemon keeps it: the exchanges with the card, and beside them kernel,
parameters, random numbers, the issuer's answer and the outcome. Of a test card it is complete, and
  pos transcript 1042 --out session.json; pos card run session.json
repeats the transaction from the file alone. Of every other card it is masked, says so, and cannot be replayed: no customer's card leaves
the shop. To have a replayable one, repeat the sale with a published test card on a terminal with development = true and
[transcripts] test_cards = "complete". [transcripts] in posd.toml says how many are kept. What is there already is not written over.`,
		RunE: func(c *cobra.Command, argv []string) error {
			path, err := salePath(argv[0], "/transcript")
			if err != nil {
				return err
			}
			cl := a.client()
			defer cl.close()
			body, err := cl.raw(c.Context(), requestLimit, "GET", path, nil)
			if err != nil {
				return err
			}
			if out == "" {
				a.printf("%s", body)
				return nil
			}
			return a.keepTranscript(out, body)
		},
	}
	c.Flags().StringVar(&out, "out", "", "write it to this file, which is not there yet")
	return c
}

// keptTranscript is what pos transcript --out --json prints.
type keptTranscript struct {
	File   string `json:"file"`
	Replay bool   `json:"replay"` // pos card run repeats it
}

func (a *app) keepTranscript(out string, body []byte) error {
	f, err := os.OpenFile(filepath.Clean(out), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usage("%s is there already: name another file", out)
	}
	if err != nil {
		return usage("%w", err)
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Close()); err != nil {
		return usage("%w", err)
	}
	_, err = transcript.Read(bytes.NewReader(body))
	if a.json {
		return a.printJSON(keptTranscript{out, err == nil})
	}
	switch {
	case errors.Is(err, transcript.ErrMasked):
		a.printf("%s: masked, since the card is none of the published test cards, or they are not kept whole here: it cannot be replayed\n", out)
	case err != nil:
		a.printf("%s: this program cannot replay it: %v\n", out, err)
	default:
		a.printf("%s: complete: pos card run %s repeats it\n", out, out)
	}
	return nil
}
