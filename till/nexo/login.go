package nexo

import (
	"context"
	"slices"
	"strings"
	"time"

	"tillway/terminal/people"
)

// login is what a register said of itself. It is in memory alone: after a restart the register logs in again.
type login struct {
	register string
	saleID   string
	operator string
	training bool
	at       time.Time
}

// maxLogins bounds them; the oldest goes first.
const maxLogins = 256

type loginRequest struct {
	OperatorID       string `json:"OperatorID"`
	ShiftNumber      string `json:"ShiftNumber"`
	TrainingModeFlag bool   `json:"TrainingModeFlag"`
}

type poiSoftware struct {
	ManufacturerID    string `json:"ManufacturerID"`
	ApplicationName   string `json:"ApplicationName"`
	SoftwareVersion   string `json:"SoftwareVersion"`
	CertificationCode string `json:"CertificationCode"`
}

type poiTerminalData struct {
	TerminalEnvironment string   `json:"TerminalEnvironment"`
	POICapabilities     []string `json:"POICapabilities"`
	POISerialNumber     string   `json:"POISerialNumber"`
}

type poiSystemData struct {
	DateTime        string          `json:"DateTime"`
	POISoftware     poiSoftware     `json:"POISoftware"`
	POITerminalData poiTerminalData `json:"POITerminalData"`
	POIStatus       poiStatus       `json:"POIStatus"`
}

type loginResponse struct {
	Response      response      `json:"Response"`
	POISystemData poiSystemData `json:"POISystemData"`
}

type plainResponse struct {
	Response response `json:"Response"`
}

func (c *call) loginKey() string { return c.register.Name + "\x00" + c.header.SaleID }

// login notes who stands at the register, and switches training mode where that is asked for.
func (h *handler) login(ctx context.Context, c *call) (any, error) {
	var in loginRequest
	if err := c.into(&in); err != nil {
		return nil, err
	}
	if err := c.may(people.Status); err != nil {
		return nil, err
	}
	operator, err := operatorOf(in.OperatorID)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	before := h.logins[c.loginKey()]
	h.mu.Unlock()
	if in.TrainingModeFlag != before.training || in.TrainingModeFlag && h.asLoggedIn(c) != nil {
		if err := h.train(ctx, c, in.TrainingModeFlag); err != nil {
			return nil, err
		}
	}
	h.keep(c.loginKey(), login{c.register.Name, c.header.SaleID, operator, in.TrainingModeFlag, h.cfg.Clock()})
	return loginResponse{response{Result: success}, h.system()}, nil
}

// train switches training mode.
func (h *handler) train(ctx context.Context, c *call, on bool) error {
	if h.cfg.Training == nil {
		return fail(unavailableService, "this terminal has no training mode")
	}
	if err := c.may(people.Training); err != nil {
		return err
	}
	return h.cfg.Training(ctx, on, c.register.Actor())
}

// errTrains keeps a register that sells from a terminal that plays: it would give away goods for a payment that was none.
var errTrains = &failure{condition: notAllowed, message: "the terminal is in training mode, and this register has not logged in for training: no payment was made"}

// trains says whether the register has logged in for training.
func (h *handler) trains(c *call) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.logins[c.loginKey()].training
}

// asLoggedIn refuses where terminal and register are not of one mind about training, before anything is begun.
func (h *handler) asLoggedIn(c *call) error {
	on := h.cfg.Trains != nil && h.cfg.Trains()
	switch trains := h.trains(c); {
	case on && !trains:
		return errTrains
	case trains && !on:
		return fail(notAllowed, "this register has logged in for training, and the terminal is not in training mode any more: log in again")
	}
	return nil
}

func (h *handler) keep(key string, l login) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.logins[key]; !there && len(h.logins) >= maxLogins {
		oldest := ""
		for k, other := range h.logins {
			if oldest == "" || other.at.Before(h.logins[oldest].at) {
				oldest = k
			}
		}
		delete(h.logins, oldest)
	}
	h.logins[key] = l
}

// logout forgets who stands at the register, and ends the training that its login began.
func (h *handler) logout(ctx context.Context, c *call) (any, error) {
	h.mu.Lock()
	before, there := h.logins[c.loginKey()]
	h.mu.Unlock()
	if !there {
		return nil, fail(loggedOut, "%s was not logged in", c.header.SaleID)
	}
	if before.training {
		if err := h.train(ctx, c, false); err != nil {
			return nil, err
		}
	}
	h.mu.Lock()
	delete(h.logins, c.loginKey())
	h.mu.Unlock()
	return plainResponse{response{Result: success}}, nil
}

// system is what the terminal says of itself.
func (h *handler) system() poiSystemData {
	capable := []string{"CashierDisplay", "CustomerDisplay", "ICC", "MagStripe"}
	if h.cfg.Printer != nil {
		capable = append(capable, "PrinterReceipt")
	}
	if h.cfg.PINPad {
		capable = append(capable, "CustomerInput")
	}
	return poiSystemData{
		DateTime:        stamp(h.cfg.Clock()),
		POISoftware:     poiSoftware{"Tillway", "posd", h.cfg.Version, "none"},
		POITerminalData: poiTerminalData{"Attended", capable, h.cfg.TerminalID},
		POIStatus:       h.poiStatus(),
	}
}

// by is who asks, for the journal: the register, and its operator where one is known. Error: LoggedOut, where a login is needed.
func (h *handler) by(c *call, operator string) (string, error) {
	operator, err := operatorOf(operator)
	if err != nil {
		return "", err
	}
	h.mu.Lock()
	l, there := h.logins[c.loginKey()]
	h.mu.Unlock()
	if h.cfg.NeedsLogin && !there {
		return "", fail(loggedOut, "%s has to log in first", c.header.SaleID)
	}
	if operator == "" {
		operator = l.operator
	}
	if operator == "" {
		return c.register.Actor(), nil
	}
	return c.register.Actor() + "/" + operator, nil
}

// Bounds of an operator's name.
const (
	maxOperator       = 24
	maxOperatorDigits = 11 // in a row: a card has more
)

// operatorOf is an operator's name as the journal has it: letters, digits, dot, dash and underscore, all else as underscores.
func operatorOf(name string) (string, error) {
	if len(name) > maxOperator {
		return "", badField("OperatorID", "longer than 24 bytes")
	}
	run := 0
	out := []byte(name)
	for i, b := range out {
		switch {
		case b >= '0' && b <= '9':
			if run++; run > maxOperatorDigits {
				return "", badField("OperatorID", "looks like a card number")
			}
			continue
		case !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_", rune(b)):
			out[i] = '_'
		}
		run = 0
	}
	return string(out), nil
}

// loggedIn are the SaleIDs that are, of one register.
func (h *handler) loggedIn(register string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, l := range h.logins {
		if l.register == register {
			all = append(all, l.saleID)
		}
	}
	slices.Sort(all)
	return all
}
