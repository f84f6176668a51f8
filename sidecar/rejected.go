package sidecar

import (
	"context"
	"net/http"
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
	mu    sync.Mutex
	last  rejections // guarded by mu; the counts at the last line
	lines outage.Limiter
}

// logRejection logs how many there were since the last line: the first at once, then once
// a minute. The caller has counted the answer.
func (s *Sidecar) logRejection() {
	l := &s.rejectionLog
	l.mu.Lock()
	defer l.mu.Unlock()
	if seen, ok := l.lines.Allow(); ok {
		s.sayRejected(seen)
	}
}

// logLateRejection logs those after which no other has come, and with end whatever is left.
func (s *Sidecar) logLateRejection(end bool) {
	l := &s.rejectionLog
	l.mu.Lock()
	defer l.mu.Unlock()
	if seen, ok := l.lines.Flush(end); ok {
		s.sayRejected(seen)
	}
}

// sayRejected writes a line, with the counts by kind since the last one. Requests that were
// counted and have not asked for a line yet are in it. The caller holds mu.
func (s *Sidecar) sayRejected(seen outage.Tally) {
	now := s.counts.rejections()
	n := now.minus(s.rejectionLog.last)
	s.rejectionLog.last = now
	seen.On(s.log).Warn("requests are refused: the answers say why", "bad", n.Bad, "unauthorized", n.Unauthorized,
		"forbidden", n.Forbidden, "too_large", n.TooLarge, "unsupported", n.Unsupported)
}

// rejection reports whether an answer is one of those that [rejections] counts.
func rejection(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return true
	}
	return false
}

// logLateRejections logs, until ctx ends, the rejections after which no other
// rejected request has come, and warnings likewise.
func (s *Sidecar) logLateRejections(ctx context.Context) {
	tick := time.NewTicker(outage.Interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.logLateRejection(false)
			s.logLateWarnings(false)
		case <-ctx.Done():
			s.logLateRejection(true)
			s.logLateWarnings(true)
			return
		}
	}
}
