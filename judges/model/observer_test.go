package model

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// healthyModel is a healthy model that counts its calls and answers.
type healthyModel struct {
	took           func() time.Duration
	calls, answers atomic.Int64
}

func (m *healthyModel) Complete(ctx context.Context, _ judges.Request) (judges.Answer, error) {
	m.calls.Add(1)
	if err := sleep(ctx, m.took()); err != nil {
		return judges.Answer{}, classify(ctx, err, &exchange{})
	}
	m.answers.Add(1)
	return judges.Answer{Text: "{}"}, nil
}

// limitsOf returns a model below the layers that share a latency estimate.
func limitsOf(m judges.Model, cfg Config) judges.Model {
	u := new(latencyEstimate)
	m = &callObserver{next: m, timeout: cfg.Timeout, latency: u, local: newLocalFaults(cfg, quiet())}
	return newConcurrencyLimit(newBreaker(newRateLimit(m, cfg, u), cfg, quiet()), cfg, u)
}

// When demand exceeds the limits, queues hand out turns at the last moment. The model
// must still be used, and few calls may be wasted.
func TestDemandAboveTheLimits(t *testing.T) {
	t.Parallel()
	rate, slots := config(), config()
	rate.RequestsPerMinute = 60
	slots.Concurrency = 2
	even := func(d time.Duration) func() time.Duration { return func() time.Duration { return d } }
	tests := map[string]struct {
		cfg     Config
		every   time.Duration // comes a question, which has ten seconds
		took    func() time.Duration
		answers int64   // in ten minutes, at least
		vain    float64 // share of calls that may go without one
	}{
		"below the rate":            {rate, 1111 * time.Millisecond, even(2 * time.Second), 540, 0},
		"above the rate":            {rate, 667 * time.Millisecond, even(2 * time.Second), 600, 0},
		"above the slots":           {slots, 667 * time.Millisecond, even(2 * time.Second), 600, 0},
		"above the rate, uneven":    {rate, 667 * time.Millisecond, uneven(), 480, 0.2},
		"above the slots, uneven":   {slots, 667 * time.Millisecond, uneven(), 560, 0.1},
		"longer than half its time": {slots, 2 * time.Second, even(6 * time.Second), 200, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				model := &healthyModel{took: tt.took}
				m := limitsOf(model, tt.cfg)
				var opened atomic.Int64
				var wg sync.WaitGroup
				for began := time.Now(); time.Since(began) < 10*time.Minute; _ = sleep(t.Context(), tt.every) {
					wg.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
						defer cancel()
						if _, err := m.Complete(ctx, judges.Request{}); errors.Is(err, errOpen) {
							opened.Add(1)
						}
					})
				}
				wg.Wait()
				calls, answers := model.calls.Load(), model.answers.Load()
				if answers < tt.answers || float64(calls-answers) > tt.vain*float64(calls) || opened.Load() > 0 {
					t.Errorf("%d answers to %d calls, %d refused by the breaker; want %d", answers, calls, opened.Load(), tt.answers)
				}
			})
		})
	}
}

// uneven returns durations with a mean of two seconds, many short and some long.
func uneven() func() time.Duration {
	var mu sync.Mutex
	rnd := rand.New(rand.NewPCG(1, 2))
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(rnd.ExpFloat64() * 2 * float64(time.Second))
	}
}

// One judge with little time must not cost the others their model.
func TestHastyJudgeDoesNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := limitsOf(&healthyModel{took: func() time.Duration { return 3 * time.Second }}, config())
		var refused atomic.Int64
		var wg sync.WaitGroup
		for range 300 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				if _, err := m.Complete(ctx, judges.Request{}); eval.ReasonOf(err) != eval.ReasonTimeout {
					refused.Add(1)
				}
			})
			wg.Go(func() {
				if _, err := m.Complete(t.Context(), judges.Request{}); err != nil {
					refused.Add(1)
				}
			})
			_ = sleep(t.Context(), time.Second)
		}
		wg.Wait()
		if refused.Load() > 0 {
			t.Errorf("%d of 600 questions were refused", refused.Load())
		}
	})
}

// A deadline that leaves time for an answer counts like the call's own timeout, and the
// estimate recovers soon after the model hung.
func TestHungModelOpensTheBreakerUnderDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		m := limitsOf(&healthyModel{took: func() time.Duration {
			if at := time.Since(began); at > time.Minute && at < 5*time.Minute {
				return time.Hour
			}
			return 2 * time.Second
		}}, config())
		var opened, lost atomic.Int64
		var wg sync.WaitGroup
		for ; time.Since(began) < 10*time.Minute; _ = sleep(t.Context(), 100*time.Millisecond) {
			at := time.Since(began)
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				switch _, err := m.Complete(ctx, judges.Request{}); {
				case errors.Is(err, errOpen) && at < 2*time.Minute:
					opened.Add(1)
				case err != nil && at > 6*time.Minute:
					lost.Add(1)
				}
			})
		}
		wg.Wait()
		if opened.Load() == 0 || lost.Load() > 0 {
			t.Errorf("%d questions were refused in the outage, and %d lost after it; want some and none", opened.Load(), lost.Load())
		}
	})
}
