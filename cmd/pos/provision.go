package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillway/terminal/provision"
)

// Parameter packages: made, signed and looked at here, without the daemon; provisionapply.go hands them to it.

func (a *app) provision() *cobra.Command {
	c := group("provision", "Parameter packages: make, sign, look into and apply them",
		a.provisionNew(), a.provisionKeygen(), a.provisionSign(), a.provisionCheck(), a.provisionDiff(), a.provisionApply(), a.provisionRollback(), a.provisionStatus())
	c.Long = `A parameter package is one signed file with everything that a terminal has to be told: merchant and terminal, acquirer and its
certificates, applications and limits, keys of certification authorities, key blocks. new, keygen, sign, check and diff need no
daemon; apply, rollback and status ask the one that runs. docs/provisioning.md goes through all of it.`
	return c
}

// maxSigningKey bounds a signing key's file.
const maxSigningKey = 8 << 10

func (a *app) provisionNew() *cobra.Command {
	return &cobra.Command{
		Use: "new TEMPLATE DIR", Short: "Begin a folder for a package: " + strings.Join(provision.Templates(), " or "), Args: args("TEMPLATE", "DIR"),
		Example: "  pos provision new kuwait till-1",
		RunE: func(_ *cobra.Command, argv []string) error {
			files, err := provision.Template(argv[0])
			if err != nil {
				return usage("%w", err)
			}
			if err := os.Mkdir(argv[1], 0o755); err != nil { //nolint:gosec // nothing in it is secret
				return usage("a new folder: %w", err)
			}
			names := []string{}
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(argv[1], name), text, 0o644); err != nil { //nolint:gosec // nothing in it is secret
					return usage("%w", err)
				}
				names = append(names, name)
			}
			slices.Sort(names)
			if a.json {
				return a.printJSON(struct {
					Folder string   `json:"folder"`
					Files  []string `json:"files"`
				}{argv[1], names})
			}
			a.printf("%s has %s.\nWrite your own numbers into them, and put %s beside them: the certificate that your acquirer gave you.\n",
				argv[1], strings.Join(names, ", "), provision.AcquirerCA)
			return nil
		},
	}
}

func (a *app) provisionKeygen() *cobra.Command {
	var name, expires string
	var secret bool
	c := &cobra.Command{
		Use: "keygen FILE", Short: "Make a key that signs packages", Args: args("FILE"),
		Long: `keygen makes an Ed25519 key, writes it into FILE, which only you may read, and prints the lines of package.toml that make
terminals trust it. Whoever has the file can change every terminal that trusts it: keep it off line, and a second key elsewhere. With
--passphrase the file is enciphered under one (age, scrypt; "age --decrypt FILE" opens it too), which is asked for twice here, and by sign.`,
		RunE: func(_ *cobra.Command, argv []string) error {
			if expires == "" {
				expires = time.Now().UTC().AddDate(2, 0, 0).Format(time.DateOnly)
			}
			signer := provision.Signer{Name: name}
			if err := signer.Expires.UnmarshalText([]byte(expires)); err != nil {
				return usage("--expires: %w", err)
			}
			public, private, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return err
			}
			signer.Key = provision.Key(public)
			var phrase []byte
			if secret {
				if phrase, err = a.newPassphrase(); err != nil {
					return err
				}
				defer clear(phrase)
			}
			if err := writeSigningKey(argv[0], private, phrase); err != nil {
				return usage("%w", err)
			}
			if !secret {
				fmt.Fprintf(a.errOut, "Whoever has %s can sign. With --passphrase the file alone is of no use to a thief.\n", argv[0])
			}
			if a.json {
				return a.printJSON(struct {
					provision.Signer
					Fingerprint string `json:"fingerprint"`
				}{signer, signer.Key.Fingerprint()})
			}
			a.printf("[[trust]]\nname    = %q\nkey     = %q\nexpires = %q\n# fingerprint %s\n", signer.Name, signer.Key, signer.Expires, signer.Key.Fingerprint())
			return nil
		},
	}
	c.Flags().BoolVar(&secret, "passphrase", false, "encipher the file under a passphrase, which is asked for")
	c.Flags().StringVar(&name, "name", "signer", "name of the signer, for people")
	c.Flags().StringVar(&expires, "expires", "", "the last day on which it may sign (two years from now)")
	return c
}

func writeSigningKey(path string, key ed25519.PrivateKey, phrase []byte) (err error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	defer clear(der)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	defer func() { clear(text) }()
	if phrase != nil {
		sealed, err := sealKey(text, phrase)
		if err != nil {
			return err
		}
		clear(text)
		text = sealed
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the caller's own file
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: a key is never written over", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// readSigningKey takes a file of its owner's alone, and asks for its passphrase where it has one.
func (a *app) readSigningKey(path string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: chmod 600 %s, and think of who has had it", path, path)
	}
	text, err := readAtMost(path, maxSigningKey)
	if err != nil {
		return nil, err
	}
	defer func() { clear(text) }()
	if sealedKey(text) {
		if text, err = a.openKey(path, text); err != nil {
			return nil, err
		}
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%s is no signing key: pos provision keygen makes one", path)
	}
	defer clear(block.Bytes)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signing, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s is no Ed25519 key: pos provision keygen makes one", path)
	}
	return signing, nil
}

// readAtMost reads a file of at most so many bytes.
func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return b, err
}

func (a *app) provisionSign() *cobra.Command {
	var key, out string
	c := &cobra.Command{
		Use: "sign DIR", Short: "Make a package of a folder and sign it", Args: args("DIR"),
		Long: `sign reads package.toml and the parts beside it, looks at what can be looked at without the terminal, and writes the package. The same
folder and key give the same bytes. Any file that is no part of a package is refused.`,
		Example: "  pos provision sign till-1 --key office.pem --out till-1.tillway",
		RunE: func(_ *cobra.Command, argv []string) error {
			if key == "" || out == "" {
				return usage("say which key signs, and where the package goes: --key FILE --out FILE")
			}
			signing, err := a.readSigningKey(key)
			if err != nil {
				return usage("%w", err)
			}
			defer clear(signing)
			p, err := provision.FromFolder(os.DirFS(argv[0]), signing)
			if err != nil {
				return usage("%w", err)
			}
			summary, err := p.Content()
			if err != nil {
				return usage("%w", err)
			}
			if err := writeWhole(out, p.File()); err != nil {
				return usage("%w", err)
			}
			return a.showPackage(p, summary)
		},
	}
	c.Flags().StringVar(&key, "key", "", "file of the key that signs")
	c.Flags().StringVar(&out, "out", "", "the package to be written, like till-1.tillway")
	return c
}

// writeWhole puts a whole file in place, or none.
func writeWhole(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".package-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// openPackage reads a package and says what it is; its contents are looked at too.
func openPackage(path string) (*provision.Package, error) {
	text, err := readAtMost(path, provision.MaxBytes)
	if err != nil {
		return nil, usage("%w", err)
	}
	p, err := provision.Parse(text)
	if err != nil {
		return nil, &exit{exitDeclined, fmt.Errorf("%s: %w", path, err)}
	}
	return p, nil
}

func (a *app) provisionCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check FILE", Short: "Look into a package: whether it is whole, who signed it, what is in it", Args: args("FILE"),
		Long: `check says whether the package is whole and its signature right, and whether what is in it can be used as far as that can be said
without the terminal; pos provision apply --dry-run asks the terminal for the rest. Whether the signer is to be trusted is the
terminal's to say, and the first time yours: compare the fingerprint. Exit status 1 where something is wrong.`,
		RunE: func(_ *cobra.Command, argv []string) error {
			p, err := openPackage(argv[0])
			if err != nil {
				return err
			}
			summary, err := p.Content()
			if err != nil {
				return &exit{exitDeclined, fmt.Errorf("%s: %w", argv[0], err)}
			}
			return a.showPackage(p, summary)
		},
	}
}

// packageWire is a package for programs.
type packageWire struct {
	provision.Manifest
	Signer      provision.Key     `json:"signer"`
	Fingerprint string            `json:"fingerprint"`
	SHA256      provision.Sum     `json:"sha256"`
	Bytes       int               `json:"bytes"`
	Content     provision.Summary `json:"content"`
}

func (a *app) showPackage(p *provision.Package, s provision.Summary) error {
	if a.json {
		return a.printJSON(packageWire{p.Manifest, p.Signer(), p.Signer().Fingerprint(), p.Digest(), len(p.File()), s})
	}
	a.printf("Terminal %s, merchant %s (%s), version %d\n", p.Terminal, p.Merchant, oneLine(s.Merchant), p.Version)
	if p.Note != "" {
		a.printf("Note     %s\n", oneLine(p.Note))
	}
	a.printf("Signer   %s\nSHA-256  %s, %d bytes\n", p.Signer().Fingerprint(), p.Digest(), len(p.File()))
	for _, t := range p.Trust {
		a.printf("Trusts   %s, %s, until %s\n", oneLine(t.Name), t.Key.Fingerprint(), t.Expires)
	}
	a.printf("Profile  %s, %s, applications %s\nAcquirer %s\n", oneLine(s.Profile), s.Currency, strings.Join(s.Applications, " "), oneLine(s.Acquirer))
	if s.CAKeys > 0 {
		a.printf("CA keys  %d, %d certificates revoked\n", s.CAKeys, s.Revoked)
	}
	for _, k := range s.KeyBlocks {
		a.printf("Key      %s\n", k)
	}
	for _, part := range p.Parts {
		a.printf("Part     %-24s %7d bytes  %s\n", part.Name, part.Size, part.SHA256.Short())
	}
	return nil
}

func (a *app) provisionDiff() *cobra.Command {
	return &cobra.Command{
		Use: "diff FILE [FILE]", Short: "What a package changes: of another one, or of the one in force", Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, argv []string) error {
			after, err := openPackage(argv[len(argv)-1])
			if err != nil {
				return err
			}
			var before *provision.Package
			if len(argv) == 2 {
				before, err = openPackage(argv[0])
			} else {
				before, err = a.packageInForce(c.Context())
			}
			if err != nil {
				return err
			}
			changes := provision.Diff(before, after)
			if a.json {
				return a.printJSON(struct {
					Changes []provision.Change `json:"changes"`
				}{changes})
			}
			if len(changes) == 0 {
				a.printf("Nothing.\n")
			}
			for _, ch := range changes {
				a.printf("%-16s %s\n", ch.Where, oneLine(ch.What))
			}
			return nil
		},
	}
}
