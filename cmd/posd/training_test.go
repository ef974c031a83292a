package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/till"
	"tillway/till/training"
)

// The daemon itself, without reader and bank: training sells all the same, its receipt says so, settlement refuses, and when it is over the
// journal has nothing of it.
func TestTrainingInTheDaemon(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "posd.toml")
	write(t, path, benchConfig(t, dir))
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	ready, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- serve(ctx, path, writerFunc(func(b []byte) (int, error) {
			if strings.HasPrefix(string(b), "posd ready") {
				ready <- struct{}{}
			}
			return len(b), nil
		}), writerFunc(func(b []byte) (int, error) { return len(b), nil }))
	}()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(dir, "posd.sock"))
	}}}
	do := func(method, route, body string, status int) string {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, "http://"+till.Host+route, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Body.Close() }()
		text, err := io.ReadAll(w.Body)
		if err != nil || w.StatusCode != status {
			t.Fatalf("%s %s: %d %s %v", method, route, w.StatusCode, text, err)
		}
		return string(text)
	}
	do("POST", "/v1/training", `{"on":true}`, http.StatusOK)
	var sale terminal.Sale
	if err := json.Unmarshal([]byte(do("POST", "/v1/sales", `{"kind":"sale","amount":{"minor":10000,"currency":"KWD"}}`, http.StatusCreated)), &sale); err != nil || sale.ID != training.First || !sale.Training {
		t.Fatalf("%+v, %v", sale, err)
	}
	do("POST", "/v1/training", `{"on":false}`, http.StatusConflict)
	place := "/v1/sales/" + sale.ID.String()
	for range 200 {
		if err := json.Unmarshal([]byte(do("GET", place, "", http.StatusOK)), &sale); err != nil {
			t.Fatal(err)
		}
		if sale.State.Final() {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if sale.State != terminal.Approved || sale.Outcome.HappenedAR == "" {
		t.Errorf("%s, %+v", sale.State, sale.Outcome)
	}
	if paper := do("GET", place+"/receipt?format=text&lang=en", "", http.StatusOK); !strings.Contains(paper, "TRAINING, NOT A PAYMENT") {
		t.Errorf("nobody sees that this is no payment:\n%s", paper)
	}
	if said := do("POST", "/v1/settle", `{}`, http.StatusConflict); !strings.Contains(said, `"code":"training"`) {
		t.Error(said)
	}
	if paper := do("GET", "/v1/report/x?format=text&lang=en", "", http.StatusOK); !strings.Contains(paper, "10.000") || !strings.Contains(paper, "TRAINING, NOT A PAYMENT") {
		t.Error(paper)
	}
	do("POST", "/v1/training", `{"on":false}`, http.StatusOK)
	if last := do("GET", "/v1/sales", "", http.StatusOK); strings.Contains(last, "training") || strings.Contains(last, sale.ID.String()) {
		t.Errorf("the journal has training: %s", last)
	}
	client.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
