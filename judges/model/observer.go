package model

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// Call is one measured call of a model. It holds no content.
type Call struct {
	Eval     string        // judge that asked
	Model    string        // as configured
	Duration time.Duration // without the wait for limits
	Usage    eval.Usage
	Reason   eval.Reason // why it failed; empty when there was an answer
}

// errCallerDeadline marks a call that ended with its caller's deadline before an
// answer was due, which is no evidence against the endpoint.
var errCallerDeadline = errors.New("cut short by the caller's deadline")

// callObserver bounds the duration of each call and reports the call.
type callObserver struct {
	next    judges.Model
	model   string
	timeout time.Duration
	latency *latencyEstimate
	local   *localFaults
	observe func(Call) // may be nil
}

func (m *callObserver) Complete(caller context.Context, r judges.Request) (judges.Answer, error) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(caller, m.timeout)
	defer cancel()
	lost := m.local.watch.begin()
	a, err := m.next.Complete(ctx, r)
	suspended := m.local.watch.end(lost)
	err = m.local.judge(ctx, suspended, err)
	took := time.Since(started)
	if m.observe != nil {
		m.observe(Call{Eval: r.Eval, Model: m.model, Duration: took, Usage: a.Usage, Reason: eval.ReasonOf(err)})
	}
	switch {
	case suspended > 0: // took says nothing
	case err == nil:
		m.latency.answered(took)
	case errors.Is(caller.Err(), context.DeadlineExceeded) && !m.latency.abandoned(took):
		err = fmt.Errorf("%w: %w", errCallerDeadline, err)
	}
	return a, err
}

// latencyEstimate estimates how long the model takes to answer, as TCP estimates
// round trips (RFC 6298). When demand exceeds the limits, every call gets its turn at
// the last moment: without the estimate each call would be made with almost no time
// left, paid for and cut off. The zero value has no estimate yet and delays no call.
type latencyEstimate struct {
	mu   sync.Mutex
	mean time.Duration // guarded by mu; of answers
	dev  time.Duration // guarded by mu; mean deviation of calls
}

// answered adds the duration of an answered call.
func (l *latencyEstimate) answered(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mean == 0 {
		l.mean = took
	}
	l.dev += ((took - l.mean).Abs() - l.dev) / 4
	l.mean += (took - l.mean) / 8
}

// abandoned adds a call that its caller stopped waiting for, and reports whether
// an answer was due. It counts as a deviation: if only answers counted, slow ones
// would be cut off without raising the estimate, and more and more would be.
func (l *latencyEstimate) abandoned(took time.Duration) (due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if took < l.mean {
		return false
	}
	if l.mean > 0 {
		l.dev += (took - l.mean - l.dev) / 4
	}
	return true
}

// usual returns the time within which most answers arrive.
func (l *latencyEstimate) usual() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mean + 2*l.dev
}

// tooLate reports whether a call that first waits this long cannot expect its answer
// before its deadline. A call that does not have to wait is made however little time
// it has: the estimate needs calls to learn from, and the caller may know better.
func (l *latencyEstimate) tooLate(ctx context.Context, wait time.Duration) bool {
	if wait > 0 {
		wait += l.usual()
	}
	return missesDeadline(ctx, wait)
}

// missesDeadline reports whether the context's deadline comes before the wait is
// over.
func missesDeadline(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= wait
}
