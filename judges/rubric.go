package judges

import (
	"slices"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/fault"
)

// Rubric says which inputs a judge sees, by which criteria it judges, and how their
// verdicts become one.
type Rubric struct {
	Name        string `yaml:"name"`        // lower-case letters, digits and _; in a file, the file's name
	Description string `yaml:"description"` // what is judged, in a sentence or two; part of the prompt

	// Needs are the inputs without which the rubric does not apply; of NeedsOneOf,
	// one is enough. Optional inputs are shown when the event has them. The model
	// sees no other inputs. Inputs are input, output, expected, chunks, tool_calls,
	// tools and guideline.
	Needs      []string `yaml:"needs"`
	NeedsOneOf []string `yaml:"needs_one_of"`
	Optional   []string `yaml:"optional"`

	Criteria []Criterion `yaml:"criteria"` // at most 7, because answers get worse with more in one call

	// Aggregation is all (default): every criterion that applies has to pass;
	// weighted: the share of weight that passes has to reach Threshold; or any:
	// one pass is enough.
	Aggregation string  `yaml:"aggregation"`
	Threshold   float64 `yaml:"threshold"` // for weighted, in (0,1]

	// NoSubstance is the outcome of an output without a letter or digit: fail
	// (default) or not_applicable. No model is asked.
	NoSubstance string `yaml:"no_substance"`
}

// Criterion is one question of a rubric. The model answers pass, fail,
// not_applicable or cannot_judge.
type Criterion struct {
	ID       string   `yaml:"id"`       // of lower-case letters, digits and _
	Question string   `yaml:"question"` // yes means pass
	Pass     []string `yaml:"pass"`     // examples of what passes
	Fail     []string `yaml:"fail"`     // examples of what fails
	Weight   *float64 `yaml:"weight"`   // in (0,100]; null: 1
	Veto     bool     `yaml:"veto"`     // a fail here fails the rubric, whatever the aggregation
	Evidence Evidence `yaml:"evidence"`
}

// Evidence says for which verdicts the model must quote the data, and from which
// input, or "any". A verdict whose quote is not found there becomes cannot_judge.
// Empty: no quote is demanded.
type Evidence struct {
	Pass string `yaml:"pass"`
	Fail string `yaml:"fail"`
}

// Bounds of a rubric.
const (
	maxCriteria = 7
	maxID       = 32
	maxText     = 4000 // bytes of a question, a description or an example
	maxExamples = 10
)

// Ways to aggregate.
const (
	aggregateAll      = "all"
	aggregateWeighted = "weighted"
	aggregateAny      = "any"
)

// Inputs that a rubric may name.
const (
	inputInput     = "input"
	inputOutput    = "output"
	inputExpected  = "expected"
	inputChunks    = "chunks"
	inputToolCalls = "tool_calls"
	inputTools     = "tools"
	inputGuideline = "guideline"
)

// sourceAny is the source of a quote that may come from any input.
const sourceAny = "any"

// inputs returns all inputs in the order of a prompt.
func inputs() []string {
	return []string{inputGuideline, inputInput, inputChunks, inputTools, inputToolCalls, inputExpected, inputOutput}
}

// defaultRubric returns the defaults of a rubric's file.
func defaultRubric() *Rubric {
	return &Rubric{Aggregation: aggregateAll, NoSubstance: eval.OutcomeFail.String()}
}

// visibleInputs returns the inputs that the model sees, in the order of inputs.
func (r *Rubric) visibleInputs() []string {
	return slices.DeleteFunc(inputs(), func(name string) bool {
		return !slices.Contains(r.Needs, name) && !slices.Contains(r.NeedsOneOf, name) && !slices.Contains(r.Optional, name)
	})
}

func (c Criterion) weight() float64 {
	if c.Weight == nil {
		return 1
	}
	return *c.Weight
}

// Validate returns all faults of r.
func (r *Rubric) Validate() fault.List {
	var fs fault.List
	if !isIdentifier(r.Name) {
		fs.Add("name", "is not a name", "want 1 to 32 lower-case letters, digits and _")
	}
	if len(r.Description) > maxText {
		fs.Add("description", "too long", "want at most 4000 bytes")
	}
	r.validateInputs(&fs)
	switch r.Aggregation {
	case aggregateAll, aggregateAny:
		if r.Threshold != 0 {
			fs.Add("threshold", "has no meaning here", "only aggregation: weighted has a threshold")
		}
	case aggregateWeighted:
		if !(r.Threshold > 0 && r.Threshold <= 1) {
			fs.Add("threshold", "out of range", "want above 0, at most 1: the share of weight that has to pass")
		}
	default:
		fs.Add("aggregation", "unknown", fault.Suggest(r.Aggregation, []string{aggregateAll, aggregateWeighted, aggregateAny}, ""))
	}
	if r.NoSubstance != eval.OutcomeFail.String() && r.NoSubstance != eval.OutcomeNotApplicable.String() {
		fs.Add("no_substance", "unknown", fault.Suggest(r.NoSubstance, []string{eval.OutcomeFail.String(), eval.OutcomeNotApplicable.String()}, ""))
	}
	switch n := len(r.Criteria); {
	case n == 0:
		fs.Add("criteria", "missing", "want one to seven questions")
	case n > maxCriteria:
		fs.Add("criteria", "too many", "want at most 7 in one rubric; split it in two")
	}
	seen := map[string]bool{}
	for i, c := range r.Criteria {
		part := c.validate(r.visibleInputs())
		if seen[c.ID] {
			part.Add("id", "appears twice", "another id")
		}
		seen[c.ID] = true
		fs.Under("criteria["+strconv.Itoa(i)+"]", part)
	}
	return fs
}

func (r *Rubric) validateInputs(fs *fault.List) {
	seen := map[string]bool{}
	check := func(path string, names []string) {
		for i, name := range names {
			switch {
			case !slices.Contains(inputs(), name):
				fs.Add(path+"["+strconv.Itoa(i)+"]", "unknown input", fault.Suggest(name, inputs(), ""))
			case seen[name]:
				fs.Add(path+"["+strconv.Itoa(i)+"]", "appears twice", "want each input once")
			}
			seen[name] = true
		}
	}
	check("needs", r.Needs)
	check("needs_one_of", r.NeedsOneOf)
	check("optional", r.Optional)
	if len(r.Needs) == 0 && len(r.NeedsOneOf) == 0 {
		fs.Add("needs", "missing", "want what the rubric judges, for example [input, output]")
	}
	if len(r.NeedsOneOf) == 1 {
		fs.Add("needs_one_of", "has one entry", "want two or more, or put it under needs")
	}
}

func (c Criterion) validate(visible []string) fault.List {
	var fs fault.List
	if !isIdentifier(c.ID) {
		fs.Add("id", "is not an id", "want 1 to 32 lower-case letters, digits and _")
	}
	switch q := strings.TrimSpace(c.Question); {
	case q == "":
		fs.Add("question", "missing", "want a question to which yes means pass")
	case len(q) > maxText:
		fs.Add("question", "too long", "want at most 4000 bytes")
	}
	checkExamples := func(path string, texts []string) {
		if len(texts) > maxExamples {
			fs.Add(path, "too many examples", "want at most 10")
		}
		for i, s := range texts {
			if strings.TrimSpace(s) == "" || len(s) > maxText {
				fs.Add(path+"["+strconv.Itoa(i)+"]", "empty or too long", "want 1 to 4000 bytes")
			}
		}
	}
	checkExamples("pass", c.Pass)
	checkExamples("fail", c.Fail)
	if w := c.weight(); !(w > 0 && w <= 100) {
		fs.Add("weight", "out of range", "want above 0, at most 100")
	}
	for _, e := range []struct{ path, source string }{{"evidence.pass", c.Evidence.Pass}, {"evidence.fail", c.Evidence.Fail}} {
		if e.source != "" && e.source != sourceAny && !slices.Contains(visible, e.source) {
			fs.Add(e.path, "is not an input of this rubric", fault.Suggest(e.source, append([]string{sourceAny}, visible...), ""))
		}
	}
	return fs
}

// isIdentifier reports whether s can be the name of a rubric or a criterion, which
// becomes part of reasons and reports.
func isIdentifier(s string) bool {
	other := func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' }
	return s != "" && len(s) <= maxID && !strings.ContainsFunc(s, other)
}

// combine combines the outcomes of the criteria into one, with a score and a reason.
//
// Criteria that do not apply are ignored; if none applies, neither does the rubric.
// The rubric passes, or fails, if it would do so however the undecided criteria
// turned out; otherwise the outcome is cannot_judge. A veto that failed fails the
// rubric; an undecided one keeps it from passing.
//
// The score is the share of weight that passed among the decided criteria. The
// reason names the criteria that failed, or those that are undecided.
func (r *Rubric) combine(outcomes []eval.Outcome) (eval.Outcome, float64, string) {
	var passed, failed, open float64
	var vetoed, blocked bool
	var failing, undecided []string
	for i, c := range r.Criteria {
		switch outcomes[i] {
		case eval.OutcomePass:
			passed += c.weight()
		case eval.OutcomeFail:
			failed += c.weight()
			failing = append(failing, c.ID)
			vetoed = vetoed || c.Veto
		case eval.OutcomeNotApplicable:
		default:
			open += c.weight()
			undecided = append(undecided, c.ID)
			blocked = blocked || c.Veto
		}
	}
	if passed+failed+open == 0 {
		return eval.OutcomeNotApplicable, 0, "no criterion applies"
	}
	low, high := r.meets(passed, failed+open), r.meets(passed+open, failed)
	score := 0.0
	if passed > 0 {
		score = passed / (passed + failed)
	}
	switch {
	case vetoed || !high:
		return eval.OutcomeFail, score, "not met: " + strings.Join(failing, ", ")
	case blocked || !low:
		return eval.OutcomeCannotJudge, 0, "undecided: " + strings.Join(undecided, ", ")
	}
	return eval.OutcomePass, score, ""
}

// meets reports whether these weights amount to a pass.
func (r *Rubric) meets(passed, failed float64) bool {
	switch r.Aggregation {
	case aggregateWeighted:
		const rounding = 1e-9 // 0.1+0.2 reaches 0.3
		return passed/(passed+failed) >= r.Threshold-rounding
	case aggregateAny:
		return passed > 0
	}
	return failed == 0
}
