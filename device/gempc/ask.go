package gempc

import "tillway/device/ccid"

// Question is a command that a GemPC Twin answers and that changes nothing in it: it asks for the firmware's version.
func Question() []byte {
	return appendFrame(nil, ccid.Message{Type: ccid.Escape, Data: []byte{0x02}})
}

// Answered says that what a line brought is a GemPC Twin's answer to Question, and which firmware it named. An echo of the question
// alone is no answer: a plug with two wires joined gives that, too.
func Answered(heard []byte) (version string, ok bool) {
	for len(heard) > 0 {
		k, n, m := next(heard)
		switch {
		case k == incomplete:
			return "", false
		case k == frame && m.Type == ccid.EscapeAnswer:
			return string(m.Data), true
		}
		heard = heard[n:]
	}
	return "", false
}
