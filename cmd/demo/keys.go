package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// acquirer is the name of the acquirer, and so of its set of keys, in both configurations.
const acquirer = "acquirer"

// loadKeys does what two custodians and a technician do with a new terminal: two components, each by another person, and
// then the key blocks that the bank sent. Keys that are there stay.
func (w *world) loadKeys(ctx context.Context) error {
	if err := w.await(ctx, "the secure module can be reached", func(context.Context) bool {
		_, err := os.Stat(w.path("keys.sock"))
		return err == nil
	}); err != nil {
		return err
	}
	status, err := w.keys(ctx, "", "status", "--json")
	if err != nil {
		return err
	}
	var st struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal([]byte(status), &st); err != nil || len(st.Keys) > 0 {
		return err
	}
	printed := ""
	do := func(in string, args ...string) {
		if err == nil {
			var said string
			said, err = w.keys(ctx, in, args...)
			printed += said
		}
	}
	for i, holder := range []string{"custodian one", "custodian two"} {
		share, err := os.ReadFile(w.path(fmt.Sprintf("host/keys/component-%d.hex", i+1)))
		if err != nil {
			return err
		}
		do(string(share), "component", acquirer, fmt.Sprint(i+1), "2", "--holder", holder)
	}
	uses := []string{"pin", "mac"}
	if w.stack.keys != "" {
		uses = []string{"master"} // PIN and MAC key come over the link
	}
	for _, use := range uses {
		do("", "import", acquirer, use, w.path("host/keys/"+use+".tr31"))
	}
	do("", "status")
	_, _ = fmt.Fprintf(w.out, "The keys of a new terminal: pos keys component, pos keys import\n%s", indent(printed))
	return err
}

// keys runs one of the technician's commands.
func (w *world) keys(ctx context.Context, in string, args ...string) (printed string, err error) {
	printed, status, err := w.pos(ctx, strings.NewReader(in), append([]string{"keys"}, args...)...)
	if err == nil && status != 0 {
		err = fmt.Errorf("pos keys %s ended with %d; it said: %s", args[0], status, printed)
	}
	return printed, err
}
