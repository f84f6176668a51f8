package model

import (
	"context"
	"sync"
	"time"
)

// usual learns how long a model takes to answer. Under more demand than there is
// room for, queues hand out every turn at the last moment: without it each call
// would be made with next to no time left, paid for and cut off. It reckons as
// TCP does with round trips (RFC 6298). The zero value knows nothing yet, and
// stands in nobody's way.
type latencyEstimate struct {
	mu   sync.Mutex
	mean time.Duration // guarded by mu; of answers
	dev  time.Duration // guarded by mu; how far calls are off the mean
}

// answered learns from an answer.
func (u *latencyEstimate) answered(took time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.mean == 0 {
		u.mean = took
	}
	u.dev += ((took - u.mean).Abs() - u.dev) / 4
	u.mean += (took - u.mean) / 8
}

// cutOff learns from a call that its caller did not wait for, and reports whether
// an answer was due. It counts as a deviation: if only answers were to count,
// those that come late would be cut off and forgotten, and ever more of them.
func (u *latencyEstimate) abandoned(took time.Duration) (due bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if took < u.mean {
		return false
	}
	if u.mean > 0 {
		u.dev += (took - u.mean - u.dev) / 4
	}
	return true
}

// most is the time in which all but few answers come.
func (u *latencyEstimate) mostly() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.mean + 2*u.dev
}

// late reports whether a call that waits so long could not expect its answer in
// time. One that need not wait is made whatever time it has: its caller may know
// better, and it is from calls that this learns.
func (u *latencyEstimate) tooLate(ctx context.Context, wait time.Duration) bool {
	if wait > 0 {
		wait += u.mostly()
	}
	return missesDeadline(ctx, wait)
}
