// Package qemu runs one QEMU for a test: the process, its monitor (QMP), and the card of its usb-ccid reader (VSCard protocol).
//
// It knows a PC whose devices a test names, without disk, screen and network: a guest reaches nothing but the sockets that it is
// given. Sources: QEMU's docs/interop/qmp-spec.rst and docs/ccid.txt; libcacard's vscard_common.h.
package qemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Program is QEMU's name for a PC.
const Program = "qemu-system-x86_64"

// Config is one machine.
type Config struct {
	Folder      string // of sockets and console; the caller's, with a short path: a socket's has 107 bytes at most
	Accelerator string // tcg or kvm
	Kernel      string // vmlinuz, or vmlinux with a PVH entry
	Initrd      string
	Append      string   // to the kernel's command line
	Memory      int      // megabytes
	Devices     []string // further arguments
}

// Machine is a running QEMU. Close ends it.
type Machine struct {
	Monitor *Monitor
	cfg     Config
	process *exec.Cmd
	ended   chan struct{}
	err     error // of the process; read after ended
}

const dialEach = 20 * time.Millisecond

// Start starts QEMU and waits for its monitor. The kernel ends the process together with the thread that started it, so that none is left
// behind however the test ends: call Start from a goroutine that is locked to its thread and stays. Errors: QEMU's own words, or the
// context's.
func Start(ctx context.Context, cfg Config) (*Machine, error) {
	m := &Machine{cfg: cfg, ended: make(chan struct{})}
	args := append([]string{
		"-machine", "q35,accel=" + cfg.Accelerator, "-cpu", "qemu64", "-smp", "1", "-m", fmt.Sprint(cfg.Memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-kernel", cfg.Kernel, "-initrd", cfg.Initrd,
		"-append", "console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check cryptomgr.notests " + cfg.Append,
		"-serial", "file:" + m.Path("console"), "-qmp", "unix:" + m.Path("qmp") + ",server=on,wait=off",
	}, cfg.Devices...)
	said, err := os.Create(m.Path("qemu.log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = said.Close() }()        // the process has its own descriptor
	m.process = exec.Command(Program, args...) //nolint:noctx // Close ends it
	m.process.Stdout, m.process.Stderr = said, said
	m.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true} // Ctrl-C is the test's to handle
	if err := m.process.Start(); err != nil {
		return nil, fmt.Errorf("%w: make deps-usb installs it", err)
	}
	go func() {
		m.err = m.process.Wait()
		close(m.ended)
	}()
	conn, err := m.Dial(ctx, "qmp")
	if err == nil {
		m.Monitor, err = NewMonitor(conn)
	}
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("%w: %s", err, m.Said())
	}
	return m, nil
}

// Path is a file of the machine's folder.
func (m *Machine) Path(name string) string { return filepath.Join(m.cfg.Folder, name) }

var errEnded = errors.New("QEMU ended")

// Dial connects to one of the machine's sockets, as soon as it is there.
func (m *Machine) Dial(ctx context.Context, name string) (net.Conn, error) {
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", m.Path(name))
		if err == nil {
			return conn, nil
		}
		select {
		case <-m.ended:
			return nil, fmt.Errorf("%w: %w", errEnded, m.err)
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(dialEach):
		}
	}
}

// Ended is closed when the process is no more.
func (m *Machine) Ended() <-chan struct{} { return m.ended }

// Said is the end of what QEMU and the guest's console wrote.
func (m *Machine) Said() string {
	const most = 4096
	var text []byte
	for _, name := range []string{"qemu.log", "console"} {
		b, err := os.ReadFile(m.Path(name))
		if err != nil {
			continue
		}
		if len(b) > most {
			b = b[len(b)-most:]
		}
		text = append(text, b...)
	}
	return string(text)
}

// Close ends the process and waits for it.
func (m *Machine) Close() {
	if m.Monitor != nil {
		_ = m.Monitor.Close()
	}
	_ = m.process.Process.Kill() // nothing in the guest outlives it anyway
	<-m.ended
}
