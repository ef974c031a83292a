package main

import (
	"context"
	"fmt"

	"tillway/terminal/selftest"
)

// filesRead are the fingerprints of the files that the parameters are in: as a running terminal has read them, and as they are now. Those of a
// package are no files: the terminal starts anew by itself with another.
func (c *config) filesRead(path string) map[string]string {
	files := map[string]string{}
	if path != "" {
		files[path] = fingerprint(path)
	}
	if c.packaged {
		return files
	}
	if name := c.profileFingerprint(); name != "(ready)" {
		files[c.Profile] = name
	}
	if c.CAKeys != "" {
		files[c.CAKeys] = c.caKeysFingerprint()
	}
	return files
}

// parameters compares what the terminal runs with with what lies in its files, and says what its package is.
func (e *examiner) parameters(context.Context) []selftest.Finding {
	now := e.config.filesRead(e.path)
	subject, said := e.path, fmt.Sprintf("configuration %s", now[e.path])
	if e.path == "" {
		subject, said = e.config.State, "no configuration file"
	}
	if e.config.waits() {
		return []selftest.Finding{noParameters(subject, "none is in force")}
	}
	name := e.config.Profile
	if e.profile != nil {
		name = e.profile.Name
	}
	said = fmt.Sprintf("profile %s, %s", name, said)
	var all []selftest.Finding
	for file, then := range e.read {
		if then != now[file] {
			all = append(all, selftest.Bad("parameters_old", file, fmt.Sprintf("The terminal runs with an older %s than there is now: it was changed after posd had started.", file)).Do("Start posd again, and see that it does."))
		}
	}
	if len(all) == 0 {
		if e.read != nil {
			said += ", as it runs"
		}
		all = append(all, selftest.Good(selftest.Parameters, subject, said))
	}
	if p := e.config.params; p != nil {
		all = append(all, selftest.Good(selftest.Parameters, "parameter package", inPackageNow(p)))
	}
	return all
}
