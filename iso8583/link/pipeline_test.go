package link_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tillway/iso8583/link"
)

// piped is what came of a pipeline that runs while the test plays the host.
type piped struct {
	answers [][]byte
	sent    int
	err     error
}

func (r *rig) pipeline(ctx context.Context, messages ...[]byte) <-chan piped {
	done := make(chan piped, 1)
	go func() {
		answers, sent, err := r.s.Pipeline(ctx, messages)
		done <- piped{answers, sent, err}
	}()
	return done
}

// advice n and its answer.
func (r *rig) advice(n int) []byte {
	return r.pack("0220", with(map[int]string{11: fmt.Sprintf("%06d", n)}))
}

func (r *rig) heard(n int, change map[int]string) []byte {
	f := with(map[int]string{11: fmt.Sprintf("%06d", n), 39: "00"})
	maps.Copy(f, change)
	return r.pack("0230", f)
}

// wantAnswers wants an answer for each of the numbers, and none for the others.
func (r *rig) wantAnswers(got piped, sent int, kind error, numbers ...int) {
	r.t.Helper()
	is := errors.Is(got.err, kind) || errors.Is(kind, io.ErrClosedPipe) && errors.Is(got.err, link.ErrClosed) // as soon as the reading side knows
	if got.sent != sent || !is {
		r.t.Errorf("%d sent, error %v; want %d, %v", got.sent, got.err, sent, kind)
	}
	for i, a := range got.answers {
		if slices.Contains(numbers, i+1) != (a != nil) || a != nil && !slices.Equal(a, r.heard(i+1, nil)) {
			r.t.Errorf("message %d: an answer of %d bytes", i+1, len(a))
		}
	}
}

// Messages leave in order, each with one write; the answers may come in any order, in one segment, and each goes to its message.
func TestPipeline(t *testing.T) {
	for name, order := range map[string][]int{"in order": {1, 2, 3}, "turned round": {3, 2, 1}, "mixed": {2, 3, 1}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				h := r.connect()
				done := r.pipeline(t.Context(), r.advice(1), r.advice(2), r.advice(3))
				for n := range 3 {
					if got := h.receive(t); !slices.Equal(got, r.advice(n+1)) {
						t.Errorf("message %d is another", n+1)
					}
				}
				var answers [][]byte
				for _, n := range order {
					answers = append(answers, r.heard(n, nil))
				}
				h.send(t, framed(answers...))
				r.wantAnswers(<-done, 3, nil, 1, 2, 3)
				if h.client.writes != 3 {
					t.Errorf("%d writes for three frames", h.client.writes)
				}
				again := r.exchange(t.Context(), r.sale())
				h.receive(t)
				h.send(t, framed(r.approval(nil)))
				r.want(<-again, r.approval(nil))
			})
		})
	}
}

// What is not answered is not: the others have what came.
func TestPipelineCutOff(t *testing.T) {
	for name, c := range map[string]struct {
		host func(t *testing.T, r *rig, h *end)
		sent int
		err  error
		have []int
	}{
		"closed after two answers": {func(t *testing.T, r *rig, h *end) {
			for range 3 {
				h.receive(t)
			}
			h.send(t, framed(r.heard(1, nil), r.heard(2, nil)))
			_ = h.Close()
		}, 3, link.ErrClosed, []int{1, 2}},
		"closed after the first message": {func(t *testing.T, _ *rig, h *end) {
			h.receive(t)
			_ = h.Close()
		}, 2, io.ErrClosedPipe, nil},
		"silent about the second": {func(t *testing.T, r *rig, h *end) {
			for range 3 {
				h.receive(t)
			}
			h.send(t, framed(r.heard(1, nil), r.heard(3, nil)))
		}, 3, link.ErrNoAnswer, []int{1, 3}},
		"another's answer": {func(t *testing.T, r *rig, h *end) {
			for range 3 {
				h.receive(t)
			}
			h.send(t, framed(r.heard(1, nil), r.heard(2, map[int]string{41: "TILL0002"}), r.heard(3, nil)))
		}, 3, link.ErrNoAnswer, []int{1, 3}},
		"no answer at all": {func(t *testing.T, _ *rig, h *end) {
			for range 3 {
				h.receive(t)
			}
		}, 3, link.ErrNoAnswer, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				h := r.connect()
				began := time.Now()
				done := r.pipeline(t.Context(), r.advice(1), r.advice(2), r.advice(3))
				c.host(t, r, h)
				r.wantAnswers(<-done, c.sent, c.err, c.have...)
				if waited := time.Since(began); waited > answerTimeout {
					t.Errorf("waited %s for all of them", waited)
				}
				synctest.Wait()
				if fresh, err := r.s.Ready(t.Context()); !fresh || err != nil { // what may still come cannot be told from what is asked next
					t.Errorf("Ready: fresh %v, %v", fresh, err)
				}
				_ = (<-r.hosts).Close()
			})
		})
	}
}

// What could not be told apart, or is no message, does not leave.
func TestPipelineRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		if _, sent, err := r.s.Pipeline(t.Context(), [][]byte{r.advice(1)}); sent != 0 || !errors.Is(err, link.ErrNotConnected) {
			t.Errorf("without a connection: %d sent, %v", sent, err)
		}
		h := r.connect()
		for name, messages := range map[string][][]byte{
			"one number twice": {r.advice(1), r.advice(2), r.advice(1)}, "no message": {r.advice(1), {1, 2, 3}}, "an empty one": {nil},
		} {
			if _, sent, err := r.s.Pipeline(t.Context(), messages); sent != 0 || err == nil {
				t.Errorf("%s: %d sent, %v", name, sent, err)
			}
		}
		ended, stop := context.WithCancel(t.Context())
		stop()
		if _, sent, err := r.s.Pipeline(ended, [][]byte{r.advice(1)}); sent != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %d sent, %v", sent, err)
		}
		if h.client.writes != 0 {
			t.Errorf("%d writes", h.client.writes)
		}
	})
}
