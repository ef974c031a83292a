package main

import (
	"strings"
	"testing"
)

// TestKeysAreNoCardNumbers: no order's key has digits, in which one in a hundred would find a card number; and none comes
// twice.
func TestKeysAreNoCardNumbers(t *testing.T) {
	seen := map[string]bool{}
	for range 2000 {
		key := newKey()
		if strings.ContainsAny(key, "0123456789") || len(key) != 32 || seen[key] {
			t.Fatalf("key %q", key)
		}
		seen[key] = true
	}
}
