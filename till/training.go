package till

import (
	"context"
	"net/http"

	"tillway/terminal/people"
)

// Training puts training mode on and off (till/training.Terminal).
type Training interface {
	// Switch refuses while a sale runs, with terminal.ErrBusy.
	Switch(on bool) error
	// On says whether it is on.
	On() bool
}

// TrainingState is the answer to GET and POST /v1/training.
type TrainingState struct {
	On bool `json:"on"`
}

const trainingShape = `{"on":true}, or {"on":false} to end it`

func (h *handler) trainingState(w http.ResponseWriter, _ *http.Request) {
	h.answer(w, http.StatusOK, TrainingState{h.training()})
}

// train puts training on or off. It is in the audit log before it counts: whoever looks for a sale that was none finds it there.
func (h *handler) train(w http.ResponseWriter, r *http.Request) {
	var in struct {
		On *bool `json:"on"`
	}
	err := readBody(w, r, trainingShape, &in)
	switch {
	case err != nil:
	case in.On == nil:
		err = request(http.StatusBadRequest, "bad_body", "The body cannot be read", "Send "+trainingShape+".", "on is missing")
	case h.cfg.Training == nil:
		err = request(http.StatusConflict, "no_training", "This terminal has no training mode", "Nothing was changed.", "it was put together without one")
	default:
		err = h.cfg.SwitchTraining(r.Context(), *in.On, h.cfg.Access.who(r).name)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, TrainingState{h.training()})
}

// SwitchTraining puts training on or off on behalf of somebody, with its audit rows. Errors: terminal.ErrBusy, the audit log's.
func (c Config) SwitchTraining(ctx context.Context, on bool, by string) error {
	what := "training mode off"
	if on {
		what = "training mode on"
	}
	entry := people.Entry{Actor: by, Event: people.EventTrain, Result: people.Tried, Note: what}
	if err := c.Access.Audit(ctx, entry); err != nil {
		return err
	}
	err := c.Training.Switch(on)
	if entry.Result = people.Done; err != nil {
		entry.Result = people.Failed
	}
	if aerr := c.Access.Audit(ctx, entry); aerr != nil {
		c.Log.Error("till: what came of a switch of training was not audited", "err", aerr)
	}
	return err
}
