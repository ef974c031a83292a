package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tillway/device/secure"
	"tillway/emv"
	"tillway/terminal"
	"tillway/terminal/profile"
)

// keysWanted are the uses of the keys that a terminal of this configuration sells with. Session keys count like others: without
// them nothing is sold, wherever they come from.
func keysWanted(a acquirerConfig, p profile.Profile) []secure.Use {
	var uses []secure.Use
	if a.mac() != "off" {
		uses = append(uses, secure.UseMAC)
	}
	if p.Terminal.Capabilities.Has(emv.CapabilityEncipheredOnlinePIN) {
		uses = append(uses, secure.UsePIN)
	}
	return uses
}

// keysHealth is the secure module's part of the status: which of the keys that are wanted are missing, and what to do.
func keysHealth(ctx context.Context, module secure.Keys, a acquirerConfig, uses []secure.Use) terminal.Health {
	st, err := module.Status(ctx)
	switch {
	case errors.Is(err, secure.ErrDestroyed):
		return terminal.Health{Name: a.Name, State: "destroyed", Cause: "every key of this terminal was erased: nothing is sold with this state folder any more"}
	case err != nil:
		return terminal.Health{Name: a.Name, State: "not known", Cause: err.Error()}
	}
	held := map[string]bool{}
	for _, k := range st.Keys {
		held[k.Set+"/"+k.Use] = true
	}
	var missing []string
	for _, use := range uses {
		if use == secure.UsePIN && st.Pad != nil { // the key is the pad's own
			if !st.Pad.Ready {
				return terminal.Health{Name: a.Name, State: "PIN pad not ready", Cause: st.Pad.Cause}
			}
			continue
		}
		if !held[a.Name+"/"+use.String()] && !held[a.Name+"/"+use.String()+", proposed"] {
			missing = append(missing, use.String())
		}
	}
	if len(missing) == 0 {
		return terminal.Health{OK: true, Name: a.Name, State: "loaded"}
	}
	fix := fmt.Sprintf("pos keys import %s %s FILE", a.Name, strings.ToLower(missing[0]))
	switch {
	case !held[a.Name+"/KEK"]:
		fix = fmt.Sprintf("pos keys component %s 1 2 and 2 2 first, then pos keys import", a.Name)
	case a.sessionKeys() && !held[a.Name+"/master"]:
		fix = fmt.Sprintf("pos keys import %s master FILE", a.Name)
	case a.sessionKeys():
		fix = "they come from the bank; pos keys exchange asks for them"
	}
	return terminal.Health{Name: a.Name, State: "not loaded", Cause: strings.Join(missing, " and ") + ": " + fix}
}

// keysTold is keysHealth for the status; nil where this configuration wants no keys.
func keysTold(module secure.Keys, a acquirerConfig, p profile.Profile) func(context.Context) terminal.Health {
	uses := keysWanted(a, p)
	if len(uses) == 0 {
		return nil
	}
	return func(ctx context.Context) terminal.Health { return keysHealth(ctx, module, a, uses) }
}
