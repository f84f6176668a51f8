package sampler

// Config is the sampling policy as a person writes it.
type Config struct {
	// DefaultRate is the probability for a judge that no rule and no rate of its
	// own covers, in [0,1]. Validators without a rate always run. Defaults to 0.05.
	DefaultRate float64 `yaml:"default_rate"`
	// Salt makes decisions independent of other samplers that hash the same trace
	// ids. All workers of a group must share it. Defaults to "evalworker".
	Salt string `yaml:"salt"`
	// Rules raise the probability for events that match.
	Rules []Rule `yaml:"rules"`
}

// Rule raises the probability of evaluators for events that match a condition.
type Rule struct {
	// Name appears on every score that the rule chose.
	Name string `yaml:"name"`
	// When is an expression over the envelope's fields, such as
	// user_rating == "down" || status == "error". Empty matches every event.
	When string `yaml:"when"`
	// Rate is the probability, in [0,1].
	Rate float64 `yaml:"rate"`
	// Evaluators names those that the rule is about. Empty means all.
	Evaluators []string `yaml:"evaluators"`
}

// Evaluator is what the sampler has to know of an evaluator.
type Evaluator struct {
	Name string
	// Judge says that the default rate applies; a validator's default is 1.
	Judge bool
	// Rate is the evaluator's own rate; nil when it has none.
	Rate *float64
	// When limits the evaluator to matching events. Empty: all.
	When string
}
