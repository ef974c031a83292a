package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/provision"
	"tillway/till"
)

// The parameter server is asked now and then for this terminal's next package. It is trusted with nothing: what it gives is judged as
// what comes on a stick is, and it can only keep packages back.

// fetchLimit bounds one question to the server.
const fetchLimit = 30 * time.Second

// fetcher asks one parameter server.
type fetcher struct {
	client *http.Client
	url    string // of this terminal's package
}

// newFetcher trusts the certificates of the package's part, or of provision.ca, and follows nobody elsewhere.
func newFetcher(c config) (*fetcher, error) {
	text := c.params.Part(provision.ServerCA)
	if c.Provision.CA != "" {
		var err error
		if text, err = os.ReadFile(c.Provision.CA); err != nil {
			return nil, fmt.Errorf("provision.ca: %w", err)
		}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("provision.ca holds no certificate: it must be PEM")
	}
	return &fetcher{
		url: strings.TrimRight(c.Provision.Server, "/") + "/" + c.params.Terminal,
		client: &http.Client{
			Timeout:       fetchLimit,
			Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// fetch asks for what is none of those that are known, by their digests; nil: there is nothing else.
func (f *fetcher) fetch(ctx context.Context, known ...string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, nil)
	if err != nil {
		return nil, err
	}
	tags := make([]string, len(known))
	for i := range known {
		tags[i] = `"` + known[i] + `"`
	}
	r.Header.Set("If-None-Match", strings.Join(tags, ", "))
	r.Header.Set("Accept", till.PackageType)
	answer, err := f.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusNotModified:
		return nil, nil
	case http.StatusNotFound:
		return nil, errors.New("it has no package for this terminal")
	case http.StatusOK:
	default:
		return nil, &notNow{answer.Status, retryAfter(answer.Header.Get("Retry-After"))}
	}
	file, err := io.ReadAll(io.LimitReader(answer.Body, provision.MaxBytes+1))
	if err == nil && len(file) > provision.MaxBytes {
		err = fmt.Errorf("it sent more than %d bytes", provision.MaxBytes)
	}
	return file, err
}

// notNow is an answer that is neither a package nor that there is none.
type notNow struct {
	status string
	after  time.Duration // how long the server wants to be left alone; 0: it does not say
}

func (n *notNow) Error() string { return "it answered " + n.status }

// longestPoll bounds what a server may ask for, and what back-off comes to.
const longestPoll = 24 * time.Hour

// retryAfter reads the seconds of a Retry-After (RFC 9110, 10.2.3); a date, and what is none, is no wish.
func retryAfter(text string) time.Duration {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, longestPoll)
}

// backOff is the wait after so many failures in a row: poll, and twice as long with each further one, up to eight times, but never less than
// the server asked for.
func backOff(poll time.Duration, failures int, after time.Duration) time.Duration {
	wait := poll
	for i := 1; i < min(failures, 4); i++ {
		wait *= 2
	}
	return min(max(wait, after), max(poll, longestPoll))
}

// poll asks the parameter server until ctx ends, at intervals that differ from terminal to terminal, and less and less often while it cannot
// be reached.
func (k *keeper) poll(ctx context.Context) {
	c := k.inUse.Provision
	if c.Server == "" {
		return
	}
	f, err := newFetcher(k.inUse)
	if err != nil {
		k.log.Error("the parameter server is not asked", "err", err)
		return
	}
	k.pollWith(ctx, f)
}

func (k *keeper) pollWith(ctx context.Context, f *fetcher) {
	c := k.inUse.Provision
	known := []string{k.inUse.params.Digest().String()}
	failures := 0
	for wait := jittered(0, c); ; {
		k.mu.Lock()
		k.server.Next = time.Now().Add(wait).UTC().Truncate(time.Second)
		k.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		var err error
		if known, err = k.ask(ctx, f, known); err != nil {
			failures++
		} else {
			failures = 0
		}
		after := time.Duration(0)
		if asked, ok := errors.AsType[*notNow](err); ok {
			after = asked.after
		}
		wait = jittered(backOff(time.Duration(c.Poll), failures, after), c)
		k.mu.Lock()
		k.server.Failures = failures
		k.mu.Unlock()
	}
}

func jittered(wait time.Duration, c provisionConfig) time.Duration {
	return wait + rand.N(time.Duration(c.Jitter)+1) //nolint:gosec // spreads terminals in time, guards nothing
}

// ask asks once, and has what comes applied. What was refused is not fetched again. The error is that the server was not reached.
func (k *keeper) ask(ctx context.Context, f *fetcher, known []string) ([]string, error) {
	file, failed := f.fetch(ctx, known...)
	err := failed
	answer := "nothing new"
	switch {
	case ctx.Err() != nil:
		return known, nil
	case err != nil:
		answer = "not reached: " + strings.ReplaceAll(err.Error(), "\n", " ")
		k.log.Warn("the parameter server was not reached", "url", f.url, "err", err)
	case file != nil:
		err = k.Apply(ctx, file, till.Word{}, people.Terminal, false)
		answer = "a package came, and is in force"
		if err != nil {
			answer = "a package came, and was refused: " + err.Error()
		}
		if err != nil && !passing(err) {
			known = append(known[:1], fmt.Sprintf("%x", sha256.Sum256(file)))
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.server.Asked, k.server.Answer = time.Now().UTC().Truncate(time.Second), answer
	if failed == nil {
		k.server.Reached = k.server.Asked
	}
	return known, failed
}

// passing says that a refusal is none of the package: it is offered again.
func passing(err error) bool {
	return errors.Is(err, terminal.ErrBusy) || errors.Is(err, till.ErrUnsettled) || errors.Is(err, terminal.ErrStopping) || errors.Is(err, context.Canceled)
}
