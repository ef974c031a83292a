package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// guideModel is what the screen shows. Update alone changes it.
type guideModel struct {
	ctx context.Context //nolint:containedctx // of the whole run
	g   *guided

	width, height int
	parts         []setupPart
	title         string // of the terminal, once known
	at            int    // the part that is looked at
	busy          string // what runs; empty: nothing
	result        *ran   // what the last action said, of the part it belongs to
	top           int    // first line of it that is shown
	field         *field // what is asked for on the screen; nil: nothing
	tested        *ran   // the self-test of this run
}

// ran is a command line that was run, and what came of it.
type ran struct {
	part string
	line string
	text string
	code int
}

// field is one line that somebody types; never a secret.
type field struct {
	label, value string
	done         func(*guideModel, string) tea.Cmd
}

type (
	leaveMsg  struct{}
	sizeMsg   struct{ Width, Height int }
	lookedMsg struct {
		parts []setupPart
		title string
	}
	ranMsg ran
)

func newGuide(ctx context.Context, g *guided) *guideModel {
	s := g.tty.size()
	return &guideModel{ctx: ctx, g: g, width: s.Width, height: s.Height}
}

// Init is the first look.
func (m *guideModel) Init() tea.Cmd { return m.look() }

// View is empty: paint draws, after each Update.
func (m *guideModel) View() tea.View { return tea.NewView("") }

// look asks the machine how far the set-up is.
func (m *guideModel) look() tea.Cmd {
	m.busy = "Looking"
	return func() tea.Msg {
		l := m.g.app.lookAround(m.ctx)
		title := ""
		if l.status != nil {
			title = strings.TrimSpace(l.status.Terminal.TerminalID + "  " + l.status.Terminal.Merchant)
		}
		return lookedMsg{l.parts(), oneLine(title)}
	}
}

// Update takes one event.
func (m *guideModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.take(msg)
	if !m.g.outside.Load() {
		lines, row, column := m.draw()
		m.g.tty.paint(lines, row, column)
	}
	return m, cmd
}

func (m *guideModel) take(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case leaveMsg:
		return tea.Quit
	case sizeMsg: // the library, without its renderer, knows no size
		m.width, m.height, m.g.tty.shown = msg.Width, msg.Height, nil
	case lookedMsg:
		m.busy, m.title, m.parts = "", msg.title, m.withOwn(msg.parts)
		m.at = min(m.at, len(m.parts)-1)
	case ranMsg:
		r := ran(msg)
		m.busy, m.result, m.top = "", &r, 0
		if r.part == partSelftest {
			m.tested = &r
		}
		return m.look()
	case tea.PasteMsg:
		if m.field != nil {
			m.field.value += printable(msg.Content)
		}
	case tea.KeyPressMsg:
		return m.key(msg)
	}
	return nil
}

// withOwn adds what is run and not looked up.
func (m *guideModel) withOwn(parts []setupPart) []setupPart {
	test := setupPart{partSelftest, stepOpen, "not run since this screen was opened", ""}
	if m.tested != nil {
		test.State, test.Text = stepDone, "no fault"
		if m.tested.code != exitDone {
			test.State, test.Text = stepWrong, "something is wrong: run it again when that is put right"
		}
	}
	over := setupPart{partHandOver, stepOpen, "", "Read the page, and write it to a file."}
	left := 0
	for _, p := range parts {
		if (p.State == stepOpen || p.State == stepWrong) && p.Part != partPeople {
			left++
		}
	}
	switch over.Text = fmt.Sprintf("%d parts are not done", left); left {
	case 0:
		over.State, over.Text = stepDone, "everything that this terminal wants is set up"
	case 1:
		over.Text = "one part is not done"
	}
	return append(parts, test, over)
}

func (m *guideModel) part() setupPart {
	if len(m.parts) == 0 {
		return setupPart{}
	}
	return m.parts[m.at]
}

// key is one key. While something runs only leaving is heard.
func (m *guideModel) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	switch {
	case name == "ctrl+c":
		return tea.Quit
	case m.busy != "":
		return nil
	case m.field != nil:
		return m.typed(k)
	}
	switch name {
	case "q":
		return tea.Quit
	case "up", "k":
		m.move(-1)
	case "down", "j", "tab":
		m.move(1)
	case "pgdown", " ", "space":
		m.top = min(m.top+m.detailLines()-1, max(0, m.resultLines()-m.detailLines()))
	case "pgup", "b":
		m.top = max(0, m.top-m.detailLines()+1)
	case "r":
		m.result = nil
		return m.look()
	case "a":
		m.g.languages.change()
		m.g.tty.shown = nil
	default:
		if len(name) == 1 && name[0] >= '1' && int(name[0]-'1') < len(m.parts) {
			m.move(int(name[0]-'1') - m.at)
			return nil
		}
		for _, act := range actionsOf(m.part().Part) {
			if act.key == name {
				return act.do(m)
			}
		}
	}
	return nil
}

func (m *guideModel) move(by int) {
	if n := len(m.parts); n > 0 {
		m.at, m.result, m.top = (m.at+by+n)%n, nil, 0
	}
}

// typed is a key for the field.
func (m *guideModel) typed(k tea.KeyPressMsg) tea.Cmd {
	f := m.field
	switch k.String() {
	case "esc":
		m.field = nil
	case "enter", "ctrl+m", "ctrl+j":
		m.field = nil
		if value := strings.TrimSpace(f.value); value != "" {
			return f.done(m, value)
		}
	case "backspace", "ctrl+h":
		if r := []rune(f.value); len(r) > 0 {
			f.value = string(r[:len(r)-1])
		}
	case "ctrl+u":
		f.value = ""
	default:
		f.value += printable(k.Text)
	}
	return nil
}

// printable is a text without what moves a cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// shows runs a command of pos, and shows what it says.
func (m *guideModel) shows(line ...string) tea.Cmd {
	m.busy, m.result = "pos "+strings.Join(line, " "), nil
	part := m.part().Part
	return func() tea.Msg {
		text, err := m.g.run(m.ctx, line...)
		return ranMsg{part, "pos " + strings.Join(line, " "), text, exitOf(err)}
	}
}

// run runs a command of pos with the guide's session, and gives all that it said.
func (g *guided) run(ctx context.Context, line ...string) (string, error) {
	var said bytes.Buffer
	a := g.app
	a.in, a.out, a.errOut = strings.NewReader(""), &said, &said
	code := run(ctx, a, append(line, g.flags(line)...))
	if code != exitDone {
		return said.String(), &exit{code: code}
	}
	return said.String(), nil
}

// flags name the sockets: the command finds the same daemon.
func (g *guided) flags(line []string) []string {
	f := []string{"--socket", g.socket}
	if line[0] == "keys" && g.app.keysSocket != "" {
		f = append(f, "--keys-socket", g.app.keysSocket)
	}
	return f
}

func exitOf(err error) int {
	if err == nil {
		return exitDone
	}
	if e, ok := errors.AsType[*exit](err); ok {
		return e.code
	}
	return exitUsage
}

// outside is a conversation that has the terminal to itself, for what asks for secrets: they pass through no screen.
type outside struct {
	g   *guided
	do  func() error
	err error
}

// SetStdin, SetStdout and SetStderr change nothing: the terminal is the one that the guide has.
func (*outside) SetStdin(io.Reader)  {}
func (*outside) SetStdout(io.Writer) {}
func (*outside) SetStderr(io.Writer) {}

// Run has the conversation, and waits until what it said was read.
func (o *outside) Run() error {
	o.g.outside.Store(true)
	defer o.g.outside.Store(false)
	if err := o.g.tty.cooked(); err != nil {
		return err
	}
	o.err = o.do()
	if _, err := o.g.line("\nEnter leads back to the set-up. "); err != nil && !errors.Is(err, errNoSecret) {
		o.err = errors.Join(o.err, err)
	}
	return o.g.tty.raw()
}

// talks has a conversation outside the screen.
func (m *guideModel) talks(do func() error) tea.Cmd {
	o := &outside{g: m.g, do: do}
	m.g.outside.Store(true)
	m.busy = "talking"
	part := m.part().Part
	return tea.Exec(o, func(err error) tea.Msg {
		if err != nil {
			return ranMsg{part, "", "The terminal cannot be used: " + err.Error(), exitUsage}
		}
		return ranMsg{part, "", "", exitOf(o.err)}
	})
}
