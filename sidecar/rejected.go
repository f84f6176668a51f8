package sidecar

import (
	"context"
	"sync"
	"time"
)

// refused are numbers of requests that were refused for what they are, and will
// be again.
type refused struct {
	bad, unauthorized, forbidden, tooLarge, unsupported int64
}

func (r refused) minus(o refused) refused {
	return refused{
		r.bad - o.bad, r.unauthorized - o.unauthorized, r.forbidden - o.forbidden,
		r.tooLarge - o.tooLarge, r.unsupported - o.unsupported,
	}
}

// told is what the log has been told of refused requests.
type told struct {
	mu   sync.Mutex
	last refused   // guarded by mu
	next time.Time // guarded by mu; not before then
}

// news gives what the log does not know yet, and whether to tell it now: the
// first at once, then once a minute, and at the end whatever is left.
func (t *told) news(counts func() refused, end bool) (refused, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := counts() // under the lock, so that it is never older than the last
	more := now.minus(t.last)
	if more == (refused{}) || !end && time.Now().Before(t.next) {
		return refused{}, false
	}
	t.last, t.next = now, time.Now().Add(logEvery)
	return more, true
}

// tell logs what was refused, when it is time to.
func (s *Sidecar) tell(end bool) {
	if n, ok := s.told.news(s.counts.refused, end); ok {
		s.log.Warn("requests are refused: the answers say why", "bad", n.bad, "unauthorized", n.unauthorized,
			"forbidden", n.forbidden, "too_large", n.tooLarge, "unsupported", n.unsupported)
	}
}

// keepTelling tells of requests that nobody has come after, until ctx ends.
func (s *Sidecar) keepTelling(ctx context.Context) {
	tick := time.NewTicker(logEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.tell(false)
		case <-ctx.Done():
			s.tell(true)
			return
		}
	}
}
