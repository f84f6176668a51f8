package judges

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
)

func TestCombine(t *testing.T) {
	t.Parallel()
	const p, f, n, c = eval.OutcomePass, eval.OutcomeFail, eval.OutcomeNotApplicable, eval.OutcomeCannotJudge
	all := Rubric{Aggregation: aggregateAll, Criteria: []Criterion{{ID: "a"}, {ID: "b"}, {ID: "c"}}}
	weighted := Rubric{Aggregation: aggregateWeighted, Threshold: 0.6, Criteria: []Criterion{{ID: "a", Weight: new(3.0)}, {ID: "b"}, {ID: "c"}}}
	veto := Rubric{Aggregation: aggregateWeighted, Threshold: 0.5, Criteria: []Criterion{{ID: "a", Veto: true}, {ID: "b", Weight: new(9.0)}, {ID: "c"}}}
	either := Rubric{Aggregation: aggregateAny, Criteria: all.Criteria}
	tests := map[string]struct {
		rubric   Rubric
		outcomes []eval.Outcome
		want     eval.Outcome
		score    float64
		reason   string
	}{
		"all pass":                         {all, []eval.Outcome{p, p, p}, p, 1, ""},
		"one fails":                        {all, []eval.Outcome{p, f, p}, f, 2.0 / 3, "not met: b"},
		"several fail":                     {all, []eval.Outcome{f, p, f}, f, 1.0 / 3, "not met: a, c"},
		"one does not apply":               {all, []eval.Outcome{p, n, p}, p, 1, ""},
		"none applies":                     {all, []eval.Outcome{n, n, n}, n, 0, "no criterion applies"},
		"one is open":                      {all, []eval.Outcome{p, c, n}, c, 0, "undecided: b"},
		"a fail does not wait":             {all, []eval.Outcome{p, c, f}, f, 0.5, "not met: c"},
		"all open":                         {all, []eval.Outcome{c, c, c}, c, 0, "undecided: a, b, c"},
		"an error is open":                 {all, []eval.Outcome{p, eval.OutcomeError, p}, c, 0, "undecided: b"},
		"weight enough":                    {weighted, []eval.Outcome{p, f, f}, p, 0.6, ""},
		"weight not enough":                {weighted, []eval.Outcome{f, p, p}, f, 0.4, "not met: a"},
		"open weight does not matter":      {weighted, []eval.Outcome{p, p, c}, p, 1, ""},
		"open weight could save":           {weighted, []eval.Outcome{c, p, f}, c, 0, "undecided: a"},
		"open weight cannot save":          {weighted, []eval.Outcome{f, c, c}, f, 0, "not met: a"},
		"weight of what applies":           {weighted, []eval.Outcome{n, p, f}, f, 0.5, "not met: c"},
		"veto":                             {veto, []eval.Outcome{f, p, p}, f, 10.0 / 11, "not met: a"},
		"open veto":                        {veto, []eval.Outcome{c, p, p}, c, 0, "undecided: a"},
		"open veto, failed anyway":         {veto, []eval.Outcome{c, f, f}, f, 0, "not met: b, c"},
		"veto that does not apply":         {veto, []eval.Outcome{n, p, f}, p, 0.9, ""},
		"any: one is enough":               {either, []eval.Outcome{f, p, c}, p, 0.5, ""},
		"any: none":                        {either, []eval.Outcome{f, f, n}, f, 0, "not met: a, b"},
		"any: an open one could":           {either, []eval.Outcome{f, c, f}, c, 0, "undecided: b"},
		"any: does not wait for open ones": {either, []eval.Outcome{c, p, c}, p, 1, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outcome, score, reason := tt.rubric.combine(tt.outcomes)
			if outcome != tt.want || score != tt.score || reason != tt.reason {
				t.Errorf("got %v, %v, %q; want %v, %v, %q", outcome, score, reason, tt.want, tt.score, tt.reason)
			}
		})
	}
}

// An undecided criterion leaves the rubric undecided only when it matters: a
// decided outcome stays the same however the undecided criteria turn out.
func TestOpenCriteriaNeverDecide(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	kinds := []eval.Outcome{eval.OutcomePass, eval.OutcomeFail, eval.OutcomeNotApplicable, eval.OutcomeCannotJudge}
	for range 20_000 {
		r := Rubric{Aggregation: []string{aggregateAll, aggregateWeighted, aggregateAny}[rng.IntN(3)], Threshold: float64(1+rng.IntN(10)) / 10}
		outcomes := make([]eval.Outcome, 1+rng.IntN(4))
		for i := range outcomes {
			r.Criteria = append(r.Criteria, Criterion{ID: string(rune('a' + i)), Weight: new(float64(1 + rng.IntN(5))), Veto: rng.IntN(4) == 0})
			outcomes[i] = kinds[rng.IntN(len(kinds))]
		}
		got, score, _ := r.combine(outcomes)
		if score < 0 || score > 1 {
			t.Fatalf("score %v", score)
		}
		seen := map[eval.Outcome]bool{}
		for world := range 1 << len(outcomes) {
			decided := append([]eval.Outcome(nil), outcomes...)
			for i, o := range outcomes {
				if o == eval.OutcomeCannotJudge {
					decided[i] = []eval.Outcome{eval.OutcomePass, eval.OutcomeFail}[world>>i&1]
				}
			}
			o, _, _ := r.combine(decided)
			seen[o] = true
		}
		switch {
		case got == eval.OutcomeCannotJudge && len(seen) == 1:
			t.Fatalf("%+v %v is open and every way gives %v", r, outcomes, seen)
		case got != eval.OutcomeCannotJudge && (len(seen) != 1 || !seen[got]):
			t.Fatalf("%+v %v is %v and the ways give %v", r, outcomes, got, seen)
		}
	}
}

func TestBuiltInRubrics(t *testing.T) {
	t.Parallel()
	entries, err := builtIn.ReadDir("rubrics")
	if err != nil {
		t.Fatal(err)
	}
	rubrics, faults := parseRubrics("rubrics", entries, builtIn.ReadFile)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"correctness", "faithfulness", "answer_relevance", "context_relevance", "completeness", "helpfulness", "safety", "guideline_adherence",
		"refusal", "tone", "task_completion", "tool_selection", "summarisation", "prompt_injection",
	} {
		if rubrics[name] == nil {
			t.Errorf("no rubric %s", name)
		}
	}
	one := BuiltIn()
	one["safety"].Name = "changed"
	if BuiltIn()["safety"].Name != "safety" {
		t.Error("callers share one rubric")
	}
}

func TestLoadRubrics(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("refund.yaml", "needs: [output]\ncriteria:\n  - {id: promised, question: Was a refund promised?}\n")
	write("safety.yaml", "name: safety\nneeds: [output]\ncriteria:\n  - {id: own, question: Is it safe for us?}\n")
	write("README.md", "not a rubric")
	rubrics, faults := LoadRubrics(dir)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if r := rubrics["refund"]; r == nil || r.Name != "refund" || r.Aggregation != aggregateAll {
		t.Errorf("refund = %+v", r)
	}
	if r := rubrics["safety"]; len(r.Criteria) != 1 || r.Criteria[0].ID != "own" {
		t.Errorf("safety is still the built-in one: %+v", r)
	}
	if rubrics["correctness"] == nil {
		t.Error("the built-in rubrics are gone")
	}
}

// All faults of all files, each with its place and a way to fix it.
func TestFaultsOfRubrics(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": `needs: [output, expcted]
aggregation: weightd
criteria:
  - id: Bad Id
    question: ""
    wieght: 2
  - {id: ok, question: q, weight: 0, evidence: {fail: chunks}}
  - {id: ok, question: q}
`,
		"b.yaml": "name: other\nneeds: [output]\ncriteria: [{id: a, question: q}]\nthreshold: 0.5\n",
		"c.yaml": "needs: [output]\n",
		"d.yml":  "needs: [output]\n",
		"e.yaml": "needs: [\n",
		"f.yaml": "needs_one_of: [chunks]\noptional: [chunks]\nno_substance: pass\naggregation: weighted\ncriteria: [" +
			strings.TrimSuffix(strings.Repeat("{id: a, question: q},", 8), ",") + "]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, faults := LoadRubrics(dir)
	var got []string
	for _, f := range faults {
		if !strings.HasPrefix(f.File, dir) {
			t.Errorf("%v has no file", f)
		}
		got = append(got, strings.ReplaceAll(f.String(), dir+string(filepath.Separator), ""))
	}
	golden(t, "rubric_faults.txt", strings.Join(got, "\n")+"\n")
}

func TestNoFolder(t *testing.T) {
	t.Parallel()
	rubrics, faults := LoadRubrics(filepath.Join(t.TempDir(), "nowhere"))
	if len(faults) != 1 || rubrics["safety"] == nil {
		t.Errorf("faults = %v; want one, and the built-in rubrics", faults)
	}
	if _, faults := LoadRubrics(""); len(faults) != 0 {
		t.Errorf("faults = %v without a folder", faults)
	}
}

// FuzzRubric: every file is a valid rubric or has faults.
func FuzzRubric(f *testing.F) {
	f.Add(twoCriteria)
	f.Add("criteria: [{id: a, question: q, weight: .nan}]\nneeds: [output]")
	f.Add("a: &a [*a]")
	f.Add("needs: output\ncriteria: {}")
	f.Fuzz(func(t *testing.T, text string) {
		r, faults := parseRubric("f.yaml", "f", []byte(text))
		if len(faults) > 0 {
			return
		}
		if err := r.Validate().Err(); err != nil {
			t.Errorf("accepted, and invalid: %v", err)
		}
		if _, err := New(Config{Name: "x", Guideline: "p"}, r, says("")); err != nil {
			t.Errorf("accepted, and no judge: %v", err)
		}
	})
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	judge := Config{Guideline: strings.Repeat("x", maxGuideline+1)}
	var paths []string
	for _, f := range judge.Validate() {
		paths = append(paths, f.Path)
		if f.Problem == "" || f.Expected == "" {
			t.Errorf("%v does not say how to mend it", f)
		}
	}
	if diff := cmp.Diff([]string{"rubric", "model", "guideline"}, paths); diff != "" {
		t.Errorf("faults of a judge (-want +got):\n%s", diff)
	}
	judge = Config{Model: "default"}
	judge.Rubric = "safety"
	if err := judge.Validate().Err(); err != nil {
		t.Error(err)
	}
}
