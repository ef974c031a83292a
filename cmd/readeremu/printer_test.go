package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// safeBuffer is read while the command writes.
type safeBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// What is cut off stands in the folder, as text and as a picture.
func TestPrinterKeepsItsPaper(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	var out safeBuffer
	ended := make(chan int)
	go func() {
		ended <- run(ctx, []string{"printer", "--listen", "127.0.0.1:0", "--paper", dir}, &out, &out)
	}()
	address := ""
	for range 1000 {
		if _, rest, found := strings.Cut(out.String(), "tcp://"); found && strings.Contains(rest, "\n") {
			address = strings.TrimSpace(rest)
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("\x1b@APPROVED\n\x1dV\x00\x10\x04\x01")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil { // it has read all
		t.Fatal(n, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	stop()
	if code := <-ended; code != exitDone {
		t.Fatalf("exit %d: %s", code, out.String())
	}
	text, err := os.ReadFile(filepath.Join(dir, "001.txt"))
	if err != nil || string(text) != "APPROVED\n" {
		t.Errorf("%q, %v", text, err)
	}
	if picture, err := os.ReadFile(filepath.Join(dir, "001.png")); err != nil || !bytes.HasPrefix(picture, []byte("\x89PNG")) {
		t.Errorf("no picture: %v", err)
	}
	if code := run(t.Context(), []string{"printer"}, &out, &out); code != exitUsage {
		t.Errorf("without a line: exit %d", code)
	}
}
