package people_test

import (
	"errors"
	"testing"

	"tillway/terminal/people"
)

// TestTheSixthTryIsRefused counts the tries, whatever MaxFailures is: five, and not one more.
func TestTheSixthTryIsRefused(t *testing.T) {
	tries := 0
	for p, err := (people.Person{Name: "anna", Role: people.Cashier}).Attempt(); err == nil; p, err = p.Attempt() {
		if tries++; tries > 5 {
			t.Fatalf("try %d is judged", tries)
		}
	}
	if _, err := (people.Person{Locked: true}).Attempt(); tries != 5 || !errors.Is(err, people.ErrLocked) {
		t.Errorf("%d tries, then %v", tries, err)
	}
}
