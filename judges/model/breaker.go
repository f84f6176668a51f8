package model

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// The breaker opens when at least breakerCalls ended over breakerWindow and
// half found the endpoint down, or when as many did in a row. It lets one call
// through after breakerPause, and closes when that one gets an answer.
const (
	breakerWindow = 30 * time.Second
	breakerCalls  = 10
	breakerPause  = 15 * time.Second
)

// States of a breaker.
const (
	stateClosed   = "closed"
	stateOpen     = "open"
	stateHalfOpen = "half-open"
)

// inWords says what a state of the breaker means for judging.
func stateMessage(state string) string {
	switch state {
	case stateOpen:
		return "model is down: judges answer with errors without calling it"
	case stateHalfOpen:
		return "model is tried again with one call"
	default:
		return "model is back"
	}
}

var errOpen = errors.New("circuit breaker is open")

// breaker stops calls to an endpoint that is down. Only an endpoint that cannot
// be reached, or does not answer in time, counts: one that limits, refuses or
// rejects is alive. A call that was never made, or that its caller left before an
// answer was due, counts for nothing.
//
// Two things set it apart from the breakers there are, which are made for calls
// of milliseconds. A refusal comes at once and an answer after seconds, so the
// first to end after a quiet time are the refusals: calls that began before a
// failed one and are still open are taken for answers, or one refusal in twenty
// would open it. And calls are counted when they end: counted by when they
// began, those that hang for the whole of a window would never be.
type breaker struct {
	next  judges.Model
	model string
	log   *slog.Logger

	mu             sync.Mutex // guards all below
	state          string
	enteredAt      time.Time           // when the state was entered
	lastCall       uint64              // number of the last call
	lastOfOldState uint64              // calls up to this one began in another state, and say nothing about this one
	inFlight       map[uint64]struct{} // calls that have not ended; the layers above bound them
	window         failureWindow
	newestFailed   uint64      // of the calls that counted as down, the one that began last
	probe          uint64      // the one call while half-open; 0: none
	lastReason     eval.Reason // of the last call that counted as down
	fare           Condition   // but for its Breaker
}

func newBreaker(next judges.Model, cfg Config, log *slog.Logger) *breaker {
	return &breaker{next: next, model: cfg.Model, log: log, state: stateClosed, inFlight: map[uint64]struct{}{}, window: newFailureWindow()}
}

// Complete makes the call unless the breaker is open.
func (m *breaker) Complete(ctx context.Context, r judges.Request) (a judges.Answer, err error) {
	call, ok := m.begin()
	if !ok {
		return judges.Answer{}, eval.WithReason(eval.ReasonBreakerOpen, errOpen)
	}
	err = errNoTurn // one that panics says nothing of the endpoint
	defer func() { m.end(call, err) }()
	return m.next.Complete(ctx, r)
}

// begin gives a call its number, if it may be made.
func (m *breaker) begin() (call uint64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == stateOpen && time.Since(m.enteredAt) > breakerPause {
		m.enter(stateHalfOpen)
	}
	if m.state == stateOpen || m.probe != 0 {
		return 0, false
	}
	m.lastCall++
	m.inFlight[m.lastCall] = struct{}{}
	if m.state == stateHalfOpen {
		m.probe = m.lastCall
	}
	return m.lastCall, true
}

// end notes what came of a call.
func (m *breaker) end(call uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.inFlight, call)
	if call == m.probe {
		m.probe = 0
	}
	reason := eval.ReasonOf(err)
	if errors.Is(err, errNoTurn) || errors.Is(err, errCallerDeadline) || reason == eval.ReasonCanceled {
		return
	}
	m.fare.called(reason)
	down := reason == eval.ReasonUnavailable || reason == eval.ReasonTimeout
	if down {
		m.lastReason, m.newestFailed = reason, max(m.newestFailed, call)
	}
	switch {
	case call <= m.lastOfOldState || m.state == stateOpen:
	case m.state == stateHalfOpen && down:
		m.enter(stateOpen)
	case m.state == stateHalfOpen:
		m.enter(stateClosed)
	default:
		m.window.add(down)
		if made, failed := m.window.counts(); down && made >= breakerCalls && 2*failed >= made+m.olderInFlight() {
			m.enter(stateOpen)
		}
	}
}

// older counts the calls that began before one that failed and have not ended.
func (m *breaker) olderInFlight() (n int) {
	for c := range m.inFlight {
		if c > m.lastOfOldState && c < m.newestFailed {
			n++
		}
	}
	return n
}

// turn enters a state.
func (m *breaker) enter(to string) {
	from := m.state
	m.state, m.enteredAt, m.lastOfOldState, m.window = to, time.Now(), m.lastCall, newFailureWindow()
	//nolint:sloglint // one of three constants
	m.log.LogAttrs(context.Background(), slog.LevelWarn, stateMessage(to),
		slog.String(keyModel, m.model), slog.String(keyFrom, from), slog.String(keyNext, to), slog.Any(keyReason, m.lastReason))
}

// condition says how the endpoint fares.
func (m *breaker) condition() Condition {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.fare
	c.Breaker = m.state
	return c
}
