package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"tillway/device/secure"
)

const (
	// keydWithin is how long posd waits for keyd at its start: the service manager may start them in any order.
	keydWithin = 45 * time.Second

	// keydPatience is how long a call waits for a keyd that is started again; a sale that waits longer fails safely.
	keydPatience = 10 * time.Second
)

// service says whether keyd is a service of its own, that posd connects to.
func (k *keysConfig) service() bool { return k.Service != "" }

// resolve makes the socket's path absolute.
func (k *keysConfig) resolve(folder string) {
	if k.Service != "" && !filepath.IsAbs(k.Service) {
		k.Service = filepath.Join(folder, k.Service)
	}
}

// checkService refuses what posd would tell a keyd that it starts itself: a service takes none of that from posd.
func (c *config) checkService() error {
	k := c.Keys
	switch {
	case !k.service() && k.ServiceUser != "":
		return errors.New("keys.service_user goes with keys.service")
	case !k.service():
		return nil
	case !k.Separate:
		return errors.New("keys.service is a process of its own: take out keys.separate = false")
	case k.Program != "":
		return errors.New("keys.service names a keyd that runs already, keys.program one to start: take one out")
	case k.Unlock != "":
		return errors.New("keys.unlock: with keys.service the secret is keyd's alone: give keyd -unlock FILE, and take the key out here")
	case c.PIN.Pad != "":
		return errors.New("pin.pad: with keys.service the pad is keyd's alone: give keyd -pad PORT, and take the key out here")
	case c.PIN.OnScreen:
		return errors.New("pin.on_screen is for a keyd that posd starts: take out keys.service, or type PINs at a pad")
	}
	return nil
}

// connectModule is the module at keys.service.
func connectModule(c config, log *slog.Logger, event func(secure.Event)) startModule {
	return func(ctx context.Context, _ string, first bool) (secureModule, error) {
		peer, err := serverIs(c.Keys.ServiceUser)
		if err != nil {
			return nil, err
		}
		start, done := context.WithTimeout(ctx, keydWithin)
		defer done()
		m, err := secure.Connect(start, secure.Dial{
			Path: c.Keys.Service, Hello: secure.Hello{Program: version(), First: first}, Peer: peer, Event: event, Patience: keydPatience,
			Lost:  func(err error) { log.Error("keyd is gone: nothing is sold until it is there again", "err", err) },
			Found: func(program string) { log.Info("keyd is there again", "version", program) },
		})
		if err != nil {
			return nil, fmt.Errorf("%w: systemctl status tillway-keyd says how keyd is", err)
		}
		if err := sameWorld(ctx, m, c.Development); err != nil {
			return nil, errors.Join(err, m.Close())
		}
		log.Info("keyd is a service of its own", "version", m.Program(), "socket", c.Keys.Service)
		return m, nil
	}
}

// sameWorld refuses a till on a keyd that takes published keys. The other way round nothing is lost: test keys are refused.
func sameWorld(ctx context.Context, m secure.Keys, development bool) error {
	st, err := m.Status(ctx)
	if errors.Is(err, secure.ErrDestroyed) {
		return nil // what comes next says so
	}
	if err == nil && !development && !st.Production {
		err = errors.New("keyd runs with -development and takes published test keys: take that out of its options, or set development = true")
	}
	return err
}

// serverIs is the look at who is at the module's socket: root, or the one user named. Without a name everybody who could make the
// socket is trusted.
func serverIs(name string) (func(net.Conn) error, error) {
	if name == "" {
		return func(net.Conn) error { return nil }, nil
	}
	uid, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		u, lookup := user.Lookup(name)
		if lookup != nil {
			return nil, fmt.Errorf("keys.service_user: %w", lookup)
		}
		if uid, err = strconv.ParseUint(u.Uid, 10, 32); err != nil {
			return nil, fmt.Errorf("keys.service_user: %w", err)
		}
	}
	return func(conn net.Conn) error {
		at, err := peerUser(conn)
		if err == nil && uint64(at) != uid {
			err = fmt.Errorf("user %d listens there, and not %s: %w", at, name, secure.ErrPeer)
		}
		return err
	}, nil
}

// moduleWhy is why a module that ended is not spoken to any more, where it said so.
func moduleWhy(m secureModule) error {
	if r, ok := m.(interface{ Err() error }); ok {
		return r.Err()
	}
	return nil
}
