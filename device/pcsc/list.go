package pcsc

import "context"

// Listed is one reader that pcscd has.
type Listed struct {
	Name   string // printable
	CardIn bool
	Held   bool // some program uses it
}

// List asks pcscd for its readers, with a connection of its own. Errors say what to do: device.ErrUnplugged (pcscd does not run),
// device.ErrPermission, the context's.
func List(ctx context.Context, socket string) ([]Listed, error) {
	c, err := dial(ctx, socket)
	if err != nil {
		return nil, err
	}
	defer c.close()
	within, cancel := context.WithTimeoutCause(ctx, greetWait, errPatience)
	defer cancel()
	all, err := c.states(within)
	if err != nil {
		return nil, err
	}
	var listed []Listed
	for _, s := range all {
		listed = append(listed, Listed{Name: printable(s.name), CardIn: s.cardIn(), Held: s.sharing != 0})
	}
	return listed, nil
}
