package model

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/backoff"
	"github.com/evalworker/evalworker/judges"
)

const (
	backoffBase = 500 * time.Millisecond // longest first wait
	backoffMax  = 20 * time.Second       // longest wait
)

// retrier calls again when a call may succeed later. It waits as long as the
// server asks for, plus a random time between zero and a limit that doubles (full
// jitter). It gives up when the attempts or the budget are used up, or when the
// wait would last beyond the caller's deadline.
type retrier struct {
	next     judges.Model
	attempts int
	budget   *retryBudget
}

func newRetrier(next judges.Model, cfg Config) *retrier {
	return &retrier{next: next, attempts: cfg.MaxAttempts, budget: newRetryBudget(cfg.RetryBudget)}
}

// Complete returns the first answer, or the last error.
func (m *retrier) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	m.budget.earn()
	var usage eval.Usage
	for attempt := 1; ; attempt++ {
		a, err := m.next.Complete(ctx, r)
		usage = judges.AddUsage(usage, a.Usage)
		a.Usage = usage
		f := asFailure(err)
		if err == nil || attempt >= m.attempts || !f.retryable || ctx.Err() != nil {
			return a, err
		}
		wait := f.pause + jitter(attempt)
		if missesDeadline(ctx, wait) || !m.budget.spend() || !backoff.Wait(ctx, wait) {
			return a, err
		}
	}
}

// jitter returns a random wait after the given attempt, counted from 1.
func jitter(attempt int) time.Duration {
	limit := backoffMax
	if n := attempt - 1; n < 10 {
		limit = min(limit, backoffBase<<n)
	}
	return rand.N(limit)
}

// maxSavedRetries bounds the retries that quiet times save up. A process starts
// with as many, so that the first failure after a start can be retried.
const maxSavedRetries = 10

// retryBudget bounds retries to a share of calls, so that an endpoint in trouble
// does not get a multiple of its load: each call earns the share of a retry, each
// retry spends one. There are at most maxSavedRetries + share * calls.
type retryBudget struct {
	share float64

	mu    sync.Mutex
	saved float64 // guarded by mu; in [0, maxSavedRetries]
}

func newRetryBudget(share float64) *retryBudget {
	b := &retryBudget{share: share}
	if share > 0 {
		b.saved = maxSavedRetries
	}
	return b
}

func (b *retryBudget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saved = min(maxSavedRetries, b.saved+b.share)
}

func (b *retryBudget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.saved < 1 {
		return false
	}
	b.saved--
	return true
}
