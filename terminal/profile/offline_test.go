package profile

import (
	"strings"
	"testing"
	"time"

	"tillway/terminal"
)

const oneApplication = "\n[[application]]\naid = \"A0000000031010\"\n"

// What is left out of the limits is as wide as what is said, and nothing is kept that nobody asked for.
func TestOffline(t *testing.T) {
	for lines, want := range map[string]Offline{
		"":                                     {},
		"[offline]\ncount = 0\n":               {},
		"[offline]\npark_after = \"2h\"\n":     {ParkAfter: 2 * time.Hour},
		"[offline]\ncount = 5\nsum = \"50\"\n": {Approvals: terminal.OfflineLimits{Count: 5, Sum: 5000, Age: 24 * time.Hour, CardCount: 5, CardSum: 5000}},
		"[offline]\ncount = 5\nsum = \"50\"\nage = \"2h\"\ncard_count = 2\ncard_sum = \"20.5\"\n": {
			Approvals: terminal.OfflineLimits{Count: 5, Sum: 5000, Age: 2 * time.Hour, CardCount: 2, CardSum: 2050},
		},
		"[terminal]\ntype = \"21\"\n[offline.deferred]\ncount = 3\nsum = \"30\"\ncard_count = 1\n": {
			Deferred: terminal.OfflineLimits{Count: 3, Sum: 3000, Age: 24 * time.Hour, CardCount: 1, CardSum: 3000},
		},
	} {
		if want.ParkAfter == 0 {
			want.ParkAfter = 24 * time.Hour
		}
		if p := parse(t, lines+oneApplication); p.Offline != want {
			t.Errorf("%q: %+v", lines, p.Offline)
		}
	}
	for lines, says := range map[string]string{
		"[offline]\nsum = \"50\"\n":                                       "offline.sum: says nothing without offline.count",
		"[offline.deferred]\nage = \"2h\"\n":                              "offline.deferred.age: says nothing",
		"[offline]\ncount = 5\n":                                          "offline.sum: is missing",
		"[offline]\ncount = 1000\nsum = \"50\"\n":                         "not 0 to 999",
		"[offline]\ncount = 5\nsum = \"50\"\ncard_count = 6\n":            "not 1 to 5",
		"[offline]\ncount = 5\nsum = \"50\"\ncard_sum = \"50.01\"\n":      "is more than offline.sum",
		"[offline]\ncount = 5\nsum = \"50\"\nage = \"721h\"\n":            "720h",
		"[terminal]\ntype = \"21\"\n[offline]\ncount = 5\nsum = \"50\"\n": "approves nothing without the host",
		"[offline]\npark_after = \"59s\"\n":                               "offline.park_after",
		"[offline]\npark_after = \"721h\"\n":                              "720h",
		"[ofline]\ncount = 5\n":                                           "is [offline] meant?",
	} {
		if _, err := Parse([]byte(lines + oneApplication)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", lines, err, says)
		}
	}
}
