package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The ballast is there while there is room, and gone at the start that finds none.
func TestBallast(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ballastName)
	for range 2 {
		if err := keepBallast(dir); err != nil {
			t.Fatal(err)
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Size() != ballastBytes {
		t.Fatalf("%v, %v", fi, err)
	}
	for _, c := range []struct {
		free  uint64
		there bool
		says  string
	}{
		{ballastBytes, true, ""},
		{ballastBytes - 1, false, "was given up"},
		{0, false, "no ballast left"},
	} {
		var log strings.Builder
		free := func(context.Context) (uint64, error) { return c.free, nil }
		if err := makeRoom(dir, free, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); (err == nil) != c.there || !strings.Contains(log.String(), c.says) || (c.says == "") != (log.Len() == 0) {
			t.Errorf("%d bytes free: there %v, %s", c.free, err == nil, log.String())
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// Where a folder is not there nobody knows how much room it has.
func TestRoom(t *testing.T) {
	dir := t.TempDir()
	if n, err := roomIn(dir)(t.Context()); err != nil || n == 0 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := roomIn(filepath.Join(dir, "none"))(t.Context()); err == nil {
		t.Error("room in a folder that is not there")
	}
}
