package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tillway/device/emulator"
)

// readyCard is one line of card list.
type readyCard struct {
	Name string `json:"name"`
	Note string `json:"note"`
}

func (a *app) cardList() *cobra.Command {
	return &cobra.Command{
		Use:   "list [NAME]",
		Short: "List the ready test cards, or write one's profile to start your own from",
		Long: `list names the ready cards of the emulator, for card run and for readeremu. With a NAME it writes that card's profile, a
TOML file. A file of your own may say like = "NAME" and only what is to be otherwise.`,
		Example: "  pos card list\n  pos card list oda-cda",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, argv []string) error {
			if len(argv) == 1 {
				text, err := emulator.ReadyText(argv[0])
				if err != nil {
					return usage("%q is no ready card: pos card list names them", argv[0])
				}
				_, err = a.out.Write(text)
				return err
			}
			return a.listCards()
		},
	}
}

func (a *app) listCards() error {
	var list []readyCard
	for _, name := range emulator.ReadyNames() {
		p, err := emulator.Ready(name)
		if err != nil {
			return fmt.Errorf("card %s: %w", name, err)
		}
		list = append(list, readyCard{name, p.Note})
	}
	if a.json {
		return a.printJSON(list)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, c := range list {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", c.Name, c.Note)
	}
	return w.Flush()
}

func (a *app) cardKeys() *cobra.Command {
	return &cobra.Command{
		Use:   "capk",
		Short: "Write the key file of the ready cards' certification authorities",
		Long: `capk writes the CA public keys that the ready test cards' certificates come from, as a key file (JSON) for card run --capk
and for a development terminal. Their private halves are public: a terminal that takes real cards must not have them.`,
		Example: "  pos card capk > capk.json\n  pos card run oda-cda --capk capk.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(emulator.AuthorityKeys())
			return err
		},
	}
}
