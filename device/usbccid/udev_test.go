package usbccid

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

const rulesFile = "../../packaging/udev/60-tillway.rules"

// The rules that are shipped are those of the list: a line a reader, by its ids, named behind it.
func TestUDevRules(t *testing.T) {
	var want strings.Builder
	for _, m := range models {
		fmt.Fprintf(&want, "# %s\nACTION!=\"remove\", SUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\", ATTR{idVendor}==\"%04x\", ATTR{idProduct}==\"%04x\", GROUP=\"tillway\", MODE=\"0660\"\n",
			m.Name, m.ID.Vendor, m.ID.Product)
	}
	got, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	_, rows, found := strings.Cut(string(got), "\n\n")
	if !found || rows != want.String() {
		t.Errorf("%s has other readers than the list; want, behind its head and an empty line:\n%s", rulesFile, want.String())
	}
}

// Every line is one that udevd understands: comma, key, operator, quoted value, and nothing behind (udev(7)).
func TestUDevRulesParse(t *testing.T) {
	pair := `(ACTION|SUBSYSTEM|ENV\{[A-Z]+\}|ATTR\{[A-Za-z]+\}|GROUP|MODE)(==|!=|=)"[^"]*"`
	line := regexp.MustCompile(`^` + pair + `(, ` + pair + `)*$`)
	rules, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for text := range strings.Lines(string(rules)) {
		if text = strings.TrimSuffix(text, "\n"); text == "" || text[0] == '#' {
			continue
		}
		if n++; !line.MatchString(text) {
			t.Errorf("udevd would not understand %s", text)
		}
	}
	if n != len(models) {
		t.Errorf("%d rules for %d readers", n, len(models))
	}
}

// The list is in order, without a reader twice.
func TestModels(t *testing.T) {
	all := Models()
	for i := 1; i < len(all); i++ {
		if all[i-1].ID.String() >= all[i].ID.String() {
			t.Errorf("%s stands before %s", all[i-1].ID, all[i].ID)
		}
	}
	for _, id := range []string{"072f:b100", "072f:90cc", "076b:3031", "076b:3021", "04e6:5116", "08e6:3437", "08e6:4433"} {
		found := false
		for _, m := range all {
			found = found || m.ID.String() == id
		}
		if !found {
			t.Errorf("%s is missing", id)
		}
	}
}
