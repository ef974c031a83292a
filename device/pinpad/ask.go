package pinpad

import "bytes"

// questionText is what the line test carries.
const questionText = "who is there?"

// Question is a line test (docs/pinpad-protocol.md, type 03): a pad sends it back in a frame of its own. It takes no key, and ends neither
// session nor entry.
func Question() []byte {
	b, err := frame{kind: frameTest, payload: []byte(questionText)}.append(nil)
	if err != nil {
		panic("pinpad: a question longer than a frame")
	}
	return b
}

// Answered says that what a line brought is a pad's answer to Question. An echo is none: the pad's frame has another type.
func Answered(heard []byte) bool {
	var d deframer
	for _, f := range d.add(heard) {
		if f.kind == frameTest|fromPad && bytes.Equal(f.payload, []byte(questionText)) {
			return true
		}
	}
	return false
}
