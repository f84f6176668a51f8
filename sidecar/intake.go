package sidecar

import (
	"context"
	"fmt"
	"sync"
)

// intake bounds the requests in flight, and admits none once it is closed. It is
// safe for concurrent use.
type intake struct {
	limit int
	idle  chan struct{} // closed when the intake is closed and no request is in flight

	mu       sync.Mutex
	inFlight int  // guarded by mu
	closed   bool // guarded by mu
}

// admission is the intake's answer to a request.
type admission int

const (
	admissionFull   admission = iota // the limit is in flight
	admissionClosed                  // the intake is closed
	admissionYes                     // the request must leave when it has ended
)

func newIntake(limit int) *intake { return &intake{limit: limit, idle: make(chan struct{})} }

func (i *intake) enter() admission {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.closed:
		return admissionClosed
	case i.inFlight >= i.limit:
		return admissionFull
	}
	i.inFlight++
	return admissionYes
}

func (i *intake) leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.inFlight--; i.closed && i.inFlight == 0 {
		close(i.idle)
	}
}

func (i *intake) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return
	}
	if i.closed = true; i.inFlight == 0 {
		close(i.idle)
	}
}

// wait returns when the intake is closed and no request is in flight.
func (i *intake) wait(ctx context.Context) error {
	select {
	case <-i.idle:
		return nil
	case <-ctx.Done():
		n, _ := i.state()
		return fmt.Errorf("%d still in flight: %w", n, context.Cause(ctx))
	}
}

func (i *intake) state() (inFlight int, closed bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.inFlight, i.closed
}
