package eval_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
)

var update = flag.Bool("update", false, "write generated files")

// TestSchemaFile keeps the published schema equal to the Go types.
func TestSchemaFile(t *testing.T) {
	t.Parallel()
	const file = "event.schema.json"
	if *update {
		if err := os.WriteFile(file, eval.Schema(), 0o644); err != nil { //nolint:gosec // a published document
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(eval.Schema()) {
		t.Errorf("%s is stale: run go generate ./...", file)
	}
}

// TestSchemaNamesEveryField: a field without a description would be published
// without a meaning.
func TestSchemaNamesEveryField(t *testing.T) {
	t.Parallel()
	var walk func(path string, node map[string]any)
	walk = func(path string, node map[string]any) {
		props, _ := node["properties"].(map[string]any)
		for name, p := range props {
			prop := p.(map[string]any)
			if prop["description"] == "" {
				t.Errorf("%s.%s has no description", path, name)
			}
			walk(path+"."+name, prop)
			if items, ok := prop["items"].(map[string]any); ok {
				walk(path+"."+name, items)
			}
		}
	}
	var root map[string]any
	if err := json.Unmarshal(eval.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	walk("event", root)
}

// TestZeroOutcome: a verdict that somebody forgot to fill in is an error, never
// a pass.
func TestZeroOutcome(t *testing.T) {
	t.Parallel()
	var v eval.Verdict
	if v.Outcome != eval.OutcomeError || v.Outcome.Decided() {
		t.Errorf("the zero outcome is %s", v.Outcome)
	}
	for _, o := range eval.Outcomes() {
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var back eval.Outcome
		if err := json.Unmarshal(b, &back); err != nil || back != o {
			t.Errorf("%s reads back as %s, %v", b, back, err)
		}
	}
	var o eval.Outcome
	if err := json.Unmarshal([]byte(`"passed"`), &o); err == nil {
		t.Error("an unknown outcome is accepted")
	}
}

func TestErrorClasses(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	tests := []struct {
		name      string
		err       error
		permanent bool
		reason    eval.Reason
	}{
		{"nil", nil, false, ""},
		{"plain", cause, false, eval.ReasonInternal},
		{"permanent", eval.Permanent(eval.ReasonMalformed, cause), true, eval.ReasonMalformed},
		{"permanent, wrapped", fmt.Errorf("decode event r1: %w", eval.Permanent(eval.ReasonTooLarge, cause)), true, eval.ReasonTooLarge},
		{"permanent below a reason", eval.WithReason(eval.ReasonInternal, eval.Permanent(eval.ReasonMalformed, cause)), true, eval.ReasonInternal},
		{"with a reason", eval.WithReason(eval.ReasonQuota, cause), false, eval.ReasonQuota},
		{"deadline", fmt.Errorf("call: %w", context.DeadlineExceeded), false, eval.ReasonTimeout},
		{"canceled", context.Canceled, false, eval.ReasonCanceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := eval.IsPermanent(tt.err); got != tt.permanent {
				t.Errorf("IsPermanent = %t", got)
			}
			if got := eval.ReasonOf(tt.err); got != tt.reason {
				t.Errorf("ReasonOf = %q, want %q", got, tt.reason)
			}
		})
	}
	if !errors.Is(eval.Permanent(eval.ReasonMalformed, cause), cause) {
		t.Error("a classed error hides its cause")
	}
}

func TestRatingScore(t *testing.T) {
	t.Parallel()
	tests := map[eval.Rating]struct {
		outcome eval.Outcome
		score   float64
	}{
		"up": {eval.OutcomePass, 1}, "down": {eval.OutcomeFail, 0},
		"1": {eval.OutcomeFail, 0}, "2": {eval.OutcomeFail, 0.25}, "3": {eval.OutcomeCannotJudge, 0},
		"4": {eval.OutcomePass, 0.75}, "5": {eval.OutcomePass, 1},
		"0": {eval.OutcomeFail, 0}, "-1": {eval.OutcomeFail, 0}, "87": {eval.OutcomeCannotJudge, 0},
		"Down": {eval.OutcomeFail, 0}, " 4.0 ": {eval.OutcomePass, 0.75},
		"": {eval.OutcomeCannotJudge, 0}, "meh": {eval.OutcomeCannotJudge, 0}, "NaN": {eval.OutcomeCannotJudge, 0},
	}
	for r, want := range tests {
		if o, s := r.Score(); o != want.outcome || s != want.score {
			t.Errorf("%q scores %s %g, want %s %g", r, o, s, want.outcome, want.score)
		}
	}
}

// TestRatingOfEveryPublisher: one that copies its own words into headers and body
// means the same by both.
func TestRatingOfEveryPublisher(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"down": "down", "Down": "down", " DOWN\t": "down", "thumbs_up": "thumbs_up", "Très bien": "très bien",
		"4": "4", "4.0": "4", "1.50": "1.5", "-1": "-1", "1e2": "100", "10": "10",
		"inf": "inf", "NaN": "nan", "0x1p4": "0x1p4", "1_000": "1_000", "1e999": "1e999", "": "",
	} {
		env, ok := eval.EnvelopeFromHeaders([]eval.Header{
			{Key: eval.HeaderEvent, Value: []byte(eval.KindRequestCompleted)},
			{Key: eval.HeaderRequestID, Value: []byte("r")},
			{Key: eval.HeaderUserRating, Value: []byte(written)},
		})
		inMemory := (&eval.Event{UserRating: eval.Rating(written)}).Envelope()
		body, err := json.Marshal(map[string]string{"event": string(eval.KindRequestCompleted), "request_id": "r", "user_rating": written})
		if err != nil {
			t.Fatal(err)
		}
		e, err := eval.DecodeEvent(body)
		if err != nil {
			t.Fatal(err)
		}
		for from, got := range map[string]string{"headers": env.Dims.UserRating, "body": string(e.UserRating), "memory": inMemory.Dims.UserRating} {
			if !ok || got != want {
				t.Errorf("%q is %q in %s, want %q", written, got, from, want)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	var part, all eval.Faults
	part.Add("rate", "1.5 is out of range", "want a number from 0 to 1")
	part.Add("", "no rules", "")
	part.Add("[2].when", "unknown field", "")
	all.Under("sampling", part)
	all[0].File, all[0].Line, all[0].Column = "evalworker.yaml", 3, 9
	want := "evalworker.yaml:3:9: sampling.rate: 1.5 is out of range; want a number from 0 to 1\nsampling: no rules\nsampling[2].when: unknown field"
	if got := all.Err().Error(); got != want {
		t.Errorf("faults:\n%s\nwant:\n%s", got, want)
	}
	if (eval.Faults{}).Err() != nil {
		t.Error("no faults make an error")
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(eval.Line{RequestID: "r1", Disposition: eval.DispositionEvaluated, Verdicts: []eval.Verdict{
		{Eval: "reply_format", Type: eval.TypeJSONSchema, Outcome: eval.OutcomePass, Score: 1, Version: "v", Probability: 1, Explanation: "canary"},
		{Eval: "correctness", Type: eval.TypeLLMJudge, Outcome: eval.OutcomeError, Score: 0.5, Reason: "timeout", Probability: 0.05},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"request_id":"r1","disposition":"evaluated","reason":"","verdicts":[` +
		`{"eval":"reply_format","type":"json_schema","outcome":"pass","score":1,"label":"","reason":"","version":"v","probability":1},` +
		`{"eval":"correctness","type":"llm_judge","outcome":"error","score":null,"label":"","reason":"timeout","version":"","probability":0.05}]}`
	if string(b) != want {
		t.Errorf("line:\n%s\nwant:\n%s", b, want)
	}
	if strings.Contains(string(b), "canary") {
		t.Error("an explanation is printed")
	}
}

func TestToolCallFailed(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]bool{"": false, "success": false, "OK": false, "in_progress": false, "error": true, "timeout": true, "failed": true} {
		if got := (&eval.ToolCall{Status: status}).Failed(); got != want {
			t.Errorf("%q failed: %t", status, got)
		}
	}
}
