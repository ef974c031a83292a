//go:build unix && !linux

package main

import "syscall"

// childAttributes puts a child into a group of its own, so that Ctrl-C reaches this process alone and the order of
// ending is kept.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
