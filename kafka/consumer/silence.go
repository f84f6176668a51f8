package consumer

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// briefly is for how long a request may go unanswered and say nothing. A busy
// broker takes a tenth of it.
const silenceAfter = 500 * time.Millisecond

// silence remembers when the cluster last left a request without an answer. The
// zero value has seen none. It is safe for concurrent use.
type silence struct {
	last atomic.Pointer[time.Time]
}

// note is told of each request that failed, and when it was sent. An error that a
// broker sent is an answer. A request that we gave up ourselves says nothing,
// unless it had been waited for: the commit under way when the time to drain ends
// is cut short beside a broker that is well.
func (s *silence) note(sent time.Time, err error) {
	now := time.Now()
	_, answered := errors.AsType[kafka.Error](err)
	// The context of a generation ends with an error of its own.
	givenUp := errors.Is(err, context.Canceled) || errors.Is(err, kafka.ErrGenerationEnded)
	if err == nil || answered || givenUp {
		return
	}
	// The end of a context is the deadline of a connection, or its own error.
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() && now.Sub(sent) < silenceAfter {
		return
	}
	s.last.Store(&now)
}

// within says whether a request was left without an answer at most d ago.
func (s *silence) within(d time.Duration) bool {
	last := s.last.Load()
	return last != nil && time.Since(*last) <= d
}
