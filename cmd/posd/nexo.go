package main

import (
	"context"
	"net/http"

	"tillway/store"
	"tillway/terminal/lane"
	"tillway/till"
	"tillway/till/nexo"
)

// maxPOIID bounds ecr.poi_id.
const maxPOIID = 64

// nexo is the handler of nexo messages, over the same lane and journal as local. ctx ends when the daemon stops.
func (c *config) nexo(ctx context.Context, l *lane.Lane, journal *store.Store, local till.Config) http.Handler {
	cfg := nexo.Config{
		Lane: l, Journal: journal, Registers: local.Registers, Audit: local.Access.Audit, Context: ctx,
		Clear: c.ECR.NexoClear, NeedsLogin: c.ECR.NexoLogin, POIID: c.ECR.POIID, Echo: l.Echo, Display: l.Display,
		Header: local.Header, Acquirer: local.Acquirer, Currency: local.Currency, TerminalID: local.TerminalID, MerchantID: local.MerchantID,
		Version: local.Version, PINPad: c.PIN.Pad != "" || c.PIN.OnScreen, Log: local.Log,
	}
	if printer := local.Printer; printer != nil {
		cfg.Printer = func() string {
			if printer.Status().Ready {
				return "OK"
			}
			return "OutOfOrder"
		}
	}
	return nexo.New(cfg)
}
