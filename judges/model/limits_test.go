package model

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// sequence returns one error after another, then answers. It counts its calls.
type sequence struct {
	mu    sync.Mutex
	errs  []error
	calls int
	at    []time.Time
}

func (s *sequence) Complete(context.Context, judges.Request) (judges.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.at = append(s.at, time.Now())
	if len(s.errs) == 0 {
		return judges.Answer{Text: "{}", Usage: eval.Usage{Calls: 1}}, nil
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return judges.Answer{Usage: eval.Usage{Calls: 1}}, err
}

func down() error { return fail(eval.ReasonUnavailable, failure{status: 503, retryable: true}) }

func limited(wait time.Duration) error {
	return fail(eval.ReasonRateLimited, failure{status: 429, retryable: true, pause: wait})
}

func config() Config {
	c := DefaultConfig()
	c.RequestsPerMinute = 0
	return c
}

func TestRetry(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		errs   []error
		budget float64
		time   time.Duration // the caller has; 0: no end
		calls  int
		reason eval.Reason
		least  time.Duration // that the attempts take
	}{
		"first answer":                       {budget: 0.1, calls: 1},
		"answer after two failures":          {errs: []error{down(), down()}, budget: 0.1, calls: 3},
		"attempts used up":                   {errs: []error{down(), down(), down()}, budget: 0.1, calls: 3, reason: eval.ReasonUnavailable},
		"not worth another attempt":          {errs: []error{fail(eval.ReasonAuth, failure{status: 401})}, budget: 0.1, calls: 1, reason: eval.ReasonAuth},
		"quota":                              {errs: []error{fail(eval.ReasonQuota, failure{status: 429})}, budget: 0.1, calls: 1, reason: eval.ReasonQuota},
		"no budget":                          {errs: []error{down()}, budget: 0, calls: 1, reason: eval.ReasonUnavailable},
		"waits as long as the server asks":   {errs: []error{limited(40 * time.Second)}, budget: 0.1, calls: 2, least: 40 * time.Second},
		"gives up when the wait is too long": {errs: []error{limited(40 * time.Second)}, budget: 0.1, time: 30 * time.Second, calls: 1, reason: eval.ReasonRateLimited},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &sequence{errs: tt.errs}
				cfg := config()
				cfg.RetryBudget = tt.budget
				m := newRetrier(s, cfg)
				ctx := t.Context()
				if tt.time > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.time)
					defer cancel()
				}
				started := time.Now()
				a, err := m.Complete(ctx, judges.Request{})
				if got := eval.ReasonOf(err); got != tt.reason {
					t.Errorf("reason = %q; want %q", got, tt.reason)
				}
				if s.calls != tt.calls || a.Usage.Calls != tt.calls {
					t.Errorf("calls = %d, usage says %d; want %d", s.calls, a.Usage.Calls, tt.calls)
				}
				if took := time.Since(started); took < tt.least {
					t.Errorf("took %v; want at least %v", took, tt.least)
				}
			})
		})
	}
}

func TestRetryStopsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sequence{errs: []error{limited(time.Minute)}}
		m := newRetrier(s, config())
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := m.Complete(ctx, judges.Request{}); eval.ReasonOf(err) != eval.ReasonRateLimited {
				t.Errorf("err = %v; want the last one", err)
			}
		})
		synctest.Wait() // it waits for its second attempt
		started := time.Now()
		cancel()
		wg.Wait()
		if d := time.Since(started); d != 0 || s.calls != 1 {
			t.Errorf("returned after %v and %d calls; want at once and 1", d, s.calls)
		}
	})
}

// The retries to an endpoint that is down are a bounded share of the calls.
func TestRetryBudgetBoundsTheLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const calls = 1000
		var made atomic.Int64
		cfg := config()
		cfg.MaxAttempts, cfg.RetryBudget = 10, 0.1
		m := newRetrier(judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) {
			made.Add(1)
			return judges.Answer{}, down()
		}), cfg)
		var wg sync.WaitGroup
		for range calls {
			wg.Go(func() { _, _ = m.Complete(t.Context(), judges.Request{}) })
		}
		wg.Wait()
		if n := made.Load(); n <= calls || n > calls+calls/10+maxSavedRetries {
			t.Errorf("%d calls were made for %d questions; want at most a tenth more, and %d", n, calls, maxSavedRetries)
		}
	})
}

func TestJitterStaysInItsBounds(t *testing.T) {
	t.Parallel()
	for attempt, end := range map[int]time.Duration{1: backoffBase, 2: 2 * backoffBase, 4: 8 * backoffBase, 12: backoffMax, 60: backoffMax} {
		var longest time.Duration
		for range 2000 {
			d := jitter(attempt)
			if d < 0 || d >= end {
				t.Fatalf("attempt %d: %v is not in [0, %v)", attempt, d, end)
			}
			longest = max(longest, d)
		}
		if longest < end/2 {
			t.Errorf("attempt %d: of 2000 waits none was above %v", attempt, end/2)
		}
	}
}

func TestConcurrencyLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.Concurrency = 4
		var now, most atomic.Int64
		m := newConcurrencyLimit(judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) {
			n := now.Add(1)
			for {
				old := most.Load()
				if n <= old || most.CompareAndSwap(old, n) {
					break
				}
			}
			_ = sleep(t.Context(), time.Second) // in the bubble's time
			now.Add(-1)
			return judges.Answer{}, nil
		}), cfg, new(latencyEstimate))
		started := time.Now()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { _, _ = m.Complete(t.Context(), judges.Request{}) })
		}
		wg.Wait()
		if most.Load() != 4 || time.Since(started) != 5*time.Second {
			t.Errorf("%d at once for %v; want 4 for 5s", most.Load(), time.Since(started))
		}
	})
}

func TestConcurrencyLimitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.Concurrency = 1
		release := make(chan struct{})
		m := newConcurrencyLimit(judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) {
			<-release
			return judges.Answer{}, nil
		}), cfg, new(latencyEstimate))
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = m.Complete(t.Context(), judges.Request{}) })
		synctest.Wait()
		late, cancelLate := context.WithTimeout(t.Context(), time.Second)
		defer cancelLate()
		if _, err := m.Complete(late, judges.Request{}); eval.ReasonOf(err) != eval.ReasonTimeout || !errors.Is(err, errNoTurn) {
			t.Errorf("err = %v; want a timeout without a turn", err)
		}
		gone, cancelGone := context.WithCancel(t.Context())
		cancelGone()
		if _, err := m.Complete(gone, judges.Request{}); eval.ReasonOf(err) != eval.ReasonCanceled {
			t.Errorf("err = %v; want canceled", err)
		}
		close(release)
		wg.Wait()
	})
}

func TestRateLimitSpreadsCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.RequestsPerMinute = 600
		s := &sequence{}
		m := newRateLimit(s, cfg, new(latencyEstimate))
		var wg sync.WaitGroup
		for range 110 {
			wg.Go(func() {
				if _, err := m.Complete(t.Context(), judges.Request{}); err != nil {
					t.Error(err)
				}
			})
		}
		started := time.Now()
		wg.Wait()
		// 10 at once, then 10 a second.
		if took := time.Since(started); took < 9900*time.Millisecond || took > 10100*time.Millisecond {
			t.Errorf("110 calls took %v; want 10s", took)
		}
	})
}

func TestRateLimitFailsCallsThatWouldBeTooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.RequestsPerMinute = 1
		s := &sequence{}
		m := newRateLimit(s, cfg, new(latencyEstimate))
		if _, err := m.Complete(t.Context(), judges.Request{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		started := time.Now()
		_, err := m.Complete(ctx, judges.Request{})
		if eval.ReasonOf(err) != eval.ReasonRateLimited || time.Since(started) != 0 || s.calls != 1 {
			t.Errorf("err = %v after %v and %d calls; want rate_limited at once", err, time.Since(started), s.calls)
		}
		// It took no turn: the next one waits a minute, not two.
		if _, err := m.Complete(t.Context(), judges.Request{}); err != nil || time.Since(started) > 61*time.Second {
			t.Errorf("err = %v after %v", err, time.Since(started))
		}
	})
}

// A pause that the server asks one call for holds back all calls.
func TestPauseHoldsForAllCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sequence{errs: []error{limited(30 * time.Second), limited(10 * time.Second)}}
		m := newRateLimit(s, config(), new(latencyEstimate))
		started := time.Now()
		_, _ = m.Complete(t.Context(), judges.Request{})
		m.pause(5 * time.Second) // a shorter one does not end the longer one

		short, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := m.Complete(short, judges.Request{}); eval.ReasonOf(err) != eval.ReasonRateLimited || time.Since(started) != 0 {
			t.Errorf("err = %v after %v; want rate_limited at once", err, time.Since(started))
		}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { _, _ = m.Complete(t.Context(), judges.Request{}) })
		}
		wg.Wait()
		for _, at := range s.at[1:] {
			if at.Sub(started) < 30*time.Second {
				t.Errorf("a call was made after %v; want none before 30s", at.Sub(started))
			}
		}
		stopped, stop := context.WithCancel(t.Context())
		m.pause(time.Minute)
		wg.Go(func() {
			if _, err := m.Complete(stopped, judges.Request{}); eval.ReasonOf(err) != eval.ReasonCanceled {
				t.Errorf("err = %v; want canceled", err)
			}
		})
		synctest.Wait()
		stop()
		wg.Wait()
	})
}

// With 500 calls a minute and 64 slots most calls are waiting for their turn when the
// server asks for a pause.
func TestPauseHoldsForWaitingCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		ends := time.Now().Add(20 * time.Second)
		var early, lost atomic.Int64
		m := newRetrier(newConcurrencyLimit(newRateLimit(judges.ModelFunc(func(ctx context.Context, _ judges.Request) (judges.Answer, error) {
			_ = sleep(ctx, 200*time.Millisecond) // the way there and back
			if left := time.Until(ends); left > 0 {
				early.Add(1)
				return judges.Answer{}, limited(left)
			}
			return judges.Answer{}, nil
		}), cfg, new(latencyEstimate)), cfg, new(latencyEstimate)), cfg)
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				if _, err := m.Complete(t.Context(), judges.Request{}); err != nil {
					lost.Add(1)
				}
			})
		}
		wg.Wait()
		// A second's worth goes out at once, and two more while the first refusal is on its way.
		if early.Load() > 10 || lost.Load() > 0 {
			t.Errorf("%d of 64 calls went out into the pause, and %d questions got no answer", early.Load(), lost.Load())
		}
	})
}
