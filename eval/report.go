package eval

import (
	"encoding/json"
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

// Line is a report as it is printed, one line per event. For a line of input that
// is not an event it holds the number, Line, instead of a request id.
type Line struct {
	Line        int
	RequestID   event.RequestID
	Disposition Disposition
	Reason      string
	Verdicts    []Verdict
	Ignored     []string // fields of the event that could not be read; see [event.Event.Ignored]
}

// MarshalJSON writes a verdict's score only where there is one.
func (l Line) MarshalJSON() ([]byte, error) {
	type verdict struct {
		Eval        string   `json:"eval"`
		Type        Type     `json:"type"`
		Outcome     Outcome  `json:"outcome"`
		Score       *float64 `json:"score"`
		Label       string   `json:"label"`
		Reason      string   `json:"reason"`
		Version     string   `json:"version"`
		Probability float64  `json:"probability"`
	}
	out := struct {
		Line        int             `json:"line,omitempty"`
		RequestID   event.RequestID `json:"request_id,omitempty"`
		Disposition Disposition     `json:"disposition"`
		Reason      string          `json:"reason"`
		Verdicts    []verdict       `json:"verdicts"`
		Ignored     []string        `json:"ignored,omitempty"`
	}{l.Line, l.RequestID, l.Disposition, l.Reason, make([]verdict, len(l.Verdicts)), l.Ignored}
	for i, v := range l.Verdicts {
		out.Verdicts[i] = verdict{v.Eval, v.Type, v.Outcome, nil, v.Label, v.Reason, v.Version, v.Probability}
		if v.Outcome.Decided() {
			out.Verdicts[i].Score = &v.Score
		}
	}
	return json.Marshal(out)
}
