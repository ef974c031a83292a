package people_test

import (
	"strings"
	"testing"

	"tillway/terminal/people"
)

// Nobody who is refused reads the name of a key of the profile.
func TestEveryActionHasWords(t *testing.T) {
	for _, a := range people.Actions() {
		if w := a.Words(); strings.Contains(w, "_") || a != people.Refund && a != people.Void && a != people.Settle && w == string(a) {
			t.Errorf("%s: %q", a, w)
		}
	}
}
