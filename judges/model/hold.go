package model

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/outage"
)

// Bounds of the pause before a model is asked again whose breaker is still closed.
const (
	holdMin = time.Second
	holdMax = 5 * time.Second
)

// hold is what evaluations that wait for an endpoint share. The breaker's mutex guards it.
type hold struct {
	most      time.Duration // for which they wait; 0: they do not
	downSince time.Time     // end of the first call that found the endpoint down since it last answered; zero: it answers
	news      chan struct{} // closed with the next answer; nil: nobody waits for one
	waiting   int
	said      bool // the log says that evaluations wait, although the breaker is closed
	lines     outage.Limiter
}

// answered records that the endpoint answers, and wakes the evaluations that wait.
func (h *hold) answered() {
	h.downSince = time.Time{}
	if h.news != nil {
		close(h.news)
		h.news = nil
	}
}

// begin counts an evaluation that waits, and returns what is closed with the next answer.
func (h *hold) begin() <-chan struct{} {
	h.waiting++
	if h.news == nil {
		h.news = make(chan struct{})
	}
	return h.news
}

// waits reports whether evaluations wait for the endpoint.
func (h *hold) waits() bool { return h.most > 0 && time.Since(h.downSince) < h.most }

// Again returns a function for one evaluation that is called after each of its failures,
// and reports whether to evaluate again. It does when a fault of this machine ended the
// only call, and when the model is down and last answered less than the time of
// [Endpoint.SetMaxWait] ago. Then it first waits until the model answers somebody or may
// be tried again, or until released is closed. When ctx ends it returns false.
//
// An evaluation that finds the model down three times while others get answers has
// trouble of its own, and is not repeated.
func (e *Endpoint) Again() func(ctx context.Context, released <-chan struct{}, err error) bool {
	return (&holdout{breaker: e.breaker}).again
}

// SetMaxWait sets for how long evaluations wait for the model while it is down, from its
// last answer on; 0: not at all.
func (e *Endpoint) SetMaxWait(d time.Duration) {
	e.breaker.mu.Lock()
	defer e.breaker.mu.Unlock()
	e.breaker.hold.most = d
}

// holdout is one evaluation that may wait for its endpoint.
type holdout struct {
	*breaker
	local, own int // failures by this machine, and while others got answers
}

func (w *holdout) again(ctx context.Context, released <-chan struct{}, err error) bool {
	switch eval.ReasonOf(err) {
	case eval.ReasonLocal:
		w.local++
		return w.local == 1 && ctx.Err() == nil
	case eval.ReasonUnavailable, eval.ReasonTimeout, eval.ReasonBreakerOpen:
	default:
		return false
	}
	w.mu.Lock()
	down, most := w.hold.downSince, w.hold.most
	switch {
	case most == 0 || ctx.Err() != nil:
		w.mu.Unlock()
		return false
	case down.IsZero(): // it answered meanwhile
		w.mu.Unlock()
		w.own++
		return w.own < ownFailures && !errors.Is(err, errCallerDeadline) && !errors.Is(err, errNoTurn)
	case time.Since(down) >= most:
		w.giveUp(ctx)
		w.mu.Unlock()
		return false
	}
	pause := holdMin + rand.N(holdMax-holdMin)
	if w.state == stateOpen {
		pause = time.Until(w.enteredAt.Add(w.pause)) + time.Millisecond
	}
	pause = min(pause, time.Until(down.Add(most)))
	news := w.hold.begin()
	w.mu.Unlock()
	defer w.leave()

	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-news:
	case <-timer.C:
		w.stillDown()
	case <-released:
	case <-ctx.Done():
		return false
	}
	return true
}

// stillDown logs that evaluations wait, when one has waited in vain. The breaker says so
// when it opens, but that is late after many answers, and never with few calls.
func (w *holdout) stillDown() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == stateClosed && w.hold.waits() && !w.hold.downSince.IsZero() {
		w.hold.said = true
		w.logDown()
	}
}

// giveUp logs that evaluations wait no longer. The caller holds mu.
func (w *holdout) giveUp(ctx context.Context) {
	if seen, ok := w.hold.lines.Allow(); ok {
		seen.Since = w.hold.downSince
		w.log.LogAttrs(ctx, slog.LevelWarn, "model is down for longer than judges.max_wait: judges answer with errors",
			append(w.trouble(), seen.Attr())...)
	}
}

func (w *holdout) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold.waiting--
}
