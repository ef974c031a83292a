package main

import "github.com/spf13/cobra"

// shortSumDigits is how much of a checksum stands in a line of the status.
const shortSumDigits = 16

func shortSum(sum string) string { return sum[:min(len(sum), shortSumDigits)] }

func (a *app) reports() *cobra.Command {
	var drawn papers
	kernel := &cobra.Command{
		Use: "kernel", Short: "Print version and checksum of the card kernel, as a receipt of its own", Args: args(),
		Long: `kernel prints which card kernel the daemon runs, with its version and checksum, as a receipt of its own.

The checksum is the SHA-256 over a list of the kernel's source files with theirs. In the source of the same release it
is computed again with
  ls emv/*.go emv/contact/*.go emv/oda/*.go emv/tlv/*.go money/*.go | grep -v _test.go | LC_ALL=C sort | xargs sha256sum | sha256sum`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := drawn.check(a, c); err != nil {
				return err
			}
			cl := a.client()
			defer cl.close()
			return a.drawPaper(c.Context(), cl, "/v1/kernel", nil, &drawn)
		},
	}
	drawn.flags(kernel)
	x := a.batchReport("x", "Print what the open batch holds", `x prints the X report: what the batch holds that sales go into, a block for each card scheme. It changes nothing and sends nothing.`)
	z := a.batchReport("z", "Print what a settled batch held", `z prints the Z report: what a batch held when its totals were sent, and how the bank answered. Without --batch it is the last that was
closed. It may be printed as often as wanted.`)
	return group("report", "Print a report of the terminal", kernel, x, z)
}
