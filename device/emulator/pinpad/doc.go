// Package pinpad plays a PIN pad that enciphers PINs itself: the other end of device/pinpad's wire, written from
// docs/pinpad-protocol.md and sharing no code with the driver. Keys are pressed by a script; the pad has a DUKPT key, a pairing key and a transport key of its
// own, all of them test keys.
//
// It can be unplugged, tampered with, made to say nothing, and to send garbage.
package pinpad
