package model

import (
	"context"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/judges"
)

const (
	backoffBase = 500 * time.Millisecond // longest first wait
	backoffMax  = 20 * time.Second       // longest wait
)

// localRetries bounds the calls for one answer that are made again after a fault of
// this machine. Their waits double to half a minute in all.
const localRetries = 6

// retrier calls again when a call may succeed later. It waits as long as the
// server asks for, plus a random time between zero and a limit that doubles (full
// jitter). It gives up when the attempts or the budget are used up, or when the
// wait would last beyond the caller's deadline. A call that a fault of this machine ended
// was no attempt at the model, and costs nothing of its budget.
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
	for attempt, local := 0, 0; ; {
		a, err := m.next.Complete(ctx, r)
		usage = judges.AddUsage(usage, a.Usage)
		a.Usage = usage
		f := asFailure(err)
		if err == nil || !f.retryable || ctx.Err() != nil {
			return a, err
		}
		nth, most, spend := &attempt, m.attempts-1, m.budget.spend
		if eval.ReasonOf(err) == eval.ReasonLocal {
			nth, most, spend = &local, localRetries, func() bool { return true }
		}
		if *nth++; *nth > most {
			return a, err
		}
		wait := f.pause + jitter(*nth)
		if missesDeadline(ctx, wait) || !spend() || !backoff.Wait(ctx, wait) {
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

// maxSavedRetries bounds the retries that accumulate in quiet times. A process
// starts with this many, so that the first failure after a start can be retried.
const maxSavedRetries = 10

// retryBudget bounds retries to a share of calls, so that an endpoint in trouble
// does not get a multiple of its load: each call earns a share of a retry, each
// retry spends one. There are at most maxSavedRetries + share * calls retries.
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

// maxPause bounds how long one reply can hold back an endpoint's calls. A server
// that needs longer can ask again after that time.
const maxPause = 2 * time.Minute

// retryAfter returns the pause that the server asks for: by retry-after-ms, by
// Retry-After in seconds or as a date, else by the reset of a rate limit that is
// used up. It is 0 when the server asks for none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil {
		return boundedPause(ms / 1000)
	}
	if v := h.Get("Retry-After"); v != "" {
		if s, err := strconv.ParseFloat(v, 64); err == nil {
			return boundedPause(s)
		}
		if at, err := http.ParseTime(v); err == nil {
			return boundedPause(at.Sub(now).Seconds())
		}
	}
	var wait time.Duration
	for _, limit := range [...]string{"Requests", "Tokens"} {
		if strings.TrimSpace(h.Get("X-Ratelimit-Remaining-"+limit)) == "0" {
			wait = max(wait, resetDelay(h.Get("X-Ratelimit-Reset-"+limit)))
		}
	}
	return wait
}

// resetDelay parses the time to a limit's reset: 6m0s, 20ms, or plain seconds.
func resetDelay(v string) time.Duration {
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		return boundedPause(s)
	}
	d, _ := time.ParseDuration(v) // 0 on an error
	return boundedPause(d.Seconds())
}

// boundedPause returns seconds as a duration between 0 and maxPause.
func boundedPause(seconds float64) time.Duration {
	if math.IsNaN(seconds) || seconds <= 0 {
		return 0
	}
	return time.Duration(min(seconds, maxPause.Seconds()) * float64(time.Second))
}
