package eval

import (
	"encoding/json"
	"github.com/evalworker/evalworker/event"
	"time"
)

// Disposition says what became of an event. Every event ends in exactly one, so
// consumed = sampled out + evaluated + dead-lettered.
type Disposition string

// The dispositions.
const (
	DispositionEvaluated    Disposition = "evaluated"
	DispositionSampledOut   Disposition = "sampled_out"
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

// Line is the form in which a report is printed, one line an event. A line of
// input that is no event has Line, its number, instead of a request id.
type Line struct {
	Line        int
	RequestID   event.RequestID
	Disposition Disposition
	Reason      string
	Verdicts    []Verdict
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
	}{l.Line, l.RequestID, l.Disposition, l.Reason, make([]verdict, len(l.Verdicts))}
	for i, v := range l.Verdicts {
		out.Verdicts[i] = verdict{v.Eval, v.Type, v.Outcome, nil, v.Label, v.Reason, v.Version, v.Probability}
		if v.Outcome.Decided() {
			out.Verdicts[i].Score = &v.Score
		}
	}
	return json.Marshal(out)
}
