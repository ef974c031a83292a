package escpos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	virtual "tillway/device/emulator/escpos"
)

// rig is a driver and a virtual printer with a cable between them that can be pulled.
type rig struct {
	*Printer
	paper *virtual.Printer

	mu       sync.Mutex // guards what follows
	unplug   func()
	unplugIn bool // the cable is out
	serving  sync.WaitGroup
}

// wire makes a rig. The cable is a pipe without a buffer.
func wire(t *testing.T, v virtual.Config, c Config) *rig {
	t.Helper()
	r := &rig{paper: virtual.New(v)}
	ctx, stop := context.WithCancel(t.Context())
	c.Port = "tcp://192.0.2.1"
	c.Open = func(context.Context) (Line, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.unplugIn {
			return nil, fmt.Errorf("%w: the cable is out", device.ErrUnplugged)
		}
		here, there := net.Pipe()
		r.unplug = func() { _ = there.Close() }
		r.serving.Go(func() { _ = r.paper.Serve(ctx, there) })
		return NewLine("pipe", here), nil
	}
	r.Printer = New(c)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		stop()
		r.cable(false)
		r.serving.Wait()
	})
	return r
}

// cable pulls the cable or puts it in.
func (r *rig) cable(in bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unplugIn = !in
	if !in && r.unplug != nil {
		r.unplug()
	}
}

func lines(s ...string) []Part {
	var p Part
	for _, l := range s {
		p.Lines = append(p.Lines, Text{Text: l})
	}
	return []Part{p}
}

// receipt is a job of many lines, the last of which is its number.
func receipt(n int) []Part {
	var l []string
	for i := range 20 {
		l = append(l, fmt.Sprintf("line %d of receipt %d", i, n))
	}
	return lines(append(l, fmt.Sprintf("END %d", n))...)
}

// whole are the receipts that are complete on the paper that was cut, in order, and how many papers say that they are none.
func whole(p *virtual.Printer) (numbers []int, broken int) {
	for _, s := range p.Cut() {
		text := s.Text()
		var n int
		switch at := strings.Index(text, "END "); {
		case strings.Contains(text, interrupted):
			broken++
		case at >= 0 && len(s.Lines) == 21:
			if _, err := fmt.Sscanf(text[at:], "END %d", &n); err == nil {
				numbers = append(numbers, n)
			}
		}
	}
	return numbers, broken
}

func clean(t *testing.T, p *virtual.Printer) {
	t.Helper()
	if odd := p.Odd(); len(odd) > 0 {
		t.Errorf("the printer does not know %q", odd)
	}
	if n := p.Lost(); n > 0 {
		t.Errorf("%d bytes found no room in the printer's buffer", n)
	}
}

func TestPrintsLines(t *testing.T) {
	for _, confirm := range []Confirm{Process, InTurn} {
		synctest.Test(t, func(t *testing.T) {
			r := wire(t, virtual.Config{}, Config{Confirm: confirm})
			if err := r.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			job := []Part{{Lines: []Text{{"TILLWAY", Tall}, {"VISA  KWD 10.525", Plain}, {"APPROVED", Bold}}}}
			if err := r.Print(t.Context(), job); err != nil {
				t.Fatal(err)
			}
			cut := r.paper.Cut()
			if len(cut) != 1 {
				t.Fatalf("%d papers, want 1", len(cut))
			}
			want := []virtual.Line{{Text: "TILLWAY", Tall: true, Bold: true}, {Text: "VISA  KWD 10.525"}, {Text: "APPROVED", Bold: true}}
			if !slices.Equal(cut[0].Lines, want) {
				t.Errorf("on paper: %+v\nwant: %+v", cut[0].Lines, want)
			}
			clean(t, r.paper)
		})
	}
}

// A picture comes out dot for dot, on every width, and in pieces that a small buffer takes.
func TestPrintsPictures(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, stride := range []int{1, 48, 72} {
		synctest.Test(t, func(t *testing.T) {
			r := wire(t, virtual.Config{Dots: 8 * max(stride, 48), Buffer: 2048 + 64}, Config{})
			pic := Picture{Stride: stride, Rows: make([]byte, stride*700)}
			for i := range pic.Rows {
				if y := i / stride; y%50 < 30 && y < 600 { // with empty rows between, and below
					pic.Rows[i] = byte(random.Uint32())
				}
			}
			if err := r.Print(t.Context(), []Part{{Picture: &pic}}); err != nil {
				t.Fatal(err)
			}
			img := r.paper.Cut()[0].Image()
			wrong, want := 0, harmless(pic)
			for y := range 700 {
				for x := range 8 * stride {
					black := want[y*stride+x/8]&(0x80>>(x%8)) != 0
					if (img.GrayAt(x, y).Y == 0) != black {
						wrong++
					}
				}
			}
			if wrong > 0 {
				t.Errorf("%d dots are wrong", wrong)
			}
			clean(t, r.paper)
		})
	}
}

// What somebody typed, or a card or host says, is no command, whatever it holds. In pictures nothing is obeyed in real time either.
func TestHostileContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wire(t, virtual.Config{}, Config{})
		nasty := "A\x1b@\x1bp\x00\x19\xfa\x10\x14\x01\x00\x01\x1dV\x00\r\nB\u202eC\x9b\x00"
		if err := r.Print(t.Context(), lines(nasty, strings.Repeat("\x10\x04\x01", 10))); err != nil {
			t.Fatal(err)
		}
		asked := 4 // DLE EOT 1 to 4, before each job
		if n := r.paper.Obeyed(); len(r.paper.Pulses()) > 0 || n != asked {
			t.Errorf("%d pulses, %d commands in real time, and %d were meant", len(r.paper.Pulses()), n, asked)
		}
		if got := r.paper.Cut()[0].Lines[0].Text; strings.Trim(got, "?ABC@p\u007fV0123456789") != "" || !strings.HasPrefix(got, "A?@?p") {
			t.Errorf("printed %q", got)
		}
		for _, command := range [][]byte{{0x10, 0x14, 1, 0, 1}, {0x10, 4, 1}, {0x10, 5, 2}, clearBuffers} {
			for stride := 1; stride <= 7; stride++ {
				rows := bytes.Repeat(command, 7*stride)
				rows = append(rows, bytes.Repeat([]byte{0x10, 0, 0, 0x10, 0, 0, 0x10}, stride*8)...) // cut off at the right, 10 stands before the next row
				rows = append(rows, bytes.Repeat([]byte{0x04, 0x01, 0, 0x14, 0, 0, 0}, stride*8)...)
				pic := Picture{Stride: stride, Rows: rows[:len(rows)/stride*stride]}
				if err := r.Print(t.Context(), []Part{{Picture: &pic}}); err != nil {
					t.Fatal(err)
				}
				asked += 4
			}
		}
		if n := r.paper.Obeyed(); n != asked || len(r.paper.Pulses()) > 0 {
			t.Errorf("the data of pictures gave %d commands and %d pulses", n-asked, len(r.paper.Pulses()))
		}
		clean(t, r.paper)
	})
}

func TestRefusesPicture(t *testing.T) {
	p := New(Config{Port: "usb", Open: func(context.Context) (Line, error) { return nil, errors.New("opened") }})
	for _, pic := range []Picture{{}, {Stride: 73}, {Stride: 2, Rows: make([]byte, 3)}, {Stride: 1, Rows: make([]byte, maxRows+1)}} {
		if err := p.Print(t.Context(), []Part{{Picture: &pic}}); err == nil || !strings.Contains(err.Error(), "picture") {
			t.Errorf("%d by %d: %v", pic.Stride, len(pic.Rows), err)
		}
	}
}

// What keeps a printer from printing is said with what to do, and is over when it is put right. Nothing is begun before.
func TestNotReady(t *testing.T) {
	for _, c := range []struct {
		name string
		want error
		down func(r *rig)
		up   func(r *rig)
	}{
		{"paper out", ErrPaperOut, func(r *rig) { r.paper.LoadPaper(0, 0) }, func(r *rig) { r.paper.LoadPaper(-1, 0) }},
		{"cover", ErrCoverOpen, func(r *rig) { r.paper.OpenCover(true) }, func(r *rig) { r.paper.OpenCover(false) }},
		{"off", ErrSilent, func(r *rig) { r.paper.SwitchOff() }, func(r *rig) { r.paper.SwitchOn() }},
		{"mute", ErrSilent, func(r *rig) { r.paper.Mute(true) }, func(r *rig) { r.paper.Mute(false) }},
		{"unplugged", device.ErrUnplugged, func(r *rig) { r.cable(false) }, func(r *rig) { r.cable(true) }},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := wire(t, virtual.Config{}, Config{})
			c.down(r)
			if err := r.Ready(t.Context()); !errors.Is(err, c.want) {
				t.Fatalf("%s: %v, want %v", c.name, err, c.want)
			}
			c.up(r)
			if err := r.Ready(t.Context()); err != nil {
				t.Fatalf("%s, put right: %v", c.name, err)
			}
			if err := r.Print(t.Context(), receipt(1)); err != nil {
				t.Fatal(err)
			}
			c.down(r)
			if err := r.Ready(t.Context()); !errors.Is(err, c.want) {
				t.Fatalf("%s again: %v, want %v", c.name, err, c.want)
			}
			if got, broken := whole(r.paper); len(got) != 1 || broken != 0 {
				t.Errorf("%s: printed %v, %d broken", c.name, got, broken)
			}
			clean(t, r.paper)
		})
	}
}

// The state is known without a question: the printer tells of the cover, the drawer and the end of the roll by itself.
func TestTellsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wire(t, virtual.Config{}, Config{})
		if err := r.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.paper.OpenCover(true)
		r.paper.OpenDrawer(true)
		r.paper.LoadPaper(100, 200)
		synctest.Wait()
		if s := r.State(); !s.CoverOpen || !s.DrawerHigh || !s.PaperLow || s.PaperOut {
			t.Errorf("%+v", s)
		}
		r.paper.OpenCover(false)
		synctest.Wait()
		if s := r.State(); s.CoverOpen || s.trouble() != nil {
			t.Errorf("%+v", s)
		}
		r.cable(false)
		synctest.Wait()
		if s := r.State(); s.Connected {
			t.Errorf("%+v", s)
		}
	})
}

// trial is one way in which a job breaks, and how it is put right.
type trial struct {
	name string
	want error
	cfg  virtual.Config
	drv  Config
	down func(r *rig, rows int) // before the job: in the middle of it the fault strikes
	up   func(r *rig)
}

func trials() []trial {
	roll := func(r *rig, rows int) { r.paper.LoadPaper(rows, 0) }
	newRoll := func(r *rig) { r.paper.LoadPaper(-1, 0) }
	return []trial{
		{"paper out", ErrPaperOut, virtual.Config{}, Config{}, roll, newRoll},
		{"paper out, answers in turn", ErrPaperOut, virtual.Config{}, Config{Confirm: InTurn}, roll, newRoll},
		{"paper out, buffer that cannot be cleared", ErrPaperOut, virtual.Config{Clone: true}, Config{Confirm: InTurn}, roll, newRoll},
		{"paper out, small steps", ErrPaperOut, virtual.Config{}, Config{Chunk: 64}, roll, newRoll},
		{"cutter", ErrCutter, virtual.Config{}, Config{}, func(r *rig, _ int) { r.paper.JamCutter(0) }, func(*rig) {}},
	}
}

// A job that breaks is printed again whole, and the paper that has a part of it says that it is no receipt.
func TestBrokenJobAgain(t *testing.T) {
	for _, c := range trials() {
		for _, rows := range []int{1, 10, 100, 300, 620, 640, 700} {
			synctest.Test(t, func(t *testing.T) {
				r := wire(t, c.cfg, c.drv)
				c.down(r, rows)
				err := r.Print(t.Context(), receipt(1))
				if !errors.Is(err, c.want) {
					t.Fatalf("%s at %d: %v, want %v", c.name, rows, err, c.want)
				}
				if got, _ := whole(r.paper); len(got) != 0 {
					t.Fatalf("%s at %d: the receipt is whole, and was not confirmed", c.name, rows)
				}
				c.up(r)
				if err := r.Ready(t.Context()); err != nil {
					t.Fatalf("%s at %d: not ready: %v", c.name, rows, err)
				}
				if err := r.Print(t.Context(), receipt(2)); err != nil {
					t.Fatalf("%s at %d: again: %v", c.name, rows, err)
				}
				if got, broken := whole(r.paper); !slices.Contains(got, 2) || slices.Contains(got, 1) && !c.cfg.Clone || broken != 1 {
					t.Errorf("%s at %d: printed %v, %d broken", c.name, rows, got, broken)
				}
				clean(t, r.paper)
			})
		}
	}
}

// A printer that prints and cannot say so has not confirmed; one whose power fails in the middle neither.
func TestNeverConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wire(t, virtual.Config{Clone: true}, Config{Confirm: Process})
		if err := r.Print(t.Context(), receipt(1)); !errors.Is(err, ErrUnconfirmed) || !strings.Contains(err.Error(), "confirm") {
			t.Fatalf("without process IDs: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := wire(t, virtual.Config{}, Config{Chunk: 128})
		r.paper.LoadPaper(200, 0)
		ended := make(chan error)
		go func() { ended <- r.Print(t.Context(), receipt(1)) }()
		synctest.Wait()
		r.paper.SwitchOff()
		if err := <-ended; !errors.Is(err, ErrPaperOut) && !errors.Is(err, ErrSilent) {
			t.Fatalf("switched off: %v", err)
		}
		r.paper.LoadPaper(-1, 0)
		r.paper.SwitchOn()
		if err := r.Print(t.Context(), receipt(2)); err != nil {
			t.Fatal(err)
		}
		if got, _ := whole(r.paper); !slices.Equal(got, []int{2}) {
			t.Errorf("printed %v", got)
		}
	})
}

// An answer that comes late, of a job that was given up, confirms none that follows.
func TestLateAnswer(t *testing.T) {
	for _, c := range []struct {
		cfg virtual.Config
		drv Config
	}{{virtual.Config{}, Config{}}, {virtual.Config{Clone: true}, Config{Confirm: InTurn}}} {
		synctest.Test(t, func(t *testing.T) {
			r := wire(t, c.cfg, c.drv)
			r.paper.LoadPaper(100, 0)
			if err := r.Print(t.Context(), receipt(1)); !errors.Is(err, ErrPaperOut) {
				t.Fatal(err)
			}
			// The next job is begun, and the paper runs out again before anything of it comes out.
			r.paper.LoadPaper(700, 0)
			err := r.Print(t.Context(), receipt(2))
			if got, _ := whole(r.paper); (err == nil) != slices.Contains(got, 2) {
				t.Errorf("Print says %v, on paper are %v", err, got)
			}
		})
	}
}

// Cable and paper, a hundred times each: every receipt comes out whole, and goroutines do not grow (synctest sees to that: none may be
// left at the end).
func TestHundredTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wire(t, virtual.Config{}, Config{Chunk: 256})
		var confirmed []int
		for n := range 200 {
			if n%2 == 0 {
				r.paper.LoadPaper(1+n*5, 0)
			} else {
				go func() {
					time.Sleep(time.Millisecond)
					r.cable(false)
				}()
			}
			err := r.Ready(t.Context())
			for range 5 {
				if err == nil {
					err = r.Print(t.Context(), receipt(n))
				}
				if err == nil {
					confirmed = append(confirmed, n)
					break
				}
				time.Sleep(10 * time.Millisecond)
				r.cable(true)
				r.paper.LoadPaper(-1, 0)
				err = r.Ready(t.Context())
			}
			time.Sleep(10 * time.Millisecond)
			r.cable(true)
			r.paper.LoadPaper(-1, 0)
		}
		if len(confirmed) != 200 {
			t.Errorf("%d of 200 were confirmed", len(confirmed))
		}
		got, broken := whole(r.paper)
		for _, n := range confirmed {
			if !slices.Contains(got, n) {
				t.Errorf("receipt %d was confirmed and is not on paper", n)
			}
		}
		t.Logf("%d whole, %d broken papers", len(got), broken)
		if odd := r.paper.Odd(); len(odd) > 0 {
			t.Errorf("the printer does not know %q", odd)
		}
	})
}

// The drawer opens with and without paper; not where nothing is known.
func TestKick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wire(t, virtual.Config{}, Config{})
		if err := r.Kick(t.Context(), Pin2); err != nil {
			t.Fatal(err)
		}
		r.paper.LoadPaper(0, 0)
		if err := r.Kick(t.Context(), Pin5); err != nil {
			t.Fatal(err)
		}
		want := []virtual.Pulse{{Pin: 2, On: 50 * time.Millisecond, Off: 500 * time.Millisecond}, {Pin: 5, On: 100 * time.Millisecond, Off: 100 * time.Millisecond}}
		if got := r.paper.Pulses(); !slices.Equal(got, want) {
			t.Errorf("pulses %v, want %v", got, want)
		}
		r.paper.SwitchOff()
		if err := r.Kick(t.Context(), Pin2); !errors.Is(err, ErrSilent) {
			t.Errorf("switched off: %v", err)
		}
		r.cable(false)
		if err := r.Kick(t.Context(), Pin2); !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("unplugged: %v", err)
		}
	})
}

// A serial line and TCP as they are: the same job over a pseudo-terminal and over loopback.
func TestRealLines(t *testing.T) {
	t.Run("serial", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "printer")
		line, err := emulator.OpenSerialLine(link)
		if err != nil {
			t.Fatal(err)
		}
		paper := virtual.New(virtual.Config{})
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = paper.Serve(t.Context(), line) // ends with the closing of the line, which reads as an error
		}()
		overPort(t, paper, link)
		_ = line.Close()
		<-served
	})
	t.Run("tcp", func(t *testing.T) {
		ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		paper := virtual.New(virtual.Config{})
		served := make(chan struct{})
		go func() {
			defer close(served)
			if c, err := ln.Accept(); err == nil {
				_ = paper.Serve(t.Context(), c)
			}
		}()
		overPort(t, paper, "tcp://"+ln.Addr().String())
		_ = ln.Close()
		<-served
	})
}

func overPort(t *testing.T, paper *virtual.Printer, port string) {
	t.Helper()
	if err := CheckPort(port); err != nil {
		t.Error(err)
	}
	p := New(Config{Port: port})
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if err := p.Print(t.Context(), receipt(n)); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := whole(paper); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("printed %v", got)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	clean(t, paper)
}

func TestPorts(t *testing.T) {
	for _, good := range []string{"usb", "/dev/usb/lp0", "/dev/ttyUSB2", "tcp://192.0.2.1", "tcp://192.0.2.1:9100", "tcp://printer.example:9100", "tcp://[2001:db8::1]:9100", "tcp://[2001:db8::1]"} {
		if err := CheckPort(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "lp0", "tcp://", "tcp://:9100", "http://192.0.2.1"} {
		if CheckPort(bad) == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	for _, gone := range []string{"/dev/usb/lp99", "/dev/ttyNOWHERE7", "tcp://127.0.0.1:1"} {
		if err := New(Config{Port: gone}).Ready(t.Context()); !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("%s: %v", gone, err)
		}
	}
}
