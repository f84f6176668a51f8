package stream

import (
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
