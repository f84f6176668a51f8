package sidecar

import (
	"context"
	"fmt"
	"sync"
)

// gate lets requests in: no more at once than its limit, and none once it is
// closed. It is safe for concurrent use.
type gate struct {
	limit int
	empty chan struct{} // closed when the gate is, and everybody has left

	mu     sync.Mutex
	inside int  // guarded by mu
	closed bool // guarded by mu
}

// entry is what becomes of one who wants in.
type entry int

const (
	entryFull   entry = iota // as many as the limit are inside
	entryClosed              // nobody gets in any more
	entryIn                  // has to leave
)

func newGate(limit int) *gate { return &gate{limit: limit, empty: make(chan struct{})} }

func (g *gate) enter() entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return entryClosed
	case g.inside >= g.limit:
		return entryFull
	}
	g.inside++
	return entryIn
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.closed && g.inside == 0 {
		close(g.empty)
	}
}

// close lets nobody in from now on.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	if g.closed = true; g.inside == 0 {
		close(g.empty)
	}
}

// wait waits until the gate is closed and everybody has left.
func (g *gate) wait(ctx context.Context) error {
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
		n, _ := g.look()
		return fmt.Errorf("%d still in flight: %w", n, context.Cause(ctx))
	}
}

// look gives how many are inside, and whether the gate is closed.
func (g *gate) look() (inside int, closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside, g.closed
}
