package main

import (
	"bytes"
	"embed"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
)

//go:embed files scripts
var own embed.FS

// A job is one package that is to be made.
type job struct {
	name     string // tillway, or tillway-simulators
	arch     string // as Debian calls it
	version  string // as Debian writes it
	time     time.Time
	programs string // folder with the programs, built for arch
	manual   string // folder with manual pages (man1, man8) and completions (bash, zsh, fish)
	source   string // the checkout's root
	out      string // folder for the package
	schema   int    // newest form of the journal; 0: the checkout's

	work string // what is written out to be packed
	list files.Contents
}

func packageCommand(set *flag.FlagSet, out io.Writer) func() error {
	var j job
	var stamp int64
	set.StringVar(&j.name, "name", "tillway", "tillway or tillway-simulators")
	set.StringVar(&j.arch, "arch", "amd64", "amd64 or arm64")
	set.StringVar(&j.version, "version", "", "the package's version, as Debian writes it")
	set.Int64Var(&stamp, "time", 0, "time of every file, in seconds since 1970")
	set.StringVar(&j.programs, "programs", "", "folder with the programs")
	set.StringVar(&j.manual, "manual", "", "folder with manual pages and completions")
	set.StringVar(&j.source, "source", ".", "root of the source")
	set.StringVar(&j.out, "out", ".", "folder for the package")
	set.IntVar(&j.schema, "schema", 0, "newest form of the journal that the programs know; 0: as in the source")
	return func() error {
		j.time = time.Unix(stamp, 0).UTC()
		path, err := j.make()
		if err == nil {
			_, err = fmt.Fprintln(out, path)
		}
		return err
	}
}

// debianVersion is what a version may look like here: Debian's rules, without an epoch and without a revision.
var debianVersion = regexp.MustCompile(`^[0-9][0-9A-Za-z.+~]*$`)

// make writes the package and returns its path.
func (j *job) make() (path string, err error) {
	if !debianVersion.MatchString(j.version) {
		return "", fmt.Errorf("%q is no version of a Debian package: it begins with a digit, and has letters, digits and . + ~", j.version)
	}
	if j.arch != "amd64" && j.arch != "arm64" {
		return "", fmt.Errorf("unknown architecture %q: there are amd64 and arm64", j.arch)
	}
	if j.work, err = os.MkdirTemp("", "tillway-deb-"); err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(j.work) }() // of the system's temporary folder
	if j.schema == 0 {
		if j.schema, err = newestSchema(j.source); err != nil {
			return "", err
		}
	}
	info, err := j.describe()
	if err != nil {
		return "", err
	}
	if err := nfpm.PrepareForPackager(info, "deb"); err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := deb.Default.Package(info, &b); err != nil {
		return "", err
	}
	path = filepath.Join(j.out, fmt.Sprintf("%s_%s_%s.deb", j.name, j.version, j.arch))
	return path, os.WriteFile(path, b.Bytes(), 0o644) //nolint:gosec // packages are public
}

// newestSchema is the number of the newest migration of the journal.
func newestSchema(source string) (int, error) {
	found, err := filepath.Glob(filepath.Join(source, "store", "migration", "[0-9][0-9][0-9][0-9]_*.sql"))
	if err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, fmt.Errorf("no migrations of the journal under %s: give the root of the source", source)
	}
	slices.Sort(found)
	return strconv.Atoi(filepath.Base(found[len(found)-1])[:4])
}

// describe is the package as nfpm wants it told.
func (j *job) describe() (*nfpm.Info, error) {
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: j.name, Arch: j.arch, Version: j.version, VersionSchema: "none",
		Section: "misc", Priority: "optional", Maintainer: "Tillway maintainers <maintainers@tillway.invalid>",
		License: "MIT", MTime: j.time, DisableGlobbing: true,
	})
	info.Deb.Compression = "xz"
	var err error
	switch j.name {
	case "tillway":
		err = j.terminal(info)
	case "tillway-simulators":
		err = j.simulators(info)
	default:
		err = fmt.Errorf("unknown package %q: there are tillway and tillway-simulators", j.name)
	}
	info.Contents = j.list
	return info, err
}

// terminal is what a till is given.
func (j *job) terminal(info *nfpm.Info) error {
	info.Description = "Payment terminal software for shops\nReads cards, asks the acquirer, keeps the journal. posd is the terminal, keyd its secure module, pos the\ncommand line. No certification is claimed."
	info.Depends = []string{
		"libc6 (>= 2.34)", "libusb-1.0-0 (>= 2:1.0.22)", "init-system-helpers (>= 1.52)",
		"systemd | systemd-standalone-sysusers", "systemd | systemd-standalone-tmpfiles",
	}
	j.program("posd", "/usr/sbin/posd")
	j.program("keyd", "/usr/libexec/tillway/keyd")
	j.program("pos", "/usr/bin/pos")
	j.from("cmd/posd/posd.toml", "/usr/share/doc/tillway/posd.toml")
	steps := []error{
		j.ours("files/posd.toml", "/etc/tillway/posd.toml", files.TypeConfig),
		j.ours("files/sysusers.conf", "/usr/lib/sysusers.d/tillway.conf", files.TypeFile),
		j.ours("files/tmpfiles.conf", "/usr/lib/tmpfiles.d/tillway.conf", files.TypeFile),
		j.each("packaging/udev/*.rules", "/lib/udev/rules.d"),
		j.each("packaging/systemd/*.service", "/lib/systemd/system"),
		j.each("packaging/systemd/*.socket", "/lib/systemd/system"),
		j.each("packaging/systemd/*.conf", "/usr/share/doc/tillway/systemd"),
		j.each("packaging/prometheus/*.yml", "/usr/share/doc/tillway/prometheus"),
		j.papers(),
		j.manuals("posd", "pos"),
		j.keydPage(),
	}
	for _, s := range []struct {
		name string
		at   *string
	}{
		{"preinst", &info.Scripts.PreInstall},
		{"postinst", &info.Scripts.PostInstall},
		{"prerm", &info.Scripts.PreRemove},
		{"postrm", &info.Scripts.PostRemove},
	} {
		path, err := j.script(s.name)
		*s.at = path
		steps = append(steps, err)
	}
	return first(steps)
}

// simulators is what stands in for the bank, the reader and the card.
func (j *job) simulators(info *nfpm.Info) error {
	info.Description = "Simulated acquirer and card reader for Tillway\nhostsim plays the acquirer and issuer, readeremu readers and cards. For trying a terminal and for learning: no\ndaemon is started, and keys and cards are published test data."
	info.Depends = []string{"libc6 (>= 2.34)"}
	info.Recommends = []string{"tillway"}
	j.program("hostsim", "/usr/bin/hostsim")
	j.program("readeremu", "/usr/bin/readeremu")
	return first([]error{j.papers(), j.manuals("hostsim", "readeremu")})
}

func first(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// add packs a file that lies at from.
func (j *job) add(from, to, kind string, mode fs.FileMode) {
	j.list = append(j.list, &files.Content{
		Source: from, Destination: to, Type: kind,
		FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: j.time},
	})
}

func (j *job) program(name, to string) {
	j.add(filepath.Join(j.programs, name), to, files.TypeFile, 0o755)
}

func (j *job) from(path, to string) {
	j.add(filepath.Join(j.source, path), to, files.TypeFile, 0o644)
}

// each packs the files of the source that fit a pattern, of which there may be none.
func (j *job) each(pattern, folder string) error {
	found, err := filepath.Glob(filepath.Join(j.source, pattern))
	for _, path := range found {
		j.add(path, folder+"/"+filepath.Base(path), files.TypeFile, 0o644)
	}
	return err
}

// ours packs a file that belongs to this program.
func (j *job) ours(name, to, kind string) error {
	path, err := j.write(name, nil)
	j.add(path, to, kind, 0o644)
	return err
}

// script writes out a maintainer script, with what it has to know.
func (j *job) script(name string) (string, error) {
	return j.write("scripts/"+name, strings.NewReplacer("@SCHEMA@", strconv.Itoa(j.schema), "@VERSION@", j.version))
}

func (j *job) write(name string, change *strings.Replacer) (string, error) {
	text, err := own.ReadFile(name)
	if err != nil {
		return "", err
	}
	if change != nil {
		text = []byte(change.Replace(string(text)))
	}
	path := filepath.Join(j.work, filepath.Base(name))
	return path, os.WriteFile(path, text, 0o644) //nolint:gosec // no secret is in it
}
