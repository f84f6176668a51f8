package emitter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// errClosing is the cause with which Close ends writes that are in flight when its
// context is done.
var errClosing = errors.New("the emitter was closed before it was written")

// Flush waits until every event that was accepted before the call is written or
// given up. It returns an [*UnsentError] for those given up since the last Flush.
// If ctx ends first, by its deadline or because it is cancelled, the events stay in
// flight, and the error wraps the context's and that of the latest attempt, if attempts
// fail.
func (e *Emitter) Flush(ctx context.Context) error {
	if e.absent() {
		return nil
	}
	if err := e.drain(ctx); err != nil {
		return fmt.Errorf("flush emitter: %w", e.withReason(err))
	}
	return e.report()
}

// withReason adds to an error that time is over why attempts fail, if they do.
func (e *Emitter) withReason(err error) error {
	if reason := e.Err(); reason != nil {
		return fmt.Errorf("%w: %w", err, reason)
	}
	return err
}

func (e *Emitter) report() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.unsent.report()
}

// drain waits until all events accepted so far are settled.
func (e *Emitter) drain(ctx context.Context) error {
	f := e.startFlush()
	if f == nil {
		return nil
	}
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		e.stopFlush(f)
		return context.Cause(ctx)
	}
}

// startFlush registers a flush. It returns nil when there is nothing to wait for.
func (e *Emitter) startFlush() *flush {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.events == 0 {
		return nil
	}
	// All events that are not settled were accepted before this flush.
	f := &flush{upTo: e.seq, left: e.events, done: make(chan struct{})}
	e.flushes = append(e.flushes, f)
	e.nudge()
	return f
}

func (e *Emitter) stopFlush(f *flush) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.flushes = slices.DeleteFunc(e.flushes, func(o *flush) bool { return o == f })
}

// Close stops accepting events, writes what is buffered and closes all connections.
//
// It takes until the deadline of ctx at most, or for Config.CloseTimeout if ctx has
// none. That ctx is cancelled does not shorten it: an application closes its emitter
// when it is told to end, and the context of its work has ended by then. A deadline that
// has passed leaves no time: events are then given up at once.
//
// What is left when the time is over is given up. Close waits for every goroutine of
// the emitter, and returns an [*UnsentError] for everything that was given up and not
// reported by a Flush. Further calls wait for the first and return the same.
func (e *Emitter) Close(ctx context.Context) error {
	if e.absent() {
		return nil
	}
	if ctx == nil { // a panic would leave every further call waiting
		ctx = context.Background()
	}
	e.closing.Do(func() {
		e.stopAccepting()
		cause := errClosing
		if err := e.drainBefore(ctx); err != nil {
			cause = e.withReason(fmt.Errorf("%w: %w", errClosing, err))
		}
		e.end(cause)
		e.senders.Wait()
		e.settle(e.take(math.MaxInt, math.MaxInt), cause) // the rest is in no batch
		if e.sidecar != nil {
			e.sidecar.http.CloseIdleConnections()
		} else {
			e.topic.close()
		}
		e.notices.flush(true)
		e.result = e.report()
		close(e.done)
	})
	<-e.done
	return e.result
}

// drainBefore is drain with the time that Close has.
func (e *Emitter) drainBefore(ctx context.Context) error {
	until, limited := ctx.Deadline()
	if !limited {
		until = time.Now().Add(e.cfg.CloseTimeout)
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), until)
	defer cancel()
	return e.drain(ctx)
}

// stopAccepting makes Emit return ErrClosed, also from calls that wait for room.
func (e *Emitter) stopAccepting() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	close(e.room)
	e.room = make(chan struct{})
	e.nudge()
}
