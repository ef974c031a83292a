package terminal

// Asked is how a cash register named what it asked for, where it did so in messages of its own (nexo): its answer repeats these
// names. The journal keeps them, so that the same answer can be given again at any time. All are the register's own words, bounded
// and without card numbers.
type Asked struct {
	Register    string `json:"register"`              // the cash register that was recognised, without "ecr:"
	Category    string `json:"category"`              // of the message: "Payment" or "Reversal"
	Type        string `json:"type,omitempty"`        // of the payment: "Normal", "Refund", "FirstReservation", …
	SaleID      string `json:"sale_id"`               // how the register names itself
	ServiceID   string `json:"service_id"`            // how it names the message: with SaleID used once
	POIID       string `json:"poi_id"`                // how it names this terminal
	Transaction string `json:"transaction,omitempty"` // how it names the purchase
	Time        string `json:"time,omitempty"`        // and when that was, as it wrote it
}

// Words are all that the register chose, for whoever looks for what must not be kept.
func (a *Asked) Words() []string {
	if a == nil {
		return nil
	}
	return []string{a.SaleID, a.ServiceID, a.POIID, a.Transaction, a.Time}
}
