package consumer

import (
	"context"
	"sync"
	"time"
)

// commitGate holds back new work while commits fail. What is finished meanwhile
// is known to nobody, and a crash would repeat all of it.
type commitGate struct {
	mu     sync.Mutex
	good   time.Time     // when all that was finished was last known to the broker
	opened chan struct{} // closed, and replaced, at each pass
}

func newCommitGate() *commitGate {
	return &commitGate{good: time.Now(), opened: make(chan struct{})}
}

// pass notes that commits work.
func (g *commitGate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.good = time.Now()
	close(g.opened)
	g.opened = make(chan struct{})
}

// outage gives how long commits have failed.
func (g *commitGate) outage() (time.Duration, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Since(g.good), g.opened
}

// wait waits until commits have failed for no longer than limit.
func (g *commitGate) wait(ctx context.Context, limit time.Duration) error {
	for {
		outage, opened := g.outage()
		if outage <= limit {
			return ctx.Err()
		}
		select {
		case <-opened:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
