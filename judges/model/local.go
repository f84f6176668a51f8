package model

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/outage"
)

// machineFaults are the errors with which this machine, and not the model's server, ends
// a call.
func machineFaults() []syscall.Errno {
	return []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL}
}

// machineFault returns the fault of this machine that ended a call, if one did. Of a
// look-up that failed for want of a descriptor the resolver returns only text, which
// holds nothing that a server sent.
func machineFault(err error) (syscall.Errno, bool) {
	errno, known := errors.AsType[syscall.Errno](err)
	lookup, resolving := errors.AsType[*net.DNSError](err)
	for _, f := range machineFaults() {
		if known && errno == f || resolving && strings.Contains(lookup.Err, f.Error()) {
			return f, true
		}
	}
	return 0, false
}

const (
	// clockInterval is the time between two looks at the clock while calls are in flight.
	clockInterval = 250 * time.Millisecond
	// suspensionMin is how late a look has to be to show that the process did not run.
	// A busy machine needs a fraction of it to schedule one.
	suspensionMin = time.Second
)

// suspensionWatch finds out that the process did not run while calls were in flight: it
// was stopped (SIGSTOP), its container frozen or its virtual machine paused. The
// deadlines of those calls then pass at once when it goes on, and their connections may
// be gone, which says nothing about the model. It needs no goroutine: a timer looks at
// the clock, and is stopped with the last call.
type suspensionWatch struct {
	now func() time.Time

	mu    sync.Mutex // guards all below
	calls int        // in flight
	timer *time.Timer
	last  time.Time     // of the last look
	lost  time.Duration // for which the process did not run, in all
}

func newSuspensionWatch() *suspensionWatch { return &suspensionWatch{now: time.Now} }

// begin counts a call in flight, and returns what its end has to be given.
func (w *suspensionWatch) begin() (lost time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls++; w.calls == 1 {
		w.last = w.now()
		w.timer = time.AfterFunc(clockInterval, w.tick)
	}
	w.look()
	return w.lost
}

// end counts the end of a call, and returns for how long the process did not run
// meanwhile. It looks at the clock itself: after a suspension all timers are due at
// once, and the call's may come first.
func (w *suspensionWatch) end(before time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	if w.calls--; w.calls == 0 {
		w.timer.Stop()
	}
	return w.lost - before
}

func (w *suspensionWatch) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls > 0 {
		w.look()
		w.timer.Reset(clockInterval)
	}
}

// look adds the time since the last look to the time lost, if it is far too long. The
// clock of a virtual machine that was paused may jump only in its wall time. The caller
// holds mu.
func (w *suspensionWatch) look() {
	now := w.now()
	gap := max(now.Sub(w.last), now.Round(0).Sub(w.last.Round(0))) - clockInterval
	if gap >= suspensionMin {
		w.lost += gap
	}
	w.last = now
}

// localFaults tells apart what this machine did to a call from what its server did.
type localFaults struct {
	watch *suspensionWatch
	log   *slog.Logger
	model string
	lines outage.Limiter
}

func newLocalFaults(cfg Config, log *slog.Logger) *localFaults {
	return &localFaults{watch: newSuspensionWatch(), log: log, model: cfg.Model}
}

// judge returns the error of a call during which the process did not run for so long.
// One without an answer is a fault of this machine then.
func (l *localFaults) judge(ctx context.Context, suspended time.Duration, err error) error {
	switch eval.ReasonOf(err) {
	case eval.ReasonTimeout, eval.ReasonUnavailable:
		if suspended == 0 {
			return err
		}
		err = fail(eval.ReasonLocal, failure{
			what: fmt.Sprintf("the process did not run for %v while the call was in flight", suspended.Round(100*time.Millisecond)), retryable: true,
		})
	case eval.ReasonLocal:
	default:
		return err
	}
	if seen, ok := l.lines.AllowErr(err); ok {
		mend := "look at this machine: it, or this process, stood still"
		if asFailure(err).class != "" {
			mend = FaultOf(err).Expected
		}
		l.log.LogAttrs(ctx, slog.LevelWarn, "a fault of this machine ended calls of a model: they say nothing about the model and are made again",
			slog.String(keyModel, l.model), slog.Any(keyError, err), slog.String(keyMend, mend), seen.Attr())
	}
	return err
}
