package spool

import (
	"encoding/json"
	"log/slog"
	"reflect"
	"testing"
)

func testLog(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.DiscardHandler)
}

// FuzzParse: what is taken is within the bounds, and is the same when it is written and read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"v":1,"cursor":12,"last":3,"jobs":[{"id":3,"what":"receipt","sale":1042,"copy":"customer","at":"2026-11-23T06:15:07Z","begun":true}]}`))
	f.Add([]byte(`{"v":1,"jobs":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parse(b)
		if err != nil {
			return
		}
		if len(k.Jobs) > maxJobs || k.Cursor < 0 {
			t.Fatalf("%+v", k)
		}
		text, err := json.Marshal(k)
		if err != nil {
			return // a time that JSON does not write
		}
		again, err := parse(text)
		if err != nil || !reflect.DeepEqual(k, again) {
			t.Errorf("%+v is read as %+v, %v", k, again, err)
		}
	})
}
