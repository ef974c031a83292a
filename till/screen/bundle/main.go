// Command bundle makes till/screen/dist of till/screen/src: `make screen`. It bundles with esbuild, as a Go module, and needs of
// Node only the packages that npm has put into node_modules. The same sources give the same bytes on every machine.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	folder := "till/screen"
	if len(os.Args) == 2 {
		folder = os.Args[1]
	}
	if err := write(folder); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

// write replaces the folder's dist by what its sources give.
func write(folder string) error {
	files, err := build(folder)
	if err != nil {
		return err
	}
	sum, err := sourcesSum(folder)
	if err != nil {
		return err
	}
	files[sumName] = []byte(sum + "\n")
	to := filepath.Join(folder, "dist")
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	for name, body := range files {
		at := filepath.Join(to, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil { //nolint:gosec // a source folder
			return err
		}
		if err := os.WriteFile(at, body, 0o644); err != nil { //nolint:gosec // a source file
			return err
		}
	}
	for _, f := range sizes(files) {
		fmt.Fprintf(os.Stdout, "%8d B  %7d B gzip  %s\n", f.plain, f.packed, f.name)
	}
	for _, page := range pages {
		fmt.Fprintf(os.Stdout, "%s loads %d B under gzip, fonts left out; at most %d are allowed\n", page, loads(files, page), maxPacked)
	}
	return nil
}
