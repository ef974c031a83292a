package contact

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"tillway/emv"
	"tillway/emv/oda"
	"tillway/emv/tlv"
	"tillway/money"
)

//go:embed *.go
var source embed.FS

// shortDigits is how much of the checksum stands where there is little room.
const shortDigits = 16

// folder is one package that the kernel is built from.
type folder struct {
	path   string // in the repository
	source fs.FS
}

// folders are this package and all of ours that it imports, directly or not.
func folders() []folder {
	return []folder{
		{"emv", emv.SourceFiles()},
		{"emv/contact", source},
		{"emv/oda", oda.SourceFiles()},
		{"emv/tlv", tlv.SourceFiles()},
		{"money", money.SourceFiles()},
	}
}

// Sources lists the kernel's own source as it was built, one line a file in the form of sha256sum(1): the SHA-256 of the
// file in lower-case hex, two spaces, the path in the repository, LF. Paths are in ascending order of bytes; tests are no
// part of it.
func Sources() string { return sources(folders()) }

func sources(list []folder) string {
	var lines []string
	for _, f := range list {
		entries, err := fs.ReadDir(f.source, ".")
		if err != nil {
			panic("contact: the embedded source cannot be read: " + err.Error())
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			text, err := fs.ReadFile(f.source, e.Name())
			if err != nil {
				panic("contact: the embedded source cannot be read: " + err.Error())
			}
			lines = append(lines, fmt.Sprintf("%x  %s/%s\n", sha256.Sum256(text), f.path, e.Name()))
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(path(a), path(b)) })
	return strings.Join(lines, "")
}

func path(line string) string { return line[2*sha256.Size+2:] }

var checksum = sync.OnceValue(func() string { return checksumOf(folders()) })

// Checksum is the SHA-256 over Sources, 64 lower-case hex digits. It changes with every change of the kernel's source,
// whatever Version says, and an auditor comes to the same one from the source alone:
//
//	ls emv/*.go emv/contact/*.go emv/oda/*.go emv/tlv/*.go money/*.go | grep -v _test.go | LC_ALL=C sort | xargs sha256sum | sha256sum
func Checksum() string { return checksum() }

func checksumOf(list []folder) string {
	sum := sha256.Sum256([]byte(sources(list)))
	return hex.EncodeToString(sum[:])
}

// ShortChecksum is the first 16 digits of Checksum, for a line of a screen.
func ShortChecksum() string { return Checksum()[:shortDigits] }
