package gempc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tillway/device"
	"tillway/device/ccid"
	"tillway/device/serial"
)

// How often the driver looks by itself.
const (
	pollEvery   = 100 * time.Millisecond // at the slot of a working reader
	reopenEvery = 250 * time.Millisecond // at the port of an absent one
	retryEvery  = time.Second            // at the port of one that does not talk
)

// Config is what a Reader needs to know.
type Config struct {
	Port string       // path of the serial port, /dev/ttyS0 or a stable name from /dev/serial/by-id
	Log  *slog.Logger // connection and loss of the reader, never data of a card; nil for none

	// Patience is the longest silence of a reader that owes an answer, the card's own waiting time not included;
	// 0 means ccid.DefaultPatience.
	Patience time.Duration

	// Tap, when there, is told each piece of bytes that goes over the line, in its order: out to the reader, or in. It must not
	// block, nor keep b. It sees card data: it is for recordings.
	Tap func(out bool, b []byte)
}

// tapped is a line whose bytes are told to somebody.
type tapped struct {
	line
	tap func(out bool, b []byte)
}

func (l tapped) Read(ctx context.Context, b []byte) (int, error) {
	n, err := l.line.Read(ctx, b)
	l.tap(false, b[:n])
	return n, err
}

func (l tapped) Write(ctx context.Context, b []byte) error {
	l.tap(true, b)
	return l.line.Write(ctx, b)
}

// Open starts the driver. A port that is not there, or may not be opened, is no error: Status says why and Present
// waits for it. The error is a configuration that can never work.
func Open(config Config) (*ccid.Reader, error) {
	if config.Port == "" {
		return nil, errors.New("gempc: no port named")
	}
	return start(config, func() (line, error) {
		// RTS low keeps the reader from sending its plug and play string; DTR powers it on some cables.
		return serial.Open(config.Port, serial.Mode{Baud: 115200, StopBits: 2, RTS: false, DTR: true})
	}), nil
}

// start is Open over any line.
func start(config Config, open func() (line, error)) *ccid.Reader {
	return ccid.NewReader(ccid.ReaderConfig{
		Driver: "gempc", Port: config.Port, Log: config.Log, Patience: config.Patience,
		Connect: func(context.Context) (*ccid.Connection, error) {
			line, err := open()
			if err != nil {
				return nil, err
			}
			if config.Tap != nil {
				line = tapped{line, config.Tap}
			}
			return &ccid.Connection{Transport: &wire{line: line}, Greet: greet, Poll: pollEvery, Close: line.Close}, nil
		},
		Reopen: reopenEvery, Retry: retryEvery,
		Silent: config.Port + " is there, but no GemPC Twin answers on it: is the reader plugged in and powered?",
	})
}

// greet makes sure that a GemPC Twin is there and sets it up: card movements are told after the next command's echo.
func greet(ctx context.Context, slot *ccid.Slot) (string, error) {
	version, err := escape(ctx, slot, 0x02)
	if err != nil {
		return "", fmt.Errorf("asking for the firmware version: %w", err)
	}
	if _, err := escape(ctx, slot, 0x01, 0x01, 0x01); err != nil {
		return "", fmt.Errorf("setting the card movements: %w", err)
	}
	return string(version), nil
}

// escape is an escape command, twice when its answer is damaged: what we send may be repeated.
func escape(ctx context.Context, slot *ccid.Slot, command ...byte) ([]byte, error) {
	answer, err := slot.Escape(ctx, command...)
	if errors.Is(err, device.ErrProtocol) {
		answer, err = slot.Escape(ctx, command...)
	}
	return answer, err
}
