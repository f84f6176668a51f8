package eval

import "fmt"

// Outcome says how one evaluation ended. The zero value is OutcomeError, so that
// a verdict that was never filled in cannot count as a pass.
type Outcome uint8

// The five outcomes.
const (
	// OutcomeError: the evaluation itself failed; it says nothing about the answer.
	OutcomeError Outcome = iota
	// OutcomePass: the answer meets the evaluator's standard.
	OutcomePass
	// OutcomeFail: the answer does not meet it.
	OutcomeFail
	// OutcomeNotApplicable: the event lacks what the evaluator needs.
	OutcomeNotApplicable
	// OutcomeCannotJudge: the evaluator examined the answer and could not decide.
	OutcomeCannotJudge
)

var outcomeNames = [...]string{"error", "pass", "fail", "not_applicable", "cannot_judge"}

// Outcomes returns all outcomes in the order of their numbers.
func Outcomes() []Outcome {
	return []Outcome{OutcomeError, OutcomePass, OutcomeFail, OutcomeNotApplicable, OutcomeCannotJudge}
}

// String returns the outcome's name as metrics, spans and reports write it.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// MarshalText returns the outcome's name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads an outcome's name.
func (o *Outcome) UnmarshalText(b []byte) error {
	for i, name := range outcomeNames {
		if name == string(b) {
			*o = Outcome(i)
			return nil
		}
	}
	return fmt.Errorf("outcome %q: want one of %v", b, outcomeNames)
}

// Decided reports whether the outcome is a pass or a fail: the only outcomes
// that have a score and that enter a pass rate.
func (o Outcome) Decided() bool { return o == OutcomePass || o == OutcomeFail }
