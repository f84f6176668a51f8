package sidecar

import (
	"context"
	"sync"
	"time"

	"github.com/evalworker/evalworker/internal/outage"
)

// rejections counts requests by the 4xx status of their answers. Sent again, they
// would be answered alike.
type rejections struct {
	Bad          int64 `json:"bad"`          // 400
	Unauthorized int64 `json:"unauthorized"` // 401
	Forbidden    int64 `json:"forbidden"`    // 403
	TooLarge     int64 `json:"too_large"`    // 413
	Unsupported  int64 `json:"unsupported"`  // 415
}

func (r rejections) minus(o rejections) rejections {
	return rejections{
		r.Bad - o.Bad, r.Unauthorized - o.Unauthorized, r.Forbidden - o.Forbidden,
		r.TooLarge - o.TooLarge, r.Unsupported - o.Unsupported,
	}
}

// rejectionLog remembers which rejections have been logged.
type rejectionLog struct {
	mu   sync.Mutex
	last rejections // guarded by mu; the counts at the last line
	next time.Time  // guarded by mu; the next line is not due before
}

// logRejections logs how many there were since the last line: the first at once,
// then once a minute, and with end whatever is left.
func (s *Sidecar) logRejections(end bool) {
	l := &s.rejectionLog
	l.mu.Lock()
	defer l.mu.Unlock()
	now := s.counts.rejections() // under the lock, so that they are never older than the last
	n := now.minus(l.last)
	if n == (rejections{}) || !end && time.Now().Before(l.next) {
		return
	}
	l.last, l.next = now, time.Now().Add(outage.Interval)
	s.log.Warn("requests are refused: the answers say why", "bad", n.Bad, "unauthorized", n.Unauthorized,
		"forbidden", n.Forbidden, "too_large", n.TooLarge, "unsupported", n.Unsupported)
}

// logLateRejections logs, until ctx ends, the rejections after which no other
// rejected request has come, and warnings likewise.
func (s *Sidecar) logLateRejections(ctx context.Context) {
	tick := time.NewTicker(outage.Interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.logRejections(false)
			s.logLateWarnings(false)
		case <-ctx.Done():
			s.logRejections(true)
			s.logLateWarnings(true)
			return
		}
	}
}
