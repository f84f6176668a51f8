package consumer

import (
	"context"
	"sync"
	"time"
)

// logInterval is how often the same trouble is logged.
const logInterval = time.Minute

// throttle lets one line a minute through. The zero value lets the first
// through at once.
type throttle struct {
	mu   sync.Mutex
	last time.Time
	held int
}

// allow reports whether to log now, and how often it happened since the last
// line, this time included.
func (t *throttle) allow() (count int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held++
	now := time.Now()
	if !t.last.IsZero() && now.Sub(t.last) < logInterval {
		return 0, false
	}
	count, t.held, t.last = t.held, 0, now
	return count, true
}

// due gives what has happened since the last line and was not told, once the
// minute is over; at any time when it is the end. A burst is counted by that and
// not by the next one, which may never come.
func (t *throttle) due(end bool) (count int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.held == 0 || !end && now.Sub(t.last) < logInterval {
		return 0, false
	}
	count, t.held, t.last = t.held, 0, now
	return count, true
}

// dueEvery is how often is looked whether something is due to be told.
const summaryInterval = 5 * time.Second

// sumUp logs how many dead letters there were that had no line of their own, until
// ctx ends; then what is left.
func (c *Consumer) summarizeDeadLetters(ctx context.Context) {
	tick := time.NewTicker(summaryInterval)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
		if n, ok := c.letterLog.due(ended); ok {
			c.log.Warn("more messages put aside as dead letters since the last line", keyCount, n)
		}
	}
}
