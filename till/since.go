package till

import (
	"context"
	"errors"
	"slices"

	"tillway/terminal"
)

// since is what an approved transaction has become: what was approved about it and has not been voided itself, oldest first.
// A reprint, and whoever looks a sale up, must not find it standing when it was voided.
func (h *handler) since(ctx context.Context, sale terminal.Sale) ([]terminal.Sale, error) {
	if sale.State != terminal.Approved || sale.Kind == terminal.KindVoid || sale.Kind == terminal.KindBalance {
		return nil, nil
	}
	about, err := h.approvedAbout(ctx, sale.ID)
	if err != nil {
		return nil, err
	}
	var standing []terminal.Sale
	for _, a := range about {
		if a.Kind != terminal.KindVoid {
			theirs, err := h.approvedAbout(ctx, a.ID)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(theirs, func(s terminal.Sale) bool { return s.Kind == terminal.KindVoid }) {
				continue
			}
		}
		standing = append(standing, a)
	}
	return standing, nil
}

// approvedAbout is what was approved about a transaction. A record among them that does not authenticate is left out elsewhere; here
// it is an error: what has become of the transaction is not known then.
func (h *handler) approvedAbout(ctx context.Context, id terminal.SaleID) ([]terminal.Sale, error) {
	all, err := h.cfg.Journal.About(ctx, id)
	return slices.DeleteFunc(all, func(s terminal.Sale) bool { return s.State != terminal.Approved }), err
}

// unknown says that a sale's later fate cannot be read.
func unknown(err error) bool { return errors.Is(err, terminal.ErrQuarantined) }
