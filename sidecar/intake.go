package sidecar

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// intake bounds the requests in flight, and admits none once it is closed. It is
// safe for concurrent use.
type intake struct {
	limit    int64
	slots    *semaphore.Weighted
	inFlight atomic.Int64
	closed   atomic.Bool
}

// admission is the intake's answer to a request.
type admission int

const (
	admissionFull   admission = iota // the limit is in flight
	admissionClosed                  // the intake is closed
	admissionYes                     // the request must leave when it has ended
)

func newIntake(limit int) *intake {
	return &intake{limit: int64(limit), slots: semaphore.NewWeighted(int64(limit))}
}

func (i *intake) enter() admission {
	admitted := !i.closed.Load() && i.slots.TryAcquire(1)
	switch {
	case admitted:
		i.inFlight.Add(1)
		return admissionYes
	case i.closed.Load():
		return admissionClosed
	}
	return admissionFull
}

func (i *intake) leave() {
	i.inFlight.Add(-1)
	i.slots.Release(1)
}

func (i *intake) close() { i.closed.Store(true) }

// wait returns when no request is in flight. It is for once, after close: it takes
// all slots for good.
func (i *intake) wait(ctx context.Context) error {
	if err := i.slots.Acquire(ctx, i.limit); err != nil {
		return fmt.Errorf("%d still in flight: %w", i.inFlight.Load(), err)
	}
	return nil
}
