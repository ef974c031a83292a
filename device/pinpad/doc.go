// Package pinpad drives a PIN pad on a serial line that enciphers PINs itself, under a DUKPT key of its own. It lives in keyd, behind the
// PIN boundary of the secure module: a clear PIN is in the pad only, and what comes out of it is a PIN block and its serial number.
//
// The protocol is this project's own and small: docs/pinpad-protocol.md. Every command and answer is enciphered and authenticated
// under a session key that both ends derive from a pairing key and two fresh numbers, so that nobody on the wire can ask for a PIN,
// change an amount, or play an entry again. The pairing key is in the module; the driver never sees it.
//
// One goroutine owns the port and opens it again when the pad comes back; another reads frames. The pad that proves all this is
// emulated (device/emulator/pinpad), which shares no code with this package.
package pinpad
