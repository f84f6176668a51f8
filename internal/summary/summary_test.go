package summary_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/summary"
)

func report(version string, verdicts ...eval.Verdict) *eval.Report {
	return &eval.Report{Event: &event.Event{PromptName: "triage", PromptVersion: version}, Verdicts: verdicts}
}

func verdict(name string, typ eval.Type, o eval.Outcome) eval.Verdict {
	return eval.Verdict{Eval: name, Type: typ, Outcome: o, Probability: 1}
}

func TestTables(t *testing.T) {
	t.Parallel()
	s := summary.New()
	for i := range 1000 {
		for _, version := range []string{"1", "2", "3"} {
			format := eval.OutcomePass
			if i%100 == 0 || version == "3" && i%10 == 0 {
				format = eval.OutcomeFail
			}
			s.Report(report(version, verdict("reply_format", eval.TypeJSONSchema, format), verdict("correctness", eval.TypeLLMJudge, eval.Outcomes()[i%5])))
		}
	}
	got := s.Tables()
	if len(got.PromptVersions) != 3 {
		t.Fatalf("versions: %+v", got.PromptVersions)
	}
	third := got.PromptVersions[2]
	if third.PromptVersion != "3" || third.JSONChecked != 1000 || third.JSONInvalid != 100 {
		t.Errorf("third version: %+v", third)
	}
	c := third.Evals["correctness"]
	if c.Pass != 200 || c.Fail != 200 || c.Error != 200 || c.NotApplicable != 200 || c.CannotJudge != 200 || *c.PassRate != 0.5 || !(*c.Low < 0.5 && *c.High > 0.5) {
		t.Errorf("correctness: %+v", c)
	}
	if len(got.Regressions) != 1 || got.Regressions[0].PromptVersion != "3" || got.Regressions[0].Eval != "reply_format" {
		t.Errorf("regressions: %+v", got.Regressions)
	}
}

func TestPrintFits(t *testing.T) {
	t.Parallel()
	s := summary.New()
	for range 30 {
		s.Report(report(strings.Repeat("version", 9), verdict(strings.Repeat("evaluator_", 6), eval.TypeRule, eval.OutcomePass)))
	}
	s.Report(report("", verdict("never_decides", eval.TypeRule, eval.OutcomeNotApplicable)))
	tables := s.Tables()
	big := tables.PromptVersions[1].Evals
	for name, e := range big {
		e.Fail, e.Error, e.NotApplicable, e.CannotJudge = 123_456_789, 99_999, 100_000, 12_345_678
		big[name] = e
	}
	tables.Regressions = append(tables.Regressions, summary.Regression{PromptVersion: strings.Repeat("version", 9), Eval: strings.Repeat("evaluator_", 6), Rate: 1, Baseline: 1, Difference: -1})
	var b strings.Builder
	if err := tables.Print(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"(none)", "never_decides", "  -", "123M"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}

// TestPrintSaysWhatItCannotTell: too little data is not an all-clear, and the cause
// of errors is shown.
func TestPrintSaysWhatItCannotTell(t *testing.T) {
	t.Parallel()
	s := summary.New()
	for i := range 20 {
		for _, version := range []string{"1", "2"} {
			broken := verdict("correctness", eval.TypeLLMJudge, eval.OutcomeError)
			broken.Reason = string(eval.ReasonAuth)
			s.Report(report(version, verdict("reply_format", eval.TypeJSONSchema, eval.Outcomes()[1+i%2]), broken))
		}
	}
	var b strings.Builder
	if err := s.Tables().Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"too few verdicts to compare prompt versions", "errors of correctness: 40 auth"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "no prompt version is worse") {
		t.Errorf("an all-clear on 20 verdicts:\n%s", b.String())
	}
}

func ExampleTables_Print() {
	s := summary.New()
	for i := range 400 {
		for _, version := range []string{"v1", "v2"} {
			o := eval.OutcomePass
			if version == "v2" && i%10 == 0 {
				o = eval.OutcomeFail
			}
			s.Report(report(version, verdict("reply_format", eval.TypeJSONSchema, o)))
		}
	}
	var b strings.Builder
	if err := s.Tables().Print(&b); err != nil {
		fmt.Println(err)
	}
	fmt.Print(b.String())
	// Output:
	// prompt version  evaluator             decided     pass  95 % interval   fail  error    n/a  unsure
	// v1              reply_format              400  100.0 %   99.0 - 100.0      0      0      0       0
	// v2              reply_format              400   90.0 %    86.7 - 92.6     40      0      0       0 <
	//
	// decided: pass or fail; a rate weighs each verdict by how likely it was to be sampled
	// n/a: nothing there to evaluate; unsure: looked at, not decided; error: the evaluator failed
	// <: passes less often than the other versions together; a one-sided test, 1 % for the whole table
	//
	// worse than the other versions of their prompt, beyond chance (<):
	//   v2  reply_format          90.0 % pass, others 100.0 %  (-10.0 points, p < 0.0001)
}
