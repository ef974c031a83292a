package provision

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"tillway/terminal/profile"
)

//go:embed template
var templates embed.FS

// Templates lists what a folder for a package can be begun with.
func Templates() []string { return []string{"generic", "kuwait"} }

// Template is the files of one, by their names: package.toml, config.toml and profile.toml. The acquirer's CA certificate and
// what else only the acquirer gives is for people to add. Error: one sentence with the templates that there are.
func Template(name string) (map[string][]byte, error) {
	folder, err := fs.Sub(templates, "template/"+name)
	if err != nil || name == "" || strings.ContainsAny(name, "./") {
		return nil, noTemplate(name)
	}
	files := map[string][]byte{}
	for _, file := range []string{ManifestFile, Config, Profile} {
		text, err := fs.ReadFile(folder, file)
		if err != nil && file == Profile && name == "kuwait" {
			text, err = shopProfile(name)
		}
		if err != nil {
			return nil, noTemplate(name)
		}
		files[file] = text
	}
	return files, nil
}

func noTemplate(name string) error {
	return fmt.Errorf("there is no template %.40q: %s", name, strings.Join(Templates(), " or "))
}

// shopProfile is a ready profile with the roles closed: nobody sells with a package without having logged in.
func shopProfile(name string) ([]byte, error) {
	text, err := profile.Text(name)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "open ") {
			out.WriteString(line)
		}
	}
	return []byte(out.String()), nil
}
