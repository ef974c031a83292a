package pcsc

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// Whatever comes over the socket in answer, every request ends: with an answer within its bounds, or with an error.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0})
	f.Add(append(append(words(4, 5, uint32(codeServiceStopped)), words(4, 5, 0, 2, 7, 0)...), append(tableOf(readerState{name: "A", bits: statePresent}),
		words(1, 1, 16, 5, 1, 16, 2, 0, 0x0090)...)...))
	f.Fuzz(func(t *testing.T, answers []byte) {
		near, far := net.Pipe()
		done := make(chan struct{})
		go func() { // pcscd: it takes whatever is asked, and says what it says
			defer close(done)
			heard := make(chan struct{})
			go func() {
				defer close(heard)
				for b := make([]byte, 4096); ; {
					if _, err := far.Read(b); err != nil {
						return
					}
				}
			}()
			_, _ = far.Write(answers)
			_ = far.Close()
			<-heard
		}()
		c := &conn{net: near}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.greet(ctx); err == nil {
			if all, err := c.states(ctx); err == nil && len(all) > maxReaders {
				t.Errorf("%d readers", len(all))
			}
			if answer, err := c.transmit(ctx, 1, protocolT0, []byte{0, 0xA4, 0, 0, 0}); err == nil && len(answer) > maxReceive {
				t.Errorf("%d bytes in answer", len(answer))
			}
		} else if errors.Is(err, context.DeadlineExceeded) {
			t.Error("it waits for ever")
		}
		c.close()
		<-done
	})
}
