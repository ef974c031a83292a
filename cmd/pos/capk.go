package main

import "tillway/emv/oda"

// readCAKeys reads a key file for a run with a test card: keys of live cards never come out of it.
func readCAKeys(path string) (oda.KeyFile, error) {
	text, err := readFile(path)
	if err != nil {
		return oda.KeyFile{}, err
	}
	file, err := oda.ParseKeys(text, oda.Test)
	if err != nil {
		return oda.KeyFile{}, usage("%s: %v", path, err)
	}
	return file, nil
}
