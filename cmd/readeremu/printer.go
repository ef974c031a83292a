package main

import (
	"context"
	"fmt"
	"image/png"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tillway/device/emulator"
	"tillway/device/emulator/escpos"
)

// printerCommand plays a receipt printer; what it prints is put into a folder.
func printerCommand() *cobra.Command {
	var link, listen, folder string
	var rows int
	c := &cobra.Command{
		Use: "printer", Short: "a virtual receipt printer (ESC/POS)", Args: atMost(0),
		Long: `printer plays an ESC/POS printer of 576 dots on a pseudo-terminal (--link) or on a TCP port of this machine (--listen). Each paper that is
cut off is put into a folder, as text and as a picture: 001.txt, 001.png.`,
		Example: "  readeremu printer --listen 127.0.0.1:9100 --paper run/paper\n  # posd.toml: [printer] driver = \"escpos\", port = \"tcp://127.0.0.1:9100\"",
		RunE: func(c *cobra.Command, _ []string) error {
			if (link == "") == (listen == "") {
				return usageError{fmt.Errorf("name one of --link and --listen")}
			}
			if err := os.MkdirAll(folder, 0o750); err != nil {
				return err
			}
			p := escpos.New(escpos.Config{})
			p.LoadPaper(rows, rows/10)
			return printing(c.Context(), p, link, listen, folder, c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&link, "link", "", "path of the link to its serial line")
	c.Flags().StringVar(&listen, "listen", "", "address and port of this machine that it listens on")
	c.Flags().StringVar(&folder, "paper", "paper", "folder for what it prints")
	c.Flags().IntVar(&rows, "roll", -1, "rows of dots on the roll, eight a millimetre; below 0 it never ends")
	return c
}

// printing runs the printer on its line until ctx ends.
func printing(ctx context.Context, p *escpos.Printer, link, listen, folder string, out io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	next, err := lineOf(ctx, link, listen, out)
	if err != nil {
		return err
	}
	kept := make(chan error, 1)
	go func() { kept <- keep(ctx, p, folder, out) }()
	for {
		line, err := next()
		if err != nil || ctx.Err() != nil {
			stop()
			return <-kept
		}
		if err := p.Serve(ctx, line); err != nil && ctx.Err() == nil {
			_, _ = fmt.Fprintln(out, "line lost:", err)
		}
	}
}

// lineOf gives one line after another: the pseudo-terminal once, TCP for each connection.
func lineOf(ctx context.Context, link, listen string, out io.Writer) (func() (io.ReadWriteCloser, error), error) {
	if link != "" {
		line, err := emulator.OpenSerialLine(link)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = line.Close() })
		_, _ = fmt.Fprintf(out, "printer ready: %s\n", link)
		given := false
		return func() (io.ReadWriteCloser, error) {
			if given {
				return nil, io.EOF
			}
			given = true
			return line, nil
		}, nil
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = ln.Close() })
	_, _ = fmt.Fprintf(out, "printer ready: tcp://%s\n", ln.Addr())
	return func() (io.ReadWriteCloser, error) { return ln.Accept() }, nil
}

// keep writes down what is cut off. It ends with ctx, after a last look.
func keep(ctx context.Context, p *escpos.Printer, folder string, out io.Writer) error {
	const lookEvery = 100 * time.Millisecond
	written := 0
	for ended := false; ; {
		for _, slip := range p.TearOff() {
			written++
			name := filepath.Join(folder, fmt.Sprintf("%03d", written))
			if err := keepSlip(slip, name); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(out, "paper %s.png\n", name)
		}
		if ended {
			return nil
		}
		select {
		case <-ctx.Done():
			ended = true
		case <-time.After(lookEvery):
		}
	}
}

func keepSlip(slip escpos.Slip, name string) error {
	if err := os.WriteFile(name+".txt", []byte(slip.Text()), 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(name+".png", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // in the folder that was named
	if err != nil {
		return err
	}
	if err := png.Encode(f, slip.Image()); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
