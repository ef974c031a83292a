// Package ccid is the smart-card reader class protocol, as spoken over USB and, in frames of its own, over serial lines
// (GemPC Twin): the messages, what their status bytes mean, and the state of one slot: power, parameters, exchange.
//
// It drives no wire itself: a driver gives it a Transport, and the way to reach one (Reader). It is for readers at TPDU and
// APDU level and sends messages of at most 271 bytes, which hold every short APDU. Mechanics and clock commands are not here.
//
// Sources: USB-IF, Specification for Integrated Circuit(s) Cards Interface Devices, revision 1.1 (section 6); libccid
// for what readers really do.
package ccid
