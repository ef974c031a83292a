package main

import "tillway/emv/oda"

// readCAKeys reads a key file for a terminal of the profile's environment: keys of the other never come out of it.
func readCAKeys(path, environment string) (oda.KeyFile, error) {
	text, err := readFile(path)
	if err != nil {
		return oda.KeyFile{}, err
	}
	file, err := oda.ParseKeys(text, oda.Environment(environment))
	if err != nil {
		return oda.KeyFile{}, usage("%s: %v", path, err)
	}
	return file, nil
}
