package policy

import "strings"

// Effective says which evaluators a policy has and how often they run.
type Effective struct {
	DefaultRate float64              `json:"default_rate"` // of judges without a rate of their own
	Upstream    string               `json:"upstream"`
	Evaluators  []EffectiveEvaluator `json:"evaluators"`
	Rules       []EffectiveRule      `json:"rules"`
}

// EffectiveEvaluator is an evaluator as it runs.
type EffectiveEvaluator struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Version string `json:"version"`
	// Rate applies to events that no rule matches. RateFrom is "evaluator" for a rate of
	// its own, else "default".
	Rate     float64 `json:"rate"`
	RateFrom string  `json:"rate_from"`
	When     string  `json:"when,omitempty"` // empty: all events
}

// EffectiveRule is a rule of the sampling policy.
type EffectiveRule struct {
	Name       string   `json:"name"`
	When       string   `json:"when,omitempty"` // empty: all events
	Rate       float64  `json:"rate"`
	Evaluators []string `json:"evaluators,omitempty"` // empty: all evaluators
}

// Effective returns what is in effect.
func (p *Policy) Effective() Effective {
	out := Effective{Evaluators: []EffectiveEvaluator{}, Rules: []EffectiveRule{}}
	if p.Config == nil {
		return out
	}
	c := &p.Config.Sampling
	out.DefaultRate, out.Upstream = c.DefaultRate, c.Upstream
	for i := range p.Config.Evaluators {
		e := &p.Config.Evaluators[i]
		one := EffectiveEvaluator{Name: e.Name, Type: e.Type, Version: p.Evaluators[i].Version(), Rate: 1, RateFrom: "default", When: strings.TrimSpace(e.When)}
		switch {
		case e.Rate != nil:
			one.Rate, one.RateFrom = *e.Rate, "evaluator"
		case e.Judge():
			one.Rate = c.DefaultRate
		}
		out.Evaluators = append(out.Evaluators, one)
	}
	for _, r := range c.Rules {
		out.Rules = append(out.Rules, EffectiveRule{Name: r.Name, When: strings.TrimSpace(r.When), Rate: r.Rate, Evaluators: r.Evaluators})
	}
	return out
}
