package consumer

import (
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// outage remembers since when Kafka cannot be used, or a partition not be read,
// and the last thing that was wrong. The zero value has seen none. It is safe for
// concurrent use.
type outage struct {
	mu    sync.Mutex
	since time.Time // guarded by mu; zero: none
	last  string    // guarded by mu
}

// note is told of each failure.
func (o *outage) note(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		o.since = time.Now()
	}
	o.last = err.Error()
}

// over is told of a success: the group was joined, a commit accepted, or the
// partition read.
func (o *outage) over() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since, o.last = time.Time{}, ""
}

// now gives since when and why; a zero time while all is well.
func (o *outage) now() (since time.Time, why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.since, o.last
}

// isOutage says of a group that was not joined, or a commit that was not
// accepted, whether Kafka is to blame. It is not when the topic is gone, nor when
// it answers what belongs to any rebalance.
func isOutage(err error) bool {
	for _, is := range []error{
		errStale, errTopicGone, kafka.RebalanceInProgress, kafka.UnknownMemberId, kafka.IllegalGeneration, kafka.MemberIDRequired,
	} {
		if errors.Is(err, is) {
			return false
		}
	}
	return true
}
