package judges

import (
	"strings"

	"github.com/evalworker/evalworker/eval"
)

// combine returns one outcome for those of the criteria, with a score and a reason.
//
// Criteria that do not apply are ignored; if none applies, neither does the rubric.
// The whole passes, or fails, if it would do so however the undecided criteria
// turned out, and is cannot_judge otherwise. A veto that failed fails the whole; one
// that is undecided keeps it from passing.
//
// The score is the share of weight that passed among the decided criteria. The
// reason names the criteria that failed, or those that are undecided.
func (r *Rubric) combine(outcomes []eval.Outcome) (eval.Outcome, float64, string) {
	var passed, failed, open float64
	var vetoed, blocked bool
	var failing, undecided []string
	for i, c := range r.Criteria {
		switch outcomes[i] {
		case eval.OutcomePass:
			passed += c.weight()
		case eval.OutcomeFail:
			failed += c.weight()
			failing = append(failing, c.ID)
			vetoed = vetoed || c.Veto
		case eval.OutcomeNotApplicable:
		default:
			open += c.weight()
			undecided = append(undecided, c.ID)
			blocked = blocked || c.Veto
		}
	}
	if passed+failed+open == 0 {
		return eval.OutcomeNotApplicable, 0, "no criterion applies"
	}
	low, high := r.meets(passed, failed+open), r.meets(passed+open, failed)
	score := 0.0
	if passed > 0 {
		score = passed / (passed + failed)
	}
	switch {
	case vetoed || !high:
		return eval.OutcomeFail, score, "not met: " + strings.Join(failing, ", ")
	case blocked || !low:
		return eval.OutcomeCannotJudge, 0, "undecided: " + strings.Join(undecided, ", ")
	}
	return eval.OutcomePass, score, ""
}

// meets reports whether these weights make a pass.
func (r *Rubric) meets(passed, failed float64) bool {
	switch r.Aggregation {
	case aggregateWeighted:
		const rounding = 1e-9 // 0.1+0.2 reaches 0.3
		return passed/(passed+failed) >= r.Threshold-rounding
	case aggregateAny:
		return passed > 0
	}
	return failed == 0
}
