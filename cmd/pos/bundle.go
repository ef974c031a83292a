package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"tillway/terminal"
	"tillway/terminal/receipt"
	"tillway/till"
)

// bundled is what pos bundle prints: everything that a certifier asks for after a test case.
type bundled struct {
	Sale       terminal.Sale     `json:"sale"`
	Why        till.Why          `json:"why"`
	Messages   []till.Message    `json:"messages"`
	Transcript json.RawMessage   `json:"transcript,omitempty"` // what terminal and card said, as pos transcript prints it
	Receipts   map[string]string `json:"receipts"`             // by copy, as text
	Missing    []string          `json:"missing,omitempty"`    // what there is none of, and why
}

func (a *app) bundle() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "bundle CASE...", Short: "Put sales together with card log, host messages and receipts, for a certifier",
		Long: `bundle prints, as one JSON object, all that the terminal knows of one sale: its record, why it ended so, the messages between
terminal and host (masked as pos decode iso8583 masks them), what terminal and card said to each other (pos transcript), and both
receipts. The messages are remembered from the daemon's start on, the last thousand; [transcripts] keep = 0 turns both off.

With --out it writes the same of each CASE into a folder, or into a zip where the name ends so: index.html for people to read, and for each
case the card log, the messages field by field in both directions, the journal's rows, why it ended so, and both receipts as text and as
a picture. A CASE is a sale's number, or NAME=NUMBER with the test plan's name for it. What is there already is not written over.`,
		Example: "  pos bundle 1042 > case-17.json\n  pos bundle 17.1=1042 17.2=1043 --out acquirer-tests.zip",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, argv []string) error {
			if out != "" {
				return a.writeCases(c, argv, out)
			}
			if len(argv) > 1 {
				return usage("more than one case takes --out: a folder, or a file that ends with .zip")
			}
			_, id, _, err := readCase(argv[0])
			if err != nil {
				return err
			}
			got, err := a.gather(c, id)
			if err != nil {
				return err
			}
			return a.printJSON(got)
		},
	}
	c.Flags().StringVar(&out, "out", "", "a folder that is not there yet, or a file that ends with .zip")
	return c
}

// gather asks for the parts. The sale's record has to be there; of the others it says why they are not.
func (a *app) gather(c *cobra.Command, id string) (out bundled, err error) {
	path, err := salePath(id, "")
	if err != nil {
		return out, err
	}
	cl := a.client()
	defer cl.close()
	var said till.SaleMessages
	for _, part := range []struct {
		rest string
		into any
	}{{"", &out.Sale}, {"/why", &out.Why}, {"/messages", &said}} {
		if err := cl.get(c.Context(), path+part.rest, part.into); err != nil {
			return out, err
		}
	}
	out.Messages, out.Receipts = said.Messages, map[string]string{}
	missing := func(what string, err error) { out.Missing = append(out.Missing, fmt.Sprintf("%s: %v", what, err)) }
	asked := slices.ContainsFunc(out.Why.Steps, func(s till.Step) bool {
		return s.Kind == terminal.DebtEntry || s.To == string(terminal.Sending) || s.To == string(terminal.Asking)
	})
	if asked && len(said.Messages) == 0 {
		out.Missing = append(out.Missing, "messages: none went to the host since the daemon started, or none are remembered")
	}
	if text, err := cl.raw(c.Context(), requestLimit, "GET", path+"/transcript", nil); err != nil {
		missing("transcript", err)
	} else {
		out.Transcript = text
	}
	for _, of := range []receipt.Copy{receipt.Customer, receipt.Merchant} {
		q := url.Values{"copy": {string(of)}, "format": {"text"}, "lang": {"en"}, "width": {strconv.Itoa(receipt.DefaultWidth)}, "original": {"true"}}
		text, err := cl.raw(c.Context(), requestLimit, "GET", path+"/receipt?"+q.Encode(), nil)
		if err != nil {
			missing(string(of)+" receipt", err)
			continue
		}
		out.Receipts[string(of)] = string(text)
	}
	return out, nil
}
