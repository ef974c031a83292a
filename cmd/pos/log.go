package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillway/till"
	"tillway/till/logbook"
)

func (a *app) log() *cobra.Command {
	var hold time.Duration
	var area string
	c := &cobra.Command{
		Use: "log [LEVEL]", Short: "Show at which level the daemon logs, or set another for a while",
		Long: `log shows at which level the daemon writes its log: debug, info, warn or error. With a LEVEL it sets one, for all or with --area for
one part of the terminal, and says until when it holds; then it falls back by itself to [log] level of posd.toml, as it does when the daemon
is started again. "pos log config" takes back at once whatever was set.

The areas are ` + strings.Join(logbook.Areas(), ", ") + `. It takes the action support (a technician's), and the audit log says
who set what. Card numbers, tracks, keys and PINs are in the log at no level.`,
		Example: "  pos log\n  pos log debug --area host --for 10m\n  pos log config",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, argv []string) error {
			var state till.LogState
			cl := a.client()
			defer cl.close()
			var err error
			switch {
			case len(argv) == 0 && (c.Flags().Changed("for") || area != ""):
				return usage("--for and --area go with a level: pos log debug --for 10m")
			case len(argv) == 0:
				err = cl.get(c.Context(), "/v1/log", &state)
			default:
				in := till.LogLevel{Level: argv[0], Area: area}
				if argv[0] != "config" {
					if hold < time.Second || hold > logbook.LongestFor || hold%time.Second != 0 {
						return usage("--for %s: whole seconds, at most 24h", hold)
					}
					in.Seconds = int(hold / time.Second)
				}
				err = cl.post(c.Context(), "/v1/log", in, &state)
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(state)
			}
			a.printLog(state)
			return nil
		},
	}
	c.Flags().DurationVar(&hold, "for", logbook.DefaultFor, "how long it holds, at most 24h")
	c.Flags().StringVar(&area, "area", "", "one area alone: "+strings.Join(logbook.Areas(), ", "))
	return c
}

func (a *app) printLog(s till.LogState) {
	a.printf("Config    %s\n", oneLine(s.Level))
	for _, one := range s.Areas {
		a.printf("%-9s %s\n", oneLine(one.Area), oneLine(one.Level))
	}
	for _, one := range s.Set {
		of := "everything"
		if one.Area != "" {
			of = one.Area
		}
		a.printf("%s is at %s until %s\n", oneLine(of), oneLine(one.Level), one.Until.Format(clockLayout))
	}
}
