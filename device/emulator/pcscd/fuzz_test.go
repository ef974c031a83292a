package pcscd

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"tillway/device/emulator"
)

// message is one of a client's.
func message(command uint32, numbers ...uint32) []byte {
	b := make([]byte, 8+4*len(numbers))
	put(b, uint32(4*len(numbers)), command) //nolint:gosec // a few
	put(b[8:], numbers...)
	return b
}

// Whatever a client says, the daemon answers or hangs up, and lets the next client in.
func FuzzServe(f *testing.F) {
	hello := append(message(cmdVersion, 4, 4, 0), message(cmdEstablish, 2, 0, 0)...)
	f.Add(hello)
	f.Add(append(hello, message(cmdStates)...))
	f.Add(append(hello, message(cmdWait)...))
	f.Add(append(hello, message(cmdTransmit, 1, 1, 16, 5, 1, 16, 264, 0)...))
	f.Add(append(hello, message(cmdReconnect, 1, 1, 3, 2, 0, 0)...))
	profile, err := emulator.Ready("credit")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		s := &Server{config: Config{Minor: 4, Complain: func(string) {}}, clients: map[net.Conn]*client{}}
		slot := s.AddReader("A")
		slot.Insert(emulator.NewCard(profile))
		client1, client2 := connected(s), connected(s)
		_, _ = client1.near.Write(said) // it may have hung up before the end
		client1.leave()
		hello := message(cmdVersion, 4, 4, 0)
		if _, err := client2.near.Write(hello); err != nil {
			t.Fatalf("the next client: %v", err)
		}
		if b := <-client2.heard; len(b) != 12 || binary.NativeEndian.Uint32(b) != 4 {
			t.Fatalf("the next client is answered %X", b)
		}
		client2.leave()
		if slot.holder != 0 || len(slot.handles) != 0 {
			t.Fatal("a client that left still has the reader")
		}
	})
}

// caller is a client at the other end of a pipe.
type caller struct {
	near   net.Conn
	heard  chan []byte // the first answer
	served chan struct{}
	read   chan struct{}
}

func connected(s *Server) caller {
	near, far := net.Pipe()
	_ = near.SetWriteDeadline(time.Now().Add(time.Minute))
	k := caller{near, make(chan []byte, 1), make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(k.served)
		s.serve(&client{conn: far, handles: map[uint32]*handle{}})
	}()
	go func() {
		defer close(k.read)
		b := make([]byte, 12)
		n, _ := io.ReadFull(near, b)
		k.heard <- b[:n]
		_, _ = io.Copy(io.Discard, near)
	}()
	return k
}

func (k caller) leave() {
	_ = k.near.Close()
	<-k.served
	<-k.read
}
