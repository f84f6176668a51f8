package pipeline

import (
	"sync"

	"github.com/evalworker/evalworker/eval"
)

// redaction redacts one event, at most once and only when somebody asks: most
// events pass every validator and are shown to nobody.
type redaction struct {
	redactor Redactor
	event    *eval.Event

	once sync.Once
	out  *eval.Event
	err  error
}

func (r *redaction) redacted() (*eval.Event, error) {
	r.once.Do(func() {
		r.out, r.err = r.redactor.Event(r.event)
		if r.err != nil {
			r.out, r.err = nil, eval.WithReason(eval.ReasonRedaction, r.err)
		}
	})
	return r.out, r.err
}
