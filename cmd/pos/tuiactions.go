package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"tillway/till"
)

// action is what one key does at a part; the label says it, and which command it is.
type action struct {
	key, label, command string
	do                  func(*guideModel) tea.Cmd
}

// actionsOf are a part's, the most wanted first.
func actionsOf(part string) []action {
	shows := func(line ...string) func(*guideModel) tea.Cmd {
		return func(m *guideModel) tea.Cmd { return m.shows(line...) }
	}
	talks := func(do func(*guided) error) func(*guideModel) tea.Cmd {
		return func(m *guideModel) tea.Cmd { return m.talks(func() error { return do(m.g) }) }
	}
	return map[string][]action{
		partPeople: {
			{"enter", "Log in", "pos login NAME", talks((*guided).logIn)},
			{"i", "Make the first administrator", "pos users init NAME", talks((*guided).firstPerson)},
			{"n", "Add somebody", "pos users add NAME ROLE", talks((*guided).addPerson)},
		},
		partDevices: {
			{"enter", "List readers", "pos readers", shows("readers")},
			{"p", "List printers", "pos printers", shows("printers")},
			{"d", "PIN pad and secure module", "pos keys status", shows("keys", "status")},
		},
		partParameters: {
			{"enter", "Apply a package", "pos provision apply FILE", (*guideModel).askPackage},
			{"s", "How they stand", "pos provision status", shows("provision", "status")},
			{"w", "Go back to the package before", "pos provision rollback", talks(func(g *guided) error { return g.command("provision", "rollback") })},
		},
		partKeys: {
			{"enter", "Load components, each by its holder", "pos keys component", talks((*guided).components)},
			{"i", "Load a key block", "pos keys import", talks((*guided).keyBlock)},
			{"s", "Keys and their check values", "pos keys status", shows("keys", "status")},
		},
		partBank: {
			{"enter", "Test every address", "pos host test", shows("host", "test")},
			{"s", "Send what waits", "pos queue send", shows("queue", "send")},
		},
		partSale: {{"enter", "Sell a small amount, and take it back", "pos setup sale", talks((*guided).testSale)}},
		partPaper: {
			{"enter", "Print a test page", "pos print test", shows("print", "test")},
			{"s", "How the printer is", "pos printer status", shows("printer", "status")},
		},
		partSelftest: {{"enter", "Have the terminal test itself", "pos selftest", shows("selftest")}},
		partHandOver: {
			{"enter", "Show the page", "pos setup summary", shows("setup", "summary")},
			{"w", "Write it to a file", "pos setup summary --out FILE", (*guideModel).askPage},
		},
	}[part]
}

// askPackage asks for the file of a parameter package, and proposes one that lies on a stick.
func (m *guideModel) askPackage() tea.Cmd {
	m.field = &field{label: "Package (file or https address)", value: onSticks(os.DirFS("/")), done: func(m *guideModel, file string) tea.Cmd {
		return m.talks(func() error {
			return errors.Join(m.g.command("provision", "check", file), m.g.command("provision", "apply", file))
		})
	}}
	return nil
}

// onSticks is the first package on a mounted stick, or nothing.
func onSticks(root fs.FS) string {
	for _, pattern := range []string{"media/*.tillway", "media/*/*.tillway", "media/*/*/*.tillway", "run/media/*/*/*.tillway", "mnt/*.tillway", "mnt/*/*.tillway"} {
		if found, err := fs.Glob(root, pattern); err == nil && len(found) > 0 {
			return "/" + found[0]
		}
	}
	return ""
}

func (m *guideModel) askPage() tea.Cmd {
	m.field = &field{label: "File for the page", value: filepath.Join(m.g.app.env("HOME"), "handover.txt"), done: func(m *guideModel, file string) tea.Cmd {
		return m.shows("setup", "summary", "--out", file)
	}}
	return nil
}

// command runs a command of pos on the terminal itself.
func (g *guided) command(line ...string) error {
	fmt.Fprintf(g.app.errOut, "\n$ pos %s\n", strings.Join(line, " "))
	code := run(context.Background(), g.app, append(line, g.flags(line)...))
	if code != exitDone {
		return &exit{code: code}
	}
	return nil
}

// line asks for a line that may be seen.
func (g *guided) line(prompt string) (string, error) {
	text, err := g.app.visible(prompt)
	return strings.TrimSpace(string(text)), err
}

// name asks for a person's name.
func (g *guided) name(prompt string) (string, error) {
	name, err := g.line(prompt)
	if errors.Is(err, errNoSecret) {
		return "", errors.New("nobody was named: nothing was done")
	}
	return name, err
}

// says shows an error of a conversation, once.
func (g *guided) says(err error) error {
	if e, ok := errors.AsType[*exit](err); err != nil && (!ok || e.err != nil) {
		fmt.Fprintln(g.app.errOut, err)
	}
	return err
}

func (g *guided) logIn() error {
	name, err := g.name("Name: ")
	if err != nil {
		return g.says(err)
	}
	return g.command("login", name)
}

func (g *guided) firstPerson() error {
	name, err := g.name("Name of the first administrator: ")
	if err != nil {
		return g.says(err)
	}
	if err := g.command("users", "init", name); err != nil {
		return err
	}
	return g.command("login", name)
}

func (g *guided) addPerson() error {
	name, err := g.name("Name: ")
	if err != nil {
		return g.says(err)
	}
	role, err := g.name("Role (cashier, supervisor, technician, administrator): ")
	if err != nil {
		return g.says(err)
	}
	return g.command("users", "add", name, role)
}

func (g *guided) testSale() error { return g.command("setup", "sale") }

// acquirerName is the acquirer whose keys are loaded.
func (g *guided) acquirerName() (string, error) {
	cl := g.app.client()
	defer cl.close()
	var st till.Status
	if err := cl.get(context.Background(), "/v1/status", &st); err != nil {
		return "", err
	}
	if name := st.Snapshot.Host.Name; name != "" {
		return name, nil
	}
	return "acquirer", nil
}

// components loads a key-encrypting key under dual control: each holder logs in, types their component unseen, and compares its check value.
// Anything that is not whole in the end is forgotten.
func (g *guided) components() (err error) {
	acquirer, err := g.acquirerName()
	if err != nil {
		return g.says(err)
	}
	fmt.Fprintf(g.app.errOut, "Key-encrypting key of %s, by the components of two or three people.\nEach logs in with a name of their own, and nobody sees what another types.\n\n", acquirer)
	text, err := g.line("Of how many components is it (2 or 3)? ")
	of, aerr := strconv.Atoi(text)
	if err != nil || aerr != nil || of < 2 || of > 3 {
		return g.says(errors.New("nothing was done: a key has 2 or 3 components"))
	}
	defer func() {
		if err != nil && g.acquirer != "" {
			_ = g.command("keys", "abort", acquirer)
			g.acquirer = ""
		}
	}()
	var holders []string
	for n := 1; n <= of; n++ {
		name, err := g.holder(n, of, holders)
		if err != nil {
			return err
		}
		holders = append(holders, name)
		g.acquirer = acquirer
		if err := g.command("keys", "component", acquirer, strconv.Itoa(n), strconv.Itoa(of)); err != nil {
			return err
		}
		if err := g.agrees(n, of); err != nil {
			return g.says(err)
		}
	}
	g.acquirer = ""
	return nil
}

// holder logs the holder of one component in, and whoever was logged in before out.
func (g *guided) holder(n, of int, before []string) (string, error) {
	name, err := g.name(fmt.Sprintf("\nName of the holder of component %d of %d: ", n, of))
	if err == nil && slices.Contains(before, name) {
		err = fmt.Errorf("%s has entered a component already: every component needs a holder of its own", name)
	}
	if err != nil {
		return "", g.says(err)
	}
	earlier, _ := g.app.readSession(g.socket) // without one there is nobody to log out
	if err := g.command("login", name); err != nil {
		return "", err
	}
	if earlier.Token != "" {
		cl := g.app.client()
		defer cl.close()
		cl.session = func() (session, error) { return earlier, nil }
		var out struct{}
		_ = cl.post(context.Background(), "/v1/logout", nil, &out) // it ends by itself otherwise
	}
	return name, nil
}

// agrees asks for the comparison that makes a component good.
func (g *guided) agrees(n, of int) error {
	what := fmt.Sprintf("Component %d: is that the check value on its sheet", n)
	if n == of {
		what = fmt.Sprintf("Component %d and the key: are both check values the sheets'", n)
	}
	answer, err := g.line(what + "? Type yes: ")
	if err != nil && !errors.Is(err, errNoSecret) {
		return err
	}
	if answer != "yes" {
		if n == of {
			return errors.New("the key was loaded under another check value than the sheet has: load it again with the right components, and use it for nothing until then")
		}
		return errors.New("the check value is not the sheet's: what was entered is forgotten")
	}
	return nil
}

// keyBlock loads one key block of a file.
func (g *guided) keyBlock() error {
	acquirer, err := g.acquirerName()
	if err != nil {
		return g.says(err)
	}
	use, err := g.name("Use (pin, mac, data, master): ")
	if err != nil {
		return g.says(err)
	}
	file, err := g.name("File of the key block: ")
	if err != nil {
		return g.says(err)
	}
	return g.command("keys", "import", acquirer, use, file)
}
