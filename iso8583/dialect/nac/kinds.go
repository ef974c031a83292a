package nac

import (
	"fmt"

	"tillway/terminal"
)

// Can implements lane.Dialect.
func (d *Dialect) Can() terminal.Abilities {
	return terminal.Abilities{Kinds: []terminal.Kind{terminal.KindSale}}
}

// Deferred composes no message: this dialect keeps no request for later. Errors: ErrRequest.
func (d *Dialect) Deferred(terminal.Request) ([]byte, error) {
	return nil, fmt.Errorf("%w: no request is kept for later", ErrRequest)
}

// Totals composes no message yet. Errors: ErrRequest.
func (d *Dialect) Totals(terminal.TotalsRequest) ([]byte, error) {
	return nil, fmt.Errorf("%w: no totals", ErrRequest)
}

// Upload composes no message yet. Errors: ErrRequest.
func (d *Dialect) Upload(terminal.UploadRequest) ([]byte, error) {
	return nil, fmt.Errorf("%w: no upload", ErrRequest)
}

// Advice composes no message yet. Errors: ErrRequest.
func (d *Dialect) Advice(terminal.Request) ([]byte, error) {
	return nil, fmt.Errorf("%w: no advice", ErrRequest)
}
