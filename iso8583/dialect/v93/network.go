package v93

import (
	"fmt"

	"tillway/terminal"
)

// Network composes a message of network management: 1804. There is a sign-on, or none where the settings say so, and nothing
// else: an exchange of keys and a host's orders are refused. Errors: ErrRequest.
func (d *Dialect) Network(req terminal.NetworkRequest) ([]byte, error) {
	if req.Kind != terminal.SignOn {
		return nil, fmt.Errorf("%w: this dialect has no message for %q", ErrRequest, string(req.Kind))
	}
	if d.settings.SignOn == noSignOn {
		return nil, nil
	}
	m, err := d.empty(networkRequest, d.settings.SignOn, req.STAN, req.Time, req.TerminalID, req.MerchantID)
	if err != nil {
		return nil, err
	}
	return d.pack(m)
}
