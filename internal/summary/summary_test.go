package summary_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

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
	s := summary.New(summary.Config{})
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
	s := summary.New(summary.Config{})
	for range 30 {
		s.Report(report(strings.Repeat("version", 9), verdict(strings.Repeat("evaluator_", 6), eval.TypeRule, eval.OutcomePass)))
	}
	s.Report(report("", verdict("never_decides", eval.TypeRule, eval.OutcomeCannotJudge)))
	tables := s.Tables()
	big := tables.PromptVersions[1].Evals
	for name, e := range big {
		e.Fail, e.Error, e.NotApplicable, e.CannotJudge = 123_456_789, 99_999, 100_000, 12_345_678
		big[name] = e
	}
	long := summary.Comparison{PromptName: "triage", PromptVersion: strings.Repeat("version", 9), Eval: strings.Repeat("evaluator_", 6), Rate: 1, Baseline: 1, Difference: -1}
	tables.Regressions = append(tables.Regressions, long)
	var b strings.Builder
	if err := tables.Print(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"(no version)", "never_decides", " - ", "123M", "100k", "12M", "99999"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}

// printed returns what the tables print.
func printed(t *testing.T, s *summary.Summary) string {
	t.Helper()
	var b strings.Builder
	if err := s.Tables().Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// joined returns a text with its lines joined, because paragraphs are wrapped.
func joined(text string) string { return strings.Join(strings.Fields(text), " ") }

// TestPrintSaysWhatItCannotTell: too little data is not an all-clear, and the cause
// of errors is shown.
func TestPrintSaysWhatItCannotTell(t *testing.T) {
	t.Parallel()
	s := summary.New(summary.Config{})
	for i := range 20 {
		for _, version := range []string{"1", "2"} {
			broken := verdict("correctness", eval.TypeLLMJudge, eval.OutcomeError)
			broken.Reason = string(eval.ReasonAuth)
			s.Report(report(version, verdict("reply_format", eval.TypeJSONSchema, eval.Outcomes()[1+i%2]), broken))
		}
	}
	text := joined(printed(t, s))
	for _, want := range []string{
		"triage: 2: not compared by reply_format: fewer than 30 decided verdicts on both sides",
		"correctness gave errors on 40 of 40 events: 40 auth; versions are not compared by it",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "no drop") {
		t.Errorf("an all-clear on 20 verdicts:\n%s", text)
	}
}

// TestPromptsThatShareVersions: prompts are shown and compared apart, although their
// versions have the same names. That one got better is not a finding.
func TestPromptsThatShareVersions(t *testing.T) {
	t.Parallel()
	s := summary.New(summary.Config{})
	for i := range 500 {
		for in, fails := range map[[2]string]int{{"triage", "v1"}: 2, {"triage", "v2"}: 30, {"summarise", "v1"}: 30, {"summarise", "v2"}: 2} {
			o := eval.OutcomePass
			if i%100 < fails {
				o = eval.OutcomeFail
			}
			r := report(in[1], verdict("tone", eval.TypeRule, o))
			r.Event.PromptName = in[0]
			s.Report(r)
		}
	}
	tables := s.Tables()
	var rows []string
	for _, v := range tables.PromptVersions {
		rows = append(rows, fmt.Sprintf("%s %s %.2f", v.PromptName, v.PromptVersion, *v.Evals["tone"].PassRate))
	}
	want := []string{"summarise v1 0.70", "summarise v2 0.98", "triage v1 0.98", "triage v2 0.70"}
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	if len(tables.Regressions) != 1 || tables.Regressions[0].PromptName != "triage" || tables.Regressions[0].BaselineVersion != "v1" {
		t.Errorf("regressions: %+v", tables.Regressions)
	}
	if text := joined(printed(t, s)); !strings.Contains(text, "triage: v2 is worse than v1 tone 98.0 -> 70.0 % -28.0 points adjusted p < 0.0001 ") || strings.Count(text, "is worse") != 1 {
		t.Errorf("printed\n%s", text)
	}
}

// TestUnits: steps of one trace count as one unit, unless every event is one.
func TestUnits(t *testing.T) {
	t.Parallel()
	sizes := map[summary.Unit]float64{}
	for _, unit := range summary.Units() {
		s := summary.New(summary.Config{Unit: unit})
		for i := range 600 {
			o := eval.OutcomePass
			if i/6%10 == 0 {
				o = eval.OutcomeFail
			}
			r := report("v1", verdict("tone", eval.TypeRule, o))
			r.Event.TraceID = event.ID(strconv.Itoa(1 + i/6))
			r.Event.SessionID = "s" + strconv.Itoa(i/30)
			s.Report(r)
		}
		sizes[unit] = s.Tables().PromptVersions[0].Evals["tone"].EffectiveSize
	}
	if !(sizes[summary.UnitEvent] > 599 && sizes[summary.UnitTrace] < 110 && sizes[summary.UnitSession] < 60) {
		t.Errorf("effective sizes: %v", sizes)
	}
}

// TestFewWeights: a rate that few verdicts decide says so.
func TestFewWeights(t *testing.T) {
	t.Parallel()
	s := summary.New(summary.Config{})
	for range 40 {
		s.Report(report("v1", verdict("tone", eval.TypeRule, eval.OutcomePass)))
	}
	heavy := verdict("tone", eval.TypeRule, eval.OutcomeFail)
	heavy.Probability = 0.001
	s.Report(report("v1", heavy))
	if text := joined(printed(t, s)); !strings.Contains(text, "triage: v1, tone: few verdicts decide: 41 decided are worth 1,") {
		t.Errorf("printed\n%s", text)
	}
}

// TestUnseenEventsAreTold: when no event was drawn of all those that were sampled at a
// low rate, the table says so in place of a rate of the others.
func TestUnseenEventsAreTold(t *testing.T) {
	t.Parallel()
	s := summary.New(summary.Config{})
	for i := range 1000 {
		r := report("v1")
		r.Plan = eval.Plan{Upstream: 1, Candidates: []eval.Pick{{Name: "tone", Probability: 0.001}, {Name: "length", Probability: 1}}}
		r.Verdicts = []eval.Verdict{verdict("length", eval.TypeRule, eval.OutcomePass)}
		if i%25 == 0 {
			r.Plan.Candidates[0].Probability = 1
			r.Verdicts = append(r.Verdicts, verdict("tone", eval.TypeLLMJudge, eval.OutcomeFail))
		}
		s.Report(r)
	}
	evals := s.Tables().PromptVersions[0].Evals
	if tone := evals["tone"]; tone.PassRate != nil || tone.Fail != 40 || tone.Unseen != 0.96 {
		t.Errorf("tone: %+v", tone)
	}
	if length := evals["length"]; length.PassRate == nil || length.Unseen != 0 {
		t.Errorf("length: %+v", length)
	}
	if text := joined(printed(t, s)); !strings.Contains(text, "triage: v1, tone: no rate: the 40 decided stand for 4 % of the events; of the others, sampled at a low rate, none was drawn") {
		t.Errorf("printed\n%s", text)
	}
}

// TestAVersionWithoutAnyVerdictIsTold: a version of which no event was sampled has no
// row, and is named among what was not compared.
func TestAVersionWithoutAnyVerdictIsTold(t *testing.T) {
	t.Parallel()
	s := summary.New(summary.Config{})
	for range 50 {
		s.Report(report("v1", verdict("tone", eval.TypeRule, eval.OutcomePass)))
		r := report("v2")
		r.Plan = eval.Plan{Upstream: 1, Candidates: []eval.Pick{{Name: "tone", Probability: 0.01}}}
		s.Report(r)
	}
	if n := len(s.Tables().PromptVersions); n != 1 {
		t.Errorf("%d versions in the table, want 1", n)
	}
	if text := joined(printed(t, s)); !strings.Contains(text, "triage: v2: not compared by tone: no decided verdict") {
		t.Errorf("printed\n%s", text)
	}
}

// TestByGroupsRowsByTheField: rows and findings are by the value of the field, whatever
// the version, and are compared with all others together.
func TestByGroupsRowsByTheField(t *testing.T) {
	t.Parallel()
	set := map[summary.Field]func(*event.Event, string){
		summary.ByVersion:  func(e *event.Event, v string) { e.PromptVersion = v },
		summary.ByVariant:  func(e *event.Event, v string) { e.PromptVariant = v },
		summary.ByModel:    func(e *event.Event, v string) { e.Model = v },
		summary.ByProvider: func(e *event.Event, v string) { e.Provider = v },
		summary.ByFeature:  func(e *event.Event, v string) { e.Feature = v },
		summary.ByTier:     func(e *event.Event, v string) { e.TenantTier = v },
	}
	for _, by := range summary.Fields() {
		s := summary.New(summary.Config{By: by})
		for i := range 900 {
			value := []string{"b", "a", ""}[i%3]
			o := eval.OutcomePass
			if value == "a" && i%4 == 0 {
				o = eval.OutcomeFail
			}
			r := report("same", verdict("tone", eval.TypeRule, o))
			set[by](r.Event, value)
			s.Report(r)
		}
		tables := s.Tables()
		var values []string
		for _, v := range tables.PromptVersions {
			values = append(values, v.PromptVersion)
		}
		if d := cmp.Diff([]string{"", "a", "b"}, values); d != "" {
			t.Errorf("%s: values (-want +got):\n%s", by, d)
		}
		want := "triage: a is worse than all others together tone 100.0 -> 75.0 %"
		if by == summary.ByVersion {
			want = "triage: a is worse than (no version) tone 100.0 -> 75.0 %"
		}
		none := "(no " + string(by) + ")"
		if by == summary.ByVersion {
			none = "(no version)"
		}
		if text := joined(printed(t, s)); !strings.Contains(text, want) || !strings.Contains(text, "tone "+none+" 100.0 ") || tables.By != by {
			t.Errorf("%s: %q or %q is missing in\n%s", by, want, none, text)
		}
	}
}

// TestFindingsAreBounded: ids in place of versions do not fill the screen with findings.
func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	s := summary.New(summary.Config{})
	const versions = 50
	for v := range versions {
		for i := range 100 {
			o := eval.OutcomePass
			if v > 0 && i%2 == 0 {
				o = eval.OutcomeFail
			}
			verdicts := []eval.Verdict{verdict("tone", eval.TypeRule, o)}
			if i == 0 {
				verdicts[0].Probability = 0.0005
			}
			s.Report(report("v"+strconv.Itoa(v), verdict("format", eval.TypeRule, o), verdicts[0]))
		}
	}
	text := joined(printed(t, s))
	if n := strings.Count(text, " is worse than v0 "); n != 20 || !strings.Contains(text, "and 29 more are worse") {
		t.Errorf("%d findings are shown, want 20:\n%s", n, text)
	}
	if n := strings.Count(text, "few verdicts decide: "); n != 10 || !strings.Contains(text, "and 40 more rates that few verdicts decide") {
		t.Errorf("%d imprecise rates are shown, want 10", n)
	}
}

// TestColourIsNeverAlone: with colours the text is the same but for the colours, which
// end in the line where they begin.
func TestColourIsNeverAlone(t *testing.T) {
	t.Parallel()
	s := summary.New(summary.Config{})
	for i := range 400 {
		for _, version := range []string{"v1", strings.Repeat("version ", 20)} {
			o := eval.OutcomePass
			if version != "v1" && i%10 == 0 {
				o = eval.OutcomeFail
			}
			s.Report(report(version, verdict("reply_format", eval.TypeJSONSchema, o)))
		}
	}
	tables := s.Tables()
	tables.Color = true
	var b strings.Builder
	if err := tables.Print(&b); err != nil {
		t.Fatal(err)
	}
	const red, plain = "\x1b[31m", "\x1b[0m"
	if n := strings.Count(b.String(), red); n != 2 || strings.Count(b.String(), plain) != n {
		t.Errorf("%d colours, want those of a finding and of its row:\n%q", n, b.String())
	}
	if d := cmp.Diff(printed(t, s), strings.NewReplacer(red, "", plain, "").Replace(b.String())); d != "" {
		t.Errorf("without colours (-want +got):\n%s", d)
	}
}

// TestTwoPromptsHaveScalesOfTheirOwn: a prompt's scale has room for its intervals, and
// columns are there only where they tell something.
func TestTwoPromptsHaveScalesOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := summary.New(summary.Config{})
	for i := range 400 {
		for _, prompt := range []string{"answer", "triage"} {
			for _, version := range []string{"v1", "v2"} {
				o := eval.OutcomePass
				if i%2 == 0 && prompt == "triage" {
					o = eval.OutcomeFail
				}
				r := report(version, verdict("tone", eval.TypeRule, o))
				r.Event.PromptName = prompt
				s.Report(r)
			}
		}
	}
	_, table, _ := strings.Cut(printed(t, s), "\n\n")
	table, _, _ = strings.Cut(table, "\n\n|-o-|")
	want := `
answer  pass   95 %     98                                    100 % decided fail
  tone
    v1 100.0 99.1-100.0 .                    . |------------------o     400    0
    v2 100.0 99.1-100.0 .                    . |------------------o     400    0

triage  pass   95 %     40                                    100 % decided fail
  tone
    v1  50.0  45.0-55.0 .  |---o---|         .                    .     400  200
    v2  50.0  45.0-55.0 .  |---o---|         .                    .     400  200`
	if d := cmp.Diff(strings.TrimSpace(want), table); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func ExampleTables_Print() {
	s := summary.New(summary.Config{})
	for i := range 400 {
		for _, version := range []string{"v1", "v2"} {
			o := eval.OutcomePass
			if version == "v2" && i%10 == 0 {
				o = eval.OutcomeFail
			}
			r := report(version, verdict("reply_format", eval.TypeJSONSchema, o))
			r.Event.OccurredAt = time.Date(2026, 6, 1, 0, i, 0, 0, time.UTC)
			if version == "v2" {
				r.Event.OccurredAt = r.Event.OccurredAt.AddDate(0, 0, 1)
			}
			s.Report(r)
		}
	}
	var b strings.Builder
	if err := s.Tables().Print(&b); err != nil {
		fmt.Println(err)
	}
	fmt.Print(b.String())
	// Output:
	// triage: v2 is worse than v1
	//   reply_format  100.0 ->  90.0 %   -10.0 points  adjusted p < 0.0001
	// 1 comparison; p-values are adjusted for all of them, and hold for one look: who
	//     looks at growing data again and again finds false alarms
	//
	// triage  pass   95 %     80                                    100 % decided fail
	//   reply_format
	//     v1 100.0 99.1-100.0 .                    .                  |-o     400    0
	//   ▼ v2  90.0  86.6-92.8 .             |------o-----|              .     400   40
	//
	// ▼: worse, beyond chance, than what it was compared with. |-o-|: the pass rate of
	// all events, each verdict weighed by how likely it was to be sampled, and its
	// 95 % interval. decided: pass or fail
}
