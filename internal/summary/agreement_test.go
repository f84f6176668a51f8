package summary_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/summary"
)

// labelled returns a report of one verdict on an answer of a model.
func labelled(model string, o eval.Outcome, label string) *eval.Report {
	return &eval.Report{
		Event:    &event.Event{RequestID: "r", Model: model},
		Verdicts: []eval.Verdict{{Eval: "refusal", Outcome: o, Label: label, Reason: "why"}},
	}
}

func TestParseTruth(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct {
		truth summary.Truth
		err   error
	}{
		`"refused"`:                 {summary.Truth{"refusal": "refused"}, nil},
		`" fail/refused "`:          {summary.Truth{"refusal": "fail/refused"}, nil},
		`""`:                        {nil, nil},
		`null`:                      {nil, nil},
		`{"a":"pass","b":null}`:     {summary.Truth{"a": "pass"}, nil},
		`{}`:                        {summary.Truth{}, nil},
		`1`:                         {nil, summary.ErrTruth},
		`true`:                      {nil, summary.ErrTruth},
		`["refused"]`:               {nil, summary.ErrTruth},
		`{"refusal":{"label":"a"}}`: {nil, summary.ErrTruth},
	} {
		got, err := summary.ParseTruth(json.RawMessage(in), "refusal")
		if !errors.Is(err, want.err) || cmp.Diff(want.truth, got) != "" {
			t.Errorf("%s: %v, %v; want %v, %v", in, got, err, want.truth, want.err)
		}
	}
	if _, err := summary.ParseTruth(json.RawMessage(`"refused"`), ""); !errors.Is(err, summary.ErrWhose) {
		t.Errorf("a label without an evaluator: %v", err)
	}
}

// TestAgreement: hand-counted figures of ten answers.
func TestAgreement(t *testing.T) {
	t.Parallel()
	a := summary.NewAgreement(1)
	line := 0
	add := func(n int, model, truth string, o eval.Outcome, label string) {
		for range n {
			line++
			if err := a.Add(line, summary.Truth{"refusal": truth}, labelled(model, o, label), ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(4, "m", "refused", eval.OutcomeFail, "refused")
	add(2, "m", "refused", eval.OutcomePass, "answered")
	add(3, "n", "answered", eval.OutcomePass, "answered")
	add(1, "n", "answered", eval.OutcomeFail, "refused")
	m := a.Measures()[0]
	if m.Events != 10 || m.Accuracy.Value != 0.7 || math.Abs(*m.Kappa-0.4) > 1e-9 || m.Missed != 3 || len(m.Misses) != 1 {
		t.Errorf("%+v", m)
	}
	refused := m.Labels[1]
	if refused.Label != "refused" || refused.True != 6 || refused.Found != 5 || refused.Precision.Value != 0.8 || math.Abs(refused.Recall.Value-4./6) > 1e-9 || math.Abs(*refused.F1-8./11) > 1e-9 {
		t.Errorf("%+v", refused)
	}
	// R: binom.test(4, 6).
	if math.Abs(refused.Recall.Low-0.2228) > 1e-3 || math.Abs(refused.Recall.High-0.9567) > 1e-3 {
		t.Errorf("interval %+v", *refused.Recall)
	}
	if miss := m.Misses[0]; miss.Line != 5 || miss.Truth != "refused" || miss.Verdict != "answered" {
		t.Errorf("%+v", miss)
	}
	if len(m.Models) != 2 || m.Models[0].Model != "m" || m.Models[0].Events != 6 {
		t.Errorf("%+v", m.Models)
	}
}

// TestGrain: a truth is compared as finely as it is written.
func TestGrain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		truth   string
		outcome eval.Outcome
		label   string
		verdict string
	}{
		{"refused", eval.OutcomeFail, "refused", "refused"},
		{"refused", eval.OutcomePass, "refused", "refused"}, // allowed
		{"fail/refused", eval.OutcomePass, "refused", "pass/refused"},
		{"fail", eval.OutcomeFail, "refused", "fail"},
		{"pass", eval.OutcomeFail, "refused", "fail"},
		{"pass", eval.OutcomePass, "", "pass"},
		{"fail/criterion", eval.OutcomeFail, "", "fail"},
		{"refused", eval.OutcomeCannotJudge, "", "cannot_judge"},
		{"cannot_judge", eval.OutcomeCannotJudge, "truncated", "cannot_judge"},
		{"refused", eval.OutcomeError, "", "error"},
	} {
		a := summary.NewAgreement(-1)
		if err := a.Add(1, summary.Truth{"refusal": tt.truth}, labelled("", tt.outcome, tt.label), ""); err != nil {
			t.Fatal(err)
		}
		if got := a.Measures()[0].Confusion[tt.truth]; got[tt.verdict] != 1 {
			t.Errorf("%s against %s/%s: %v, want %s", tt.truth, tt.outcome, tt.label, got, tt.verdict)
		}
	}
	a := summary.NewAgreement(-1)
	if err := a.Add(1, summary.Truth{"tone": "pass"}, labelled("", eval.OutcomePass, ""), ""); err != nil {
		t.Fatal(err)
	}
	if got := a.Measures()[0].Confusion["pass"]["-"]; got != 1 {
		t.Error("an evaluator that did not run agrees")
	}
}

// TestAgreementIsBounded: a field of free text is not a field of labels, and models are
// not counted without end.
func TestAgreementIsBounded(t *testing.T) {
	t.Parallel()
	a := summary.NewAgreement(0)
	var err error
	for i := range 100 {
		if err = a.Add(i, summary.Truth{"refusal": fmt.Sprint("text ", i)}, labelled("", eval.OutcomePass, "answered"), ""); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "more than 50 different labels") {
		t.Errorf("error %v", err)
	}
	a = summary.NewAgreement(0)
	for i := range 200 {
		if err := a.Add(i, summary.Truth{"refusal": "answered"}, labelled(fmt.Sprint("model", i), eval.OutcomePass, "answered"), ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(a.Measures()[0].Models); n != 51 {
		t.Errorf("%d models", n)
	}
}

func TestPrintMeasuresFits(t *testing.T) {
	t.Parallel()
	a := summary.NewAgreement(-1)
	for i := range 30 {
		long := fmt.Sprint(strings.Repeat("label", 10), i%9)
		if err := a.Add(100_000+i, summary.Truth{"refusal": long}, labelled(strings.Repeat("model", 20), eval.OutcomeFail, fmt.Sprint(strings.Repeat("other", 10), i%8)), ""); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	if err := summary.PrintMeasures(&b, a.Measures()); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 && !strings.Contains(line, "->") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
