package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"tillway/device/transcript"
	"tillway/emv/contact"
	"tillway/terminal/profile"
	"tillway/terminal/provision"
	"tillway/till/metrics"
	"tillway/till/support"
)

// Bounds of posd's part of a support bundle.
const (
	bundleTranscripts = 20  // the last
	bundleListed      = 300 // files of the state folder that are listed
)

// supported is what posd adds to a support bundle: what it is made of, and what lies in its folder.
type supported struct {
	config      config
	path        string // of the config file
	transcripts *transcripts
	metrics     *metrics.Metrics
}

// files gathers them. What cannot be had says why.
func (s supported) files(ctx context.Context) []support.File {
	all := []support.File{s.versions(), s.settings(), s.profile(), s.disk(), s.figures(ctx)}
	return append(all, s.transcripts.masked(ctx)...)
}

// versions is which program this is, what it was built of, and which kernel.
func (s supported) versions() support.File {
	v := map[string]any{"program": version(), "kernel": contact.Version, "kernel_checksum": contact.Checksum()}
	if b, ok := debug.ReadBuildInfo(); ok {
		var modules []string
		for _, d := range b.Deps {
			modules = append(modules, d.Path+" "+d.Version)
		}
		v["go"], v["modules"] = b.GoVersion, modules
	}
	return support.JSON("terminal/versions.json", v)
}

func (s supported) settings() support.File {
	const name = "terminal/posd.toml"
	if s.path == "" {
		return support.Missing(name, errors.New("this machine has none: it was started with --state"))
	}
	text, err := os.ReadFile(s.path)
	if err != nil {
		return support.Missing(name, err)
	}
	shown, err := support.Config(string(text))
	if err != nil {
		return support.Missing(name, err)
	}
	return support.File{Name: name, Text: shown}
}

func (s supported) profile() support.File {
	const name = "terminal/profile.toml"
	text, err := profile.Text(s.config.Profile)
	if p := s.config.params; p != nil {
		text, err = p.Part(provision.Profile), nil
	}
	if errors.Is(err, profile.ErrNoProfile) {
		text, err = os.ReadFile(s.config.Profile)
	}
	if err != nil {
		return support.Missing(name, err)
	}
	shown, err := support.Profile(string(text))
	if err != nil {
		return support.Missing(name, err)
	}
	return support.File{Name: name, Text: shown}
}

// folderEntry is a file of the state folder: never what is in it.
type folderEntry struct {
	Name     string    `json:"name"`
	Bytes    int64     `json:"bytes"`
	Mode     string    `json:"mode"`
	Modified time.Time `json:"modified"`
}

// disk is how full the disk of the state folder is, and what lies there.
func (s supported) disk() support.File {
	var out struct {
		State      string        `json:"state"`
		SizeBytes  uint64        `json:"size_bytes"`
		FreeBytes  uint64        `json:"free_bytes"`
		FreeInodes uint64        `json:"free_inodes"`
		Files      []folderEntry `json:"files"`
	}
	out.State = s.config.State
	var st syscall.Statfs_t
	if err := syscall.Statfs(s.config.State, &st); err == nil {
		size := uint64(st.Bsize) //nolint:gosec // a block's size is positive
		out.SizeBytes, out.FreeBytes, out.FreeInodes = st.Blocks*size, st.Bavail*size, st.Ffree
	}
	_ = filepath.WalkDir(s.config.State, func(name string, d fs.DirEntry, err error) error { // what cannot be read is not listed
		if err != nil || d.IsDir() || len(out.Files) >= bundleListed {
			return nil
		}
		if info, err := d.Info(); err == nil {
			rel, _ := filepath.Rel(s.config.State, name)
			out.Files = append(out.Files, folderEntry{rel, info.Size(), info.Mode().String(), info.ModTime().UTC().Truncate(time.Second)})
		}
		return nil
	})
	return support.JSON("terminal/disk.json", out)
}

// masked are the last transcripts as they may leave the shop: those of test cards too, which may be complete on disk, are masked.
func (t *transcripts) masked(_ context.Context) []support.File {
	if t == nil {
		return nil
	}
	t.flush()
	t.files.Lock()
	defer t.files.Unlock()
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return []support.File{support.Missing("terminal/transcripts", err)}
	}
	var all []support.File
	for i := len(entries) - 1; i >= 0 && len(all) < bundleTranscripts; i-- {
		if !strings.HasSuffix(entries[i].Name(), ".json") {
			continue
		}
		name := path.Join("terminal/transcripts", entries[i].Name())
		text, err := maskedFile(filepath.Join(t.dir, entries[i].Name()))
		if err != nil {
			all = append(all, support.Missing(name, err))
			continue
		}
		all = append(all, support.File{Name: name, Text: text})
	}
	return all
}

// maskedFile reads one transcript, and masks it where it is not masked already.
func maskedFile(name string) (string, error) {
	text, err := os.ReadFile(name) //nolint:gosec // in posd's own folder
	if err != nil {
		return "", err
	}
	if len(text) > maxTranscriptFile {
		return "", fmt.Errorf("it has %d bytes, and a transcript has at most %d", len(text), maxTranscriptFile)
	}
	whole, err := transcript.Read(bytes.NewReader(text))
	if errors.Is(err, transcript.ErrMasked) {
		return string(text), nil
	}
	if err != nil {
		return "", errors.New("it is no transcript")
	}
	var out bytes.Buffer
	if err := whole.WriteMasked(&out); err != nil {
		return "", err
	}
	return out.String(), nil
}
