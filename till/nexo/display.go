package nexo

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/receipt"
)

type displayRequest struct {
	DisplayOutput []struct {
		Device        string `json:"Device"`
		InfoQualify   string `json:"InfoQualify"`
		OutputContent struct {
			OutputFormat string               `json:"OutputFormat"`
			OutputText   []receipt.OutputText `json:"OutputText"`
		} `json:"OutputContent"`
	} `json:"DisplayOutput"`
}

type outputResult struct {
	Device      string   `json:"Device"`
	InfoQualify string   `json:"InfoQualify"`
	Response    response `json:"Response"`
}

type displayResponse struct {
	OutputResult []outputResult `json:"OutputResult"`
}

// display puts lines on the customer's display. They stay until the next ones or the next transaction, whose prompts come first.
func (h *handler) display(c *call) (any, error) {
	var in displayRequest
	if err := c.into(&in); err != nil {
		return nil, err
	}
	if err := c.may(people.Sell); err != nil {
		return nil, err
	}
	if len(in.DisplayOutput) == 0 || len(in.DisplayOutput) > terminal.MaxDisplayLines {
		return nil, badField("DisplayRequest.DisplayOutput", "Missing, or too many")
	}
	lines, shown := []terminal.DisplayLine{}, false
	var out displayResponse
	for _, d := range in.DisplayOutput {
		r := outputResult{"CustomerDisplay", "Display", response{Result: success}}
		switch {
		case d.Device != "CustomerDisplay" || h.cfg.Display == nil:
			r.Response = (&failure{condition: unavailableDevice, message: "lines are shown on the customer's display alone"}).response()
			if d.Device == "CashierDisplay" {
				r.Device = d.Device
			}
		case d.OutputContent.OutputFormat != "Text":
			r.Response = (&failure{condition: unavailableService, message: "what is shown is OutputFormat Text alone"}).response()
		default:
			more, err := linesOf(d.OutputContent.OutputText)
			if err != nil {
				return nil, err
			}
			lines, shown = append(lines, more...), true
		}
		out.OutputResult = append(out.OutputResult, r)
	}
	if len(lines) > terminal.MaxDisplayLines {
		return nil, badField("DisplayRequest.DisplayOutput", "more than 10 lines")
	}
	if shown {
		h.cfg.Display(lines)
	}
	return out, nil
}

// linesOf are the texts as lines: one that does not end its line goes on with the next.
func linesOf(texts []receipt.OutputText) ([]terminal.DisplayLine, error) {
	if len(texts) > 8*terminal.MaxDisplayLines {
		return nil, badField("DisplayRequest.DisplayOutput.OutputContent.OutputText", "too many")
	}
	lines, text := []terminal.DisplayLine{}, ""
	for i, t := range texts {
		text += t.Text
		if utf8.RuneCountInString(text) > terminal.MaxDisplayRunes || !printable(text) {
			return nil, badField("DisplayRequest.DisplayOutput.OutputContent.OutputText.Text", "longer than 64 characters, or not printable")
		}
		if !t.EndOfLineFlag && i < len(texts)-1 {
			continue
		}
		line := terminal.DisplayLine{Text: text, Language: "en"}
		if strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Arabic, r) && unicode.IsLetter(r) }) {
			line.Language = "ar"
		}
		lines, text = append(lines, line), ""
	}
	return lines, nil
}
