package main

import (
	"encoding/hex"
	"math/rand/v2"
	"slices"

	"tillway/host"
	"tillway/iso8583"
)

// refuse is the bank's front end on a day on which it turns away what the terminal owes, or a batch's end, before any account is
// touched: for good (12, 30), or for now (91, 96); or it says that its totals are others (95). Its answer is whole and authentic. Nil: it does not today, or not this message.
func (w *world) refuse(r *rand.Rand, frame []byte) []byte {
	m, err := w.codec.Unpack(frame)
	if err != nil {
		return nil
	}
	code, mti := "", m.MTI()
	switch {
	case mti[:3] == "050" && w.mishap(r, 12, "totals refused for good"):
		code = "12"
	case mti[:3] == "050" && !w.uploading() && w.mishap(r, 8, "totals disputed"): // the front end has lost something, and the bank has not
		code = "95"
	case mti[:3] == "032" && w.mishap(r, 8, "upload refused"):
		code = "76"
	case (mti[:3] == "050" || mti[:3] == "032") && w.mishap(r, 8, "settlement put off by the host"):
		code = []string{"91", "96"}[r.IntN(2)]
	case mti[:3] != "022" && mti[:3] != "040":
		return nil
	case w.mishap(r, 25, "debt refused for good"):
		code = []string{"12", "30"}[r.IntN(2)]
	case w.mishap(r, 8, "debt put off by the host"):
		code = []string{"91", "96"}[r.IntN(2)]
	default:
		return nil
	}
	out := iso8583.NewMessage(m.MTI()[:2] + string(m.MTI()[2]+1) + "0")
	out.TPDU = m.TPDU
	for _, n := range []int{3, 4, 11, 24, 41, 63} {
		if v, ok := m.Get(n); ok {
			out.Set(n, v)
		}
	}
	now := simClock()
	out.Set(12, now.Format("150405"))
	out.Set(13, now.Format("0102"))
	out.Set(39, code)
	said, err := readWire(frame)
	if err != nil {
		w.fail(err)
		return nil
	}
	out.SetBytes(64, make([]byte, 8))
	answer, err := w.codec.Pack(out)
	if err != nil {
		w.fail(err)
		return nil
	}
	ksn, err := hex.DecodeString(said.macKey)
	if err != nil || len(ksn) != 10 {
		return nil
	}
	body := len(answer) - 8
	copy(answer[body:], responseMAC(simBytes(simBDK), ksn, answer[len(m.TPDU):body]))
	return answer
}

// uploading says that the bank waits for a batch's transactions already: those of another would go into that one, because a message of an
// upload does not say which batch it is of.
func (w *world) uploading() bool {
	return slices.ContainsFunc(w.host.Batches(), func(b host.Batch) bool { return b.State == "uploading" })
}
