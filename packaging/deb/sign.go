package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// signCommand makes a key pair (PEM, as openssl writes them), signs a file with Ed25519, or checks a signature. openssl can do the last:
// openssl pkeyutl -verify -pubin -inkey KEY.pub -rawin -in SHA256SUMS -sigfile <(base64 -d SHA256SUMS.sig).
func signCommand(what string, set *flag.FlagSet, out io.Writer) func() error {
	key := set.String("key", "", "file with the private key (sign), or the public one (verify); for keygen, the private key that is made, with .pub beside it")
	file := set.String("file", "", "the file that is signed; the signature is FILE.sig, in base64")
	return func() error {
		if *key == "" || (*file == "" && what != "keygen") {
			return errors.New("give --key, and --file for sign and verify")
		}
		switch what {
		case "keygen":
			return keygen(*key)
		case "sign":
			return sign(*key, *file)
		}
		if err := verify(*key, *file); err != nil {
			return err
		}
		_, err := fmt.Fprintln(out, "good signature:", *file)
		return err
	}
}

func keygen(path string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	open, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // whoever releases names the file
	if err != nil {
		return err
	}
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.WriteFile(path+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: open}), 0o644) //nolint:gosec // public
}

// block reads a PEM file of one kind.
func block(path, kind string) ([]byte, error) {
	text, err := os.ReadFile(path) //nolint:gosec // whoever releases names the file
	if err != nil {
		return nil, err
	}
	b, _ := pem.Decode(text)
	if b == nil || b.Type != kind {
		return nil, fmt.Errorf("%s is no %s in PEM", path, strings.ToLower(kind))
	}
	return b.Bytes, nil
}

func sign(key, file string) error {
	der, err := block(key, "PRIVATE KEY")
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return err
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return fmt.Errorf("%s is no Ed25519 key", key)
	}
	text, err := os.ReadFile(file) //nolint:gosec // whoever releases names the file
	if err != nil {
		return err
	}
	signature := base64.StdEncoding.EncodeToString(ed25519.Sign(private, text)) + "\n"
	return os.WriteFile(file+".sig", []byte(signature), 0o644) //nolint:gosec // public
}

func verify(key, file string) error {
	der, err := block(key, "PUBLIC KEY")
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return err
	}
	public, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return fmt.Errorf("%s is no Ed25519 key", key)
	}
	text, err := os.ReadFile(file) //nolint:gosec // whoever checks names the file
	if err != nil {
		return err
	}
	written, err := os.ReadFile(file + ".sig") //nolint:gosec // the same
	if err != nil {
		return err
	}
	signature, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(written)))
	if err != nil || !ed25519.Verify(public, text, signature) {
		return fmt.Errorf("%s is not what the owner of %s signed: do not use it", file, key)
	}
	return nil
}
