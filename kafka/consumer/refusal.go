package consumer

import (
	"sync"
	"time"

	"github.com/evalworker/evalworker/kafka/conn"
)

// refusalStays is for how long a refusal is told after it was last met, while
// this member is in the group: connections that are open outlive a password that
// was taken back, and new ones fail one after the other.
const refusalStays = 15 * time.Second

// refusals remembers that the cluster turns this client away. It logs the first
// time, a change of the reason at once, and then one line a minute. It is safe
// for concurrent use.
type refusalState struct {
	mu     sync.Mutex
	why    *conn.Refusal // guarded by mu; nil: let in
	since  time.Time     // guarded by mu; when it was first turned away for this reason
	last   time.Time     // guarded by mu; when it was last turned away
	logged time.Time     // guarded by mu
	count  int           // guarded by mu; times since the last line
}

// turnedAway notes an error that is a refusal, and reports whether it is one.
func (c *Consumer) noteRefusal(err error) bool {
	why := conn.Refused(c.cfg.Explain(err))
	if why == nil {
		return false
	}
	if n, ok := c.refusal.add(why, time.Now()); ok {
		c.log.Error("Kafka does not let this worker in; trying again", keyError, why, keyCount, n)
	}
	return true
}

// add is told of each time, and reports whether to log it.
func (r *refusalState) add(why *conn.Refusal, now time.Time) (n int, tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	// The whole text may name another broker each time.
	changed := r.why == nil || why.Problem != r.why.Problem
	if changed {
		r.since = now
	}
	r.why, r.last = why, now
	if !changed && now.Sub(r.logged) < logInterval {
		return 0, false
	}
	n, r.count, r.logged = r.count, 0, now
	return n, true
}

// over is told when this worker has been let in.
func (r *refusalState) over() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why, r.count = nil, 0
}

// now gives why this worker is turned away, and since when; "" when it is not.
func (r *refusalState) now(joined bool) (why string, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why == nil || joined && time.Since(r.last) > refusalStays {
		return "", time.Time{}
	}
	return r.why.Error(), r.since
}
