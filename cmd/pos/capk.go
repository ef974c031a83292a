package main

import (
	"fmt"

	"tillway/emv"
	"tillway/emv/oda"
)

// trust gives the run the keys of a file, for a terminal of that environment: keys of the other never come out of it.
func (p *plan) trust(text []byte, name, environment string) error {
	file, err := oda.ParseKeys(text, oda.Environment(environment))
	if err != nil {
		return usage("%s: %v", name, err)
	}
	p.params.CAKeys = file.CAKeys
	p.notes = append(p.notes, emv.Why{
		Bit: "ODA", Section: "Book 2, 11.2",
		Reason: fmt.Sprintf("the key file (%s) gives this run %d keys of the %s environment; %d were left out", name, len(file.Keys), environment, len(file.LeftOut)),
	})
	return nil
}
