// Package link is one connection from a terminal to an acquirer: frames of a length and a message, over TLS. One
// request is outstanding at a time, and only the answer that belongs to it is returned; whatever else arrives (late, twice,
// another terminal's, garbage) goes to Quarantine and is never taken for an answer.
//
// It does not decide what to send when, repeats nothing, and signs nothing on: that is the acquirer's owner
// (terminal/lane). Of a message it reads only what tells whose answer it is (TPDU, MTI, DE 3, 4, 11, 41) and, for the
// record of a stray and to know an approval in part, DE 39.
//
// # After a time-out
//
// The connection stays open after one unanswered request, so that the late answer is seen and recorded as such. The
// second in a row closes it, because a path that lost its way looks the same as a host that is slow. A request whose
// writing failed closes it at once: half a frame may stand on the wire.
//
// # Who owns what
//
// Each connection has one goroutine that reads; it ends when the connection does, and Close and Ready wait for it.
// Exchange writes on the caller's goroutine, one Write a frame.
//
// Sources: ISO 8583:1987 (message types, DE 11); public terminal messages (two length bytes, TPDU echoed or turned round); the
// channels of jPOS, for the other lengths that hosts have (two bytes of BCD, four digits of ASCII).
package link
