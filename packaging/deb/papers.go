package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2/files"
)

// papers packs licence, changes and, for the terminal, every page of docs and firmware-notes.
func (j *job) papers() error {
	doc := "/usr/share/doc/" + j.name
	j.from("LICENSE", doc+"/copyright")
	steps := []error{j.packed("CHANGELOG.md", doc+"/changelog.gz")}
	if j.name == "tillway" {
		steps = append(steps, j.each("docs/*.md", doc), j.each("firmware-notes/*.md", doc+"/firmware-notes"))
	}
	return first(steps)
}

// manuals packs manual pages and completions of programs: every page of a program's subcommands too.
func (j *job) manuals(programs ...string) error {
	for _, program := range programs {
		pages, err := filepath.Glob(filepath.Join(j.manual, "man[18]", program+"[.\\-]*"))
		if err != nil {
			return err
		}
		if len(pages) == 0 {
			return fmt.Errorf("no manual page of %s under %s: make them first", program, j.manual)
		}
		for _, page := range pages {
			to := filepath.Join("/usr/share/man", filepath.Base(filepath.Dir(page)), filepath.Base(page)+".gz")
			if err := j.squeezed(page, to); err != nil {
				return err
			}
		}
		for _, shell := range []struct{ file, to string }{
			{"bash/" + program, "/usr/share/bash-completion/completions/" + program},
			{"zsh/_" + program, "/usr/share/zsh/vendor-completions/_" + program},
			{"fish/" + program + ".fish", "/usr/share/fish/vendor_completions.d/" + program + ".fish"},
		} {
			j.add(filepath.Join(j.manual, shell.file), shell.to, files.TypeFile, 0o644)
		}
	}
	return nil
}

// keydPage packs keyd's manual page, which is written by hand: keyd takes no commands.
func (j *job) keydPage() error {
	path, err := j.write("files/keyd.8", nil)
	if err != nil {
		return err
	}
	return j.squeezed(path, "/usr/share/man/man8/keyd.8.gz")
}

func (j *job) packed(path, to string) error { return j.squeezed(filepath.Join(j.source, path), to) }

// squeezed packs a file compressed, without name and time in it.
func (j *job) squeezed(from, to string) error {
	text, err := os.ReadFile(from) //nolint:gosec // a file of the release
	if err != nil {
		return err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	path := filepath.Join(j.work, fmt.Sprintf("%d-%s", len(j.list), filepath.Base(to)))
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil { //nolint:gosec // no secret is in it
		return err
	}
	j.add(path, to, files.TypeFile, 0o644)
	return nil
}
