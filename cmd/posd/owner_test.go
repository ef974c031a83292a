package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Root puts nothing into a state folder that is another user's, and anybody else is left to the folder's mode.
func TestOwnersWork(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, 12345, -1); err != nil {
			t.Fatal(err)
		}
	}
	for path, refused := range map[string]bool{dir: true, "/": false, filepath.Join(dir, "none"): false} {
		if err := ownersWork(path, 0); (err != nil) != refused {
			t.Errorf("root at %s: %v", path, err)
		}
		if err := ownersWork(path, 4711); err != nil {
			t.Errorf("another user at %s: %v", path, err)
		}
	}
}
