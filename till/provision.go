package till

import (
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"tillway/terminal/people"
	"tillway/terminal/provision"
)

// PackageType is the media type of a parameter package.
const PackageType = "application/vnd.tillway.parameters"

// The technician's word at the first package of a terminal: headers of POST /v1/provision.
const (
	FingerprintHeader = "Tillway-Fingerprint" // of the signer's key, as it was compared
	TerminalHeader    = "Tillway-Terminal"    // that the package is meant for
)

// Parameters puts parameter packages in force (cmd/posd). Apply and Back return when the new package is in force; the terminal starts
// anew with it right behind that.
type Parameters interface {
	// State is how the terminal's parameters stand.
	State(ctx context.Context) ParametersState
	// Apply judges a package and, unless it is only to be looked at, puts it in force between two sales. Errors: provision's,
	// ErrUnfit, ErrUnsettled, terminal.ErrBusy.
	Apply(ctx context.Context, file []byte, word Word, by string, look bool) error
	// Back puts the package before in force again. Errors: ErrNoPackage, ErrUnfit, ErrUnsettled, terminal.ErrBusy.
	Back(ctx context.Context, by string) error
	// File is the package in force; nil: none.
	File() []byte
}

// Word is what a technician has compared before the first package.
type Word struct {
	Fingerprint string // of the signer's key
	Terminal    string
}

// Why a package that is well made is not put in force.
var (
	ErrUnfit     = errors.New("this terminal cannot use the package")
	ErrUnsettled = errors.New("the package is not applied now")
	ErrNoPackage = errors.New("there is no package to go back to: the one before is kept until somebody has gone back to it, and no older one")
)

// ParametersState is the answer to GET /v1/provision, and stands in Status.
type ParametersState struct {
	Packaged bool           `json:"packaged"`          // false: posd.toml names acquirer and profile itself, and no package is taken
	Works    bool           `json:"works"`             // the terminal runs with the package in force
	Waiting  string         `json:"waiting,omitempty"` // why there is no package in force; empty: there is one, or none is taken
	Current  *PackageState  `json:"current,omitempty"`
	Previous *PackageState  `json:"previous,omitempty"` // where pos provision rollback leads to
	Highest  uint32         `json:"highest"`            // version that was ever in force: only higher ones are taken
	Failed   *PackageFailed `json:"failed,omitempty"`   // the last that was in force, did not start, and was taken back
	Refused  *PackageFailed `json:"refused,omitempty"`  // the last that was not taken, since posd started
	Server   *ServerState   `json:"server,omitempty"`   // the parameter server; absent: none is asked
}

// PackageState is a package that is or was in force.
type PackageState struct {
	Version  uint32    `json:"version"`
	SHA256   string    `json:"sha256"`
	Since    time.Time `json:"since"`
	By       string    `json:"by"`
	Terminal string    `json:"terminal,omitempty"`
	Merchant string    `json:"merchant,omitempty"`
	Note     string    `json:"note,omitempty"`
	Signer   string    `json:"signer,omitempty"` // fingerprint
	Trust    []string  `json:"trust,omitempty"`  // who may sign the next: name, fingerprint, last day
}

// PackageFailed is a package and what was wrong with it.
type PackageFailed struct {
	Version uint32    `json:"version,omitempty"`
	Time    time.Time `json:"time"`
	Reason  string    `json:"reason"`
}

// ServerState is how the parameter server was reached last.
type ServerState struct {
	URL      string    `json:"url"`
	Asked    time.Time `json:"asked,omitzero"`
	Answer   string    `json:"answer,omitempty"`   // one sentence
	Reached  time.Time `json:"reached,omitzero"`   // when it last answered that there is a package, or nothing new
	Next     time.Time `json:"next,omitzero"`      // when it is asked again
	Failures int       `json:"failures,omitempty"` // in a row, since then
}

func problemsOfParameters() []problemRow {
	const same = "Nothing was changed: the terminal goes on with the parameters that it has."
	return []problemRow{
		{provision.ErrMalformed, http.StatusUnprocessableEntity, "package_malformed", "This is no whole parameter package", same + " Fetch the file again."},
		{provision.ErrSignature, http.StatusUnprocessableEntity, "package_signature", "The package is not as it was signed", same + " Fetch the file again."},
		{provision.ErrSigner, http.StatusForbidden, "package_signer", "The signer is not trusted", same},
		{provision.ErrExpired, http.StatusForbidden, "package_expired", "The signer's time has passed", same},
		{provision.ErrTerminal, http.StatusConflict, "package_terminal", "The package is another terminal's", same},
		{provision.ErrOlder, http.StatusConflict, "package_older", "The package is too old", same},
		{provision.ErrContent, http.StatusUnprocessableEntity, "package_content", "The package cannot be used", same},
		{ErrUnfit, http.StatusUnprocessableEntity, "package_unfit", "This terminal cannot use the package", same},
		{ErrUnsettled, http.StatusConflict, "package_not_now", "The package is not applied now", same},
		{ErrNoPackage, http.StatusConflict, "package_none_before", "There is no package to go back to", same + " Have the package that you want signed with a higher version."},
	}
}

func (h *handler) parameters(ctx context.Context) *ParametersState {
	if h.cfg.Parameters == nil {
		return nil
	}
	s := h.cfg.Parameters.State(ctx)
	for _, p := range []*PackageState{s.Current, s.Previous} {
		if p != nil {
			p.Since = h.local(p.Since)
		}
	}
	return &s
}

func (h *handler) provisionState(w http.ResponseWriter, r *http.Request) {
	s := h.parameters(r.Context())
	if s == nil {
		s = &ParametersState{}
	}
	h.answer(w, http.StatusOK, s)
}

// provisionFile is the package in force, for pos provision diff. Its key blocks open in the secure module alone.
func (h *handler) provisionFile(w http.ResponseWriter, r *http.Request) {
	if h.cfg.Parameters == nil || h.cfg.Parameters.File() == nil {
		h.fail(w, r, request(http.StatusNotFound, "no_package", "There is no package in force", "See pos provision status.", "no parameter package is in force"))
		return
	}
	h.text(w, http.StatusOK, PackageType, h.cfg.Parameters.File())
}

// applyPackage takes a package from somebody at this machine.
func (h *handler) applyPackage(w http.ResponseWriter, r *http.Request) {
	if !h.mayProvision(w, r) {
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != PackageType {
		h.fail(w, r, request(http.StatusUnsupportedMediaType, "not_package", "The body is not declared as a parameter package", "Send Content-Type: "+PackageType+".", "and the package as it is"))
		return
	}
	file, err := io.ReadAll(http.MaxBytesReader(w, r.Body, provision.MaxBytes))
	if err != nil {
		h.fail(w, r, request(http.StatusRequestEntityTooLarge, "package_malformed", "This is no whole parameter package", "Fetch the file again.", "it did not arrive whole, or has more than %d bytes", provision.MaxBytes))
		return
	}
	word := Word{Fingerprint: r.Header.Get(FingerprintHeader), Terminal: r.Header.Get(TerminalHeader)}
	look := r.URL.Query().Get("look") == "true"
	if err := h.cfg.Parameters.Apply(r.Context(), file, word, h.cfg.Access.who(r).name, look); err != nil {
		h.fail(w, r, err)
		return
	}
	h.provisionState(w, r)
}

func (h *handler) rollbackPackage(w http.ResponseWriter, r *http.Request) {
	if !h.mayProvision(w, r) {
		return
	}
	if err := h.cfg.Parameters.Back(r.Context(), h.cfg.Access.who(r).name); err != nil {
		h.fail(w, r, err)
		return
	}
	h.provisionState(w, r)
}

// mayProvision refuses what did not come over the socket of this machine, whoever asks, and a terminal that takes no packages.
func (h *handler) mayProvision(w http.ResponseWriter, r *http.Request) bool {
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && strings.HasPrefix(at.Network(), "tcp") {
		_ = h.cfg.Access.Audit(r.Context(), people.Entry{Actor: h.cfg.Access.who(r).name, Event: people.EventRefused, Result: people.Denied, Note: "parameters from afar"})
		h.fail(w, r, request(http.StatusForbidden, "not_local", "Parameters are applied at the machine itself", "Use pos provision there, or a parameter server.", "this door leads to a network"))
		return false
	}
	if h.cfg.Parameters == nil || !h.cfg.Parameters.State(r.Context()).Packaged {
		h.fail(w, r, request(http.StatusConflict, "no_packages", "This terminal takes no parameter packages",
			"Take profile, ca_keys and [acquirer] out of posd.toml, start posd again, then apply the package.", "its posd.toml names acquirer or profile itself"))
		return false
	}
	return true
}
