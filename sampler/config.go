package sampler

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// Config is the sampling policy as a person writes it.
type Config struct {
	// DefaultRate is the probability for a judge that no rule and no rate of its
	// own covers, in [0,1]. Validators without a rate always run. Defaults to 0.05.
	DefaultRate float64 `yaml:"default_rate" doc:"Probability for a judge that neither a rule nor a rate of its own covers."`
	// Salt makes decisions independent of other samplers that hash the same trace
	// ids. All workers of a group must share it. Defaults to "evalworker".
	Salt string `yaml:"salt" doc:"Makes decisions independent of other samplers; all workers of a group must share it."`
	// Upstream says how the events that arrive were chosen before: [UpstreamNone] or
	// [UpstreamTraces]. Defaults to none.
	Upstream string `yaml:"upstream" doc:"How events were chosen before they were published: none (applications publish all), or traces (they publish what their tracer kept); with traces, the OpenTelemetry threshold in tracestate enters each weight."`
	// Rules set the probability for events that match.
	Rules []Rule `yaml:"rules" doc:"Conditions that set the probability; of those that match, the largest rate counts."`
}

// Values of Config.Upstream.
const (
	// UpstreamNone: applications publish every request, whatever their tracer does
	// with its trace. Tracers write their threshold on the traces that they drop, too,
	// so it says nothing about the events.
	UpstreamNone = "none"
	// UpstreamTraces: applications publish the requests whose trace was kept, so the
	// tracer's probability is part of an event's.
	UpstreamTraces = "traces"
)

// Rule sets the probability of evaluators for events that match a condition. Of
// several matching rules the one with the largest rate counts; of equal rates, the
// first.
type Rule struct {
	// Name appears on every score that the rule chose. Required and unique.
	Name string `yaml:"name" doc:"Name on every score that the rule chose."`
	// When is an expression over the envelope's fields, such as
	// user_rating == "down" || status == "error". Empty matches every event.
	When string `yaml:"when" doc:"Condition on the event, such as status == \"error\"; without one every event matches."`
	// Rate is the probability: 0, or from 1e-9 to 1.
	Rate float64 `yaml:"rate" doc:"Probability for events that match, 0 to 1."`
	// Evaluators names the evaluators that the rule covers. Empty means all.
	Evaluators []string `yaml:"evaluators" doc:"Evaluators that the rule covers; without any, all."`
}

// Evaluator is what the sampler needs to know about an evaluator.
type Evaluator struct {
	Name string
	// Judge says that Config.DefaultRate applies; a validator's default is 1.
	Judge bool
	// Rate is the evaluator's own rate; nil when it has none.
	Rate *float64
	// When limits the evaluator to matching events; empty: all events.
	When string
}

// Values of Pick.Rule when no rule of the policy set the probability. A rule cannot
// have one of these names.
const (
	ruleEvaluator = "evaluator"
	ruleDefault   = "default"
	ruleFeedback  = "feedback"
)

const (
	// minRate is the smallest rate above zero. One event in a billion already
	// outweighs all others in a window, and much smaller rates round to zero in 56
	// bits.
	minRate = 1e-9
	// maxRuleName bounds a rule's name, which becomes the tag of a span.
	maxRuleName = 64
)

// DefaultConfig returns a policy without rules: validators always, judges on 5 %.
func DefaultConfig() Config {
	return Config{DefaultRate: 0.05, Salt: "evalworker", Upstream: UpstreamNone}
}

// Validate returns the faults that can be found without knowing the evaluators:
// in rates, names and conditions. See [New] for the position of a condition's fault.
func (c Config) Validate() fault.List {
	_, faults := c.compile()
	return faults
}

// compile checks the policy and compiles its conditions. The conditions are
// complete only when there is no fault.
func (c Config) compile() ([]*condition, fault.List) {
	var faults fault.List
	checkRate(&faults, "default_rate", c.DefaultRate)
	if c.Upstream != UpstreamNone && c.Upstream != UpstreamTraces && c.Upstream != "" {
		faults.Add("upstream", fmt.Sprintf("unknown value %q", c.Upstream), "want none or traces")
	}
	conditions := make([]*condition, len(c.Rules))
	first := make(map[string]int, len(c.Rules))
	for i, r := range c.Rules {
		path := fmt.Sprintf("rules[%d]", i)
		checkRuleName(&faults, path+".name", r.Name)
		if j, ok := first[r.Name]; !ok {
			first[r.Name] = i
		} else if r.Name != "" {
			faults.Add(path+".name", fmt.Sprintf("%q is already the name of rules[%d]", r.Name, j), "want a name of its own: scores carry it")
		}
		checkRate(&faults, path+".rate", r.Rate)
		var bad fault.List
		conditions[i], bad = compileCondition(r.When)
		faults.Under(path+".when", bad)
	}
	return conditions, faults
}

func checkRate(faults *fault.List, path string, rate float64) {
	if rate == 0 || rate >= minRate && rate <= 1 { // NaN fails both
		return
	}
	faults.Add(path, strconv.FormatFloat(rate, 'g', -1, 64)+" is out of range", "want 0, or a probability from 1e-9 to 1, such as 0.05 for 5 %")
}

func checkRuleName(faults *fault.List, path, name string) {
	switch {
	case name == "":
		faults.Add(path, "missing", "want a name: scores that the rule chose carry it")
	case name == ruleEvaluator || name == ruleDefault || name == ruleFeedback:
		faults.Add(path, fmt.Sprintf("%q is reserved for scores that no rule chose", name), "want another name")
	case len(name) > maxRuleName:
		faults.Add(path, fmt.Sprintf("%d bytes long", len(name)), fmt.Sprintf("want at most %d", maxRuleName))
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		faults.Add(path, "has a character that cannot be printed", "want plain text on one line")
	}
}
