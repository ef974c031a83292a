package stripehid

import (
	"bytes"
	"fmt"

	"tillway/device"
)

// Places in the report of MagTek's MagneSafe readers (99875475, Card Data (HID)).
const (
	safeTracks       = 7 // three times safeRoom bytes
	safeRoom         = 112
	safeStatus       = 493 // reader encryption status, high byte first
	safeKSN          = 495 // 10 bytes
	safeMaskedLength = 505 // three bytes
	safeMasked       = 508 // three times safeRoom bytes
	safeSize         = 852 // to the end of the encrypted session ID; later models send more
)

// safeEnciphers is bit 2 of the encryption status: encryption is enabled. Bit 1 says that keys are injected, bit 0 that they
// are exhausted.
const (
	safeEnciphers = 0x04
	safeExhausted = 0x01
)

// parseMagTek takes a MagTek report apart: the short one of readers without encryption, or the long one of MagneSafe.
func parseMagTek(report []byte) (pass, error) {
	if len(report) < safeSize {
		return clearReport(report)
	}
	tracks, err := threeTracks(report, safeTracks, safeRoom, report[3:6])
	if err != nil {
		return pass{}, err
	}
	masked, err := threeTracks(report, safeMasked, safeRoom, report[safeMaskedLength:safeMaskedLength+3])
	if err != nil {
		return pass{}, err
	}
	status := report[safeStatus+1]
	switch {
	case status&safeExhausted != 0:
		return pass{}, fmt.Errorf("%w: its keys are exhausted: have new ones injected", device.ErrProtocol)
	case report[1]&1 != 0:
		return pass{}, undecoded(report)
	case status&safeEnciphers == 0:
		return clearPass(tracks[0], tracks[1])
	case len(tracks[1]) == 0:
		return pass{}, fmt.Errorf("%w: there is no track 2", device.ErrMisread)
	}
	return pass{
		masked: string(masked[1]),
		enciphered: &Enciphered{
			KSN: bytes.Clone(report[safeKSN : safeKSN+10]), PINKey: true, Blocks: blocksOf(tracks[0], tracks[1]),
		},
	}, nil
}

// blocksOf are the tracks that are there.
func blocksOf(tracks ...[]byte) (all [][]byte) {
	for _, t := range tracks {
		if len(t) > 0 {
			all = append(all, bytes.Clone(t))
		}
	}
	return all
}
