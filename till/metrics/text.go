package metrics

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
)

// page takes an answer in memory.
type page struct {
	header http.Header
	status int
	bytes.Buffer
}

func (p *page) Header() http.Header    { return p.header }
func (p *page) WriteHeader(status int) { p.status = status }

// Text is what a scrape would say now, in Prometheus' text format: for a support bundle, also where nobody scrapes. Errors: the figures cannot be
// had.
func (m *Metrics) Text(ctx context.Context) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return "", err
	}
	out := page{header: http.Header{}, status: http.StatusOK}
	m.Handler().ServeHTTP(&out, r)
	if out.status != http.StatusOK {
		return "", fmt.Errorf("the figures cannot be had: %d, %s", out.status, out.String())
	}
	return out.String(), nil
}
