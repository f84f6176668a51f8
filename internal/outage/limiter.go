package outage

import (
	"sync"
	"time"
)

// Interval is the shortest time between two log lines about the same trouble.
const Interval = time.Minute

// Limiter lets one log line through at once and then one an [Interval], and
// counts the occurrences in between. The zero value is ready.
type Limiter struct {
	mu      sync.Mutex
	last    time.Time // guarded by mu; of the last line
	pending int       // guarded by mu; occurrences since then
}

// Allow counts an occurrence and reports whether to log it. count is the number
// of occurrences since the last line, this one included.
func (l *Limiter) Allow() (count int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending++
	return l.take(l.last.IsZero())
}

// Flush reports whether occurrences since the last line are due for a line of
// their own: when the interval is over, or at once with end set. So a burst is
// logged even when nothing follows it.
func (l *Limiter) Flush(end bool) (count int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending == 0 {
		return 0, false
	}
	return l.take(end)
}

// Reset forgets everything, so that the next occurrence is logged at once.
func (l *Limiter) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.pending = time.Time{}, 0
}

// take returns the pending count if a line is due or now is set. The caller holds mu.
func (l *Limiter) take(now bool) (count int, ok bool) {
	if !now && time.Since(l.last) < Interval {
		return 0, false
	}
	count, l.pending, l.last = l.pending, 0, time.Now()
	return count, true
}
