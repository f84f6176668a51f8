package model

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/judges"
)

// The breaker opens when at least breakerCalls calls ended within breakerWindow and
// half of them found the endpoint down, or when breakerCalls in a row did. It lets
// one call through after breakerPause, and closes when that call gets an answer.
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

// Condition is the health of a model, for a status page.
type Condition struct {
	// Breaker is closed while the model is called, open while judges return errors
	// without calling it, and half-open while one call tries it again. An open
	// breaker changes with the first call after its pause.
	Breaker string `json:"breaker"`
	// Reason is why the last call failed; empty when it got an answer.
	Reason eval.Reason `json:"reason,omitempty"`
	// FailingSince is the time of the first failure since the last answer.
	FailingSince time.Time `json:"failing_since,omitzero"`
	// Error says in words what was wrong with the last call, Mend which setting to mend,
	// and FailedAt when that call ended; empty when it got an answer.
	Error    string    `json:"error,omitempty"`
	Mend     string    `json:"mend,omitempty"`
	FailedAt time.Time `json:"failed_at,omitzero"`
	// Held is the number of evaluations that wait for the model, and HeldUntil when they
	// give up.
	Held      int       `json:"held,omitempty"`
	HeldUntil time.Time `json:"held_until,omitzero"`
	// Format is the answer format in use, which is looser than the configured one on a
	// server that does not support it.
	Format string `json:"format,omitempty"`
}

var errOpen = errors.New("circuit breaker is open")

// openError is the error of a call that was not made, with the one that kept it from
// being made. It does not wrap that one, which says how to retry a call that was made.
type openError struct{ last error }

func (e *openError) Error() string {
	if e.last == nil {
		return errOpen.Error()
	}
	return errOpen.Error() + ": " + e.last.Error()
}

func (e *openError) Is(target error) bool { return target == errOpen }

// Cause is that of the error behind it.
func (e *openError) Cause() string { return asFailure(e.last).class }

// breaker stops calls to an endpoint that is down. Only an endpoint that cannot
// be reached or does not answer in time counts as down: one that limits or rejects
// calls is alive. A call does not count if it was not made, or if its caller gave
// up before an answer was due.
//
// It differs in two points from common breakers, which are designed for calls of
// milliseconds. A refused connection fails at once but an answer takes seconds, so
// after a quiet time the failures end first: calls in flight that began before a
// failed one count as answers, or one failure in twenty would open the breaker. And
// calls are counted when they end: if they were counted when they begin, calls that
// hang longer than the window would never count as failures.
type breaker struct {
	next  judges.Model
	model string
	log   *slog.Logger
	entry string        // of the configuration, such as models.default; empty: unknown
	pause time.Duration // for which it stays open

	mu             sync.Mutex // guards all fields below
	state          string
	enteredAt      time.Time           // when the state was entered
	lastCall       uint64              // number of the last call
	lastOfOldState uint64              // calls up to this one began in another state and are ignored
	inFlight       map[uint64]struct{} // bounded by the layers above
	window         failureWindow
	newestFailed   uint64      // the newest call that found the endpoint down
	probe          uint64      // the only call while half-open; 0: none
	lastReason     eval.Reason // of the last call that found the endpoint down
	lastDown       error       // of the same call
	// opened limits the lines about a model that is down, by the class of what is wrong: the
	// first error of a minute must not hide another one.
	opened       map[string]*outage.Limiter
	failing      error // of the last call; nil: it got an answer
	failingSince time.Time
	lastFailing  time.Time // failingSince, also when it is over
	failedAt     time.Time
	hold         hold
}

func newBreaker(next judges.Model, cfg Config, log *slog.Logger) *breaker {
	return &breaker{
		next: next, model: cfg.Model, log: log, pause: breakerPause, state: stateClosed, inFlight: map[uint64]struct{}{},
		window: newFailureWindow(), opened: map[string]*outage.Limiter{},
	}
}

// Complete makes the call unless the breaker is open.
func (m *breaker) Complete(ctx context.Context, r judges.Request) (a judges.Answer, err error) {
	call, turnedAway := m.begin()
	if turnedAway != nil {
		return judges.Answer{}, eval.WithReason(eval.ReasonBreakerOpen, turnedAway)
	}
	err = errNoTurn // a call that panics does not count
	defer func() { m.end(call, err) }()
	return m.next.Complete(ctx, r)
}

// begin returns a number for the call, or why it may not be made.
func (m *breaker) begin() (call uint64, turnedAway error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == stateOpen && time.Since(m.enteredAt) > m.pause {
		m.enter(stateHalfOpen)
	}
	if m.state == stateOpen || m.probe != 0 {
		return 0, &openError{m.lastDown}
	}
	m.lastCall++
	m.inFlight[m.lastCall] = struct{}{}
	if m.state == stateHalfOpen {
		m.probe = m.lastCall
	}
	return m.lastCall, nil
}

// end counts the result of a call.
func (m *breaker) end(call uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.inFlight, call)
	if call == m.probe {
		m.probe = 0
	}
	reason := eval.ReasonOf(err)
	if errors.Is(err, errNoTurn) || errors.Is(err, errCallerDeadline) || reason == eval.ReasonCanceled || reason == eval.ReasonLocal {
		return
	}
	if m.note(err); !m.failingSince.IsZero() {
		m.lastFailing = m.failingSince
	}
	down := reason == eval.ReasonUnavailable || reason == eval.ReasonTimeout
	if down {
		m.lastReason, m.lastDown, m.newestFailed = reason, err, max(m.newestFailed, call)
		if m.hold.downSince.IsZero() {
			m.hold.downSince = time.Now()
		}
	} else if call > m.lastOfOldState {
		m.hold.answered()
		if m.hold.said && m.state == stateClosed {
			m.logBack()
		}
	}
	switch {
	case call <= m.lastOfOldState || m.state == stateOpen:
	case m.state == stateHalfOpen && down:
		m.enter(stateOpen)
	case m.state == stateHalfOpen:
		m.enter(stateClosed)
	default:
		m.window.add(down)
		if calls, failed := m.window.counts(); down && calls >= breakerCalls && 2*failed >= calls+m.olderInFlight() {
			m.enter(stateOpen)
		}
	}
}

// note records the result of a call for the status page.
func (m *breaker) note(err error) {
	switch m.failing = err; {
	case err == nil:
		m.failingSince = time.Time{}
		return
	case m.failingSince.IsZero():
		m.failingSince = time.Now()
	}
	m.failedAt = time.Now()
}

// olderInFlight returns the number of calls in flight that began before the newest
// failed one.
func (m *breaker) olderInFlight() (n int) {
	for c := range m.inFlight {
		if c > m.lastOfOldState && c < m.newestFailed {
			n++
		}
	}
	return n
}

func (m *breaker) enter(state string) {
	m.state, m.enteredAt, m.lastOfOldState, m.window = state, time.Now(), m.lastCall, newFailureWindow()
	switch state {
	case stateOpen: // each attempt that fails opens it again
		m.logDown()
	case stateHalfOpen:
		m.log.LogAttrs(context.Background(), slog.LevelDebug, "model is tried again with one call", slog.String(keyModel, m.model))
	case stateClosed:
		m.logBack()
	}
}

// logDown logs what becomes of evaluations now: once a minute for each class of what is
// wrong.
func (m *breaker) logDown() {
	class := asFailure(m.lastDown).class
	if m.opened[class] == nil {
		m.opened[class] = &outage.Limiter{}
	}
	seen, ok := m.opened[class].Allow()
	seen.Since = m.failingSince // as the status page says it
	if seen.Since.IsZero() {
		seen.Since = m.hold.downSince
	}
	ctx := context.Background()
	switch {
	case ok && m.hold.waits():
		m.log.LogAttrs(ctx, slog.LevelWarn, "model is down: events that need it wait, up to judges.max_wait", append(m.trouble(), seen.Attr())...)
	case ok:
		m.log.LogAttrs(ctx, slog.LevelWarn, "model is down: judges answer with errors without calling it", append(m.trouble(), seen.Attr())...)
	}
}

// logBack logs that the model answers again, unless it comes and goes, and no line said
// that it went.
func (m *breaker) logBack() {
	m.hold.said = false
	told := false
	for _, lines := range m.opened {
		_, of := lines.Over()
		told = told || of
	}
	if told {
		m.log.LogAttrs(context.Background(), slog.LevelInfo, "model is back", slog.String(keyModel, m.model), slog.Duration(keyAfter, time.Since(m.lastFailing)))
	}
}

// trouble returns the attributes of a line about an endpoint that is down.
func (m *breaker) trouble() []slog.Attr {
	_, mend := inWords(m.lastDown, m.entry)
	return []slog.Attr{
		slog.String(keyModel, m.model), slog.Any(keyReason, m.lastReason), slog.Any(keyError, m.lastDown), slog.String(keyMend, mend),
	}
}

// condition returns the health of the endpoint.
func (m *breaker) condition() Condition {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := Condition{Breaker: m.state}
	failing, since, at := m.failing, m.failingSince, m.failedAt
	if down := m.hold.downSince; !down.IsZero() && m.hold.waiting > 0 {
		c.Held, c.HeldUntil = m.hold.waiting, down.Add(m.hold.most)
		if failing == nil { // a call from before the breaker opened got an answer, which ends no wait
			failing, since, at = m.lastDown, down, down
		}
	}
	if failing != nil {
		c.Reason, c.FailingSince, c.FailedAt = eval.ReasonOf(failing), since, at
		c.Error, c.Mend = inWords(failing, m.entry)
	}
	return c
}

// inWords returns what is wrong with a call that failed, and what to mend in an entry of
// the configuration.
func inWords(err error, entry string) (problem, mend string) {
	f := FaultOf(err)
	if entry != "" {
		f.Path = entry + "." + f.Path
	}
	return f.Problem, f.Path + ": " + f.Expected
}

// windowBuckets is the number of buckets of a failureWindow.
const windowBuckets = 10

// failureWindow counts the calls that ended within the last breakerWindow, and the
// failures in a row, however long ago they began.
type failureWindow struct {
	since   time.Time
	buckets [windowBuckets]bucket // a ring
	streak  int
}

// bucket counts the calls of a tenth of the window.
type bucket struct {
	number        int64 // counted from the beginning
	calls, failed int
}

func newFailureWindow() failureWindow { return failureWindow{since: time.Now()} }

// bucketNumber returns the number of the current bucket.
func (w *failureWindow) bucketNumber() int64 {
	return int64(time.Since(w.since) / (breakerWindow / windowBuckets))
}

// add counts a call that ended now.
func (w *failureWindow) add(failed bool) {
	n := w.bucketNumber()
	b := &w.buckets[n%windowBuckets]
	if b.number != n {
		*b = bucket{number: n}
	}
	b.calls++
	w.streak++
	if failed {
		b.failed++
	} else {
		w.streak = 0
	}
}

// counts returns the calls in the window and those that failed, or the failures in
// a row if they are more: if calls last as long as the window and few may be in
// flight, few end within it.
func (w *failureWindow) counts() (calls, failed int) {
	oldest := w.bucketNumber() - windowBuckets
	for _, b := range w.buckets {
		if b.number > oldest {
			calls, failed = calls+b.calls, failed+b.failed
		}
	}
	if w.streak > calls {
		return w.streak, w.streak
	}
	return calls, failed
}
