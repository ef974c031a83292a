package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"regexp"
	"time"

	"tillway/terminal/provision"
)

// The parameter server: GET /params/TID gives the file TID.tillway of a folder over TLS, and 304 to who has it. It judges nothing:
// a package speaks for itself.

var terminalName = regexp.MustCompile(`^[A-Za-z0-9]{8}$`)

// parameters serves the packages that lie in a folder.
func parameters(dir fs.FS) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /params/{terminal}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("terminal")
		if !terminalName.MatchString(name) {
			http.NotFound(w, r)
			return
		}
		f, err := dir.Open(name + ".tillway")
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer func() { _ = f.Close() }() // only read
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() || info.Size() > provision.MaxBytes {
			http.Error(w, "the package cannot be read", http.StatusInternalServerError)
			return
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(f); err != nil {
			http.Error(w, "the package cannot be read", http.StatusInternalServerError)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf("\"%x\"", sha256.Sum256(b.Bytes())))
		w.Header().Set("Content-Type", "application/vnd.tillway.parameters")
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.Bytes())) // compares If-None-Match with the tag
	})
	return mux
}

// serveParams serves a folder's packages until ctx ends; without a listener it only waits.
func serveParams(ctx context.Context, l net.Listener, dir string, cert tls.Certificate) error {
	if l == nil {
		<-ctx.Done()
		return nil
	}
	srv := &http.Server{
		Handler: parameters(os.DirFS(dir)), ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}},
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.ServeTLS(l, "", ""); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("parameters: %w", err)
	}
	return nil
}
