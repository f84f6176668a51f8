package model

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

const (
	backoffBase = 500 * time.Millisecond // upper end of the first wait
	backoffMax  = 20 * time.Second       // upper end of every wait
)

// retry makes another attempt when a call may succeed later. The wait is drawn
// between zero and an end that doubles (full jitter), on top of what the server
// asks for. It gives up when the attempts or the budget are used up, or when the
// wait would last longer than the caller has time.
type retrier struct {
	next     judges.Model
	attempts int
	budget   *retryBudget
}

func newRetrier(next judges.Model, cfg Config) *retrier {
	return &retrier{next: next, attempts: cfg.MaxAttempts, budget: newRetryBudget(cfg.RetryBudget)}
}

// Complete gives the first answer, or the last error.
func (m *retrier) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	m.budget.earn()
	var usage eval.Usage
	for attempt := 1; ; attempt++ {
		a, err := m.next.Complete(ctx, r)
		usage = judges.AddUsage(usage, a.Usage)
		a.Usage = usage
		if err == nil || attempt >= m.attempts {
			return a, err
		}
		f := asFailure(err)
		if !f.retryable || ctx.Err() != nil {
			return a, err
		}
		wait := f.pause + jitter(attempt)
		if missesDeadline(ctx, wait) || !m.budget.spend() {
			return a, err
		}
		if sleep(ctx, wait) != nil {
			return a, err
		}
	}
}

// jitter draws the wait before the attempt after this one.
func jitter(attempt int) time.Duration {
	end := backoffMax
	if n := attempt - 1; n < 10 {
		end = min(end, backoffBase<<n)
	}
	return rand.N(end)
}

// late reports whether the context's deadline comes before the wait is over.
func missesDeadline(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= wait
}

// sleep waits, or gives the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxSaved bounds the retries that quiet times save up, and is what a process
// begins with, so that the first failure after a start can be retried.
const maxSavedRetries = 10

// budget bounds retries to a share of calls, so that an endpoint in trouble is
// not given a multiple of its load: each call earns the share of a retry, each
// retry spends one. Over any time there are at most maxSaved + share * calls.
type retryBudget struct {
	share float64

	mu    sync.Mutex
	saved float64 // guarded by mu; in [0, maxSaved]
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
