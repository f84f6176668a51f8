package config

// Deterministic gives the evaluators for events of which nothing is known: those
// that need no model and no settings, and that fail only what is wrong
// everywhere. Each is named after its type and answers not_applicable where an
// event lacks what it looks at.
func Deterministic() []Evaluator {
	var out []Evaluator
	for _, kind := range []string{"json_schema", "tool_calls", "substance", "refusal", "pii", "secrets", "citations"} {
		out = append(out, Evaluator{Name: kind, Type: kind})
	}
	return out
}

// RunAll makes every evaluator run on every event that its own condition admits,
// whatever rates and rules say.
func (c *Config) RunAll() {
	c.Sampling.Rules = nil
	for i := range c.Evaluators {
		c.Evaluators[i].Rate = new(1.0)
	}
}
