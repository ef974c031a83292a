package main

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"tillway/terminal/people"
	"tillway/till"
)

func (a *app) login() *cobra.Command {
	return &cobra.Command{
		Use: "login NAME", Short: "Log in; the secret is asked for", Args: args("NAME"),
		Long: `login asks for NAME's secret, without showing it, or reads it as a line of standard input. It is never an argument. The session
is kept in a file of yours (TILLWAY_SESSION, else the runtime or the home folder) and ends with pos logout, after the
profile's times, or when the daemon stops. Five wrong secrets in a row lock the name.`,
		RunE: func(c *cobra.Command, argv []string) error {
			secret, err := a.hidden("Secret of " + argv[0] + ": ")
			if err != nil {
				return usage("%w", err)
			}
			defer clear(secret)
			cl := a.client()
			defer cl.close()
			var in till.LoggedIn
			if err := cl.post(c.Context(), "/v1/login", till.Credentials{Name: argv[0], Secret: string(secret)}, &in); err != nil {
				return err
			}
			if err := a.keepSession(session{cl.socket, in.Name, in.Token}); err != nil {
				return err
			}
			if a.json {
				in.Token = "" // it is in the file, and in no log
				return a.printJSON(in)
			}
			a.printf("Logged in as %s, %s. The session ends after %s without a command.\n", in.Name, in.Role, in.Idle)
			return nil
		},
	}
}

func (a *app) logout() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "End the session", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			var out struct {
				Name string `json:"name"`
			}
			err := cl.post(c.Context(), "/v1/logout", nil, &out)
			if p, ok := errors.AsType[*till.Problem](err); ok && p.Code == "log_in" {
				err = nil // it had ended by itself
			}
			if err := errors.Join(err, a.dropSession()); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			a.printf("Logged out.\n")
			return nil
		},
	}
}

func (a *app) users() *cobra.Command {
	return group("users", "Who may use the terminal: make, list, lock and change people",
		a.usersInit(), a.usersAdd(), a.usersList(),
		a.usersChange("lock NAME", "Lock somebody out", till.Change{Lock: new(true)}),
		a.usersChange("unlock NAME", "Let somebody in again, also after five wrong secrets", till.Change{Lock: new(false)}),
		a.usersRole(), a.usersSecret())
}

func (a *app) usersInit() *cobra.Command {
	return &cobra.Command{
		Use: "init NAME", Short: "Make the first administrator, and log in; once, when the terminal is set up", Args: args("NAME"),
		RunE: func(c *cobra.Command, argv []string) error {
			in := till.Credentials{Name: argv[0]}
			if err := a.makeUser(c, "/v1/users/init", &in); err != nil {
				return err
			}
			return a.firstLogin(c.Context(), in)
		},
	}
}

func (a *app) usersAdd() *cobra.Command {
	return &cobra.Command{
		Use: "add NAME ROLE", Short: "Add a cashier, supervisor, technician or administrator", Args: args("NAME", "ROLE"),
		Long: `add makes somebody and asks for their first secret: at least six characters for a cashier, twelve with letters and digits for
everybody else. They change it with pos users secret.`,
		RunE: func(c *cobra.Command, argv []string) error {
			role, err := people.ParseRole(argv[1])
			if err != nil {
				return usage("%w", err)
			}
			return a.makeUser(c, "/v1/users", &till.Credentials{Name: argv[0], Role: role})
		},
	}
}

func (a *app) makeUser(c *cobra.Command, path string, in *till.Credentials) error {
	if err := people.CheckName(in.Name); err != nil {
		return usage("%w", err)
	}
	secret, err := a.newSecret(in.Name)
	if err != nil {
		return usage("%w", err)
	}
	defer clear(secret)
	in.Secret = string(secret)
	return a.sendUser(c, path, *in)
}

// firstLogin logs in who has just given the first secret.
func (a *app) firstLogin(ctx context.Context, who till.Credentials) error {
	cl := a.client()
	defer cl.close()
	var in till.LoggedIn
	if err := cl.post(ctx, "/v1/login", till.Credentials{Name: who.Name, Secret: who.Secret}, &in); err != nil {
		return err
	}
	return a.keepSession(session{cl.socket, in.Name, in.Token})
}

// sendUser asks for a change and prints the person as they are now.
func (a *app) sendUser(c *cobra.Command, path string, body any) error {
	cl := a.client()
	defer cl.close()
	var u till.User
	if err := cl.post(c.Context(), path, body, &u); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(u)
	}
	a.printUser(u)
	return nil
}

func (a *app) printUser(u till.User) {
	state := ""
	if u.Locked {
		state = "  LOCKED"
	}
	seen := "never"
	if !u.Seen.IsZero() {
		seen = u.Seen.Format(clockLayout)
	}
	a.printf("%-32s  %-13s  last log-in %-19s  changed %s%s\n", oneLine(u.Name), u.Role, seen, u.Changed.Format(time.DateOnly), state)
}

func (a *app) usersList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List everybody", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			var all till.Users
			if err := cl.get(c.Context(), "/v1/users", &all); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(all)
			}
			for _, u := range all.Users {
				a.printUser(u)
			}
			return nil
		},
	}
}

func (a *app) usersChange(use, short string, change till.Change) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args("NAME"),
		RunE: func(c *cobra.Command, argv []string) error {
			return a.sendUser(c, "/v1/users/"+url.PathEscape(argv[0]), change)
		},
	}
}

func (a *app) usersRole() *cobra.Command {
	return &cobra.Command{
		Use: "role NAME ROLE", Short: "Give somebody another role", Args: args("NAME", "ROLE"),
		RunE: func(c *cobra.Command, argv []string) error {
			role, err := people.ParseRole(argv[1])
			if err != nil {
				return usage("%w", err)
			}
			return a.sendUser(c, "/v1/users/"+url.PathEscape(argv[0]), till.Change{Role: &role})
		},
	}
}

func (a *app) usersSecret() *cobra.Command {
	var own bool
	c := &cobra.Command{
		Use: "secret NAME", Short: "Give somebody another secret; --own for yours", Args: args("NAME"),
		Long: `secret gives somebody another secret, which an administrator may do for everybody. With --own you change yours: the old one is
asked for first, and counts like a log-in. Either way NAME's sessions end.`,
		RunE: func(c *cobra.Command, argv []string) error {
			var old []byte
			if own {
				var err error
				if old, err = a.hidden("Old secret: "); err != nil {
					return usage("%w", err)
				}
				defer clear(old)
			}
			secret, err := a.newSecret(argv[0])
			if err != nil {
				return usage("%w", err)
			}
			defer clear(secret)
			text := string(secret)
			if own {
				return a.sendUser(c, "/v1/secret", till.NewSecret{Old: string(old), New: text})
			}
			return a.sendUser(c, "/v1/users/"+url.PathEscape(argv[0]), till.Change{Secret: &text})
		},
	}
	c.Flags().BoolVar(&own, "own", false, "change your own secret: the old one is asked for")
	return c
}
