package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillway/till"
)

// hostTestLimit is longer than any test of a few addresses.
const hostTestLimit = 3 * time.Minute

func (a *app) host() *cobra.Command {
	test := &cobra.Command{
		Use: "test", Short: "Try every address of the acquirer: connect, sign on, echo", Args: args(),
		Long: `test has the terminal connect to each address of its acquirer in turn, sign on there and send an echo test (0800, or 1804 in ISO 8583:1993), on
a connection made for that, and prints how long each step took, or what is wrong and what to do. It runs between two sales only, and
moves no money. Sales that come meanwhile wait for the address that is being tried.

Exit status: 0 where a sale can reach the bank, 1 where it cannot. A standby that does not answer is a warning.`,
		Example: "  pos host test\n  pos host test --json",
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			t, err := testHost(c.Context(), cl)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(t)
			} else {
				for _, line := range hostLines(t) {
					a.printf("%s\n", line)
				}
			}
			if err == nil && !reaches(t) {
				return &exit{code: exitDeclined}
			}
			return err
		},
	}
	return group("host", "The acquirer's host: whether it can be reached", test)
}

// testHost asks the terminal to try every address.
func testHost(ctx context.Context, cl *client) (t till.HostTest, err error) {
	return t, cl.call(ctx, hostTestLimit, http.MethodPost, "/v1/host/test", nil, &t)
}

// reaches says that a sale can reach the bank: one address answers at least.
func reaches(t till.HostTest) bool {
	for _, h := range t.Hosts {
		if h.Status == till.HostAnswers {
			return true
		}
	}
	return false
}

// hostLines is a test for people: a line an address, and under one that is not right what to do.
func hostLines(t till.HostTest) []string {
	var lines []string
	for _, h := range t.Hosts {
		head := fmt.Sprintf("%s at %s", oneLine(t.Acquirer), oneLine(h.Address))
		if h.Status == till.HostAnswers {
			lines = append(lines, fmt.Sprintf("ok       %s: %s", head, roundTrips(h)))
			continue
		}
		word := "FAULT  "
		if h.Status == till.HostWarning {
			word = "WARNING"
		}
		lines = append(lines, fmt.Sprintf("%s  %s: %s (%s)", word, head, oneLine(h.Cause), h.Fault), "         "+oneLine(h.Fix))
	}
	return lines
}

// roundTrips is how long each step took.
func roundTrips(h till.HostTested) string {
	var words []string
	for _, s := range []struct {
		name string
		ms   int64
	}{{"connect", h.Connect}, {"sign-on", h.SignOn}, {"echo", h.Echo}} {
		if s.ms > 0 {
			words = append(words, fmt.Sprintf("%s %d ms", s.name, s.ms))
		}
	}
	return strings.Join(words, ", ")
}
