package consumer

import (
	"log/slog"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// stallKind is what messages in flight may be held up by.
type stallKind int

const (
	stallHandler    stallKind = iota // a handler reported that a dependency is down
	stallDeadLetter                  // the broker does not take dead letters
	stallKinds
)

func (k stallKind) String() string {
	return [...]string{"handlers wait for a dependency", "dead letters are not accepted"}[k]
}

// stalls counts the messages that are held up. It logs the first of them and
// then one line a minute.
type stalls struct {
	log  *slog.Logger
	line [stallKinds]throttle

	mu    sync.Mutex
	count [stallKinds]int
	since [stallKinds]time.Time // when the first of those held up began to wait
}

func newStalls(log *slog.Logger) *stalls { return &stalls{log: log} }

// enter counts a message that is held up until leave is called.
func (s *stalls) enter(kind stallKind) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count[kind] == 0 {
		s.since[kind] = time.Now()
	}
	s.count[kind]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.count[kind]--
	}
}

// failed logs one failed attempt, at most once in a while.
func (s *stalls) failed(kind stallKind, m *event.Message, attempts int, err error) {
	if n, ok := s.line[kind].allow(); ok {
		//nolint:sloglint // one of three constants
		s.log.Warn(kind.String(), keyPartition, m.Partition, keyOffset, m.Offset, keyAttempts, attempts,
			keyReason, string(eval.ReasonOf(err)), keyError, err, keyCount, n)
	}
}

// now gives the messages held up, and since when.
func (s *stalls) now(kind stallKind) (count int, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[kind], s.since[kind]
}
