package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tillway/device"
	"tillway/device/gempc"
	tapes "tillway/device/session"
	"tillway/device/transcript"
	"tillway/device/usb"
	"tillway/device/usb/libusb"
	"tillway/device/usbccid"
	"tillway/emv"
	"tillway/emv/tlv"
)

// recordFlags are what the technician says.
type recordFlags struct {
	driver, port string
	allow        []string
	wait         time.Duration

	bus usb.Bus // nil: the machine's own
}

// recorded is what came of a recording.
type recorded struct {
	File   string `json:"file"`
	Reader string `json:"reader"`
	Card   string `json:"card"` // none, test or masked
	Frames int    `json:"frames"`
}

func (a *app) readersRecord() *cobra.Command {
	var f recordFlags
	c := &cobra.Command{
		Use: "record FILE", Short: "Record what goes over a reader's wire, while the terminal is off", Args: args("FILE"),
		Long: `record opens the reader itself, asks for a card, reads it as a sale would begin to, and writes every frame of the reader's wire into
FILE, which must not be there yet. The terminal must be off: one program at a time has the reader. The file is for whoever keeps Tillway's
drivers: it shows how this reader behaves, and tests play it. Of a published test card all bytes are in it; of any other
card, what was exchanged with it is stars. No payment is made, and no PIN is asked for.`,
		Example: "  pos readers record twin.session --driver gempc --port /dev/ttyS0\n  pos readers record acr39.session --driver usb\n  pos readers record new.session --driver usb --allow 1234:5678",
		RunE: func(c *cobra.Command, argv []string) error {
			made, err := a.record(c.Context(), f, argv[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(made)
			}
			a.printf("%s: %d frames of %s, card: %s\n", made.File, made.Frames, made.Reader, made.Card)
			return nil
		},
	}
	c.Flags().StringVar(&f.driver, "driver", "gempc", "driver of the reader: gempc or usb")
	c.Flags().StringVar(&f.port, "port", "", "where the reader is, as in [reader] port of posd.toml")
	c.Flags().StringSliceVar(&f.allow, "allow", nil, "ids like 1234:5678 of a USB reader that is on no list, as in [reader] allow")
	c.Flags().DurationVar(&f.wait, "wait", time.Minute, "how long reader and card are waited for")
	return c
}

// openTapped opens a reader whose wire is recorded.
func openTapped(f recordFlags) (device.Reader, *tapes.Recorder, error) {
	switch f.driver {
	case "gempc":
		rec := tapes.NewRecorder(tapes.Serial)
		r, err := gempc.Open(gempc.Config{Port: f.port, Tap: rec.Tap})
		if err != nil {
			return nil, nil, usage("%w: name it with --port", err)
		}
		return r, rec, nil
	case "usb":
		rec := tapes.NewRecorder(tapes.Message)
		config := usbccid.Config{Bus: f.bus, Port: f.port, Tap: rec.Tap}
		if f.bus == nil {
			config.Bus = libusb.New()
		}
		for _, text := range f.allow {
			id, err := usb.ParseID(text)
			if err != nil {
				return nil, nil, usage("--allow: %w", err)
			}
			config.Allow = append(config.Allow, id)
		}
		r, err := usbccid.Open(config)
		if err != nil {
			return nil, nil, usage("%w", err)
		}
		return r, rec, nil
	}
	return nil, nil, usage("--driver %q: gempc and usb are recorded; pcscd has the wire of its readers to itself", f.driver)
}

// record makes one recording.
func (a *app) record(ctx context.Context, f recordFlags, name string) (made recorded, err error) {
	if a.runs(ctx) {
		return made, usage("the terminal runs, and has the reader: stop it first (systemctl stop posd), and start it again afterwards")
	}
	reader, rec, err := openTapped(f)
	if err != nil {
		return made, err
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the technician names the file
	if err != nil {
		return made, errors.Join(usage("%s: %w: name a file that is not there yet", name, err), reader.Close())
	}
	cards, err := a.present(ctx, reader, f.wait)
	head := tapes.Head{Driver: f.driver, Reader: reader.Name(), Date: time.Now(), Card: cards}
	s := rec.Session(head) // before the reader is closed: what that breaks off is no card's
	err = errors.Join(err, reader.Close())
	if err == nil && rec.Full() {
		err = fmt.Errorf("the wire said more than a session holds (%d frames): start again, and be quicker", tapes.MaxFrames)
	}
	if err == nil {
		_, err = file.Write(s.Text())
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return made, errors.Join(usage("nothing was recorded: %w", err), os.Remove(name))
	}
	return recorded{name, s.Reader, s.Card, len(s.Frames)}, nil
}

// runs says whether a terminal's daemon answers.
func (a *app) runs(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	cl := a.client()
	defer cl.close()
	var any struct{}
	return cl.get(ctx, "/v1/status", &any) == nil
}

// present leads the technician through one card, and says what it was.
func (a *app) present(ctx context.Context, reader device.Reader, wait time.Duration) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errors.New("nobody did what was asked for in time"))
	defer cancel()
	say := func(text string) { fmt.Fprintln(a.errOut, text) }
	say("Insert a card, a published test card where there is one.")
	for {
		p, err := reader.Present(ctx)
		if errors.Is(err, device.ErrMute) {
			say("The card does not answer. Take it out.")
			if err := reader.AwaitRemoval(ctx); err != nil {
				return "", a.lateReader(ctx, reader, err)
			}
			say("Insert another.")
			continue
		}
		if err != nil {
			return "", a.lateReader(ctx, reader, err)
		}
		say("Leave the card in.")
		log := transcript.NewRecorder(p.Card)
		looked := browse(ctx, log)
		if err := errors.Join(looked, reader.Release(ctx)); err != nil {
			return "", err
		}
		say("Take the card out.")
		if err := reader.AwaitRemoval(ctx); err != nil {
			return "", a.lateReader(ctx, reader, err)
		}
		if t := log.Transcript(); t.OfTestCard() {
			return tapes.TestCard, nil
		}
		return tapes.RealCard, nil
	}
}

// lateReader words a wait that was in vain: the reader's own trouble is worth more than the time.
func (a *app) lateReader(ctx context.Context, reader device.Reader, err error) error {
	if s := reader.Status(); s.Condition == device.Absent {
		return errors.New(s.Cause)
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// Bounds of what is read of one card.
const (
	mostRecords      = 40
	mostApplications = 5
)

// browse reads a card as the beginning of a sale does (Book 1, 12.3.2; Book 3, 10.1 and 10.2): the directory, one application, its
// records. What a card refuses is passed over; the error is the reader's.
func browse(ctx context.Context, card emv.Card) error {
	b := browser{ctx: ctx, card: card}
	names := [][]byte{{0xA0, 0, 0, 0, 3, 0x10, 0x10}, {0xA0, 0, 0, 0, 4, 0x10, 0x10}}
	if fci := b.send(append([]byte{0x00, 0xA4, 0x04, 0x00, 14}, "1PAY.SYS.DDF01"...), 0); fci != nil {
		for n := byte(1); n <= mostApplications; n++ {
			record := b.send([]byte{0x00, 0xB2, n, 1<<3 | 4}, 0)
			if record == nil {
				break
			}
			if aid := find(record, emv.TagADFName); len(aid) >= 5 && len(aid) <= 16 {
				names = append([][]byte{aid}, names...)
			}
		}
	}
	for _, aid := range names[:min(len(names), mostApplications)] {
		fci := b.send(append([]byte{0x00, 0xA4, 0x04, 0x00, byte(len(aid))}, aid...), 0)
		if fci == nil {
			continue
		}
		b.application(fci)
		break
	}
	return b.err
}

// application initiates the selected application with nothing known, and reads its records.
func (b *browser) application(fci []byte) {
	length := 0
	if dol, err := tlv.ParseDOL(find(fci, emv.TagPDOL)); err == nil {
		for _, object := range dol {
			length += object.Length
		}
	}
	if length > 250 {
		return
	}
	command := append([]byte{0x80, 0xA8, 0x00, 0x00, byte(length + 2), 0x83, byte(length)}, make([]byte, length)...)
	answer := b.send(command, 0)
	afl := find(answer, emv.TagAFL)
	if len(answer) > 4 && answer[0] == 0x80 {
		afl = answer[4:]
	}
	for read := 0; len(afl) >= 4; afl = afl[4:] {
		for n := afl[1]; n >= 1 && n <= afl[2] && read < mostRecords; n++ {
			b.send([]byte{0x00, 0xB2, n, afl[0] | 4}, 0)
			read++
		}
	}
}

// browser sends commands until the reader fails.
type browser struct {
	ctx  context.Context
	card emv.Card
	err  error
}

// send is one command with Le at its end; nil is any other answer than 9000.
func (b *browser) send(command []byte, le byte) []byte {
	if b.err != nil {
		return nil
	}
	r, err := b.card.Transmit(b.ctx, append(command, le))
	if b.err = err; err != nil || len(r) < 2 || r[len(r)-2] != 0x90 || r[len(r)-1] != 0x00 {
		return nil
	}
	return r[:len(r)-2]
}

// find is the first value of a tag, however deep.
func find(data []byte, tag tlv.Tag) []byte {
	items, err := tlv.Parse(data)
	if err != nil {
		return nil
	}
	for _, it := range items {
		if it.Tag == tag {
			return it.Value
		}
		if it.Tag.Constructed() {
			if v := find(it.Value, tag); v != nil {
				return v
			}
		}
	}
	return nil
}
