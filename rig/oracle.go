//go:build linux

package main

import "tillway/rig/initramfs"

func addOracle(*initramfs.Archive, initramfs.Libraries, string) error { return nil }
