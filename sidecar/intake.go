package sidecar

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
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

func newIntake(limit int) *intake {
	return &intake{limit: int64(limit), slots: semaphore.NewWeighted(int64(limit))}
}

// enter admits a request, whose handler must call leave when it ends, or returns the
// answer that rejects it.
func (i *intake) enter() *answer {
	admitted := !i.closed.Load() && i.slots.TryAcquire(1)
	switch {
	case admitted:
		i.inFlight.Add(1)
		return nil
	case i.closed.Load():
		return reject(http.StatusServiceUnavailable, "the sidecar is stopping")
	}
	return reject(http.StatusTooManyRequests, "too many requests at once")
}

func (i *intake) leave() {
	i.inFlight.Add(-1)
	i.slots.Release(1)
}

func (i *intake) close() { i.closed.Store(true) }

// wait returns when no request is in flight. It must be called once, after close,
// because it keeps all slots.
func (i *intake) wait(ctx context.Context) error {
	if err := i.slots.Acquire(ctx, i.limit); err != nil {
		return fmt.Errorf("%w; requests in flight: %d", cmp.Or(context.Cause(ctx), err), i.inFlight.Load())
	}
	return nil
}
