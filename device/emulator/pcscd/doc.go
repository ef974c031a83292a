// Package pcscd is a PC/SC daemon with virtual readers: it speaks the protocol of pcscd's socket, so that the driver in device/pcsc, and
// every program that uses libpcsclite, finds emulated cards without root, without hardware and without pcscd.
//
// It knows the messages that a reader of bank cards needs: no transactions, no control codes, no attributes. It is written against the
// description of the protocol and shares nothing with the driver; a test of device/pcsc plays one script to it and to Debian's pcscd and
// compares every answer.
//
// Sources: pcsc-lite 1.9.9 (winscard_msg.h, winscard_svc.c, winscard.c, eventhandler.h).
package pcscd
