package sidecar

import (
	"encoding/json"
	"testing"
)

// TestAnswersAreTheirJSON: also the one that is written without encoding/json.
func TestAnswersAreTheirJSON(t *testing.T) {
	t.Parallel()
	for _, a := range []answer{
		{},
		{Accepted: 1},
		{Accepted: 1_000_000},
		{Rejected: 3},
		{Accepted: 1, Rejected: 1, Faults: []lineFault{{2, `malformed: "<x>"`}}},
		{Error: "there is no event in the body"},
	} {
		want, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(a.encode()); got != string(want)+"\n" {
			t.Errorf("%q, want %s", got, want)
		}
	}
}
