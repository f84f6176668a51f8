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
type slots struct {
	next  judges.Model
	usual *usual
	free  chan struct{}
}

func newSlots(next judges.Model, cfg Config, u *usual) *slots {
	return &slots{next: next, usual: u, free: make(chan struct{}, cfg.Concurrency)}
}

// Complete makes the call in a slot.
func (m *slots) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	if err := ctx.Err(); err != nil {
		return judges.Answer{}, unmade(err)
	}
	waited := false
	select {
	case m.free <- struct{}{}:
	default:
		waited = true
		select {
		case m.free <- struct{}{}:
		case <-ctx.Done():
			return judges.Answer{}, unmade(ctx.Err())
		}
	}
	defer func() { <-m.free }()
	if waited && late(ctx, m.usual.most()) {
		return judges.Answer{}, unmade(context.DeadlineExceeded)
	}
	return m.next.Complete(ctx, r)
}

// unmade is the error of a call that its context did not wait for.
func unmade(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return eval.WithReason(eval.ReasonTimeout, errors.Join(errNoTurn, err))
	}
	return eval.WithReason(eval.ReasonCanceled, errors.Join(errNoTurn, err))
}

// pace spreads calls over the minute, and silences all of them when the server
// asks for a pause: the limit is the endpoint's, not that of one call. A call
// whose turn would come too late for an answer before its deadline fails at once.
type pace struct {
	next  judges.Model
	usual *usual
	rate  *rate.Limiter // nil: no limit

	mu    sync.Mutex
	until time.Time // guarded by mu; no calls before
}

func newPace(next judges.Model, cfg Config, u *usual) *pace {
	p := &pace{next: next, usual: u}
	if cfg.RequestsPerMinute > 0 {
		// A second's worth at once smooths over bursts and stays far below a minute's.
		burst := max(1, int(cfg.RequestsPerMinute/60))
		p.rate = rate.NewLimiter(rate.Limit(cfg.RequestsPerMinute/60), burst)
	}
	return p
}

// Complete makes the call when it is its turn.
func (m *pace) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	if err := m.wait(ctx); err != nil {
		return judges.Answer{}, err
	}
	a, err := m.next.Complete(ctx, r)
	if f := asFailure(err); f.wait > 0 {
		m.pause(f.wait)
	}
	return a, err
}

// wait returns when it is this call's turn. A pause that began while the call
// waited for its turn holds for it too: it waits for the end and takes another
// turn, or all that were waiting would go out into the pause.
func (m *pace) wait(ctx context.Context) error {
	for {
		if d := time.Until(m.resume()); d > 0 {
			if m.usual.late(ctx, d) {
				return eval.WithReason(eval.ReasonRateLimited, errNoTurn)
			}
			if err := sleep(ctx, d); err != nil {
				return unmade(err)
			}
			continue // it may have been prolonged
		}
		if m.rate == nil {
			return nil
		}
		turn := m.rate.Reserve()
		d := turn.Delay()
		if m.usual.late(ctx, d) {
			turn.Cancel()
			return eval.WithReason(eval.ReasonRateLimited, errNoTurn)
		}
		if d == 0 {
			return nil
		}
		if err := sleep(ctx, d); err != nil {
			turn.Cancel()
			return unmade(err)
		}
		if time.Until(m.resume()) <= 0 {
			return nil
		}
	}
}

func (m *pace) resume() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.until
}

func (m *pace) pause(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if until := time.Now().Add(d); until.After(m.until) {
		m.until = until
	}
}
