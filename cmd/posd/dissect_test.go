package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"

	"tillway/iso8583"
)

// TestSaleInWireshark has Wireshark's ISO 8583 dissector read a sale and a reversal as they went over the wire: it was written by
// others from the standard. It knows no TPDU, so that is taken off, and it follows a sale up to its track 2 and a reversal up
// to its currency. Without tshark (Debian's package of that name) nothing is checked,
// and the test says so.
func TestSaleInWireshark(t *testing.T) {
	program, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("NOT CHECKED: tshark is not installed (apt-get install tshark)")
	}
	m := &meddler{say: func(_ *iso8583.Message, frame []byte) []segment { return []segment{{bytes: whole(frame)}} }}
	synctest.Test(t, func(t *testing.T) {
		b := newPipedBank(t, func(c net.Conn) net.Conn { return meddled{c, m} })
		m.codec = b.codec
		s := b.terminal()
		sellOne(t, s, 10_525)
		b.lost(s, 1_101)
		b.settled(s, 1)
	})
	path := filepath.Join(t.TempDir(), "sale.pcap")
	frames := m.frames(t, "0200", "0400", "0800")
	if err := os.WriteFile(path, capture(frames), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "-r", path, "-d", "tcp.port==8583,iso8583", "-T", "json", //nolint:gosec // found in PATH, our own file
		"-o", "iso8583.len_endian:Big endian", "-o", "iso8583.charset:Digits represented in nibbles", "-o", "iso8583.binencode:Bin data not encoded").Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	var packets []struct {
		Source struct {
			Layers struct {
				Message map[string]any `json:"iso8583"`
			} `json:"layers"`
		} `json:"_source"`
	}
	if err := json.Unmarshal(out, &packets); err != nil || len(packets) != len(frames) || len(frames) != 4 {
		t.Fatalf("%d packets of %d messages, %v", len(packets), len(frames), err)
	}
	for i, frame := range frames {
		ours, err := m.codec.Unpack(frame)
		if err != nil {
			t.Fatal(err)
		}
		theirs := packets[i].Source.Layers.Message
		if theirs["iso8583.mti"] != ours.MTI() {
			t.Errorf("message %d: %v and %s", i, theirs["iso8583.mti"], ours.MTI())
		}
		for _, n := range ours.Fields() {
			if n == 35 || n == 49 {
				break // it counts track 2 in bytes and has DE 49 in characters, terminals otherwise: behind them it is lost
			}
			want, _ := ours.Get(n)
			if got := theirs[fmt.Sprintf("iso8583.bit%d", n)]; got != want {
				t.Errorf("%s: DE %d is %v there, of %d characters here", ours.MTI(), n, got, len(want))
			}
		}
	}
}

// capture is a file of packets (libpcap's classic format, raw IPv4) with each message in a segment of its own, two length bytes
// before it and no TPDU.
func capture(messages [][]byte) []byte {
	le, be := binary.LittleEndian, binary.BigEndian
	file := le.AppendUint32(nil, 0xA1B2C3D4)
	file = le.AppendUint16(le.AppendUint16(file, 2), 4)
	file = le.AppendUint32(le.AppendUint64(file, 0), 65535)
	file = le.AppendUint32(file, 101) // LINKTYPE_RAW
	sequence := uint32(1)
	for i, m := range messages {
		body := append(be.AppendUint16(nil, uint16(len(m)-5)), m[5:]...)
		ip := []byte{0x45, 0, 0, 0, 0, byte(i + 1), 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1}
		be.PutUint16(ip[2:], uint16(40+len(body)))
		tcp := be.AppendUint16(be.AppendUint16(nil, 40000), 8583)
		tcp = be.AppendUint32(be.AppendUint32(tcp, sequence), 1)
		tcp = append(tcp, 0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0)
		packet := append(append(ip, tcp...), body...)
		sequence += uint32(len(body))
		file = le.AppendUint32(le.AppendUint32(file, uint32(i)), 0)
		file = le.AppendUint32(le.AppendUint32(file, uint32(len(packet))), uint32(len(packet)))
		file = append(file, packet...)
	}
	return file
}
