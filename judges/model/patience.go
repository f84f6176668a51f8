package model

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/backoff"
	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/judges"
)

// Patience is how a batch, which nobody waits for by the second, treats an endpoint
// that is down or limits calls: it waits. A worker has none, because its next event
// may be judged, and its queue must not fill.
type Patience struct {
	// Wait is how long an endpoint may answer nothing before calls fail. It should be
	// no shorter than the pauses that servers ask for, which are at most two minutes.
	Wait time.Duration
	// Waiting is told that calls wait: at once, and then once a minute. It must not
	// block. May be nil.
	Waiting func(Waiting)
}

// Waiting describes an endpoint that calls wait for.
type Waiting struct {
	Model  string
	Reason eval.Reason
	For    time.Duration // since the first failure
	Limit  time.Duration // after which calls fail
}

const (
	uselessCalls = 5 // calls in a row that were turned away for good before no more are made
	ownFailures  = 3 // times that one call may find down an endpoint that answers others
)

// patience waits for an endpoint, above all retries, and stops calling one that turns
// every call away: a wrong key stays wrong.
type patience struct {
	next  judges.Model
	model string
	Patience
	pause backoff.Backoff
	lines outage.Limiter

	mu         sync.Mutex  // guards all fields below
	since      time.Time   // of the first failure since the last answer; zero: none
	reason     eval.Reason // of the last failure that was a call's own, not an open breaker's
	answers    int
	turnedAway int   // calls in a row
	useless    error // of the last of them
}

func newPatience(next judges.Model, cfg Config, p Patience) *patience {
	return &patience{next: next, model: cfg.Model, Patience: p, pause: backoff.Backoff{Min: time.Second, Max: 5 * time.Second}}
}

// Complete returns the first answer, or the last error when the endpoint has answered
// nothing for too long.
func (m *patience) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	if err := m.givenUp(); err != nil {
		return judges.Answer{}, err
	}
	var usage eval.Usage
	begun, own := time.Now(), 0
	for attempt := 1; ; attempt++ {
		before := m.count()
		a, err := m.next.Complete(ctx, r)
		usage = judges.AddUsage(usage, a.Usage)
		a.Usage = usage
		down := m.record(err)
		reason := eval.ReasonOf(err)
		if down == 0 || down >= m.Wait || time.Since(begun) >= m.Wait {
			return a, err
		}
		if reason == eval.ReasonUnavailable && m.count() > before {
			if own++; own >= ownFailures {
				return a, err // others get answers: it is this call
			}
		}
		if _, due := m.lines.Allow(); due && m.Waiting != nil {
			m.Waiting(Waiting{Model: m.model, Reason: m.cause(), For: down, Limit: m.Wait})
		}
		if !m.pause.Wait(ctx, attempt) {
			return a, err
		}
	}
}

// givenUp returns the error of an endpoint that turns every call away.
func (m *patience) givenUp() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.turnedAway < uselessCalls {
		return nil
	}
	return m.useless
}

// count returns the number of calls that got an answer.
func (m *patience) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.answers
}

// cause returns why calls wait.
func (m *patience) cause() eval.Reason {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reason
}

// record counts the end of a call and returns how long the endpoint has been down; 0
// when it is not, or when waiting does not help.
func (m *patience) record(err error) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch reason := eval.ReasonOf(err); {
	case reason == eval.ReasonUnavailable || reason == eval.ReasonBreakerOpen || reason == eval.ReasonRateLimited:
		if m.since.IsZero() {
			m.since = time.Now()
		}
		if reason != eval.ReasonBreakerOpen || m.reason == "" {
			m.reason = reason
		}
		return max(time.Since(m.since), 1)
	case reason == eval.ReasonAuth || reason == eval.ReasonQuota || asFailure(err).status == http.StatusNotFound:
		m.turnedAway++
		m.useless = err
	case err == nil:
		m.answers++
		m.since, m.turnedAway = time.Time{}, 0
		m.lines.Reset()
	}
	return 0
}
