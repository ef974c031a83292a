package support

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// Removed stands where a value was taken out.
const Removed = "(removed)"

// shownKeys are the keys of posd.toml whose words are shown, by their last part: names, paths, addresses, settings with a few values.
// What is not here is removed, also what a later release or a slip of the pen brings.
var shownKeys = strings.Fields(`
	state socket profile ca_keys program witness unlock pad level format test_cards driver port allow ids confirm listen names certificate key
	client_ca poi_id name dialect address standby ca server_name length length_counts tpdu_answer connect_timeout write_timeout answer_timeout
	retry retry_max check echo key_life weak tpdu nii track2_filler repeat chip_entry pin_entry stripe_entry fallback_entry kept_entry
	marked_repeats cashback_code preauth_code balance void_amount amounts tip_type partial mac key_exchange key_exchange_code echo_code
	encoding acquirer sign_on preauth void reversed_as reconcile mac_filler tags reversal_tags`)

// maxShown is how long a word of a config is that is shown. Nothing that is one is longer, and keys and certificates are.
const maxShown = 120

// Config is a config file as it may be shown: what its settings are, without comments, and without the words of any key that is not known
// to be harmless. It is written by hand, so that it may hold anything. The error says that it is no TOML, and quotes none of it.
func Config(text string) (string, error) {
	return redact(text, func(key string) bool { return slices.Contains(shownKeys, key) })
}

// Profile is a terminal's profile as it may be shown: without comments and without lists of cards. Whatever else stands in it is about the
// terminal and its acquirer.
func Profile(text string) (string, error) {
	return redact(text, func(key string) bool { return key != "pan" && key != "track2" })
}

var errNotTOML = errors.New("it cannot be read as TOML")

func redact(text string, shown func(key string) bool) (string, error) {
	var all map[string]any
	if _, err := toml.Decode(text, &all); err != nil {
		if perr, ok := errors.AsType[toml.ParseError](err); ok {
			return "", fmt.Errorf("line %d: %w", perr.Position.Line, errNotTOML)
		}
		return "", errNotTOML
	}
	var b strings.Builder
	table(&b, "", all, shown)
	return b.String(), nil
}

// table writes the plain keys of a table, then the tables within.
func table(b *strings.Builder, path string, all map[string]any, shown func(string) bool) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		switch all[key].(type) {
		case map[string]any, []map[string]any:
		default:
			fmt.Fprintf(b, "%s = %s\n", word(key), value(all[key], shown(key)))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		within := strings.TrimPrefix(path+"."+word(key), ".")
		switch v := all[key].(type) {
		case map[string]any:
			fmt.Fprintf(b, "\n[%s]\n", within)
			table(b, within, v, shown)
		case []map[string]any:
			if key == "exception" || key == "earlier_sale" {
				fmt.Fprintf(b, "\n# %d of %s: %s\n", len(v), within, Removed)
				continue
			}
			for _, one := range v {
				fmt.Fprintf(b, "\n[[%s]]\n", within)
				table(b, within, one, shown)
			}
		}
	}
}

// word is a key: one that is no plain word may itself be what nobody should see.
func word(key string) string {
	for _, c := range key {
		if c != '_' && c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') || len(key) > 40 {
			return `"` + Removed + `"`
		}
	}
	return key
}

func value(v any, shown bool) string {
	switch v := v.(type) {
	case bool:
		return fmt.Sprint(v)
	case int64:
		if v > 999_999_999 || v < -999_999_999 {
			return `"` + Removed + `"`
		}
		return fmt.Sprint(v)
	case float64, time.Time:
		if shown {
			return fmt.Sprintf("%q", fmt.Sprint(v))
		}
	case string:
		if shown && len(v) <= maxShown && !strings.ContainsAny(v, "\n\r") || v == "" {
			return fmt.Sprintf("%q", v)
		}
	case []any:
		parts := make([]string, 0, len(v))
		for _, one := range v {
			parts = append(parts, value(one, shown))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return `"` + Removed + `"`
}
