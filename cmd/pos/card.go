package main

import "github.com/spf13/cobra"

func (a *app) card() *cobra.Command {
	return group("card", "Run the card kernel against a recorded or emulated card")
}
