package link

import (
	"fmt"
	"slices"
	"strings"

	"tillway/iso8583"
)

// The fields that tell whose answer it is (ISO 8583:1987).
const (
	processingCode = 3
	amount         = 4
	stan           = 11
	responseCode   = 39
	terminalID     = 41
)

// mismatch says why an answer is not the answer to a request, or nothing when it is. The answer's type must be the
// request's, one function on; DE 11 must be there and the same; DE 4, DE 41 and the transaction type in DE 3 must be the
// same where both have them (hosts change the account types behind it, and an approval in part says the lower amount); the TPDU comes back as it was or with its
// addresses changed over. The reason names fields, never their contents.
func mismatch(request, answer *iso8583.Message) string {
	if !answers(request.MTI(), answer.MTI()) {
		return fmt.Sprintf("message type %s does not answer %s", answer.MTI(), request.MTI())
	}
	if !sameTPDU(request.TPDU, answer.TPDU) {
		return "TPDU is neither the request's nor the request's turned round"
	}
	asked, _ := request.Get(stan)
	if got, ok := answer.Get(stan); !ok || got != asked {
		return "DE 11 is not the request's"
	}
	for _, f := range []struct{ number, digits int }{{terminalID, 0}, {amount, 0}, {processingCode, 2}} {
		got, ok1 := answer.Get(f.number)
		asked, ok2 := request.Get(f.number)
		if !ok1 || !ok2 {
			continue
		}
		if f.number == amount && inPart(answer) && len(got) == len(asked) && strings.Trim(got, "0") != "" && got < asked {
			continue
		}
		if f.digits > 0 && len(got) >= f.digits && len(asked) >= f.digits {
			got, asked = got[:f.digits], asked[:f.digits]
		}
		if got != asked {
			return fmt.Sprintf("DE %d is not the request's", f.number)
		}
	}
	return ""
}

// inPart says that an answer approves less than was asked for: code 10 of 1987, 002 and 006 of 1993.
func inPart(answer *iso8583.Message) bool {
	mti := answer.MTI()
	code, _ := answer.Get(responseCode)
	if len(mti) != 4 || (mti[1] != '1' && mti[1] != '2') || mti[2] != '1' {
		return false
	}
	return mti[0] == '0' && code == "10" || mti[0] == '1' && (code == "002" || code == "006")
}

// answers: 0200 is answered by 0210; 0401, which repeats 0400, by 0410 or 0411; 1525, which repeats the notice 1524, by 1534 or 1535.
func answers(request, answer string) bool {
	if len(request) != 4 || len(answer) != 4 || request[:2] != answer[:2] || answer[2] != request[2]+1 {
		return false
	}
	return answer[3] == request[3] || request[3] == '1' && answer[3] == '0' || request[3] == '5' && answer[3] == '4'
}

func sameTPDU(request, answer []byte) bool {
	return slices.Equal(request, answer) || swapped(request, answer)
}

// bare keeps of an answered request what is needed to know its answer's double, and no card data.
func bare(m *iso8583.Message) *iso8583.Message {
	b := iso8583.NewMessage(m.MTI())
	b.TPDU = m.TPDU
	for _, n := range []int{processingCode, amount, stan, terminalID} {
		if v, ok := m.Get(n); ok {
			b.Set(n, v)
		}
	}
	return b
}
