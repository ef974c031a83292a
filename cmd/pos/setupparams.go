package main

import "fmt"

// paramsTold is what a terminal's status says of its parameter package; absent where there is none.
type paramsTold struct {
	Parameters *struct {
		Waiting string `json:"waiting"`
		Current *struct {
			Version uint32 `json:"version"`
		} `json:"current"`
		Failed *struct {
			Version uint32 `json:"version"`
			Reason  string `json:"reason"`
		} `json:"failed"`
	} `json:"parameters"`
}

// parameters is how the terminal's parameters stand.
func (l around) parameters() setupPart {
	p := l.params.Parameters
	switch {
	case p == nil:
		return setupPart{partParameters, stepNone, "posd.toml names acquirer and profile itself", ""}
	case p.Current == nil || p.Waiting != "":
		return setupPart{partParameters, stepOpen, oneLine("no package is in force: " + p.Waiting), "Apply the package that the office gave you."}
	case p.Failed != nil:
		return setupPart{partParameters, stepWrong, oneLine(fmt.Sprintf("version %d is in force; version %d did not work: %s", p.Current.Version, p.Failed.Version, p.Failed.Reason)), "Have that put right at the office."}
	}
	return setupPart{partParameters, stepDone, fmt.Sprintf("version %d is in force", p.Current.Version), ""}
}
