package secure

import "context"

// CreateKey is Module's.
func (r *Remote) CreateKey(ctx context.Context, name string) error {
	return r.again(ctx, func(c *Client) error { return c.CreateKey(ctx, name) })
}

// DestroyKey is Module's.
func (r *Remote) DestroyKey(ctx context.Context, name string) error {
	return r.again(ctx, func(c *Client) error { return c.DestroyKey(ctx, name) })
}

// Seal is Module's.
func (r *Remote) Seal(ctx context.Context, name string, associated, plain []byte) (out []byte, err error) {
	err = r.again(ctx, func(c *Client) (err error) { out, err = c.Seal(ctx, name, associated, plain); return err })
	return out, err
}

// Open is Module's.
func (r *Remote) Open(ctx context.Context, name string, associated, sealed []byte) (out []byte, err error) {
	err = r.again(ctx, func(c *Client) (err error) { out, err = c.Open(ctx, name, associated, sealed); return err })
	return out, err
}

// NextKey is Macs'. Asked twice it costs a key, never gives one twice.
func (r *Remote) NextKey(ctx context.Context, set string, use Use) (l Lease, err error) {
	err = r.again(ctx, func(c *Client) (err error) { l, err = c.NextKey(ctx, set, use); return err })
	return l, err
}

// MAC is Macs'.
func (r *Remote) MAC(ctx context.Context, l Lease, m MACMethod, data []byte) (out []byte, err error) {
	err = r.once(ctx, func(c *Client) (err error) { out, err = c.MAC(ctx, l, m, data); return err })
	return out, err
}

// VerifyMAC is Macs'.
func (r *Remote) VerifyMAC(ctx context.Context, l Lease, m MACMethod, data, mac []byte) error {
	return r.once(ctx, func(c *Client) error { return c.VerifyMAC(ctx, l, m, data, mac) })
}

// Encipher is Data's.
func (r *Remote) Encipher(ctx context.Context, l Lease, data []byte) (out []byte, err error) {
	err = r.once(ctx, func(c *Client) (err error) { out, err = c.Encipher(ctx, l, data); return err })
	return out, err
}

// Release is Macs'.
func (r *Remote) Release(ctx context.Context, l Lease) error {
	return r.once(ctx, func(c *Client) error { return c.Release(ctx, l) })
}

// HostSaw is Macs'.
func (r *Remote) HostSaw(ctx context.Context, set string, use Use, ksn []byte) error {
	return r.again(ctx, func(c *Client) error { return c.HostSaw(ctx, set, use, ksn) })
}

// EnterPIN is PINPad's. It is never asked twice: the customer would be.
func (r *Remote) EnterPIN(ctx context.Context, q PINRequest) (p PINResult, err error) {
	err = r.once(ctx, func(c *Client) (err error) { p, err = c.EnterPIN(ctx, q); return err })
	return p, err
}

// DecipherSwipe is Swipes'. Asked twice, the second would be a replay.
func (r *Remote) DecipherSwipe(ctx context.Context, s EncipheredSwipe) (texts [][]byte, err error) {
	err = r.once(ctx, func(c *Client) (err error) { texts, err = c.DecipherSwipe(ctx, s); return err })
	return texts, err
}

// Token is Tokens'.
func (r *Remote) Token(ctx context.Context, pan PAN) (out []byte, err error) {
	err = r.again(ctx, func(c *Client) (err error) { out, err = c.Token(ctx, pan); return err })
	return out, err
}

// Import is Keys'.
func (r *Remote) Import(ctx context.Context, set string, use Use, block string) (check CheckValue, err error) {
	err = r.once(ctx, func(c *Client) (err error) { check, err = c.Import(ctx, set, use, block); return err })
	return check, err
}

// Try asks again: it changes nothing.
func (r *Remote) Try(ctx context.Context, set string, use Use, block string) (check CheckValue, err error) {
	err = r.again(ctx, func(c *Client) (err error) { check, err = c.Try(ctx, set, use, block); return err })
	return check, err
}

// ImportSession is Keys'.
func (r *Remote) ImportSession(ctx context.Context, set string, use Use, cryptogram []byte, check CheckValue) (own CheckValue, err error) {
	err = r.once(ctx, func(c *Client) (err error) {
		own, err = c.ImportSession(ctx, set, use, cryptogram, check)
		return err
	})
	return own, err
}

// Propose is SessionKeys'.
func (r *Remote) Propose(ctx context.Context, set string, keys []Proposal) (checks []CheckValue, err error) {
	err = r.once(ctx, func(c *Client) (err error) { checks, err = c.Propose(ctx, set, keys); return err })
	return checks, err
}

// Confirm is SessionKeys'.
func (r *Remote) Confirm(ctx context.Context, set string) error {
	return r.once(ctx, func(c *Client) error { return c.Confirm(ctx, set) })
}

// Withdraw is SessionKeys'.
func (r *Remote) Withdraw(ctx context.Context, set string) error {
	return r.once(ctx, func(c *Client) error { return c.Withdraw(ctx, set) })
}

// Ticket is Tickets'.
func (r *Remote) Ticket(ctx context.Context, person string) (ticket string, err error) {
	err = r.once(ctx, func(c *Client) (err error) { ticket, err = c.Ticket(ctx, person); return err })
	return ticket, err
}

// Status is Keys'.
func (r *Remote) Status(ctx context.Context) (s Status, err error) {
	err = r.again(ctx, func(c *Client) (err error) { s, err = c.Status(ctx); return err })
	return s, err
}

// Destroy is Keys'.
func (r *Remote) Destroy(ctx context.Context, set string) error {
	return r.once(ctx, func(c *Client) error { return c.Destroy(ctx, set) })
}

// DestroyAll is Keys'.
func (r *Remote) DestroyAll(ctx context.Context) error {
	return r.once(ctx, func(c *Client) error { return c.DestroyAll(ctx) })
}

// Refill is Terminal's.
func (r *Remote) Refill(ctx context.Context) error {
	return r.once(ctx, func(c *Client) error { return c.Refill(ctx) })
}

// Owes is Terminal's. A module that is started again is told the last number that it was to know.
func (r *Remote) Owes(ctx context.Context, n int) error {
	r.mu.Lock()
	r.owed, r.told = n, true
	r.mu.Unlock()
	return r.once(ctx, func(c *Client) error { return c.Owes(ctx, n) })
}
