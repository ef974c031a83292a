package main

import (
	"context"
	"fmt"

	"tillway/terminal/selftest"
)

// filesRead are the fingerprints of the files that the parameters are in: as a running terminal has read them, and as they are now.
func (c *config) filesRead(path string) map[string]string {
	files := map[string]string{path: fingerprint(path)}
	if name := c.profileFingerprint(); name != "(ready)" {
		files[c.Profile] = name
	}
	if c.CAKeys != "" {
		files[c.CAKeys] = c.caKeysFingerprint()
	}
	return files
}

// parameters compares what the terminal runs with with what lies in its files.
func (e *examiner) parameters(context.Context) []selftest.Finding {
	now := e.config.filesRead(e.path)
	name := e.config.Profile
	if e.profile != nil {
		name = e.profile.Name
	}
	if e.read == nil {
		return []selftest.Finding{selftest.Good(selftest.Parameters, e.path, fmt.Sprintf("profile %s, configuration %s", name, now[e.path]))}
	}
	var all []selftest.Finding
	for _, file := range []string{e.path, e.config.Profile, e.config.CAKeys} {
		if e.read[file] != now[file] {
			all = append(all, selftest.Bad("parameters_old", file, fmt.Sprintf("The terminal runs with an older %s than there is now: it was changed after posd had started.", file)).Do("Start posd again, and see that it does."))
		}
	}
	if len(all) == 0 {
		all = append(all, selftest.Good(selftest.Parameters, e.path, fmt.Sprintf("profile %s, configuration %s, as it runs", name, now[e.path])))
	}
	return all
}
