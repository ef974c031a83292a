package contact

import (
	"context"
	"errors"
	"fmt"

	"tillway/emv"
)

// A step is one function of the book. It returns goOn, or the ending that it decides.
type step struct {
	name    string
	section string
	run     func(*session, context.Context) (ending, error)
}

// ending is a decision that ends Begin or Complete; the zero value goes on with the next step.
type ending struct {
	decision emv.Decision
	reason   string // one sentence, no card data
}

var goOn = ending{}

// beginning is the transaction up to the first GENERATE AC, in the order of Book 3, 8.
var beginning = []step{
	{"Application Selection", "Book 1, 12", (*session).applicationSelection},
	{"Final Selection and Initiate Application Processing", "Book 1, 12.4; Book 3, 10.1", (*session).selectAndInitiate},
	{"Read Application Data", "Book 3, 10.2", (*session).readApplicationData},
	{"Offline Data Authentication", "Book 3, 10.3", (*session).offlineDataAuthentication},
	{"Processing Restrictions", "Book 3, 10.4", (*session).processingRestrictions},
	{"Cardholder Verification", "Book 3, 10.5", (*session).cardholderVerification},
	{"Terminal Risk Management", "Book 3, 10.6", (*session).terminalRiskManagement},
	{"Terminal Action Analysis", "Book 3, 10.7", (*session).terminalActionAnalysis},
	{"Card Action Analysis", "Book 3, 10.8", (*session).cardActionAnalysis},
}

// completion is the transaction from the issuer's answer on.
var completion = []step{
	{"Issuer Authentication", "Book 3, 10.9", (*session).issuerAuthentication},
	{"Issuer Script Processing before the final GENERATE AC", "Book 3, 10.10", (*session).scriptsBefore},
	{"Completion", "Book 3, 10.11", (*session).finalCryptogram},
}

// run takes the steps one by one until one decides. A card that breaks the rules ends as Terminated.
func (s *session) run(ctx context.Context, steps []step) (emv.Outcome, error) {
	for _, st := range steps {
		s.log.DebugContext(ctx, "step", "name", st.name, "section", st.section)
		s.step = st
		end, err := st.run(s, ctx)
		var fault *cardFault
		switch {
		case errors.As(err, &fault):
			s.explain("outcome", fault.reason, fault.section)
			return s.outcome(ending{emv.Terminated, fault.reason}), nil
		case err != nil:
			return s.outcome(goOn), fmt.Errorf("%s: %w", st.name, err)
		case end != goOn:
			return s.outcome(end), nil
		}
	}
	panic("contact: the last step did not decide")
}

// outcome is the result as it stands, with a copy of the data.
func (s *session) outcome(end ending) emv.Outcome {
	out := emv.Outcome{
		Decision: end.decision,
		Reason:   end.reason,
		AID:      s.aid,
		Label:    s.label,
		Method:   s.method,
		ODA:      s.oda.result(),
		Data:     s.data.Clone(),
		Why:      append([]emv.Why(nil), s.why...),
	}
	out.SignatureDue = s.signature
	if s.aid != nil {
		out.Scheme = s.app.Scheme
	}
	return out
}
