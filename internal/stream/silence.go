package stream

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// silence remembers when the cluster last left a request without an answer. The
// zero value has seen none. It is safe for concurrent use.
type silence struct {
	last atomic.Pointer[time.Time]
}

// note is told of each request that failed. An error that a broker sent is an
// answer, and a request that we gave up ourselves says nothing.
func (s *silence) note(err error) {
	if _, answered := errors.AsType[kafka.Error](err); err == nil || answered || errors.Is(err, context.Canceled) {
		return
	}
	now := time.Now()
	s.last.Store(&now)
}

// within says whether a request was left without an answer at most d ago.
func (s *silence) within(d time.Duration) bool {
	last := s.last.Load()
	return last != nil && time.Since(*last) <= d
}
