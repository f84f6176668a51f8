package consumer

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/outage"
)

// task is a message in flight: its tracker knows of it, and it has a slot.
type task struct {
	p     *partition
	span  *span
	msg   event.Message
	size  int64 // its part of Consumer.budget
	fault error // set when the message is to become a dead letter without its handler
}

// work handles one task after the other until there are no more. A reader starts a
// worker only when none is idle, and at most Config.MaxInFlight. Workers live on
// because growing a fresh stack costs a fifth of validating an event.
func (c *Consumer) work(t task) {
	for {
		done, attempts, fault := false, 0, t.fault
		if fault == nil {
			done, attempts, fault = c.handle(t.p.work, &t.msg)
		}
		switch {
		case errors.Is(fault, ErrGiveBack):
			t.p.tracker.giveBack(t.span)
		case fault != nil:
			done = c.putAside(t.p.work, &t.msg, fault, attempts)
		}
		if done {
			t.p.tracker.finish(t.span)
			c.observe.Consumed(1)
		}
		<-c.slots
		c.budget.release(t.size)
		t = task{} // an idle worker must not keep a message alive
		select {
		case t = <-c.tasks:
		case <-c.finished:
			return
		}
	}
}

// handle calls the handler until the message is done, has failed permanently or is given
// back (fault), or ctx has ended.
func (c *Consumer) handle(ctx context.Context, m *event.Message) (done bool, attempts int, fault error) {
	for attempts = 1; ; attempts++ {
		err := c.call(ctx, m)
		switch {
		case err == nil:
			return true, attempts, nil
		case ctx.Err() != nil:
			return false, attempts, nil
		case eval.IsPermanent(err), errors.Is(err, ErrGiveBack):
			return false, attempts, err
		}
		if attempts == 1 {
			defer c.handlerRetries.enter(c.log)()
		}
		if !c.waitRetry(ctx, &c.handlerRetries, m, attempts, err) {
			return false, attempts, nil
		}
	}
}

// call calls the handler. A panic is the message's fault: another attempt would
// only panic again.
func (c *Consumer) call(ctx context.Context, m *event.Message) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = c.panicFault("handler", m, v)
		}
	}()
	return c.deps.Handle(ctx, *m)
}

// putAside publishes a dead letter, however long the broker takes to accept it. It
// reports false when ctx ended first.
func (c *Consumer) putAside(ctx context.Context, m *event.Message, fault error, attempts int) bool {
	var last error
	for try := 1; ; try++ {
		err := c.letters.publish(ctx, m, fault, attempts)
		if err == nil {
			c.refusal.endOf(last)
			c.observe.DeadLettered(eval.ReasonOf(fault))
			if seen, ok := c.letterLog.of(eval.ReasonOf(fault)).Allow(); ok {
				seen.On(c.log).Warn("message put aside as a dead letter", keyPartition, m.Partition, keyOffset, m.Offset,
					keyReason, string(eval.ReasonOf(fault)), keyError, fault)
			}
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		c.refreshMetadata(err)
		if try == 1 {
			defer c.letterRetries.enter(c.log)()
		}
		c.noteRefusal(err)
		if !c.waitRetry(ctx, &c.letterRetries, m, try, err) {
			return false
		}
		last = err
	}
}

// waitRetry logs a failed attempt, at most once a minute, and waits for the next.
// It reports false when ctx ended first.
func (c *Consumer) waitRetry(ctx context.Context, r *retries, m *event.Message, attempts int, err error) bool {
	if seen, ok := r.failed(err); ok {
		seen.On(c.log).Warn("messages in flight are held up; trying again", "cause", r.cause, keyPartition, m.Partition, keyOffset, m.Offset, "attempts", attempts,
			keyReason, string(eval.ReasonOf(err)), keyError, err)
	}
	return backoff.Backoff{Min: c.cfg.RetryMin, Max: c.cfg.RetryMax}.Wait(ctx, attempts)
}

// retries counts the messages in flight that are held up by one cause.
type retries struct {
	cause string
	log   outage.Limiter

	mu    sync.Mutex
	count int
	since time.Time // when the first of those held up began to wait
	err   error     // of the last attempt
}

// failed records a failed attempt, and reports whether to log it.
func (r *retries) failed(err error) (seen outage.Tally, log bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
	seen, log = r.log.AllowErr(err)
	seen.Since = r.since
	return seen, log
}

// enter counts a message until leave is called. It logs when none is held up any more.
func (r *retries) enter(log *slog.Logger) (leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == 0 {
		r.since, r.err = time.Now(), nil
	}
	r.count++
	return func() {
		if since, over := r.leave(); over { // without the lock, so that the status page need not wait for the log
			log.Info("messages in flight are no longer held up", "cause", r.cause, keyAfter, time.Since(since))
		}
	}
}

// leave uncounts a message, and reports whether to log that none is held up any more, and
// since when one was.
func (r *retries) leave() (since time.Time, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count--; r.count > 0 {
		return time.Time{}, false
	}
	_, told := r.log.Over()
	return r.since, told
}

// current returns the number of messages held up, since when, and why the last attempt failed;
// nil before the first has.
func (r *retries) current() (count int, since time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count, r.since, r.err
}

// letterLog limits the lines about dead letters, for each reason on its own: a burst of
// one must not hide the others, nor be counted as theirs. The zero value is ready.
type letterLog struct {
	mu       sync.Mutex
	byReason map[eval.Reason]*outage.Limiter // guarded by mu; there are few reasons
}

// of returns the limiter of a reason.
func (l *letterLog) of(reason eval.Reason) *outage.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byReason == nil {
		l.byReason = map[eval.Reason]*outage.Limiter{}
	}
	if l.byReason[reason] == nil {
		l.byReason[reason] = new(outage.Limiter)
	}
	return l.byReason[reason]
}

// flush calls log, in the order of their names, for the reasons whose letters since the
// last line are due for one; see [outage.Limiter.Flush].
func (l *letterLog) flush(end bool, log func(eval.Reason, outage.Tally)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, reason := range slices.Sorted(maps.Keys(l.byReason)) {
		if seen, ok := l.byReason[reason].Flush(end); ok {
			log(reason, seen)
		}
	}
}

const summaryInterval = 5 * time.Second // between checks whether a summary is due

// summarizeDeadLetters logs how many dead letters had no line of their own, until ctx
// ends, and then the rest: the next one, whose line would count them, may never come.
func (c *Consumer) summarizeDeadLetters(ctx context.Context) {
	tick := time.NewTicker(summaryInterval)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
		c.letterLog.flush(ended, func(reason eval.Reason, seen outage.Tally) {
			seen.On(c.log).Warn("more messages put aside as dead letters since the last line", keyReason, string(reason))
		})
		if seen, ok := c.lostLog.Flush(ended); ok {
			c.logLost(seen)
		}
	}
}
