package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"tillway/terminal/receipt"
	"tillway/terminal/receipt/paper"
)

// papers are the flags of a command that draws a paper.
type papers struct {
	format, lang, out string
	width, dots       int
}

func (p *papers) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.format, "format", "text", "text, html, png or json")
	c.Flags().StringVar(&p.lang, "lang", "", "en, ar or both; absent: text in English, all else in the paper's own language")
	c.Flags().IntVar(&p.width, "width", receipt.DefaultWidth, "columns of the text format")
	c.Flags().IntVar(&p.dots, "dots", paper.Wide, "dots across of the png format")
	c.Flags().StringVar(&p.out, "out", "", "file to write it to, which must not exist yet; absent: standard output")
}

// check takes --json for the format where none is named, and refuses what nothing is drawn in.
func (p *papers) check(a *app, c *cobra.Command) error {
	if a.json && !c.Flags().Changed("format") {
		p.format = "json"
	}
	switch p.format {
	case "text", "html", "png", "json":
	default:
		return usage("format %q: this build draws text, html, png and json", p.format)
	}
	if a.json && p.format != "json" {
		return usage("--json and --format %s do not go together", p.format)
	}
	if p.width < receipt.MinWidth || p.width > receipt.MaxWidth {
		return usage("width %d: %d to %d columns", p.width, receipt.MinWidth, receipt.MaxWidth)
	}
	if p.dots < paper.Narrow || p.dots > paper.Wide {
		return usage("dots %d: %d to %d", p.dots, paper.Narrow, paper.Wide)
	}
	if p.lang == "" && p.format == "text" { // most terminal windows neither shape nor order Arabic
		p.lang = string(receipt.English)
	}
	if p.lang != "" {
		if _, err := receipt.ParseLanguage(p.lang); err != nil {
			return usage("%w", err)
		}
	}
	return nil
}

// query adds to what else is asked for.
func (p *papers) query(q url.Values) string {
	if q == nil {
		q = url.Values{}
	}
	q.Set("format", p.format)
	q.Set("width", strconv.Itoa(p.width))
	q.Set("dots", strconv.Itoa(p.dots))
	if p.lang != "" {
		q.Set("lang", p.lang)
	}
	return "?" + q.Encode()
}

// errTerminal says that a picture is not for a terminal window.
var errTerminal = errors.New("a png is no text: name a file with --out, or send the output to one")

// drawPaper has a paper drawn, and prints it or puts it into a file.
func (a *app) drawPaper(ctx context.Context, cl *client, path string, q url.Values, p *papers) error {
	if p.format == "png" && p.out == "" && isTerminal(a.out) {
		return &exit{exitUsage, errTerminal}
	}
	body, err := cl.raw(ctx, requestLimit, http.MethodGet, path+p.query(q), nil)
	if err != nil {
		return err
	}
	if p.out == "" {
		_, err := a.out.Write(body)
		return err
	}
	f, err := os.OpenFile(p.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("the paper is not written: %w: name another file", err)
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Close())
}

// isTerminal says that somebody reads what is written there as it comes.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
