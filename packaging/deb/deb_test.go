package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// staged is a folder with programs and pages as a build leaves them.
func staged(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"programs/posd", "programs/keyd", "programs/pos", "manual/man1/pos.1", "manual/man1/pos-sale.1", "manual/man8/posd.8"} {
		put(t, filepath.Join(dir, name), "this is "+name+"\n")
	}
	for _, program := range []string{"pos", "posd"} {
		for _, name := range []string{"bash/" + program, "zsh/_" + program, "fish/" + program + ".fish"} {
			put(t, filepath.Join(dir, "manual", name), "this is "+name+"\n")
		}
	}
	return dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// packaged makes the terminal's package of a folder of its own.
func packaged(t *testing.T, more ...string) (path string, text []byte) {
	t.Helper()
	dir := staged(t)
	args := []string{"package", "--arch", "arm64", "--version", "1.2.3", "--time", "1700000000", "--source", "../..", "--programs", dir + "/programs", "--manual", dir + "/manual", "--out", dir}
	if err := run(append(args, more...), io.Discard); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "tillway_1.2.3_arm64.deb")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, text
}

// TestSameBytes: the same files in two folders are the same package; another time is another one.
func TestSameBytes(t *testing.T) {
	_, once := packaged(t)
	_, again := packaged(t)
	if !bytes.Equal(once, again) {
		t.Error("the same files made two different packages")
	}
	if _, other := packaged(t, "--time", "1700000001"); bytes.Equal(once, other) {
		t.Error("the time of the files is not in the package")
	}
}

// TestDpkgReads: Debian's own program finds in a package what was meant.
func TestDpkgReads(t *testing.T) {
	path, _ := packaged(t)
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Log("NOT CHECKED on this machine: whether Debian's dpkg-deb reads the package, which is not installed")
		return
	}
	ask := func(args ...string) string {
		said, err := exec.CommandContext(t.Context(), "dpkg-deb", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("dpkg-deb %v: %v: %s", args, err, said)
		}
		return string(said)
	}
	for field, want := range map[string]string{"Package": "tillway", "Version": "1.2.3", "Architecture": "arm64"} {
		if got := strings.TrimSpace(ask("--field", path, field)); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	list := ask("--contents", path)
	for _, want := range []string{"./usr/sbin/posd\n", "./usr/libexec/tillway/keyd\n", "./usr/bin/pos\n", "./etc/tillway/posd.toml\n", "./lib/systemd/system/tillway-keyd.service\n", "./usr/share/man/man8/keyd.8.gz\n", "./usr/share/man/man8/posd.8.gz\n"} {
		if !strings.Contains(list, want) {
			t.Errorf("the package has no %s", strings.TrimSpace(want))
		}
	}
	for line := range strings.Lines(list) {
		if !strings.Contains(line, " root/root ") {
			t.Errorf("not root's: %s", line)
		}
	}
}

func TestPackageRefuses(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"publish"},
		{"package", "--version", "v1"},
		{"package", "--version", "1.0-1"},
		{"package", "--version", "1.0", "--arch", "mips"},
		{"package", "--version", "1.0", "--source", t.TempDir()},
		{"package", "--version", "1.0", "--source", "../..", "--name", "other"},
	} {
		if err := run(args, io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}

// TestBill: the list of a program's parts has every module that was linked, and no version is left open. The program is this test's own.
func TestBill(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(own, filepath.Join(dir, "deb")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run([]string{"sbom", "--version", "1.2.3", "--time", "2026-01-02T03:04:05Z", "--programs", dir}, &out); err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat  string `json:"bomFormat"`
		Components []struct{ Name, Version, Purl string }
	}
	if err := json.Unmarshal(out.Bytes(), &bom); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range bom.Components {
		names = append(names, c.Name)
		if c.Version == "" || c.Purl != "pkg:golang/"+c.Name+"@"+c.Version {
			t.Errorf("%s %q has the address %q", c.Name, c.Version, c.Purl)
		}
	}
	for _, want := range []string{"std", "github.com/goreleaser/nfpm/v2", "github.com/CycloneDX/cyclonedx-go"} {
		if !slices.Contains(names, want) {
			t.Errorf("the list has no %s", want)
		}
	}
	if bom.BOMFormat != "CycloneDX" {
		t.Errorf("the format is %q", bom.BOMFormat)
	}
	if err := run([]string{"sbom", "--programs", t.TempDir()}, io.Discard); err == nil {
		t.Error("a list of no programs was made")
	}
}

// TestCLibraries: SQLite's version is read out of its own header; libusb's has to be said.
func TestCLibraries(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/github.com/mattn/go-sqlite3@v1.0.0/sqlite3-binding.h", "x\n#define SQLITE_VERSION        \"3.50.1\"\n")
	s := bill{version: "1", modules: dir, libusb: "1.0.26"}
	parts, uses := map[string]cdx.Component{}, map[string][]string{}
	for _, path := range []string{"github.com/mattn/go-sqlite3", "github.com/google/gousb", "example.org/other"} {
		if err := s.inC(path, "v1.0.0", parts, uses); err != nil {
			t.Error(err)
		}
	}
	if len(parts) != 2 || parts["pkg:generic/sqlite@3.50.1"].Name != "sqlite" || parts["pkg:generic/libusb@1.0.26"].Name != "libusb" {
		t.Errorf("found %v", parts)
	}
	s.libusb = ""
	if err := s.inC("github.com/google/gousb", "v1.0.0", parts, uses); err == nil {
		t.Error("a libusb without a version was listed")
	}
	if err := s.inC("github.com/mattn/go-sqlite3", "v2.0.0", parts, uses); err == nil {
		t.Error("an SQLite without a version was listed")
	}
}

// TestSignatures: what was signed verifies; another text, key or signature does not; a key file is its owner's and is never replaced.
func TestSignatures(t *testing.T) {
	dir := t.TempDir()
	key, other, file := dir+"/key", dir+"/other", dir+"/SHA256SUMS"
	must := func(args ...string) {
		t.Helper()
		if err := run(args, io.Discard); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	refused := func(args ...string) {
		t.Helper()
		if err := run(args, io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
	put(t, file, "sums\n")
	must("keygen", "--key", key)
	must("keygen", "--key", other)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file: %v, %v", info, err)
	}
	refused("keygen", "--key", key)
	must("sign", "--key", key, "--file", file)
	must("verify", "--key", key+".pub", "--file", file)
	refused("verify", "--key", other+".pub", "--file", file)
	refused("verify", "--key", key, "--file", file)
	refused("sign", "--key", key+".pub", "--file", file)
	put(t, file, "sumz\n")
	refused("verify", "--key", key+".pub", "--file", file)
	put(t, file, "sums\n")
	must("verify", "--key", key+".pub", "--file", file)
	put(t, file+".sig", "AAAA\n")
	refused("verify", "--key", key+".pub", "--file", file)
}

// TestKeydPage: keyd's manual page, written by hand, has every option that keyd knows, and no other.
func TestKeydPage(t *testing.T) {
	source, err := os.ReadFile("../../cmd/keyd/main.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := own.ReadFile("files/keyd.8")
	if err != nil {
		t.Fatal(err)
	}
	var have, want []string
	for _, m := range regexp.MustCompile(`set\.(?:StringVar\(&[a-zA-Z.]+, |BoolVar\(&[a-zA-Z.]+, |Func\()"([a-z-]+)"`).FindAllSubmatch(source, -1) {
		want = append(want, string(m[1]))
	}
	for _, m := range regexp.MustCompile(`(?m)^\\fB\\-([a-z\\-]+)\\fP`).FindAllSubmatch(page, -1) {
		have = append(have, strings.ReplaceAll(string(m[1]), `\`, ""))
	}
	slices.Sort(have)
	slices.Sort(want)
	if len(want) < 10 || !slices.Equal(have, want) {
		t.Errorf("the page has %v, keyd has %v", have, want)
	}
}
