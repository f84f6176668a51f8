package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// TestShowACase: whoever triages a case sees what the evaluator saw and said of it.
func TestShowACase(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	var calls []event.ToolCall
	if err := json.Unmarshal([]byte(`[{"name":"lookup","arguments":{"parcel":"p-7"},"status":"error","result":"no such parcel"}]`), &calls); err != nil {
		t.Fatal(err)
	}
	x := datasets.Exemplar{
		RequestID: "r1", OccurredAt: at, Input: json.RawMessage(`"Where is it?"`), Output: json.RawMessage(`"On the moon."`),
		Query: "parcel 7", Chunks: []event.Chunk{{ID: "doc-1", Text: "Parcels rest in Kassel."}, {Text: "Without an id."}},
		ToolCalls: calls, UserRating: "down",
		Failure: datasets.Failure{
			Explanation: "The answer is made up.",
			Criteria:    []datasets.CriterionResult{{ID: "grounded", Outcome: eval.OutcomeFail, Reason: "No passage says so.", Evidence: "On the moon"}},
		},
	}
	var b strings.Builder
	if err := printCase(&b, datasets.Case{ID: "c1", Status: "candidate", Evaluator: "groundedness", Count: 1, FirstSeen: at, LastSeen: at, Exemplars: []datasets.Exemplar{x}}); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(b.String(), "\n\n")
	want := `--- r1 at 2026-11-30T09:00:00Z
input: Where is it?
query: parcel 7
passage doc-1: Parcels rest in Kassel.
passage 2: Without an id.
tool call: lookup {"parcel":"p-7"} (error)
tool result: no such parcel
output: On the moon.
rating: down
explanation: The answer is made up.
criterion grounded: fail: No passage says so.
evidence: On the moon
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	x.ContentWithheld = true
	b.Reset()
	writeExemplar(&b, x)
	if got := b.String(); strings.Contains(got, "moon") || !strings.Contains(got, "content withheld") {
		t.Errorf("withheld: %s", got)
	}
}
