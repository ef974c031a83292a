package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

const (
	sumName   = "sources.sha256"
	maxPacked = 40_000 // bytes of all that a page loads but fonts, each file under gzip
)

// entries are what esbuild begins with, below src. The pages name them by the name before the dot and their own ending.
var entries = []string{"cashier.tsx", "customer.tsx", "fonts.css", "icon.svg"}

// pages are written with the names of what they load.
var pages = []string{"index.html", "customer.html"}

// options are the bundler's. They are part of the sum over the sources.
func options(root string) api.BuildOptions {
	var in []string
	for _, e := range entries {
		in = append(in, "src/"+e)
	}
	return api.BuildOptions{
		AbsWorkingDir:     root,
		EntryPoints:       in,
		Outdir:            "dist",
		EntryNames:        "assets/[name]-[hash]",
		ChunkNames:        "assets/[name]-[hash]",
		AssetNames:        "assets/[name]-[hash]",
		Bundle:            true,
		Splitting:         true,
		Format:            api.FormatESModule,
		Platform:          api.PlatformBrowser,
		Engines:           []api.Engine{{Name: api.EngineChrome, Version: "109"}, {Name: api.EngineFirefox, Version: "115"}, {Name: api.EngineSafari, Version: "16.4"}},
		Charset:           api.CharsetUTF8,
		JSX:               api.JSXTransform,
		JSXFactory:        "h",
		JSXFragment:       "Fragment",
		Inject:            []string{"src/jsx.ts"},
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsNone, // licences.txt has them whole
		Loader:            map[string]api.Loader{".svg": api.LoaderCopy, ".ttf": api.LoaderFile},
		TsconfigRaw:       `{"compilerOptions":{"verbatimModuleSyntax":true}}`,
		Metafile:          true,
		Write:             false,
		LogLevel:          api.LogLevelSilent,
	}
}

// build bundles the sources of a folder in memory: names below dist, with slashes, and bytes.
func build(folder string) (map[string][]byte, error) {
	root, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, "node_modules", "preact")); err != nil {
		return nil, fmt.Errorf("the packages that the screen is made with are missing: make deps-screen")
	}
	result := api.Build(options(root))
	if err := failures(result.Errors, result.Warnings); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, out := range result.OutputFiles {
		name, err := filepath.Rel(filepath.Join(root, "dist"), out.Path)
		if err != nil {
			return nil, err
		}
		files[filepath.ToSlash(name)] = out.Contents
	}
	var meta metafile
	if err := json.Unmarshal([]byte(result.Metafile), &meta); err != nil {
		return nil, err
	}
	if files["assets/licences.txt"], err = licences(root, meta); err != nil {
		return nil, err
	}
	for _, page := range pages {
		if files[page], err = fill(root, page, meta); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// metafile is what is read of esbuild's account of a build.
type metafile struct {
	Inputs  map[string]struct{} `json:"inputs"`
	Outputs map[string]struct {
		EntryPoint string `json:"entryPoint"`
		CSSBundle  string `json:"cssBundle"`
	} `json:"outputs"`
}

// fill writes the names of what a page loads into it: {{cashier.js}}, {{cashier.css}}, {{icon.svg}}.
func fill(root, page string, meta metafile) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, "src", page))
	if err != nil {
		return nil, err
	}
	for out, is := range meta.Outputs {
		if is.EntryPoint == "" {
			continue
		}
		name, _, _ := strings.Cut(path.Base(is.EntryPoint), ".")
		text = bytes.ReplaceAll(text, []byte("{{"+name+path.Ext(out)+"}}"), []byte(strings.TrimPrefix(out, "dist")))
		if is.CSSBundle != "" {
			text = bytes.ReplaceAll(text, []byte("{{"+name+".css}}"), []byte(strings.TrimPrefix(is.CSSBundle, "dist")))
		}
	}
	if bytes.Contains(text, []byte("{{")) {
		return nil, fmt.Errorf("%s names a file that no entry gives", page)
	}
	return text, nil
}

// licences are those of the packages that are in the bundle.
func licences(root string, meta metafile) ([]byte, error) {
	var packages []string
	for in := range meta.Inputs {
		_, rest, ok := strings.Cut(in, "node_modules/")
		if !ok {
			continue
		}
		parts := strings.SplitN(rest, "/", 3)
		name := parts[0]
		if strings.HasPrefix(name, "@") {
			name += "/" + parts[1]
		}
		if !slices.Contains(packages, name) {
			packages = append(packages, name)
		}
	}
	slices.Sort(packages)
	var out bytes.Buffer
	for _, name := range packages {
		text, err := os.ReadFile(filepath.Join(root, "node_modules", filepath.FromSlash(name), "LICENSE"))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%s\n\n%s\n\n", name, bytes.TrimSpace(text))
	}
	return out.Bytes(), nil
}

func failures(lists ...[]api.Message) error {
	var all []error
	for _, l := range lists {
		for _, m := range l {
			at := ""
			if m.Location != nil {
				at = fmt.Sprintf("%s:%d: ", m.Location.File, m.Location.Line)
			}
			all = append(all, errors.New(at+m.Text))
		}
	}
	return errors.Join(all...)
}

// sourcesSum is a digest of all that dist depends on: sources, the lock of the packages, and this program's options.
func sourcesSum(folder string) (string, error) {
	sum := sha256.New()
	add := func(name string, body []byte) { fmt.Fprintf(sum, "%s %d\n%s\n", name, len(body), body) }
	err := fs.WalkDir(os.DirFS(folder), "src", func(name string, d fs.DirEntry, err error) error { // in the order of names
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		add(name, body)
		return err
	})
	if err != nil {
		return "", err
	}
	for _, name := range []string{"package-lock.json", "bundle/build.go"} {
		body, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		if err != nil {
			return "", err
		}
		add(name, body)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// size is how large a file is, and how large under gzip.
type size struct {
	name          string
	plain, packed int
}

func sizes(files map[string][]byte) []size {
	var all []size
	for name, body := range files {
		if name != sumName {
			all = append(all, size{name, len(body), packed(body)})
		}
	}
	slices.SortFunc(all, func(a, b size) int { return strings.Compare(a.name, b.name) })
	return all
}

func packed(body []byte) int {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is one
	_, _ = z.Write(body)                                    // to memory
	_ = z.Close()
	return out.Len()
}

// loads is what a browser gets for a page, bytes under gzip: the page, what it names, and what that names, fonts left out.
func loads(files map[string][]byte, page string) int {
	seen := map[string]bool{page: true}
	total := 0
	for todo := []string{page}; len(todo) > 0; todo = todo[1:] {
		body := files[todo[0]]
		total += packed(body)
		for name := range files {
			if !seen[name] && path.Ext(name) != ".ttf" && strings.HasPrefix(name, "assets/") && bytes.Contains(body, []byte(path.Base(name))) {
				seen[name] = true
				todo = append(todo, name)
			}
		}
	}
	return total
}
