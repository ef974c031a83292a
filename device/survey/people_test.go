package survey_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tillway/device/serial"
	"tillway/device/survey"
	"tillway/terminal/selftest"
)

// nobodyUser is the user id of "nobody".
const nobodyUser = 65534

// The test's own program plays other programs, by what is in its environment.
func TestMain(m *testing.M) {
	switch port := os.Getenv("SURVEY_PORT"); os.Getenv("SURVEY_ROLE") {
	case "examine": // as another user: says what is found
		f := machine().Examine(context.Background(), place(port))
		_ = json.NewEncoder(os.Stdout).Encode(f)
	case "hold": // has the port until its input ends
		p, err := serial.Open(port, serial.Mode{Baud: 115200, StopBits: 2})
		if err != nil {
			panic(err)
		}
		_, _ = os.Stdout.WriteString("held\n")
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = p.Close()
	default:
		os.Exit(m.Run())
	}
}

func place(port string) survey.Place {
	return survey.Place{Kind: survey.Reader, Driver: "gempc", Port: port}
}

// program is this test as another program: under a name, in a role, as a user.
func program(t *testing.T, name, role, port string, user uint32) *exec.Cmd {
	t.Helper()
	own, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for at := folder; strings.HasPrefix(at, os.TempDir()) && at != os.TempDir(); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil { //nolint:gosec // another user has to run what is in it
			t.Fatal(err)
		}
	}
	file := filepath.Join(folder, name)
	if err := os.WriteFile(file, own, 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	c := exec.Command(file)
	c.Env, c.Dir, c.Stderr = []string{"SURVEY_ROLE=" + role, "SURVEY_PORT=" + port}, folder, os.Stderr
	if os.Getuid() == 0 && user != 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	}
	return c
}

// A user without rights to the port is told so, and what to do; the same user is let in once the rights are there. Another user than root
// takes the rights off itself.
func TestNoPermission(t *testing.T) {
	t.Parallel()
	link, _ := twin(t)
	port, err := filepath.EvalSymlinks(link)
	if err != nil {
		t.Fatal(err)
	}
	for mode, fault := range map[os.FileMode]string{0: "reader_permission", 0o666: ""} {
		if err := os.Chmod(port, mode); err != nil {
			t.Fatal(err)
		}
		out, err := program(t, "posd", "examine", port, nobodyUser).Output()
		if err != nil {
			t.Fatal(err)
		}
		var f selftest.Finding
		if err := json.Unmarshal(out, &f); err != nil {
			t.Fatal(err)
		}
		is(t, f, fault)
		if fault != "" && (!strings.Contains(f.Cause, port+" may not be opened") || !strings.Contains(f.Fix, "udev")) {
			t.Errorf("%+v", f)
		}
	}
}

// A port that another process has is that process's, by its name: pcscd has its own fault, because it has its own remedy. When it lets go,
// the reader is there.
func TestAnotherProgramHasIt(t *testing.T) {
	t.Parallel()
	port, _ := twin(t)
	for name, want := range map[string]struct{ fault, words string }{
		"pcscd": {"reader_claimed", "disable --now pcscd.socket"}, "ModemManager": {"reader_in_use", "disable --now ModemManager"}, "minicom": {"reader_in_use", "Stop minicom"},
	} {
		c := program(t, name, "hold", port, 0)
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if said, err := bufio.NewReader(out).ReadString('\n'); err != nil || said != "held\n" {
			t.Errorf("%q, %v", said, err)
		}
		is(t, machine().Examine(t.Context(), place(port)), want.fault, name+" (process ", want.words)
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		is(t, machine().Examine(t.Context(), place(port)), "")
	}
}
