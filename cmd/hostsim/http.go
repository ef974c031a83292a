package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"tillway/host"
)

// serveHTTP shows the host's state on a loopback port until ctx ends; without a listener it only waits.
func serveHTTP(ctx context.Context, l net.Listener, h *host.Host) error {
	if l == nil {
		<-ctx.Done()
		return nil
	}
	srv := &http.Server{
		Handler: listings(h), ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("http: %w", err)
	}
	return nil
}

// stranger says whether a browser, or another machine by a name that points here, asks: they give no orders.
func stranger(r *http.Request) bool {
	return loopback(r.Host) != nil && loopback(r.Host+":80") != nil || r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
}

// listings shows what there is, card numbers masked by their type, and takes orders to terminals.
func listings(h *host.Host) http.Handler {
	mux := http.NewServeMux()
	show := func(name string, list func() any) {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			if loopback(r.Host) != nil && loopback(r.Host+":80") != nil {
				http.Error(w, "ask by a loopback address", http.StatusForbidden) // a page elsewhere that points its name here
				return
			}
			body, err := json.MarshalIndent(list(), "", "  ")
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(append(body, '\n'))
		})
	}
	show("accounts", func() any { return h.Accounts() })
	show("ledger", func() any { return h.Ledger() })
	show("trial", func() any { return h.Trial() })
	show("entries", func() any { return h.Entries(0) })
	show("batches", func() any { return h.Batches() })
	show("statements", func() any { return h.Statements() })
	mux.HandleFunc("POST /settle", func(w http.ResponseWriter, r *http.Request) {
		if stranger(r) {
			http.Error(w, "orders come from programs of this machine", http.StatusForbidden)
			return
		}
		if err := h.Settle(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		body, err := json.MarshalIndent(h.Statements(), "", "  ")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(body, '\n'))
	})
	show("messages", func() any { return h.Messages() })
	show("connections", func() any { return h.Connections() })
	show("terminals", func() any { return h.Held() })
	mux.HandleFunc("POST /terminals/{terminal}/{order}", func(w http.ResponseWriter, r *http.Request) {
		if stranger(r) {
			http.Error(w, "orders come from programs of this machine", http.StatusForbidden)
			return
		}
		if err := h.Order(r.PathValue("terminal"), r.PathValue("order")); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /lose/{terminal}/{stan}", func(w http.ResponseWriter, r *http.Request) {
		if stranger(r) {
			http.Error(w, "orders come from programs of this machine", http.StatusForbidden)
			return
		}
		err := h.Lose(r.PathValue("terminal"), r.PathValue("stan"))
		switch {
		case errors.Is(err, host.ErrNoTransaction):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	return mux
}
