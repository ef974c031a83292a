package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillway/device/secure"
	"tillway/terminal"
	"tillway/till"
)

// setupState is how one part of the set-up stands, as the machine says. Nothing of it is remembered.
type setupState string

// The states.
const (
	stepDone    setupState = "done"
	stepOpen    setupState = "open"       // something is to be done
	stepWrong   setupState = "wrong"      // something is to be put right
	stepNone    setupState = "not wanted" // this terminal has none
	stepUnknown setupState = "not known"  // nobody who may see it has logged in
)

// The parts, in the order in which they are set up.
const (
	partPeople     = "people"
	partDevices    = "devices"
	partParameters = "parameters"
	partKeys       = "keys"
	partBank       = "bank"
	partSale       = "sale"
	partPaper      = "paper"
	partSelftest   = "selftest"
	partHandOver   = "hand over"
)

// setupPart is one part: how it stands, and why.
type setupPart struct {
	Part  string     `json:"part"`
	State setupState `json:"state"`
	Text  string     `json:"text"`
	Do    string     `json:"do,omitempty"`
}

// around is what a look at the machine found. What could not be asked for is nil, and err says why.
type around struct {
	status *till.Status
	down   error
	params paramsTold
	me     till.Me
	keys   *secure.Status
	keyErr error
	sales  []terminal.Sale
	salErr error
}

// lookAround asks everything once. It changes nothing.
func (a *app) lookAround(ctx context.Context) around {
	ctx, stop := context.WithTimeout(ctx, askFor)
	defer stop()
	cl := a.client()
	defer cl.close()
	var l around
	var st till.Status
	if l.down = cl.get(ctx, "/v1/status", &st); l.down != nil {
		return l
	}
	l.status = &st
	_ = cl.get(ctx, "/v1/status", &l.params) // the part of it that older daemons do not tell
	_ = cl.get(ctx, "/v1/me", &l.me)         // without it, nobody is logged in
	l.keyErr = a.withKeys(ctx, func(m *secure.Client) error {
		s, err := m.Status(ctx)
		l.keys = &s
		return err
	})
	l.sales, l.salErr = setupSales(ctx, cl)
	return l
}

// parts are all parts but the self-test, which is run and not looked up.
func (l around) parts() []setupPart {
	if l.status == nil {
		return []setupPart{{partDevices, stepWrong, oneLine(l.down.Error()), "Start posd; posd check says why it does not start."}}
	}
	return []setupPart{l.people(), l.devices(), l.parameters(), l.keysPart(), l.bank(), l.sale(), l.paper()}
}

func (l around) people() setupPart {
	switch {
	case l.me.Name != "":
		return setupPart{partPeople, stepDone, fmt.Sprintf("%s, %s, is logged in", oneLine(l.me.Name), l.me.Role), ""}
	case l.status.Open:
		return setupPart{partPeople, stepWrong, "roles are OPEN: anybody sells without logging in", "For development only: take open out of the profile's [roles]."}
	}
	return setupPart{partPeople, stepOpen, "nobody is logged in", "Log in, or make the first administrator."}
}

func (l around) devices() setupPart {
	s := l.status.Snapshot
	var bad, good []string
	add := func(ok bool, text string) {
		if ok {
			good = append(good, text)
		} else {
			bad = append(bad, text)
		}
	}
	add(s.Reader.OK, "reader "+health(s.Reader))
	if s.Stripe != nil {
		add(s.Stripe.OK, "stripes "+health(*s.Stripe))
	}
	if p := l.status.Printer; p != nil {
		add(p.Ready || p.Cause == "", "printer "+printerLine(*p))
	}
	if l.keys != nil && l.keys.Pad != nil {
		add(l.keys.Pad.Ready, "PIN pad "+oneLine(l.keys.Pad.Port+" "+l.keys.Pad.Cause))
	}
	if len(bad) > 0 {
		return setupPart{partDevices, stepWrong, strings.Join(bad, "; "), "See what is connected, and what each says."}
	}
	return setupPart{partDevices, stepDone, strings.Join(good, "; "), ""}
}

func (l around) keysPart() setupPart {
	k := l.status.Keys
	switch {
	case k == nil:
		return setupPart{partKeys, stepNone, "the acquirer wants none", ""}
	case l.keys != nil && len(l.keys.Pending) > 0:
		return setupPart{partKeys, stepOpen, oneLine(strings.Join(l.keys.Pending, "; ")), "Let the next holder enter their component within 15 minutes."}
	case !k.OK:
		return setupPart{partKeys, stepOpen, health(*k), "Load the components, each by its holder, then the key blocks."}
	}
	return setupPart{partKeys, stepDone, health(*k), ""}
}

func (l around) bank() setupPart {
	h := l.status.Snapshot.Host
	if !h.OK {
		return setupPart{partBank, stepWrong, link(h), "Test the host: it names what is wrong."}
	}
	return setupPart{partBank, stepDone, link(h), ""}
}

func (l around) sale() setupPart {
	if l.salErr != nil {
		return setupPart{partSale, stepUnknown, "log in to see it", ""}
	}
	if left := stillStanding(l.sales); len(left) > 0 {
		return setupPart{partSale, stepWrong, fmt.Sprintf("test sale %s of %s STANDS", left[0].ID, left[0].Amount.Format()), "Run the test sale again: it takes that one back first."}
	}
	for _, s := range l.sales {
		if s.Kind == terminal.KindVoid && s.State == terminal.Approved {
			return setupPart{partSale, stepDone, fmt.Sprintf("sale %s was approved, and taken back by void %s", s.Of, s.ID), ""}
		}
	}
	if i := slices.IndexFunc(l.sales, func(s terminal.Sale) bool { return s.Kind == terminal.KindSale }); i >= 0 {
		s := l.sales[i]
		return setupPart{partSale, stepOpen, oneLine(fmt.Sprintf("sale %s was %s: %s", s.ID, s.State, s.Outcome.Happened)), oneLine(s.Outcome.Do)}
	}
	return setupPart{partSale, stepOpen, "none was made yet", "Make one with a real card; it is taken back at once."}
}

func (l around) paper() setupPart {
	p := l.status.Printer
	switch {
	case p == nil:
		return setupPart{partPaper, stepNone, "no receipt printer is configured", ""}
	case !p.Ready && p.Cause != "":
		return setupPart{partPaper, stepWrong, printerLine(*p), "Put that right; what waits is printed then."}
	case p.Printed == 0:
		return setupPart{partPaper, stepOpen, printerLine(*p), "Print a test page, and look at it."}
	}
	return setupPart{partPaper, stepDone, fmt.Sprintf("%s, %d printed since the start", printerLine(*p), p.Printed), ""}
}

// setupPage is the page for handing a terminal over.
type setupPage struct {
	Time     time.Time   `json:"time"`
	Terminal string      `json:"terminal,omitempty"`
	Shop     string      `json:"shop,omitempty"`
	Merchant string      `json:"merchant,omitempty"`
	Currency string      `json:"currency,omitempty"`
	Profile  string      `json:"profile,omitempty"`
	Release  string      `json:"release,omitempty"`
	Kernel   string      `json:"kernel,omitempty"`
	Parts    []setupPart `json:"parts"`
	Keys     []keyWire   `json:"keys"`
	Owed     int64       `json:"owed"`
	Parked   int64       `json:"parked"`
	Warnings []string    `json:"warnings"`
	Open     int         `json:"open"` // parts that are open or wrong
}

func (l around) summary(now time.Time) setupPage {
	s := setupPage{Time: now, Parts: l.parts(), Keys: []keyWire{}, Warnings: []string{}}
	for _, p := range s.Parts {
		if (p.State == stepOpen || p.State == stepWrong) && p.Part != partPeople {
			s.Open++
		}
	}
	if l.keys != nil {
		s.Keys = keysJSON(*l.keys).Keys
		s.Warnings = append(s.Warnings, l.keys.Warnings...)
	}
	if l.status == nil {
		return s
	}
	t, snap := l.status.Terminal, l.status.Snapshot
	s.Terminal, s.Shop, s.Merchant, s.Currency, s.Profile, s.Release = t.TerminalID, t.Merchant, t.MerchantID, t.Currency, t.Profile, t.Version
	s.Kernel = strings.TrimSpace(t.Kernel.Name + " " + t.Kernel.Version)
	s.Owed, s.Parked = int64(snap.Owed), int64(snap.Parked)
	s.Warnings = append(s.Warnings, snap.Host.Warnings...)
	if snap.Clock != "" {
		s.Warnings = append(s.Warnings, snap.Clock)
	}
	if l.status.Open {
		s.Warnings = append(s.Warnings, "roles are OPEN: anybody at this terminal sells without logging in (development only)")
	}
	return s
}

// text is the page for people: 80 columns where the words allow it.
func (s setupPage) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "TERMINAL HAND-OVER                                  %s\n\n", s.Time.Format("2006-01-02 15:04:05 -0700"))
	if s.Terminal != "" {
		fmt.Fprintf(&b, "Terminal  %s, merchant %s, %s\nProfile   %s, %s\nRelease   %s, kernel %s\n\n", oneLine(s.Terminal), oneLine(s.Merchant), oneLine(s.Shop), oneLine(s.Profile), s.Currency, oneLine(s.Release), oneLine(s.Kernel))
	}
	for _, p := range s.Parts {
		fmt.Fprintf(&b, "%s %s\n", markOf(p.State), hanging(partTitle(p.Part), p.Text))
	}
	if len(s.Keys) > 0 {
		b.WriteString("\nKeys, by their check values:\n")
		for _, k := range s.Keys {
			fmt.Fprintf(&b, "    %-16s %-7s %-8s %s\n", oneLine(k.Acquirer), k.Use, k.Algorithm, k.Check)
		}
	}
	fmt.Fprintf(&b, "\nWaiting for the bank: %d, parked: %d\n", s.Owed, s.Parked)
	for _, w := range s.Warnings {
		fmt.Fprintf(&b, "WARNING   %s\n", oneLine(w))
	}
	verdict := "Everything that this terminal wants is set up."
	switch {
	case s.Open == 1:
		verdict = "ONE PART IS NOT DONE: see above."
	case s.Open > 1:
		verdict = fmt.Sprintf("%d PARTS ARE NOT DONE: see above.", s.Open)
	}
	fmt.Fprintf(&b, "\n%s\n\nHanded over by ______________________   taken by ______________________\n", verdict)
	return b.String()
}

// markOf is a state in three characters, which need no colour.
func markOf(s setupState) string {
	return map[setupState]string{stepDone: "[x]", stepOpen: "[ ]", stepWrong: "[!]", stepNone: "[-]", stepUnknown: "[?]"}[s]
}

// hanging is a title, and a text that is broken at 80 columns behind it.
func hanging(title, text string) string {
	const at, wide = 18, 75
	head := fmt.Sprintf("%-*s", at-4, title)
	lines := wrap(text, wide-at+4)
	return head + strings.Join(lines, "\n"+strings.Repeat(" ", at))
}

// wrap breaks a text into lines of at most so many characters, between words where it can.
func wrap(text string, most int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		for {
			last := &lines[len(lines)-1]
			letters := []rune(word)
			switch {
			case *last == "" && len(letters) > most:
				*last, word = string(letters[:most]), string(letters[most:])
				lines = append(lines, "")
				continue
			case *last == "":
				*last = word
			case len([]rune(*last))+1+len(letters) <= most:
				*last += " " + word
			default:
				lines = append(lines, "")
				continue
			}
			break
		}
	}
	return lines
}

// partTitle is a part's name on screen and paper.
func partTitle(part string) string {
	return map[string]string{
		partPeople: "People", partDevices: "Devices", partParameters: "Parameters", partKeys: "Keys", partBank: "Bank",
		partSale: "Test sale", partPaper: "Paper", partSelftest: "Self-test", partHandOver: "Hand over",
	}[part]
}
