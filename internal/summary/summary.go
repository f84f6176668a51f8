// Package summary turns reports into tables by prompt and version: how often each
// evaluator passed, with an interval, which version is worse than the one before it,
// and what could not be compared. It holds sufficient statistics instead of reports,
// so its size does not grow with the traffic. An [Agreement] compares verdicts with what
// people say of the same events.
package summary

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/stats"
)

// Unit is what verdicts are independent between: those within one unit may have a
// cause in common, such as a broken tool that all steps of an agent call.
type Unit string

// The units.
const (
	UnitEvent   Unit = "event"
	UnitTrace   Unit = "trace"
	UnitSession Unit = "session" // or the trace of an event that names no session
)

// Units returns all units.
func Units() []Unit { return []Unit{UnitEvent, UnitTrace, UnitSession} }

// Field is the member of events by which the verdicts on a prompt are grouped.
type Field string

// The fields. Only versions have an order in time.
const (
	ByVersion  Field = "prompt_version"
	ByVariant  Field = "variant"
	ByModel    Field = "model"
	ByProvider Field = "provider"
	ByFeature  Field = "feature"
	ByTier     Field = "tenant_tier"
)

// Fields returns all fields.
func Fields() []Field {
	return []Field{ByVersion, ByVariant, ByModel, ByProvider, ByFeature, ByTier}
}

// of returns the field's value; empty when the event has none.
func (f Field) of(e *event.Event) string {
	switch f {
	case ByVariant:
		return e.PromptVariant
	case ByModel:
		return e.Model
	case ByProvider:
		return e.Provider
	case ByFeature:
		return e.Feature
	case ByTier:
		return e.TenantTier
	}
	return e.PromptVersion
}

// Config says how verdicts are compared.
type Config struct {
	// By is the field that groups the verdicts on a prompt; empty: ByVersion. The values
	// of another field have no order: each is compared with all others together.
	By Field
	// Unit of independence; empty: UnitTrace.
	Unit Unit
	// Baseline is the version, or the value of By, that all others are compared with;
	// empty: each version is compared with the one before it.
	Baseline string
}

// Summary collects reports. It is safe for concurrent use.
type Summary struct {
	cfg   Config
	table stats.Table

	mu     sync.Mutex
	json   map[promptVersion]jsonCount // guarded by mu
	errors map[string]map[string]int64 // by evaluator and reason, both closed sets; guarded by mu
	unsure map[string]map[string]int64 // by evaluator and reason, of those maxReasons; guarded by mu
	usage  map[string]*Usage           // by the model's name in the configuration; guarded by mu
}

type promptVersion struct{ prompt, version string }

type jsonCount struct{ checked, invalid int64 }

// New returns an empty summary.
func New(cfg Config) *Summary {
	if cfg.By == "" {
		cfg.By = ByVersion
	}
	return &Summary{cfg: cfg, json: map[promptVersion]jsonCount{}, errors: map[string]map[string]int64{}, unsure: map[string]map[string]int64{}, usage: map[string]*Usage{}}
}

// Report adds the verdicts of one report, and counts its event for the evaluators that
// could have run on it. A report without verdicts is worth adding, too: it tells of events
// that no verdict stands for.
func (s *Summary) Report(r *eval.Report) {
	in := promptVersion{r.Event.PromptName, s.cfg.By.of(r.Event)}
	for _, c := range r.Plan.Candidates {
		upstream := r.Plan.Upstream
		s.table.Expect(stats.Key{PromptName: in.prompt, PromptVersion: in.version, Eval: c.Name}, c.Probability*upstream, 1/upstream)
	}
	unit := s.unitOf(r.Event)
	for i := range r.Verdicts {
		v := &r.Verdicts[i]
		key := stats.Key{PromptName: in.prompt, PromptVersion: in.version, Eval: v.Eval}
		s.table.Add(key, stats.Verdict{Outcome: stats.Outcome(v.Outcome), Probability: v.Probability, Unit: unit, At: r.Event.OccurredAt})
		s.count(in, v)
	}
}

// unitOf returns the id of the event's unit; empty when it is one of its own.
func (s *Summary) unitOf(e *event.Event) string {
	if s.cfg.Unit == UnitEvent {
		return ""
	}
	if s.cfg.Unit == UnitSession && e.SessionID != "" {
		return "session " + e.SessionID
	}
	trace, _ := e.Origin()
	if trace.IsZero() {
		return ""
	}
	return trace.String()
}

// count counts what the statistics do not hold: valid JSON, the reasons of errors, and
// what models used.
func (s *Summary) count(in promptVersion, v *eval.Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.Type == eval.TypeJSONSchema && v.Outcome.Decided() {
		c := s.json[in]
		c.checked++
		if v.Outcome == eval.OutcomeFail {
			c.invalid++
		}
		s.json[in] = c
	}
	switch v.Outcome {
	case eval.OutcomeError:
		addReason(s.errors, v)
	case eval.OutcomeCannotJudge:
		addReason(s.unsure, v)
	}
	if v.Usage != nil {
		if s.usage[v.Usage.Model] == nil {
			s.usage[v.Usage.Model] = &Usage{Model: v.Usage.Model}
		}
		s.usage[v.Usage.Model].add(v.Usage)
	}
}

// maxReasons bounds the reasons that are counted of one evaluator; further ones are
// otherReasons.
const (
	maxReasons   = 50
	otherReasons = "other reasons"
)

func addReason(to map[string]map[string]int64, v *eval.Verdict) {
	reasons := to[v.Eval]
	if reasons == nil {
		reasons = map[string]int64{}
		to[v.Eval] = reasons
	}
	reason := v.Reason
	if _, known := reasons[reason]; !known && len(reasons) >= maxReasons {
		reason = otherReasons
	}
	reasons[reason]++
}

// Tables is the content of a summary.
type Tables struct {
	// By is the field that groups the verdicts on a prompt. Its values stand where
	// the other types speak of versions.
	By             Field     `json:"by"`
	PromptVersions []Version `json:"prompt_versions"`
	// Regressions are the comparisons that found a version worse, each version and
	// evaluator once: the one with its baseline where that found it.
	Regressions []Comparison `json:"regressions"`
	// Comparisons are all questions that were asked, with those that have no answer.
	Comparisons []Comparison `json:"comparisons"`
	// Errors counts the evaluations that failed, by evaluator and reason.
	Errors map[string]map[string]int64 `json:"errors"`
	// Unsure counts the verdicts that could not be reached, by evaluator and reason.
	Unsure map[string]map[string]int64 `json:"unsure"`
	// MaxErrors is the share of an evaluator's verdicts that may be errors before what
	// is left of them says nothing about prompt versions.
	MaxErrors float64 `json:"-"`
	// Color says that Print may use colours.
	Color bool `json:"-"`
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
		if t.failing(name) {
			failed, all := t.errorsOf(name)
			out = append(out, Failing{Eval: name, Errors: failed, Verdicts: all, Reasons: t.Errors[name]})
		}
	}
	return out
}

// Comparison is one question about one version: does it pass less often?
type Comparison = stats.Comparison

// Version holds the verdicts on one version of a prompt.
type Version struct {
	PromptName    string `json:"prompt_name"`
	PromptVersion string `json:"prompt_version"`
	// JSONChecked counts outputs that were checked against a schema, JSONInvalid
	// those of them that did not satisfy it.
	JSONChecked int64           `json:"json_checked"`
	JSONInvalid int64           `json:"json_invalid"`
	Evals       map[string]Eval `json:"evals"`
}

// Eval counts one evaluator's verdicts on one version of a prompt. PassRate is an
// estimate over all events of the version, weighted by sampling probability, with a
// 95 % interval from Low to High; all three are nil when nothing was decided, or most is
// unseen.
type Eval struct {
	Pass          int64    `json:"pass"`
	Fail          int64    `json:"fail"`
	Error         int64    `json:"error"`
	NotApplicable int64    `json:"not_applicable"`
	CannotJudge   int64    `json:"cannot_judge"`
	PassRate      *float64 `json:"pass_rate"`
	Low           *float64 `json:"low"`
	High          *float64 `json:"high"`
	// EffectiveSize is how many independent verdicts of equal weight the decided ones
	// are worth.
	EffectiveSize float64 `json:"effective_size"`
	// Units counts the traces or sessions that the decided verdicts come from.
	Units int64 `json:"units"`
	// Unseen is the share of the events that no verdict stands for, because none was
	// sampled of all those with so low a sampling rate; 0 when it is not known.
	Unseen float64 `json:"unseen"`
}

// Tables returns the current tables, ordered by prompt and version.
func (s *Summary) Tables() Tables {
	cells := map[promptVersion]map[string]stats.Cell{}
	for key, cell := range s.table.All() {
		if cell.Count() == 0 {
			continue // events without a verdict
		}
		in := promptVersion{key.PromptName, key.PromptVersion}
		if cells[in] == nil {
			cells[in] = map[string]stats.Cell{}
		}
		cells[in][key.Eval] = cell
	}
	out := Tables{
		By: s.cfg.By, PromptVersions: []Version{}, Regressions: []Comparison{}, MaxErrors: DefaultMaxErrors,
		Comparisons: stats.Compare(&s.table, stats.Options{Baseline: s.cfg.Baseline, Unordered: s.cfg.By != ByVersion}),
	}
	if out.Comparisons == nil {
		out.Comparisons = []Comparison{}
	}
	for _, against := range []stats.Against{stats.AgainstBaseline, stats.AgainstOthers} {
		for _, c := range out.Comparisons {
			if c.Worse && c.Against == against && !out.regressed(c.PromptName, c.PromptVersion, c.Eval) {
				out.Regressions = append(out.Regressions, c)
			}
		}
	}
	slices.SortStableFunc(out.Regressions, func(a, b Comparison) int { return cmp.Compare(a.PValue, b.PValue) })
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Errors, out.Unsure = copyReasons(s.errors), copyReasons(s.unsure)
	order := slices.SortedFunc(maps.Keys(cells), func(a, b promptVersion) int {
		return cmp.Or(cmp.Compare(a.prompt, b.prompt), stats.CompareNames(a.version, b.version))
	})
	for _, in := range order {
		v := Version{
			PromptName: in.prompt, PromptVersion: in.version,
			JSONChecked: s.json[in].checked, JSONInvalid: s.json[in].invalid, Evals: map[string]Eval{},
		}
		for evaluator, cell := range cells[in] {
			v.Evals[evaluator] = row(cell)
		}
		out.PromptVersions = append(out.PromptVersions, v)
	}
	return out
}

// regressed reports whether a version is among the regressions.
func (t *Tables) regressed(prompt, version, evaluator string) bool {
	return slices.ContainsFunc(t.Regressions, func(c Comparison) bool {
		return c.PromptName == prompt && c.PromptVersion == version && c.Eval == evaluator
	})
}

func row(c stats.Cell) Eval {
	e := Eval{
		Pass: c.Passes, Fail: c.Fails, Error: c.Errors, NotApplicable: c.NotApplicable, CannotJudge: c.CannotJudge,
		EffectiveSize: c.EffectiveSize(), Units: c.Units, Unseen: c.Unseen(),
	}
	if rate, low, high, ok := c.PassRate(); ok {
		e.PassRate, e.Low, e.High = &rate, &low, &high
	}
	return e
}

func copyReasons(of map[string]map[string]int64) map[string]map[string]int64 {
	out := map[string]map[string]int64{}
	for evaluator, reasons := range of {
		out[evaluator] = maps.Clone(reasons)
	}
	return out
}
