package consumer

import (
	"context"
	"sync"
	"time"
)

// commitGate holds back new work while commits fail. What is finished meanwhile
// is known to nobody, and a crash would repeat all of it.
type commitBreaker struct {
	mu       sync.Mutex
	lastGood time.Time     // when all that was finished was last known to the broker
	changed  chan struct{} // closed, and replaced, at each pass
}

func newCommitBreaker() *commitBreaker {
	return &commitBreaker{lastGood: time.Now(), changed: make(chan struct{})}
}

// pass notes that commits work.
func (g *commitBreaker) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lastGood = time.Now()
	close(g.changed)
	g.changed = make(chan struct{})
}

// outage gives how long commits have failed.
func (g *commitBreaker) failing() (time.Duration, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Since(g.lastGood), g.changed
}

// wait waits until commits have failed for no longer than limit.
func (g *commitBreaker) wait(ctx context.Context, limit time.Duration) error {
	for {
		outage, opened := g.failing()
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
