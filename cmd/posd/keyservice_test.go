package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tillway/device/secure"
)

// What posd would tell a keyd that it starts is refused where keyd is a service: it takes none of it from posd.
func TestServiceConfig(t *testing.T) {
	for text, says := range map[string]string{
		"[keys]\nservice = \"run/keyd.sock\"\nservice_user = \"keys\"": "",
		"[keys]\nservice = \"k\"\nseparate = false":                    "keys.separate",
		"[keys]\nservice = \"k\"\nprogram = \"keyd\"":                  "keys.program",
		"[keys]\nservice = \"k\"\nunlock = \"secret\"":                 "-unlock",
		"[keys]\nservice = \"k\"\n[pin]\npad = \"/dev/ttyUSB1\"":       "-pad",
		"[keys]\nservice = \"k\"\n[pin]\non_screen = true":             "pin.on_screen",
		"[keys]\nservice_user = \"keys\"":                              "keys.service",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "posd.toml"), strings.Replace(benchConfig(t, dir), "development = true\n[keys]\nseparate = false", "development = true\n"+text, 1))
		c, err := loadConfig(filepath.Join(dir, "posd.toml"))
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && c.Keys.Service != filepath.Join(dir, "run/keyd.sock") {
			t.Errorf("the socket is %s", c.Keys.Service)
		}
	}
}

// Whoever listens at keyd's socket has to be the user that the configuration names.
func TestServiceUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	for name, want := range map[string]error{"": nil, strconv.Itoa(os.Geteuid()): nil, strconv.Itoa(os.Geteuid() + 1): secure.ErrPeer} {
		look, err := serverIs(name)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := new(net.Dialer).DialContext(t.Context(), "unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if err := look(conn); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%q: %v", name, err)
		}
		_ = conn.Close()
	}
	if _, err := serverIs("nobody of that name"); err == nil || !strings.Contains(err.Error(), "keys.service_user") {
		t.Errorf("a user that is not there: %v", err)
	}
}

// stated is a module with a status.
type stated struct {
	secure.Keys
	told secure.Status
	err  error
}

func (s stated) Status(context.Context) (secure.Status, error) { return s.told, s.err }

// A till does not start on a keyd that takes published keys.
func TestServiceIsForProduction(t *testing.T) {
	for _, c := range []struct{ production, development, good bool }{
		{true, false, true}, {true, true, true}, {false, true, true}, {false, false, false},
	} {
		err := sameWorld(t.Context(), stated{told: secure.Status{Production: c.production}}, c.development)
		if (err == nil) != c.good {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
