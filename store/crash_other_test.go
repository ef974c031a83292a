//go:build !linux

package store_test

import (
	"flag"
	"testing"
)

var _ = flag.Int("crash.states", 0, "not on this system")

func TestEveryPowerCut(t *testing.T) {
	t.Skip("NOT CHECKED: what a power cut leaves of the journal: the recording file system needs Linux")
}
