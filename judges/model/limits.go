package model

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/judges"
)

// errNoTurn marks a call that was not made: its context ended, or would have
// ended, before its turn or before an answer could be expected.
var errNoTurn = errors.New("no turn before the deadline")

// concurrencyLimit bounds the calls in flight. A call waits for a slot until its
// context ends. A slot won too late for a usual answer is given back at once.
type concurrencyLimit struct {
	next    judges.Model
	latency *latencyEstimate
	slots   chan struct{}
}

func newConcurrencyLimit(next judges.Model, cfg Config, l *latencyEstimate) *concurrencyLimit {
	return &concurrencyLimit{next: next, latency: l, slots: make(chan struct{}, cfg.Concurrency)}
}

// Complete makes the call in a slot.
func (m *concurrencyLimit) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	if err := ctx.Err(); err != nil {
		return judges.Answer{}, noTurn(err)
	}
	waited := false
	select {
	case m.slots <- struct{}{}:
	default:
		waited = true
		select {
		case m.slots <- struct{}{}:
		case <-ctx.Done():
			return judges.Answer{}, noTurn(ctx.Err())
		}
	}
	defer func() { <-m.slots }()
	if waited && missesDeadline(ctx, m.latency.usual()) {
		return judges.Answer{}, noTurn(context.DeadlineExceeded)
	}
	return m.next.Complete(ctx, r)
}

// noTurn returns the error for a call whose context ended before its turn.
func noTurn(err error) error {
	reason := eval.ReasonCanceled
	if errors.Is(err, context.DeadlineExceeded) {
		reason = eval.ReasonTimeout
	}
	return eval.WithReason(reason, errors.Join(errNoTurn, err))
}

// rateLimit spreads calls over the minute, and holds all of them back when the
// server asks one for a pause: the limit is the endpoint's, not the call's. A call
// whose turn would come too late for an answer before its deadline fails at once.
type rateLimit struct {
	next    judges.Model
	latency *latencyEstimate
	limiter *rate.Limiter // nil: no limit

	mu          sync.Mutex
	pausedUntil time.Time // guarded by mu; no calls before
}

func newRateLimit(next judges.Model, cfg Config, l *latencyEstimate) *rateLimit {
	m := &rateLimit{next: next, latency: l}
	if cfg.RequestsPerMinute > 0 {
		// The burst is one second's worth: it smooths bursts and stays far below
		// the minute's.
		burst := max(1, int(cfg.RequestsPerMinute/60))
		m.limiter = rate.NewLimiter(rate.Limit(cfg.RequestsPerMinute/60), burst)
	}
	return m
}

// Complete makes the call at its turn.
func (m *rateLimit) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	if err := m.awaitTurn(ctx); err != nil {
		return judges.Answer{}, err
	}
	a, err := m.next.Complete(ctx, r)
	if d := asFailure(err).pause; d > 0 {
		m.pause(d)
	}
	return a, err
}

// awaitTurn returns at the call's turn. If a pause began while the call waited for
// its turn, the call takes another turn after the pause; otherwise all waiting
// calls would be sent together.
func (m *rateLimit) awaitTurn(ctx context.Context) error {
	for {
		if d := time.Until(m.pauseEnd()); d > 0 {
			if m.latency.tooLate(ctx, d) {
				return eval.WithReason(eval.ReasonRateLimited, errNoTurn)
			}
			if !backoff.Wait(ctx, d) {
				return noTurn(ctx.Err())
			}
			continue // the pause may have been prolonged
		}
		if m.limiter == nil {
			return nil
		}
		turn := m.limiter.Reserve()
		d := turn.Delay()
		if m.latency.tooLate(ctx, d) {
			turn.Cancel()
			return eval.WithReason(eval.ReasonRateLimited, errNoTurn)
		}
		if d == 0 {
			return nil
		}
		if !backoff.Wait(ctx, d) {
			turn.Cancel()
			return noTurn(ctx.Err())
		}
		if time.Until(m.pauseEnd()) <= 0 {
			return nil
		}
	}
}

func (m *rateLimit) pauseEnd() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pausedUntil
}

// pause holds back all calls for d. It never shortens a pause.
func (m *rateLimit) pause(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if until := time.Now().Add(d); until.After(m.pausedUntil) {
		m.pausedUntil = until
	}
}
