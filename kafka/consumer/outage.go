package consumer

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/kafka/conn"
)

const (
	refreshInterval = time.Second // the least time between two refreshes of metadata
	// silenceAfter is how long a request must stay unanswered to be evidence of an
	// outage. A busy broker needs a tenth of it.
	silenceAfter = 500 * time.Millisecond
	// refusalLasts is how long a member of the group reports its last refusal: open
	// connections outlive a password that was taken back, and new ones fail one by one.
	refusalLasts = 15 * time.Second
)

// isOutage reports whether Kafka is to blame for a failed join or commit. It is not
// when the topic is gone, nor for the answers that belong to any rebalance.
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

// refreshMetadata makes kafka-go ask again where brokers and leaders are, after a
// request that may have failed because they moved: by itself it waits for metadataTTL.
func (c *Consumer) refreshMetadata(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	// Many partitions fail together, and a connection with a login is expensive.
	now := time.Now()
	last := c.refreshed.Load()
	if last != nil && now.Sub(*last) < refreshInterval || !c.refreshed.CompareAndSwap(last, &now) {
		return
	}
	c.transport.CloseIdleConnections() // those in use go on
}

// noteUnanswered remembers when the cluster last left a request without an answer. An
// error from a broker is an answer. A request that we gave up ourselves is evidence
// only after a wait: the end of a drain cuts a commit short even on a healthy broker.
func (c *Consumer) noteUnanswered(sent time.Time, err error) {
	now := time.Now()
	_, answered := errors.AsType[kafka.Error](err)
	// The context of a generation ends with an error of its own.
	givenUp := errors.Is(err, context.Canceled) || errors.Is(err, kafka.ErrGenerationEnded)
	if err == nil || answered || givenUp {
		return
	}
	// A context that ends shows as the deadline of a connection, or as its own error.
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() && now.Sub(sent) < silenceAfter {
		return
	}
	c.unanswered.Store(&now)
}

// unansweredWithin reports whether a request was left unanswered at most d ago.
func (c *Consumer) unansweredWithin(d time.Duration) bool {
	last := c.unanswered.Load()
	return last != nil && time.Since(*last) <= d
}

// noteRefusal records an error if it is a refusal, and reports whether it is one.
func (c *Consumer) noteRefusal(err error) bool {
	refusal := conn.AccessErrorIn(c.cfg.Explain(err))
	if refusal == nil {
		return false
	}
	if n, ok := c.refusal.add(refusal); ok {
		c.log.Error("Kafka does not let this worker in; trying again", keyError, refusal, keyCount, n)
	}
	return true
}

// refusalState remembers that the cluster does not let this client in. The first
// refusal and a changed reason are logged at once, the rest once a minute.
type refusalState struct {
	outage outage.Outage
	log    outage.Limiter
	mu     sync.Mutex // makes detecting a change and recording it one step
}

// add records a refusal, and reports whether to log it.
func (r *refusalState) add(refusal *conn.AccessError) (count int, log bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.outage.Now()
	// Only the problem counts: the whole text may name another broker each time.
	last := conn.AccessErrorIn(err)
	changed := last == nil || last.Problem != refusal.Problem
	if changed {
		r.outage.End() // another reason begins now
	}
	r.outage.Fail(refusal)
	if count, log = r.log.Allow(); log || !changed {
		return count, log
	}
	return r.log.Flush(true)
}

// end records that this worker was let in.
func (r *refusalState) end() {
	r.outage.End()
	r.log.Reset()
}

// current returns why this worker is not let in, and since when; "" when it is.
func (r *refusalState) current(joined bool) (reason string, since time.Time) {
	since, err := r.outage.Now()
	if last, _ := r.outage.Last(); err == nil || joined && time.Since(last) > refusalLasts {
		return "", time.Time{}
	}
	return err.Error(), since
}
