package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The socket is the one that is named, else that of the environment, else the first that is there.
func TestFindSocket(t *testing.T) {
	here, other := t.TempDir(), t.TempDir()
	t.Chdir(here)
	touch := func(path string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := app{env: func(string) string { return "" }, executable: filepath.Join(other, "bin", "pos")}
	if got := a.findSocket(); got != systemSocket {
		t.Errorf("with none there: %s", got)
	}
	beside := filepath.Join(other, "run", "posd.sock")
	touch(beside)
	touch(filepath.Join(other, "bin", "pos"))
	if got := a.findSocket(); got != beside {
		t.Errorf("beside the program: %s, want %s", got, beside)
	}
	touch(filepath.Join(here, "run", "posd.sock"))
	if got := a.findSocket(); got != filepath.Join("run", "posd.sock") {
		t.Errorf("here: %s", got)
	}
	a.env = func(name string) string { return map[string]string{"TILLWAY_SOCKET": "/env.sock"}[name] }
	if got := a.findSocket(); got != "/env.sock" {
		t.Errorf("of the environment: %s", got)
	}
	a.socket = "/flag.sock"
	if got := a.findSocket(); got != "/flag.sock" {
		t.Errorf("named: %s", got)
	}
}

// What can be wrong with a real socket, each said in one line with what to do.
func TestSocketsThatDoNotWork(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	strange := filepath.Join(dir, "strange")
	ln, err := new(net.ListenConfig).Listen(t.Context(), "unix", strange)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler()}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	defer func() { _ = srv.Close(); <-done }()
	for path, say := range map[string]string{
		filepath.Join(dir, "none"): "start posd", plain: "nobody listens", strange: "really the daemon's",
	} {
		var out, errOut bytes.Buffer
		code := run(context.Background(), app{
			in: bytes.NewReader(nil), out: &out, errOut: &errOut, env: func(string) string { return "" }, dial: dialSocket,
		}, []string{"--socket", path, "status"})
		if code != 4 || !strings.Contains(errOut.String(), say) || strings.Count(errOut.String(), "\n") != 1 {
			t.Errorf("%s: exit %d: %q", filepath.Base(path), code, errOut.String())
		}
	}
}
