package emitter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// errClosing is the cause with which Close ends writes that are in flight when its
// context is done.
var errClosing = errors.New("the emitter was closed before it was written")

// Flush waits until every event that was accepted before the call is written or
// given up. It returns an [*UnsentError] for those given up since the last Flush.
// If ctx ends first, it returns an error that wraps the context's, and the events
// stay in flight.
func (e *Emitter) Flush(ctx context.Context) error {
	if err := e.drain(ctx); err != nil {
		return fmt.Errorf("flush emitter: %w", err)
	}
	return e.report()
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

// Close stops accepting events, writes what is buffered and closes all
// connections. If ctx ends first, what is left is given up. Close waits for every
// goroutine of the emitter, and returns an [*UnsentError] for everything that was
// given up and not reported by a Flush. Further calls wait for the first and return
// the same.
func (e *Emitter) Close(ctx context.Context) error {
	e.closing.Do(func() {
		e.stopAccepting()
		cause := errClosing
		if err := e.drain(ctx); err != nil {
			cause = fmt.Errorf("%w: %w", errClosing, err)
		}
		e.end(cause)
		e.senders.Wait()
		e.settle(e.take(math.MaxInt, math.MaxInt), cause) // the rest is in no batch
		e.topic.close()
		e.result = e.report()
		close(e.done)
	})
	<-e.done
	return e.result
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
