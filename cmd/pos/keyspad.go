package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tillway/device/secure"
)

// padLoaded is how far the loading of a PIN pad's key is, for programs.
type padLoaded struct {
	Have        int    `json:"have"` // people who have brought the block
	Of          int    `json:"of"`
	KSN         string `json:"ksn"`             // the key's first serial number
	Fingerprint string `json:"fingerprint"`     // of the key block
	Check       string `json:"check,omitempty"` // of the key in the pad, once it has taken it
}

func (a *app) keysPad() *cobra.Command {
	var holder, check string
	c := &cobra.Command{
		Use: "pad FILE", Short: "Load the key that the PIN pad enciphers PINs with, two people together", Args: args("FILE"),
		Long: `pad gives the PIN pad its own key for PINs: a key block (X9.143, usage B1 with its serial number) in FILE, or on standard input for -, made
under the transport key that the pad got from its maker or injector. Neither this terminal nor keyd can open it.

Two people run it with the same file, each logged in, within 15 minutes. The first sees the block's fingerprint and serial number; nothing
reaches the pad yet. After the second, the pad takes the key whole, or refuses and keeps the one it has; its check value is printed, and
compared with --check where that is given. pos keys abort pinpad forgets what the first has brought.`,
		Example: "  pos login amina && pos keys pad pad.tr31\n  pos login badr && pos keys pad pad.tr31 --check 5B2C9A",
		RunE: func(c *cobra.Command, argv []string) error {
			block, err := a.keyBlock(argv[0])
			if err != nil {
				return usage("%w", err)
			}
			return a.loadKeys(c.Context(), func(m *secure.Client, person string) error {
				if person != "" {
					holder = person
				}
				if holder == "" {
					return usage("say who you are: log in (pos login NAME), or give --holder")
				}
				l, err := m.LoadPad(c.Context(), secure.PadKey{Holder: holder, Block: block})
				if err != nil {
					return err
				}
				return a.showPadLoaded(l, check)
			})
		},
	}
	c.Flags().StringVar(&holder, "holder", "", "name of the person, where nobody is logged in; who is logged in is the holder")
	c.Flags().StringVar(&check, "check", "", "the key's check value on your sheet")
	return c
}

// showPadLoaded says how far it is, and holds the pad's check value to the sheet's.
func (a *app) showPadLoaded(l secure.PadLoaded, check string) error {
	done := l.Check != ""
	if a.json {
		if err := a.printJSON(padLoaded{l.Have, l.Of, fmt.Sprintf("%X", l.KSN), l.Fingerprint, string(l.Check)}); err != nil {
			return err
		}
	} else {
		a.printf("Key block %s, serial number %X.\n", l.Fingerprint, l.KSN)
		if done {
			a.printf("The PIN pad has taken the key, check value %s.\n", l.Check)
		} else {
			a.printf("%d of %d people have brought it; nothing reaches the pad unless another does within 15 minutes.\n", l.Have, l.Of)
		}
	}
	if done && check != "" && (len(check) < 4 || !strings.HasPrefix(strings.ToUpper(string(l.Check)), strings.ToUpper(check))) {
		return usage("the pad's check value is %s, and your sheet has %s: it is another key; do not take PINs with it, and load the right one", l.Check, check)
	}
	return nil
}
