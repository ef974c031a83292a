package main

import "syscall"

// childAttributes puts a child into a group of its own, so that Ctrl-C reaches this process alone and the order of
// ending is kept, and has the kernel end it when this process dies without a chance to.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
