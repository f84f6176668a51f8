package judges

import (
	"context"
	"time"

	"github.com/evalworker/evalworker/eval"
)

// Call is one call of a model as it was seen from here. It holds no content.
type Call struct {
	Eval     string        // judge that asked
	Model    string        // as configured
	Duration time.Duration // without the wait for a slot or a turn
	Usage    eval.Usage
	Reason   eval.Reason // why it failed; empty when there was an answer
}

// watch bounds each call in time and tells what came of it.
type watch struct {
	next    Model
	model   string
	timeout time.Duration
	observe func(Call)
}

// Complete makes the call.
func (m *watch) Complete(ctx context.Context, r Request) (Answer, error) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	a, err := m.next.Complete(ctx, r)
	if m.observe != nil {
		m.observe(Call{Eval: r.Eval, Model: m.model, Duration: time.Since(started), Usage: a.Usage, Reason: eval.ReasonOf(err)})
	}
	return a, err
}
