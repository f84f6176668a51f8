package model

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/judges"
)

// Patience is how a batch, which nobody waits for by the second, treats an endpoint
// that is down or limits calls: it waits, and gives the endpoint up when no call has
// succeeded for too long. A worker has none, because its next event may be judged, and
// its queue must not fill.
//
// The functions are called one at a time for an endpoint. They must not block, and may
// be nil.
type Patience struct {
	// Wait is how long no call may succeed before the endpoint is given up, from the
	// start of the first call that failed. A call that is at the server by then may
	// still end, and succeed. 0: calls do not wait, and fail one by one.
	Wait time.Duration
	// Waiting is told that calls wait: at once, and then once a minute.
	Waiting func(Waiting)
	// Answering is told the model that answers again, after Waiting.
	Answering func(model string)
	// GaveUp is told that no more calls are made.
	GaveUp func(GaveUp)
}

// Waiting describes an endpoint that calls wait for.
type Waiting struct {
	Model  string
	Reason eval.Reason
	For    time.Duration // since the first failure
	Limit  time.Duration // after which the endpoint is given up
}

// GaveUp describes an endpoint that is called no more.
type GaveUp struct {
	Model string
	URL   string        // without user, password and query
	For   time.Duration // for which no call has succeeded; 0 when waiting would not help
	Err   error         // of the last call; it holds no content
}

const (
	uselessCalls  = 5  // calls in a row that were turned away for good before no more are made
	ownFailures   = 3  // times that one call may find down an endpoint that answers others
	limitedRounds = 30 // times that one call may be limited while others are answered
)

// errOverdue marks a call that was not made because no call has succeeded for too long.
var errOverdue = errors.New("no call has succeeded for too long")

// patience is two layers of an endpoint. The outer one, above all retries, waits; the
// inner one, [patientCalls], sees each call that reaches for the server, so that what
// the layers between say about an endpoint that is down, such as an open breaker, is no
// news.
type patience struct {
	Patience
	next       judges.Model
	model, url string
	pause      backoff.Backoff
	lines      outage.Limiter

	over context.Context //nolint:containedctx // ends all waits when the endpoint is given up
	end  context.CancelFunc

	mu         sync.Mutex  // guards all fields below; held while the functions are called
	since      time.Time   // start of the first call that failed since the last answer; zero: none
	reason     eval.Reason // of the last call that found the endpoint down
	last       error       // of that call
	calls      int         // at the server
	answers    int
	turnedAway int         // calls in a row
	told       bool        // Waiting was told, and no call has succeeded since
	timer      *time.Timer // gives up
	ended      error       // why no more calls are made
}

func newPatience(cfg Config, p Patience) *patience {
	over, end := context.WithCancel(context.Background())
	return &patience{
		Patience: p, model: cfg.Model, url: shownURL(serverOf(cfg)), pause: backoff.Backoff{Min: time.Second, Max: 5 * time.Second},
		over: over, end: end,
	}
}

// shownURL returns a URL without what may be secret in it.
func shownURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// probePause returns how long a breaker stays open. Several of its pauses must fit into
// the wait, or an endpoint that comes up is given up untried.
func (p *Patience) probePause() time.Duration {
	if p == nil || p.Wait == 0 {
		return breakerPause
	}
	return min(breakerPause, max(p.Wait/4, 100*time.Millisecond))
}

// Complete returns the first answer; the last error when the endpoint is given up.
func (m *patience) Complete(caller context.Context, r judges.Request) (judges.Answer, error) {
	ctx, cancel := context.WithCancel(caller)
	defer cancel()
	defer context.AfterFunc(m.over, cancel)()
	var usage eval.Usage
	var own, limited int
	for attempt := 1; ; attempt++ {
		if err := m.givenUp(); err != nil {
			return judges.Answer{Usage: usage}, err
		}
		before := m.answered()
		a, err := m.next.Complete(ctx, r)
		usage = judges.AddUsage(usage, a.Usage)
		a.Usage = usage
		reason := eval.ReasonOf(err)
		if reason == eval.ReasonCanceled && caller.Err() == nil {
			return a, errors.Join(m.givenUp(), err)
		}
		waits := reason == eval.ReasonUnavailable || reason == eval.ReasonBreakerOpen || reason == eval.ReasonRateLimited
		if !waits || m.Wait == 0 {
			return a, err
		}
		if m.answered() > before { // others get answers: is it this call?
			switch reason {
			case eval.ReasonUnavailable:
				own++
			case eval.ReasonRateLimited:
				limited++
			}
			if own >= ownFailures || limited >= limitedRounds {
				return a, err
			}
		}
		m.tell(reason)
		if !m.pause.Wait(ctx, attempt) && caller.Err() != nil {
			return a, err
		}
	}
}

// tell tells that calls wait, when a line is due.
func (m *patience) tell(reason eval.Reason) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended != nil || m.since.IsZero() || m.Waiting == nil {
		return
	}
	if _, due := m.lines.Allow(); !due {
		return
	}
	if m.reason != "" {
		reason = m.reason
	}
	m.told = true
	m.Waiting(Waiting{Model: m.model, Reason: reason, For: time.Since(m.since), Limit: m.Wait})
}

// givenUp returns the error of an endpoint that is called no more.
func (m *patience) givenUp() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ended
}

// answered returns the number of calls that got an answer.
func (m *patience) answered() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.answers
}

// begin counts a call that goes to the server now, or returns an error: it may not.
func (m *patience) begin() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.ended != nil:
		return m.ended
	case m.overdue():
		reason := eval.ReasonUnavailable
		if m.reason == eval.ReasonRateLimited {
			reason = m.reason
		}
		return eval.WithReason(reason, errors.Join(errNoTurn, errOverdue))
	}
	m.calls++
	return nil
}

// overdue reports whether no call has succeeded for too long.
func (m *patience) overdue() bool {
	return m.Wait > 0 && !m.since.IsZero() && time.Since(m.since) >= m.Wait
}

// done records the end of a call.
func (m *patience) done(started time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls--
	reason := eval.ReasonOf(err)
	switch {
	case m.ended != nil || errors.Is(err, errCallerDeadline) || reason == eval.ReasonCanceled:
	case err == nil || slices.Contains([]eval.Reason{eval.ReasonTruncated, eval.ReasonUnparsable, eval.ReasonRefused, eval.ReasonContentFilter}, reason):
		m.succeeded()
	case reason == eval.ReasonUnavailable || reason == eval.ReasonRateLimited || reason == eval.ReasonTimeout:
		m.reason, m.last = reason, err
		if m.since.IsZero() {
			m.since = started
			m.watch()
		}
	case reason == eval.ReasonAuth || reason == eval.ReasonQuota || asFailure(err).status == http.StatusNotFound:
		if m.turnedAway++; m.turnedAway >= uselessCalls { // a wrong key stays wrong
			m.giveUp(GaveUp{Err: err})
		}
	}
	m.judge()
}

// succeeded records an answer.
func (m *patience) succeeded() {
	m.answers++
	m.since, m.turnedAway = time.Time{}, 0
	m.lines.Reset()
	if m.timer != nil {
		m.timer.Stop()
	}
	if m.told && m.Answering != nil {
		m.Answering(m.model)
	}
	m.told = false
}

// watch sets the timer for the end of the wait.
func (m *patience) watch() {
	if m.Wait == 0 {
		return
	}
	m.timer = time.AfterFunc(time.Until(m.since.Add(m.Wait)), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.judge()
	})
}

// judge gives the endpoint up when no call has succeeded for too long and none is at
// the server.
func (m *patience) judge() {
	if m.ended == nil && m.calls == 0 && m.overdue() {
		m.giveUp(GaveUp{For: time.Since(m.since), Err: m.last})
	}
}

// giveUp ends all calls.
func (m *patience) giveUp(g GaveUp) {
	g.Model, g.URL = m.model, m.url
	m.ended = g.Err
	m.end()
	if m.GaveUp != nil {
		m.GaveUp(g)
	}
}

// patientCalls is the layer that sees each call.
type patientCalls struct {
	next judges.Model
	*patience
}

func (m patientCalls) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	if err := m.begin(); err != nil {
		return judges.Answer{}, err
	}
	started, err := time.Now(), errNoTurn // a call that panics does not count
	defer func() { m.done(started, err) }()
	var a judges.Answer
	a, err = m.next.Complete(ctx, r)
	return a, err
}
