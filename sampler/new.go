package sampler

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
)

// New returns a sampler for a policy and the evaluators in the order of the
// configuration; a pick names its evaluator by the index in evs.
//
// An error is of type [fault.Faults] and holds all faults at once. Paths are
// relative to the policy ("rules[2].when") or begin with "evaluators"
// ("evaluators[1].rate"). A fault in a condition has Line and Column relative to
// the text of the condition, both counted from 1 and columns in characters; the
// caller adds the position of that text in a file.
func New(cfg Config, evs []Evaluator) (*Sampler, error) {
	conditions, faults := cfg.compile()
	s := &Sampler{hash: newHasher(cfg.Salt), traces: cfg.Upstream == UpstreamTraces}
	p := &s.policy
	names := make([]string, len(evs))
	for i, e := range evs {
		path := fmt.Sprintf("evaluators[%d]", i)
		checkEvaluatorName(&faults, path+".name", e.Name, names[:i])
		names[i] = e.Name
		compiled := evaluator{name: e.Name, rate: 1, rule: ruleDefault}
		switch {
		case e.Rate != nil:
			checkRate(&faults, path+".rate", *e.Rate)
			compiled.rate, compiled.rule = *e.Rate, ruleEvaluator
		case e.Judge:
			compiled.rate = cfg.DefaultRate
		}
		var bad fault.List
		compiled.when, bad = compileCondition(e.When)
		faults.Under(path+".when", bad)
		p.evaluators = append(p.evaluators, compiled)
	}
	for i, r := range cfg.Rules {
		about := coverage(&faults, fmt.Sprintf("rules[%d].evaluators", i), r.Evaluators, names)
		p.rules = append(p.rules, rule{name: r.Name, when: conditions[i], rate: r.Rate, covers: about})
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	for i := range p.rules {
		p.reads |= p.rules[i].when.fields()
	}
	for i := range p.evaluators {
		p.reads |= p.evaluators[i].when.fields()
	}
	p.addTallies()
	if p.reads == 0 {
		s.constant = s.resolve(new(event.Dims), nil, false)
	}
	var err error
	s.revision, err = revision(cfg, evs)
	return s, err
}

func checkEvaluatorName(faults *fault.List, path, name string, before []string) {
	switch i := slices.Index(before, name); {
	case name == "":
		faults.Add(path, "missing", "want a name")
	case name == eval.FeedbackEvaluator:
		faults.Add(path, fmt.Sprintf("%q is the name under which users' ratings are reported", name), "want another name")
	case i >= 0:
		faults.Add(path, fmt.Sprintf("%q is already the name of evaluators[%d]", name, i), "want a name of its own")
	}
}

// coverage returns for each evaluator whether a rule covers it.
func coverage(faults *fault.List, path string, about, names []string) []bool {
	out := make([]bool, len(names))
	for i := range out {
		out[i] = len(about) == 0
	}
	for i, name := range about {
		if at := slices.Index(names, name); at >= 0 {
			out[at] = true
			continue
		}
		faults.Add(fmt.Sprintf("%s[%d]", path, i), fmt.Sprintf("unknown evaluator %q", name),
			fault.Suggest(name, usableNames(names), "want the name of an evaluator, and none is configured"))
	}
	return out
}

// usableNames returns the names that a rule may mean: each once, without those that
// are a fault of their own.
func usableNames(names []string) (usable []string) {
	for _, name := range names {
		odd := strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') })
		if name != "" && !odd && name != eval.FeedbackEvaluator && !slices.Contains(usable, name) {
			usable = append(usable, name)
		}
	}
	return usable
}

// revision hashes a canonical form of the policy. The form contains everything that
// could change a plan, including the version of the decision procedure, but not
// spaces around a condition or the order of a rule's evaluators.
func revision(cfg Config, evs []Evaluator) (string, error) {
	canonical := struct {
		Procedure  int
		Policy     Config
		Evaluators []Evaluator
	}{3, cfg, slices.Concat([]Evaluator{}, evs)}
	canonical.Policy.Rules = slices.Concat([]Rule{}, cfg.Rules)
	for i := range canonical.Policy.Rules {
		r := &canonical.Policy.Rules[i]
		r.When = strings.TrimSpace(r.When)
		r.Evaluators = slices.Compact(slices.Sorted(slices.Values(r.Evaluators)))
	}
	for i := range canonical.Evaluators {
		e := &canonical.Evaluators[i]
		e.When = strings.TrimSpace(e.When)
	}
	b, err := json.Marshal(canonical)
	if err != nil {
		return "", fmt.Errorf("sampler: hash policy: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6]), nil
}
