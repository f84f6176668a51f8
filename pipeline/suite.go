package pipeline

import (
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/sampler"
)

// Entry is an evaluator as the pipeline runs it.
type Entry struct {
	eval.Evaluator
	// Timeout bounds one evaluation, retries included. 0: no bound but the event's.
	Timeout time.Duration
}

// judge reports whether the entry calls a model: it then runs beside the other
// judges and sees redacted content only.
func (e Entry) judge() bool { return e.Type() == eval.TypeLLMJudge }

// Suite is one revision of what decides and what evaluates. It is immutable;
// the indexes in the sampler's plans are those of Evaluators.
type Suite struct {
	Sampler    *sampler.Sampler
	Evaluators []Entry
}
