package main

// parameters is how the terminal's parameters stand.
func (l around) parameters() setupPart {
	return setupPart{partParameters, stepNone, "posd.toml names acquirer and profile itself", ""}
}
