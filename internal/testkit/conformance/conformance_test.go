package conformance

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// honest is an evaluator that keeps the contract.
type honest struct{}

func (honest) Name() string    { return "honest" }
func (honest) Type() eval.Type { return eval.TypeRule }
func (honest) Version() string { return "1" }

func (honest) Evaluate(ctx context.Context, e *event.Event) (eval.Verdict, error) {
	switch {
	case ctx.Err() != nil:
		return eval.Verdict{}, ctx.Err()
	case e.Output.IsZero():
		return eval.NotApplicable("output"), nil
	}
	return eval.Verdict{Outcome: eval.OutcomeFail, Score: 0.5, Label: "short", Reason: "too short"}, nil
}

func TestEvaluatorAcceptsHonest(t *testing.T) {
	t.Parallel()
	Evaluator(t, func(t *testing.T) eval.Evaluator {
		t.Helper()
		return honest{}
	}, []event.Event{{Kind: event.KindRequestCompleted, RequestID: "r1", Output: event.Text("x"), ToolCalls: []event.ToolCall{{Name: "x"}}}})
}

// TestFaults shows that the suite finds each breach of the contract.
func TestFaults(t *testing.T) {
	t.Parallel()
	fail := func(change func(*eval.Verdict)) eval.Verdict {
		v := eval.Verdict{Outcome: eval.OutcomeFail, Reason: "x"}
		change(&v)
		return v
	}
	for name, tt := range map[string]struct {
		verdict eval.Verdict
		err     error
		want    string // part of the only fault; empty: none
	}{
		"good":              {fail(func(*eval.Verdict) {}), nil, ""},
		"good error":        {eval.Verdict{}, errors.New("x"), ""},
		"forgotten":         {eval.Verdict{Reason: "x"}, nil, "outcome error"},
		"unknown outcome":   {eval.Verdict{Outcome: 9, Reason: "x"}, nil, "unknown"},
		"no reason":         {eval.Verdict{Outcome: eval.OutcomeFail}, nil, "without a reason"},
		"score above one":   {fail(func(v *eval.Verdict) { v.Score = 1.1 }), nil, "not in [0,1]"},
		"score is NaN":      {fail(func(v *eval.Verdict) { v.Score = math.NaN() }), nil, "not in [0,1]"},
		"undecided score":   {eval.Verdict{Outcome: eval.OutcomeCannotJudge, Score: 1, Reason: "x"}, nil, "undecided"},
		"content":           {fail(func(v *eval.Verdict) { v.Reason = "bad word: " + strings.ToUpper(Canary) }), nil, "content in the verdict"},
		"content in label":  {fail(func(v *eval.Verdict) { v.Label = Canary }), nil, "content in the verdict"},
		"content in error":  {eval.Verdict{}, errors.New("cannot read " + Canary), "content in the error"},
		"long reason":       {fail(func(v *eval.Verdict) { v.Reason = strings.Repeat("x", maxReason+1) }), nil, "reason of 301 bytes"},
		"label is a text":   {fail(func(v *eval.Verdict) { v.Label = "Too short" }), nil, "label"},
		"endless measure":   {fail(func(v *eval.Verdict) { v.Measures = map[string]float64{"x": math.Inf(1)} }), nil, "measure x"},
		"another's verdict": {fail(func(v *eval.Verdict) { v.Eval = "liar" }), nil, "verdict of liar"},
		"open reason":       {eval.Verdict{}, eval.WithReason("because", errors.New("x")), "none of the closed set"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := faults(honest{}, &tt.verdict, tt.err)
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("faults %q, want none", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("faults %q, want one with %q", got, tt.want)
			}
		})
	}
}

// TestVariantsHoldCanary: what the suite plants is there, and the samples stay as
// they are.
func TestVariantsHoldCanary(t *testing.T) {
	t.Parallel()
	samples := []event.Event{{
		Kind: event.KindRequestCompleted, RequestID: "r1", Input: event.Text("hello"), Output: event.Text("x"), Expected: event.Text("y"),
		Retrieval: &event.Retrieval{Chunks: []event.Chunk{{Text: "z"}}}, ToolCalls: []event.ToolCall{{Name: "a"}},
	}}
	before := string(encoded(t, &samples[0]))
	events := variants(t, samples)
	if string(encoded(t, &samples[0])) != before {
		t.Error("the sample was changed")
	}
	has := func(part func(e *event.Event) string) bool {
		return slices.ContainsFunc(events, func(e event.Event) bool { return strings.Contains(part(&e), Canary) })
	}
	for name, part := range map[string]func(e *event.Event) string{
		"input":          func(e *event.Event) string { return e.Input.Text() },
		"output":         func(e *event.Event) string { return e.Output.Text() },
		"expected":       func(e *event.Event) string { return e.Expected.Text() },
		"chunk":          func(e *event.Event) string { return chunkText(e) },
		"tool":           func(e *event.Event) string { return toolText(e) },
		"tool arguments": func(e *event.Event) string { return argumentText(e) },
	} {
		if !has(part) {
			t.Errorf("no canary in any %s", name)
		}
	}
}

func chunkText(e *event.Event) string {
	if e.Retrieval == nil {
		return ""
	}
	return e.Retrieval.Chunks[0].Text
}

func toolText(e *event.Event) string {
	if len(e.ToolCalls) == 0 {
		return ""
	}
	return e.ToolCalls[0].Name
}

func argumentText(e *event.Event) string {
	if len(e.ToolCalls) == 0 {
		return ""
	}
	return e.ToolCalls[0].Arguments.Text()
}
