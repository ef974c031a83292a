package nexo

import (
	"context"
	"strconv"

	"tillway/terminal/people"
)

type poiStatus struct {
	GlobalStatus        string `json:"GlobalStatus"`
	SecurityOKFlag      bool   `json:"SecurityOKFlag"`
	PEDOKFlag           *bool  `json:"PEDOKFlag,omitempty"`
	CardReaderOKFlag    bool   `json:"CardReaderOKFlag"`
	PrinterStatus       string `json:"PrinterStatus,omitempty"`
	CommunicationOKFlag bool   `json:"CommunicationOKFlag"`
}

type hostStatus struct {
	AcquirerID      string `json:"AcquirerID"`
	IsReachableFlag bool   `json:"IsReachableFlag"`
}

type diagnosisResponse struct {
	Response     response     `json:"Response"`
	LoggedSaleID []string     `json:"LoggedSaleID,omitempty"`
	POIStatus    poiStatus    `json:"POIStatus"`
	HostStatus   []hostStatus `json:"HostStatus,omitempty"`
}

// diagnosis says how the terminal is; with HostDiagnosisFlag it asks the host whether it is there.
func (h *handler) diagnosis(ctx context.Context, c *call) (any, error) {
	var in struct {
		HostDiagnosisFlag bool `json:"HostDiagnosisFlag"`
	}
	if err := c.into(&in); err != nil {
		return nil, err
	}
	if err := c.may(people.Status); err != nil {
		return nil, err
	}
	var hosts []hostStatus
	message := ""
	if in.HostDiagnosisFlag {
		reachable := h.cfg.Lane.Snapshot().Host.OK
		if h.cfg.Echo != nil {
			err := h.cfg.Echo(ctx)
			if reachable = err == nil; err != nil {
				message = err.Error()
			}
		}
		hosts = []hostStatus{{h.cfg.Acquirer, reachable}}
	}
	snap := h.cfg.Lane.Snapshot()
	out := diagnosisResponse{
		Response: response{Result: success, AdditionalResponse: query(
			pair{"message", message}, pair{"tid", h.cfg.TerminalID}, pair{"mid", h.cfg.MerchantID}, pair{"version", h.cfg.Version},
			pair{"unconfirmedBatchCount", strconv.Itoa(snap.Owed + snap.Parked)}, pair{"reader", snap.Reader.Cause}, pair{"host", snap.Host.Cause},
		)},
		LoggedSaleID: h.loggedIn(c.register.Name), POIStatus: h.poiStatus(), HostStatus: hosts,
	}
	return out, nil
}

// poiStatus is how the terminal's parts are.
func (h *handler) poiStatus() poiStatus {
	snap := h.cfg.Lane.Snapshot()
	s := poiStatus{
		GlobalStatus: "OK", SecurityOKFlag: snap.Quarantined == 0, CardReaderOKFlag: snap.Reader.OK, CommunicationOKFlag: snap.Host.OK,
	}
	if h.cfg.PINPad {
		s.PEDOKFlag = &h.cfg.PINPad
	}
	if h.cfg.Printer != nil {
		s.PrinterStatus = h.cfg.Printer()
	}
	if _, running := h.cfg.Lane.Current(); running {
		s.GlobalStatus = "Busy"
	} else if !s.CardReaderOKFlag || !s.SecurityOKFlag {
		s.GlobalStatus = "Maintenance"
	}
	return s
}
