package stats

// Outcome is how one evaluation ended. The numbers are those of the outcomes in
// package eval, which this package does not import: a conversion translates.
type Outcome uint8

// The five outcomes. Only Pass and Fail are decided and enter a rate.
const (
	Error Outcome = iota
	Pass
	Fail
	NotApplicable
	CannotJudge
)
