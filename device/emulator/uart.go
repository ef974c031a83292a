package emulator

import "golang.org/x/sys/unix"

// AtBaud makes the far end one that speaks at this speed. A pseudo-terminal carries bytes, whatever speed its port is set to; with this, what
// either end sends while the port is set to another speed arrives as it would over a wire: as noise. Call it before the line is used.
func (l *SerialLine) AtBaud(baud int) { l.baud = baud }

// near is the speed that the driver has set the port to; the far end's where that cannot be told.
func (l *SerialLine) near() int {
	t, err := unix.IoctlGetTermios(int(l.pair.slave.Fd()), unix.TCGETS2)
	if err != nil || t.Ospeed == 0 {
		return l.baud
	}
	return int(t.Ospeed)
}

// bitsOfByte is what a byte is on the wire: a start bit, eight data bits, a stop bit.
const bitsOfByte = 10

// resampled is what a receiver at one speed makes of bytes that were sent at another, one behind the other: it waits for the line to fall, and
// looks at the middle of each of the bits that it expects. Time is counted in parts of a second of which a bit of either is a whole number.
func resampled(sent []byte, sender, receiver int) (heard []byte) {
	end := len(sent) * bitsOfByte * receiver
	high := func(at int) bool {
		bit := at / receiver
		if at >= end || bit%bitsOfByte == bitsOfByte-1 {
			return true // idle, or a stop bit
		}
		if bit%bitsOfByte == 0 {
			return false
		}
		return sent[bit/bitsOfByte]>>(bit%bitsOfByte-1)&1 == 1
	}
	const steps = 16 // a receiver looks for the edge this often in a bit of its own
	step := max(1, sender/steps)
	for at := 0; at < end; {
		if high(at) {
			at += step
			continue
		}
		value := byte(0)
		for bit := range 8 {
			if high(at + sender*(2*bit+3)/2) {
				value |= 1 << bit
			}
		}
		heard = append(heard, value)
		for at += sender * 19 / 2; at < end && !high(at); at += step {
		}
	}
	return heard
}
