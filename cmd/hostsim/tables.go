package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/BurntSushi/toml"

	"tillway/host/issuer"
	"tillway/host/ledger"
	"tillway/money"
)

// maxTables bounds the file of --tables.
const maxTables = 1 << 20

// tables is the file of --tables: what merchants pay, and what cards may spend.
type tables struct {
	Fee []struct {
		Brand       string `toml:"brand"`
		From        string `toml:"from"`
		BasisPoints int64  `toml:"basis_points"`
		Fixed       string `toml:"fixed"`
	} `toml:"fee"`
	Limit []struct {
		Card  string `toml:"card"`
		Count int    `toml:"count"`
		Sum   string `toml:"sum"`
	} `toml:"limit"`
}

// readTables reads the file of --tables into fees and the accounts' limits; without a file there are neither.
func readTables(path string, accounts []issuer.Account, currency money.Currency) ([]ledger.Fee, error) {
	if path == "" {
		return nil, nil
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: --tables %s: %s", errUsage, path, fmt.Sprintf(format, args...))
	}
	if info, err := os.Stat(path); err != nil || info.Size() > maxTables {
		return nil, bad("cannot be read, or is larger than %d bytes", maxTables)
	}
	var t tables
	meta, err := toml.DecodeFile(path, &t)
	if err != nil {
		return nil, bad("%v", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, bad("key %q is not known", unknown[0].String())
	}
	minor := func(text string) (int64, error) {
		if text == "" {
			return 0, nil
		}
		a, err := money.Parse(text, currency)
		return a.Minor, err
	}
	var fees []ledger.Fee
	for i, f := range t.Fee {
		from, err := minor(f.From)
		if err != nil {
			return nil, bad("fee %d: from: %v", i+1, err)
		}
		fixed, err := minor(f.Fixed)
		if err != nil {
			return nil, bad("fee %d: fixed: %v", i+1, err)
		}
		fees = append(fees, ledger.Fee{Brand: f.Brand, From: from, BasisPoints: f.BasisPoints, Fixed: fixed})
	}
	if err := ledger.CheckFees(fees); err != nil {
		return nil, bad("%v", err)
	}
	for i, l := range t.Limit {
		sum, err := minor(l.Sum)
		if err != nil || l.Count < 0 {
			return nil, bad("limit %d: count or sum is no number above zero: %v", i+1, err)
		}
		found := false
		for n := range accounts {
			if l.Card == "" || accounts[n].Name == l.Card {
				accounts[n].MostADay, accounts[n].SumADay, found = l.Count, sum, true
			}
		}
		if !found {
			return nil, bad("limit %d: no account %q: hostsim accounts lists them", i+1, strings.TrimSpace(l.Card))
		}
	}
	return fees, nil
}
