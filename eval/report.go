package eval

import (
	"time"

	"github.com/evalworker/evalworker/event"
)

// Plan is the sampler's answer for one event.
type Plan struct {
	// Revision identifies the policy that decided.
	Revision string
	// Picks are the evaluators that run, in the order of the configuration.
	Picks []Pick
	// Candidates are the evaluators that the plan may pick for an event like this one, with
	// the rates of the policy as probabilities, upstream sampling excluded. They are shared
	// between plans and must not be changed.
	Candidates []Pick
	// Upstream is the probability with which the event was published at all, in (0,1];
	// 0 when no evaluator may run.
	Upstream float64
	// Unwanted says that no evaluator runs because no evaluator's condition holds for
	// the event, whatever the rates are.
	Unwanted bool
}

// Skipped returns the disposition of an event that the plan picks no evaluator for.
func (p *Plan) Skipped() Disposition {
	if p.Unwanted {
		return DispositionUnwanted
	}
	return DispositionSampledOut
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

// Disposition is how the handling of an event ended. Every event ends in exactly
// one, so consumed = unwanted + sampled out + evaluated + dead-lettered.
type Disposition string

// The dispositions.
const (
	DispositionEvaluated    Disposition = "evaluated"
	DispositionUnwanted     Disposition = "unwanted"    // no evaluator's condition holds
	DispositionSampledOut   Disposition = "sampled_out" // by the rates
	DispositionDeadLettered Disposition = "dead_lettered"
)

// Accounting counts events by how they ended. When none is in flight, Consumed =
// Unwanted + SampledOut + Evaluated + DeadLettered.
type Accounting struct {
	Consumed     int64 `json:"consumed"`
	Unwanted     int64 `json:"unwanted"`
	SampledOut   int64 `json:"sampled_out"`
	Evaluated    int64 `json:"evaluated"`
	DeadLettered int64 `json:"dead_lettered"`
}

// Settled reports whether the equation holds.
func (a Accounting) Settled() bool { return a.Missing() == 0 }

// Missing returns how many consumed events have no end; below zero, how many ended
// that were not consumed.
func (a Accounting) Missing() int64 {
	return a.Consumed - a.Unwanted - a.SampledOut - a.Evaluated - a.DeadLettered
}

// Report is an event with its plan and all its verdicts.
type Report struct {
	Event    *event.Event
	Plan     Plan
	Verdicts []Verdict // in the order of Plan.Picks
	Started  time.Time // when work on the event began
	Duration time.Duration
}

// Failed reports whether any verdict is a fail.
func (r *Report) Failed() bool {
	for i := range r.Verdicts {
		if r.Verdicts[i].Outcome == OutcomeFail {
			return true
		}
	}
	return false
}
