package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A unit is what the keeper honours of a service's file. What confines a service is not in it: systemd alone does that.
type unit struct {
	name         string
	exec         []string
	user, group  string
	groups       []string
	runtime      string
	runtimeMode  os.FileMode
	states       []string
	stateMode    os.FileMode
	umask        int
	environment  []string
	watchdog     time.Duration
	stopWithin   time.Duration
	notifies     bool
	wantedBefore []string // Requires and Wants that are services
}

// readUnit reads a service's file.
func readUnit(name string) (unit, error) {
	u := unit{name: name, runtimeMode: 0o755, stateMode: 0o755, umask: 0o022, stopWithin: 90 * time.Second}
	var text []byte
	var err error
	for _, folder := range []string{"/etc/systemd/system/", "/lib/systemd/system/"} {
		if text, err = os.ReadFile(folder + name); err == nil {
			break
		}
	}
	if err != nil {
		return u, err
	}
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	for line := range strings.Lines(joined) {
		key, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if !found || strings.HasPrefix(key, "#") {
			continue
		}
		if err := u.set(key, strings.TrimSpace(value)); err != nil {
			return u, fmt.Errorf("%s: %s: %w", name, key, err)
		}
	}
	if len(u.exec) == 0 || u.user == "" {
		return u, fmt.Errorf("%s: no ExecStart or no User", name)
	}
	return u, nil
}

func (u *unit) set(key, value string) (err error) {
	mode := func(to *os.FileMode) {
		n, e := strconv.ParseUint(value, 8, 32)
		*to, err = os.FileMode(n), e
	}
	switch key {
	case "ExecStart":
		for word := range strings.FieldsSeq(value) {
			if name, ok := strings.CutPrefix(word, "$"); ok {
				u.exec = append(u.exec, defaults(u.name, name)...)
			} else {
				u.exec = append(u.exec, word)
			}
		}
	case "User":
		u.user = value
	case "Group":
		u.group = value
	case "SupplementaryGroups":
		u.groups = append(u.groups, strings.Fields(value)...)
	case "RuntimeDirectory":
		u.runtime = value
	case "RuntimeDirectoryMode":
		mode(&u.runtimeMode)
	case "StateDirectory":
		u.states = strings.Fields(value)
	case "StateDirectoryMode":
		mode(&u.stateMode)
	case "UMask":
		var m os.FileMode
		mode(&m)
		u.umask = int(m)
	case "Environment":
		u.environment = append(u.environment, strings.Fields(strings.ReplaceAll(value, `"`, ""))...)
	case "Type":
		u.notifies = value == "notify" || value == "notify-reload"
	case "WatchdogSec":
		u.watchdog, err = span(value)
	case "TimeoutStopSec":
		u.stopWithin, err = span(value)
	case "Requires", "Wants":
		for other := range strings.FieldsSeq(value) {
			if strings.HasSuffix(other, ".service") {
				u.wantedBefore = append(u.wantedBefore, other)
			}
		}
	}
	return err
}

// span reads systemd's spans of time, as far as our units use them.
func span(value string) (time.Duration, error) {
	if n, err := strconv.Atoi(value); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(strings.ReplaceAll(strings.ReplaceAll(value, "min", "m"), "sec", "s"))
}

// defaults is what a variable of the service's file in /etc/default says.
func defaults(unit, variable string) []string {
	text, _ := os.ReadFile("/etc/default/" + strings.TrimSuffix(unit, ".service")) // none: nothing is said
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), variable+"="); ok {
			return strings.Fields(strings.Trim(value, `"`))
		}
	}
	return nil
}
