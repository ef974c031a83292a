package main

import (
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"
)

// The screen that everything fits on.
const (
	wantWidth  = 80
	wantHeight = 24
)

// draw is the screen as lines, and where its cursor stands, from 1.
func (m *guideModel) draw() (lines []string, row, column int) {
	if m.width < wantWidth || m.height < wantHeight {
		text := fmt.Sprintf("This screen has %d columns and %d lines; the set-up needs %d by %d. Make it larger, or use the commands: pos setup --help. q leaves.", m.width, m.height, wantWidth, wantHeight)
		lines = wrap(text, max(10, m.width-1))
		return lines[:min(len(lines), max(1, m.height))], 1, 1
	}
	say := m.g.languages.say
	wide := wantWidth - 1 // the last column wraps on some terminals
	rule := strings.Repeat("-", wide)
	lines = append(lines, fitBoth(say("Tillway set-up"), m.g.languages.plain(m.title), wide), rule)
	for i, p := range m.parts {
		mark := " "
		if i == m.at {
			mark = ">"
		}
		lines = append(lines, m.fit(fmt.Sprintf("%s%d %s %s %s", mark, i+1, markOf(p.State), pad(say(partTitle(p.Part)), 12), m.g.languages.sentence(p.Text)), wide))
	}
	if len(m.parts) == 0 {
		lines = append(lines, say("Looking")+" ...")
	}
	lines = append(lines, rule)
	from := len(lines)
	detail := m.detail(wide)
	room := m.height - from - 2
	if m.result != nil {
		detail = detail[min(m.top, len(detail)):]
	}
	cut := len(detail) > room
	detail = detail[:min(len(detail), room)]
	lines = append(lines, detail...)
	for len(lines) < m.height-2 {
		lines = append(lines, "")
	}
	lines = append(lines, rule, m.fit(m.help(cut), wide))
	if m.field != nil {
		return lines, from + 3, min(wide, 4+runewidth.StringWidth(m.fieldTail(wide)))
	}
	return lines, 3 + m.at, 1
}

// help is the last line: the keys that work now.
func (m *guideModel) help(more bool) string {
	say := m.g.languages.say
	switch {
	case m.busy != "":
		return say("Please wait") + " ... Ctrl-C " + say("leaves")
	case m.field != nil:
		return "Enter " + say("goes on") + "   Esc " + say("back") + "   Ctrl-U " + say("empties the line")
	}
	text := say("Up/Down choose") + "  Enter " + say("does it") + "  q " + say("leaves") + "  r " + say("looks again")
	if m.g.languages.can {
		text += "  a " + m.g.languages.other()
	}
	if more || m.top > 0 {
		text += "  PgDn " + say("turns")
	}
	return text
}

// detail is the lower half: what a command said, what is asked for, or how the part stands.
func (m *guideModel) detail(wide int) []string {
	say, p := m.g.languages.say, m.part()
	switch {
	case m.field != nil:
		return []string{say(m.field.label) + ":", "", "  > " + m.fieldTail(wide)}
	case m.busy != "":
		return []string{m.fit(say("Please wait")+": "+m.busy, wide)}
	case m.result != nil && (m.result.line != "" || m.result.text != ""):
		return m.resultOf(wide)
	}
	var lines []string
	for _, l := range wrap(m.g.languages.sentence(p.Text), wide) {
		lines = append(lines, m.g.languages.plain(l))
	}
	if p.Do != "" {
		for _, l := range wrap(say("To do")+": "+m.g.languages.sentence(p.Do), wide) {
			lines = append(lines, m.g.languages.plain(l))
		}
	}
	lines = append(lines, "")
	for _, a := range actionsOf(p.Part) {
		key := a.key
		if key == "enter" {
			key = "Enter"
		}
		lines = append(lines, m.fit(fmt.Sprintf("  %-5s  %s (%s)", key, say(a.label), a.command), wide))
	}
	return lines
}

// resultOf is what a command said, broken at the screen's width.
func (m *guideModel) resultOf(wide int) []string {
	lines := []string{m.fit("$ "+m.result.line, wide)}
	for text := range strings.Lines(m.result.text) {
		text = m.g.languages.plain(strings.TrimRight(text, "\n"))
		lines = append(lines, broken(text, wide)...)
	}
	if m.result.code != exitDone {
		lines = append(lines, fmt.Sprintf("(%s %d)", m.g.languages.say("exit status"), m.result.code))
	}
	return lines
}

// broken is a line of a command, its blanks kept, broken where it is too long.
func broken(text string, wide int) (lines []string) {
	for runewidth.StringWidth(text) > wide {
		head := runewidth.Truncate(text, wide, "")
		if at := strings.LastIndexByte(head, ' '); at > wide/2 {
			head = head[:at]
		}
		lines = append(lines, head)
		text = "    " + strings.TrimLeft(text[len(head):], " ")
	}
	return append(lines, text)
}

func (m *guideModel) resultLines() int {
	if m.result == nil {
		return 0
	}
	return len(m.resultOf(wantWidth - 1))
}

// detailLines is how many lines the lower half has.
func (m *guideModel) detailLines() int { return max(2, m.height-len(m.parts)-5) }

// fieldTail is the end of what was typed that fits.
func (m *guideModel) fieldTail(wide int) string {
	text := m.g.languages.plain(m.field.value)
	for runewidth.StringWidth(text) > wide-6 {
		r := []rune(text)
		text = string(r[1:])
	}
	return text
}

// fit is a line that is not wider than the screen; what is cut ends in dots.
func (m *guideModel) fit(line string, wide int) string {
	return runewidth.Truncate(m.g.languages.plain(line), wide, "...")
}

// fitBoth is a line with one text at each end.
func fitBoth(left, right string, wide int) string {
	right = runewidth.Truncate(right, wide-runewidth.StringWidth(left)-2, "...")
	return left + strings.Repeat(" ", max(1, wide-runewidth.StringWidth(left)-runewidth.StringWidth(right))) + right
}

// pad fills a text up to a width.
func pad(text string, wide int) string {
	return text + strings.Repeat(" ", max(0, wide-runewidth.StringWidth(text)))
}
