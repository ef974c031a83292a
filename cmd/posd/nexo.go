package main

import (
	"context"
	"net/http"

	"tillway/terminal/lane"
	"tillway/till"
	"tillway/till/nexo"
	"tillway/till/training"
)

// maxPOIID bounds ecr.poi_id.
const maxPOIID = 64

// nexo is the handler of nexo messages, over the same lane and journal as local. ctx ends when the daemon stops.
func (c *config) nexo(ctx context.Context, l *lane.Lane, trains *training.Terminal, local till.Config) http.Handler {
	cfg := nexo.Config{
		Lane: trains, Journal: trains.Journal(), Training: local.SwitchTraining, Trains: trains.On, Registers: local.Registers, Audit: local.Access.Audit, Context: ctx,
		Clear: c.ECR.NexoClear, NeedsLogin: c.ECR.NexoLogin, POIID: c.ECR.POIID, Echo: l.Echo, Display: l.Display,
		Header: local.Header, Languages: local.Languages, Acquirer: local.Acquirer, Currency: local.Currency, TerminalID: local.TerminalID, MerchantID: local.MerchantID,
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
