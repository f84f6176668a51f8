package model

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// errNoTurn is how a call ends that was never made: its context ended, or would
// have ended, before it was its turn or an answer could be expected.
var errNoTurn = errors.New("no turn before the deadline")

// slots bounds the calls in flight. Who finds no slot waits until his context
// ends. One won with too little time left for an answer goes to the next.
type concurrencyLimit struct {
	next    judges.Model
	latency *latencyEstimate
	slots   chan struct{}
}

func newConcurrencyLimit(next judges.Model, cfg Config, u *latencyEstimate) *concurrencyLimit {
	return &concurrencyLimit{next: next, latency: u, slots: make(chan struct{}, cfg.Concurrency)}
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
	if waited && missesDeadline(ctx, m.latency.mostly()) {
		return judges.Answer{}, noTurn(context.DeadlineExceeded)
	}
	return m.next.Complete(ctx, r)
}

// unmade is the error of a call that its context did not wait for.
func noTurn(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return eval.WithReason(eval.ReasonTimeout, errors.Join(errNoTurn, err))
	}
	return eval.WithReason(eval.ReasonCanceled, errors.Join(errNoTurn, err))
}

// pace spreads calls over the minute, and silences all of them when the server
// asks for a pause: the limit is the endpoint's, not that of one call. A call
// whose turn would come too late for an answer before its deadline fails at once.
type rateLimit struct {
	next    judges.Model
	latency *latencyEstimate
	limiter *rate.Limiter // nil: no limit

	mu          sync.Mutex
	pausedUntil time.Time // guarded by mu; no calls before
}

func newRateLimit(next judges.Model, cfg Config, u *latencyEstimate) *rateLimit {
	p := &rateLimit{next: next, latency: u}
	if cfg.RequestsPerMinute > 0 {
		// A second's worth at once smooths over bursts and stays far below a minute's.
		burst := max(1, int(cfg.RequestsPerMinute/60))
		p.limiter = rate.NewLimiter(rate.Limit(cfg.RequestsPerMinute/60), burst)
	}
	return p
}

// Complete makes the call when it is its turn.
func (m *rateLimit) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	if err := m.awaitTurn(ctx); err != nil {
		return judges.Answer{}, err
	}
	a, err := m.next.Complete(ctx, r)
	if f := asFailure(err); f.pause > 0 {
		m.pause(f.pause)
	}
	return a, err
}

// wait returns when it is this call's turn. A pause that began while the call
// waited for its turn holds for it too: it waits for the end and takes another
// turn, or all that were waiting would go out into the pause.
func (m *rateLimit) awaitTurn(ctx context.Context) error {
	for {
		if d := time.Until(m.pauseEnd()); d > 0 {
			if m.latency.tooLate(ctx, d) {
				return eval.WithReason(eval.ReasonRateLimited, errNoTurn)
			}
			if err := sleep(ctx, d); err != nil {
				return noTurn(err)
			}
			continue // it may have been prolonged
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
		if err := sleep(ctx, d); err != nil {
			turn.Cancel()
			return noTurn(err)
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

func (m *rateLimit) pause(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if until := time.Now().Add(d); until.After(m.pausedUntil) {
		m.pausedUntil = until
	}
}
