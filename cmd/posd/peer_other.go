//go:build !linux

package main

import (
	"errors"
	"net"
)

// peerUser is not known here.
func peerUser(net.Conn) (uint32, error) { return 0, errors.New("keys.service_user is for Linux") }
