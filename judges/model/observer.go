package model

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// Call is one call of a model, as measured here. It holds no content.
type Call struct {
	Eval     string        // judge that asked
	Model    string        // as configured
	Duration time.Duration // without the wait for the limits
	Usage    eval.Usage
	Reason   eval.Reason // why it failed; empty when there was an answer
}

// errCallerDeadline marks a call that ended with its caller's deadline before an
// answer was due, which is no evidence against the endpoint.
var errCallerDeadline = errors.New("cut short by the caller's deadline")

// callObserver bounds each call in time and reports it.
type callObserver struct {
	next    judges.Model
	model   string
	timeout time.Duration
	latency *latencyEstimate
	observe func(Call) // may be nil
}

// Complete makes the call.
func (m *callObserver) Complete(caller context.Context, r judges.Request) (judges.Answer, error) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(caller, m.timeout)
	defer cancel()
	a, err := m.next.Complete(ctx, r)
	took := time.Since(started)
	if m.observe != nil {
		m.observe(Call{Eval: r.Eval, Model: m.model, Duration: took, Usage: a.Usage, Reason: eval.ReasonOf(err)})
	}
	switch {
	case err == nil:
		m.latency.answered(took)
	case errors.Is(caller.Err(), context.DeadlineExceeded) && !m.latency.abandoned(took):
		err = fmt.Errorf("%w: %w", errCallerDeadline, err)
	}
	return a, err
}
