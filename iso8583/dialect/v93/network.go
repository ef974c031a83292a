package v93

import (
	"fmt"

	"tillway/terminal"
)

// Network composes a message of network management: 1804. There are a sign-on, or none where the settings say so, and an echo
// test; an exchange of keys and a host's orders are refused. Errors: ErrRequest.
func (d *Dialect) Network(req terminal.NetworkRequest) ([]byte, error) {
	function := d.settings.SignOn
	switch {
	case req.Kind == terminal.Echo:
		function = d.settings.Echo
	case req.Kind != terminal.SignOn:
		return nil, fmt.Errorf("%w: this dialect has no message for %q", ErrRequest, string(req.Kind))
	case function == noSignOn:
		return nil, nil
	}
	m, err := d.empty(networkRequest, function, req.STAN, req.Time, req.TerminalID, req.MerchantID)
	if err != nil {
		return nil, err
	}
	return d.pack(m)
}
