package summary

import (
	"fmt"
	"maps"
	"slices"

	"github.com/evalworker/evalworker/eval"
)

// Result is what a run over events found, in the form in which the commands demo and
// eval print it as JSON. Its lists are never nil.
type Result struct {
	Events      eval.Accounting `json:"events"`
	DeadLetters []DeadLetters   `json:"dead_letters"`
	Tables
	// Compared says how versions were compared.
	Compared Compared `json:"compared"`
	// Usage is what the judges' models used, by model.
	Usage   []Usage `json:"usage"`
	Dataset Dataset `json:"dataset"`
	// Problems are the reasons for an exit code other than 0.
	Problems []string `json:"problems"`
}

// DeadLetters counts messages that cannot be read, by reason and error.
type DeadLetters struct {
	Reason eval.Reason `json:"reason"`
	Error  string      `json:"error"`
	Count  int         `json:"count"`
	// Line is the first line of the input with such a message; 0 without lines.
	Line int `json:"line,omitempty"`
}

// Compared says how versions were compared, and by which evaluators they were not.
type Compared struct {
	Unit     Unit   `json:"unit"`
	Baseline string `json:"baseline"` // empty: each version with the one before it
	// MaxErrors is the share of an evaluator's verdicts that may be errors; Failing are
	// the evaluators with more, by which no versions are compared.
	MaxErrors float64  `json:"max_errors"`
	Failing   []string `json:"failing"`
}

// Dataset is where failing requests are kept as cases.
type Dataset struct {
	Path  string `json:"path,omitempty"`  // file of an export
	Store string `json:"store,omitempty"` // URL of the store, without a password
	// Causes, Cases and Occurrences count all that the export or the store holds; New are
	// the occurrences that this run added.
	Causes      int `json:"causes"`
	Cases       int `json:"cases"`
	Occurrences int `json:"occurrences"`
	New         int `json:"new"`
}

// Usage is what the calls of one model used. Calls that failed count too.
type Usage struct {
	Model        string `json:"model"`
	Verdicts     int64  `json:"verdicts"`
	Calls        int64  `json:"calls"`
	InputTokens  int64  `json:"input_tokens"`
	CachedTokens int64  `json:"cached_tokens"` // part of InputTokens
	OutputTokens int64  `json:"output_tokens"`
	// CostUSD is the cost of the verdicts whose cost is known; nil when none is.
	CostUSD *float64 `json:"cost_usd"`
	// CostUnknown counts the verdicts whose cost is not known.
	CostUnknown int64 `json:"cost_unknown"`

	nanoUSD int64
}

// add adds what one verdict used.
func (u *Usage) add(v *eval.Usage) {
	u.Verdicts++
	u.Calls += int64(v.Calls)
	u.InputTokens += v.InputTokens
	u.CachedTokens += v.CachedTokens
	u.OutputTokens += v.OutputTokens
	if v.CostKnown {
		u.nanoUSD += v.CostNanoUSD
	} else {
		u.CostUnknown++
	}
}

// tooManyErrors is why versions are not compared by an evaluator that failed too often.
const tooManyErrors = "too many errors"

// Result returns what the reports say. maxErrors is the share of an evaluator's verdicts
// that may be errors before versions are not compared by it. Accounting, dead letters
// and dataset are the caller's to fill in.
func (s *Summary) Result(maxErrors float64) Result {
	t := s.Tables()
	t.MaxErrors = maxErrors
	r := Result{
		DeadLetters: []DeadLetters{}, Usage: s.usages(), Problems: []string{},
		Compared: Compared{Unit: s.cfg.Unit, Baseline: s.cfg.Baseline, MaxErrors: maxErrors, Failing: []string{}},
	}
	if r.Compared.Unit == "" {
		r.Compared.Unit = UnitTrace
	}
	for _, f := range t.Failing() {
		r.Compared.Failing = append(r.Compared.Failing, f.Eval)
	}
	for i := range t.Comparisons {
		if c := &t.Comparisons[i]; c.NotCompared == "" && t.failing(c.Eval) {
			c.NotCompared, c.Worse = tooManyErrors, false
		}
	}
	t.Regressions = slices.DeleteFunc(append([]Comparison{}, t.Regressions...), func(c Comparison) bool { return t.failing(c.Eval) })
	r.Tables = t
	return r
}

// Worse says of each version that is worse by an evaluator how it compares.
func (r *Result) Worse() []string {
	var out []string
	for _, c := range r.Regressions {
		out = append(out, fmt.Sprintf("%s is worse than %s by %s: %.1f -> %.1f %% (%+.1f points, adjusted p %s)",
			r.title(c.PromptName, c.PromptVersion), r.than(sideOf(c)), c.Eval, 100*c.Baseline, 100*c.Rate, 100*c.Difference, pValue(c.PValue)))
	}
	return out
}

// Asked returns the number of comparisons that have an answer.
func (r *Result) Asked() int {
	n := 0
	for i := range r.Comparisons {
		if r.Comparisons[i].NotCompared == "" {
			n++
		}
	}
	return n
}

// usages returns what the models used, by name.
func (s *Summary) usages() []Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Usage, 0, len(s.usage))
	for _, name := range slices.Sorted(maps.Keys(s.usage)) {
		u := *s.usage[name]
		if u.CostUnknown < u.Verdicts {
			cost := float64(u.nanoUSD) / 1e9
			u.CostUSD = &cost
		}
		out = append(out, u)
	}
	return out
}
