package pipeline

import (
	"sync"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// redaction redacts one event, at most once and only when somebody asks: most
// events pass every validator and are shown to nobody.
type redaction struct {
	redactor Redactor
	event    *event.Event

	once sync.Once
	out  *event.Event
	err  error
}

func (r *redaction) redacted() (*event.Event, error) {
	r.once.Do(func() { r.out, r.err = r.guarded() })
	return r.out, r.err
}

// guarded makes a reason of a panic: judges ask from goroutines of their own,
// where one would end the process.
func (r *redaction) guarded() (out *event.Event, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
		if err != nil {
			out, err = nil, eval.WithReason(eval.ReasonRedaction, err)
		}
	}()
	return r.redactor.Event(r.event)
}
