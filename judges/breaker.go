package judges

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/evalworker/evalworker/eval"
)

// The breaker opens when, over breakerWindow, at least breakerCalls were made
// and half of them found the endpoint down. It lets one call through after
// breakerPause, and closes when that one gets an answer.
const (
	breakerWindow = 30 * time.Second
	breakerBucket = 3 * time.Second
	breakerCalls  = 10
	breakerPause  = 15 * time.Second
)

// breaker stops calls to an endpoint that is down. Only an endpoint that cannot
// be reached, or does not answer in time, counts: one that limits, refuses or
// rejects is alive. A call that was never made counts for nothing.
type breaker struct {
	next Model
	cb   *gobreaker.CircuitBreaker[Answer]
	// why is the reason of the last failure that counted, for the log.
	why  atomic.Value // eval.Reason
	fare condition
}

// inWords says what a state of the breaker means for judging.
func inWords(s gobreaker.State) string {
	switch s {
	case gobreaker.StateOpen:
		return "model is down: judges answer with errors without calling it"
	case gobreaker.StateHalfOpen:
		return "model is tried again with one call"
	default:
		return "model is back"
	}
}

func newBreaker(next Model, cfg ModelConfig, log *slog.Logger) *breaker {
	m := &breaker{next: next}
	m.fare.turned(gobreaker.StateClosed)
	m.cb = gobreaker.NewCircuitBreaker[Answer](gobreaker.Settings{
		Name:         cfg.Model,
		Interval:     breakerWindow,
		BucketPeriod: breakerBucket,
		Timeout:      breakerPause,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			made := c.TotalSuccesses + c.TotalFailures
			return made >= breakerCalls && 2*c.TotalFailures >= made
		},
		IsExcluded: func(err error) bool {
			return errors.Is(err, errNoTurn) || eval.ReasonOf(err) == eval.ReasonCanceled
		},
		IsSuccessful: func(err error) bool {
			switch reason := eval.ReasonOf(err); reason {
			case eval.ReasonUnavailable, eval.ReasonTimeout:
				m.why.Store(reason)
				return false
			}
			return true
		},
		OnStateChange: func(name string, from, to gobreaker.State) {
			m.fare.turned(to)
			//nolint:sloglint // one of three constants
			log.LogAttrs(context.Background(), slog.LevelWarn, inWords(to),
				slog.String(keyModel, name), slog.String(keyFrom, from.String()), slog.String(keyNext, to.String()),
				slog.Any(keyReason, m.why.Load()))
		},
	})
	return m
}

// Complete makes the call unless the breaker is open.
func (m *breaker) Complete(ctx context.Context, r Request) (Answer, error) {
	a, err := m.cb.Execute(func() (Answer, error) { return m.next.Complete(ctx, r) })
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return a, eval.WithReason(eval.ReasonBreakerOpen, err)
	}
	if reason := eval.ReasonOf(err); reason != eval.ReasonCanceled && !errors.Is(err, errNoTurn) {
		m.fare.called(reason)
	}
	return a, err
}
