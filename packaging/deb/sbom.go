package main

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// sbomCommand lists the parts of programs as CycloneDX, read out of the programs themselves, so that it is what was linked and no more.
func sbomCommand(set *flag.FlagSet, out io.Writer) func() error {
	var s bill
	set.StringVar(&s.version, "version", "", "the release's version")
	set.StringVar(&s.time, "time", "", "the release's time, RFC 3339")
	set.StringVar(&s.programs, "programs", "", "folder with the programs")
	set.StringVar(&s.libusb, "libusb", "", "version of the libusb that posd was built against")
	set.StringVar(&s.modules, "modules", "", "the module cache, where SQLite's version is read")
	to := set.String("out", "", "file for the list; empty: standard output")
	return func() error {
		text, err := s.list()
		if err != nil {
			return err
		}
		if *to == "" {
			_, err = out.Write(text)
			return err
		}
		return os.WriteFile(*to, text, 0o644) //nolint:gosec // public
	}
}

// A bill is what is asked of a list.
type bill struct{ version, time, programs, libusb, modules string }

// list is the SBOM as JSON, the same for the same programs.
func (s *bill) list() ([]byte, error) {
	entries, err := os.ReadDir(s.programs)
	if err != nil {
		return nil, err
	}
	parts, uses := map[string]cdx.Component{}, map[string][]string{}
	var toolchain string
	var programs []cdx.Component
	for _, e := range entries {
		info, err := buildinfo.ReadFile(filepath.Join(s.programs, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		toolchain = strings.TrimPrefix(strings.Fields(info.GoVersion)[0], "go")
		ref := "program/" + e.Name()
		programs = append(programs, cdx.Component{BOMRef: ref, Type: cdx.ComponentTypeApplication, Name: e.Name(), Version: s.version})
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			c := module(m.Path, m.Version)
			parts[c.BOMRef] = c
			uses[ref] = append(uses[ref], c.BOMRef)
			if err := s.inC(m.Path, m.Version, parts, uses); err != nil {
				return nil, err
			}
		}
		std := module("std", toolchain)
		parts[std.BOMRef] = std
		uses[ref] = append(uses[ref], std.BOMRef)
	}
	if len(programs) == 0 {
		return nil, errors.New("no programs to list: build them first")
	}
	return s.write(programs, parts, uses)
}

// module is a Go module as a part.
func module(path, version string) cdx.Component {
	purl := "pkg:golang/" + path + "@" + version
	return cdx.Component{BOMRef: purl, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: purl}
}

// inC adds the libraries in C that come with a module: SQLite is compiled in, libusb is the system's.
func (s *bill) inC(path, version string, parts map[string]cdx.Component, uses map[string][]string) error {
	var c cdx.Component
	switch path {
	case "github.com/mattn/go-sqlite3":
		sqlite, err := sqliteVersion(filepath.Join(s.modules, path+"@"+version, "sqlite3-binding.h"))
		if err != nil {
			return err
		}
		c = cdx.Component{Type: cdx.ComponentTypeLibrary, Name: "sqlite", Version: sqlite, PackageURL: "pkg:generic/sqlite@" + sqlite, Description: "C, compiled in"}
	case "github.com/google/gousb":
		if s.libusb == "" {
			return errors.New("say which libusb posd was built against: --libusb")
		}
		c = cdx.Component{Type: cdx.ComponentTypeLibrary, Name: "libusb", Version: s.libusb, PackageURL: "pkg:generic/libusb@" + s.libusb, Description: "C, the machine's own shared library (libusb-1.0-0)"}
	default:
		return nil
	}
	c.BOMRef = c.PackageURL
	parts[c.BOMRef] = c
	ref := module(path, version).BOMRef
	uses[ref] = []string{c.BOMRef}
	return nil
}

// sqliteVersion is the version in SQLite's own header.
func sqliteVersion(header string) (string, error) {
	text, err := os.ReadFile(header) //nolint:gosec // of the module cache
	if err != nil {
		return "", err
	}
	_, after, found := bytes.Cut(text, []byte("#define SQLITE_VERSION "))
	fields := strings.Fields(string(after[:min(len(after), 80)]))
	if !found || len(fields) == 0 {
		return "", fmt.Errorf("%s does not say SQLite's version", header)
	}
	return strings.Trim(fields[0], `"`), nil
}

// write puts the list into order.
func (s *bill) write(programs []cdx.Component, parts map[string]cdx.Component, uses map[string][]string) ([]byte, error) {
	b := cdx.NewBOM()
	b.Metadata = &cdx.Metadata{
		Timestamp: s.time,
		Component: &cdx.Component{BOMRef: "tillway", Type: cdx.ComponentTypeApplication, Name: "tillway", Version: s.version, Components: &programs},
	}
	all := make([]cdx.Component, 0, len(parts))
	for _, c := range parts {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b cdx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) })
	b.Components = &all
	var graph []cdx.Dependency
	for ref, on := range uses {
		slices.Sort(on)
		on = slices.Compact(on)
		graph = append(graph, cdx.Dependency{Ref: ref, Dependencies: &on})
	}
	slices.SortFunc(graph, func(a, b cdx.Dependency) int { return strings.Compare(a.Ref, b.Ref) })
	b.Dependencies = &graph
	var out bytes.Buffer
	err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(b)
	return out.Bytes(), err
}
