// Package session holds what went over a reader's wire: recorded on hardware by a technician (pos readers record), and played
// back to the driver in tests, so that a reader that nobody here has stays covered.
//
// A session is a text file: a head, a line for each frame, and an end that counts and seals them, so that a file that was cut
// off or edited is refused. Card data are in it in the clear only of published test cards; else every byte that card and
// terminal exchanged is stars, and the file shows the reader's manners and cannot be played.
//
// It is about readers that speak CCID messages (USB-IF CCID 1.1), bare or in the GemPC Twin's serial frames. It drives nothing.
// firmware-notes/sessions.md describes the file.
package session
