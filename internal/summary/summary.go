// Package summary turns reports into tables by prompt version: how often each
// evaluator passed, with an interval, and which version is worse than the others.
// It holds sufficient statistics instead of reports, so its size does not grow with
// the traffic.
package summary

import (
	"maps"
	"slices"
	"sync"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/stats"
)

// Summary collects reports. It is safe for concurrent use.
type Summary struct {
	table stats.Table

	mu     sync.Mutex
	json   map[string]jsonCount        // by prompt version; guarded by mu
	errors map[string]map[string]int64 // by evaluator and reason, both closed sets; guarded by mu
}

type jsonCount struct{ checked, invalid int64 }

// New returns an empty summary.
func New() *Summary {
	return &Summary{json: map[string]jsonCount{}, errors: map[string]map[string]int64{}}
}

// Report adds the verdicts of one report.
func (s *Summary) Report(r *eval.Report) {
	for i := range r.Verdicts {
		v := &r.Verdicts[i]
		key := stats.Key{PromptName: r.Event.PromptName, PromptVersion: r.Event.PromptVersion, Eval: v.Eval}
		s.table.Add(key, stats.Outcome(v.Outcome), v.Probability)
		s.count(r.Event.PromptVersion, v)
	}
}

// count counts what the statistics do not hold: valid JSON and the reasons of errors.
func (s *Summary) count(version string, v *eval.Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.Type == eval.TypeJSONSchema && v.Outcome.Decided() {
		c := s.json[version]
		c.checked++
		if v.Outcome == eval.OutcomeFail {
			c.invalid++
		}
		s.json[version] = c
	}
	if v.Outcome == eval.OutcomeError {
		if s.errors[v.Eval] == nil {
			s.errors[v.Eval] = map[string]int64{}
		}
		s.errors[v.Eval][v.Reason]++
	}
}

// Tables is the content of a summary.
type Tables struct {
	PromptVersions []Version    `json:"prompt_versions"`
	Regressions    []Regression `json:"regressions"`
	// Errors counts the evaluations that failed, by evaluator and reason.
	Errors map[string]map[string]int64 `json:"errors"`
	// MaxErrors is the share of an evaluator's verdicts that may be errors before what
	// is left of them says nothing about prompt versions.
	MaxErrors float64 `json:"-"`
}

// DefaultMaxErrors is the share of an evaluator's verdicts that may be errors.
const DefaultMaxErrors = 0.01

// Failing is an evaluator of which too many verdicts are errors.
type Failing struct {
	Eval             string
	Errors, Verdicts int64
	Reasons          map[string]int64
}

// Failing returns the evaluators with more errors than MaxErrors, by name.
func (t Tables) Failing() (out []Failing) {
	for _, name := range slices.Sorted(maps.Keys(t.Errors)) {
		f := Failing{Eval: name, Reasons: t.Errors[name]}
		for _, v := range t.PromptVersions {
			e := v.Evals[name]
			f.Errors += e.Error
			f.Verdicts += e.Pass + e.Fail + e.Error + e.NotApplicable + e.CannotJudge
		}
		if float64(f.Errors) > t.MaxErrors*float64(f.Verdicts) {
			out = append(out, f)
		}
	}
	return out
}

// Regression is a prompt version that an evaluator passes less often than the
// others.
type Regression = stats.Regression

// Version holds the verdicts on one prompt version.
type Version struct {
	PromptVersion string `json:"prompt_version"`
	// JSONChecked counts outputs that were checked against a schema, JSONInvalid
	// those of them that did not satisfy it.
	JSONChecked int64           `json:"json_checked"`
	JSONInvalid int64           `json:"json_invalid"`
	Evals       map[string]Eval `json:"evals"`
}

// Eval counts one evaluator's verdicts on one prompt version. PassRate is an
// estimate over all events of the version, weighted by sampling probability,
// with a 95 % interval from Low to High; all three are nil when nothing was
// decided.
type Eval struct {
	Pass          int64    `json:"pass"`
	Fail          int64    `json:"fail"`
	Error         int64    `json:"error"`
	NotApplicable int64    `json:"not_applicable"`
	CannotJudge   int64    `json:"cannot_judge"`
	PassRate      *float64 `json:"pass_rate"`
	Low           *float64 `json:"low"`
	High          *float64 `json:"high"`
}

// Tables returns the current tables, versions in order. Versions of several prompts
// with the same name are shown together, but compared separately.
func (s *Summary) Tables() Tables {
	cells := map[string]map[string]stats.Cell{}
	for key, cell := range s.table.All() {
		evals := cells[key.PromptVersion]
		if evals == nil {
			evals = map[string]stats.Cell{}
			cells[key.PromptVersion] = evals
		}
		sum := evals[key.Eval]
		sum.Merge(cell)
		evals[key.Eval] = sum
	}
	out := Tables{PromptVersions: []Version{}, MaxErrors: DefaultMaxErrors, Regressions: stats.Regressions(&s.table, stats.DefaultAlpha)}
	if out.Regressions == nil {
		out.Regressions = []Regression{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Errors = map[string]map[string]int64{}
	for evaluator, reasons := range s.errors {
		out.Errors[evaluator] = maps.Clone(reasons)
	}
	for _, name := range slices.Sorted(maps.Keys(cells)) {
		v := Version{PromptVersion: name, JSONChecked: s.json[name].checked, JSONInvalid: s.json[name].invalid, Evals: map[string]Eval{}}
		for evaluator, cell := range cells[name] {
			v.Evals[evaluator] = row(cell)
		}
		out.PromptVersions = append(out.PromptVersions, v)
	}
	return out
}

func row(c stats.Cell) Eval {
	e := Eval{Pass: c.Passes, Fail: c.Fails, Error: c.Errors, NotApplicable: c.NotApplicable, CannotJudge: c.CannotJudge}
	if rate, low, high, ok := c.PassRate(); ok {
		e.PassRate, e.Low, e.High = &rate, &low, &high
	}
	return e
}
