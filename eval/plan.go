package eval

// Plan is the sampler's answer for one event.
type Plan struct {
	// Revision identifies the policy that decided.
	Revision string
	// Picks are the evaluators that run, in the order in which they are
	// configured. None: the event is sampled out.
	Picks []Pick
}

// Pick is one evaluator that a plan chose.
type Pick struct {
	// Evaluator is the index of the evaluator in the list that the sampler was
	// made with; Name is its name.
	Evaluator int
	Name      string
	// Probability with which this evaluator was chosen for an event like this
	// one, in (0,1], upstream sampling included. Its inverse is the event's weight.
	Probability float64
	// Rule names what set the probability: a rule of the policy, or "evaluator"
	// or "default" for the evaluator's own rate and the default rate.
	Rule string
}
