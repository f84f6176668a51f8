package consumer

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/outage"
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

// since returns since when an outage has its present cause, as the status page says it, so that
// the log says the same; without an outage it returns known.
func since(o *outage.Outage, known time.Time) time.Time {
	if began, err := o.Now(); err != nil {
		return began
	}
	return known
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

// describe rewrites an error of a request about the topic or the group for an operator.
func (c *Consumer) describe(err error) error { return c.cfg.Describe(c.explain(err)) }

// explain returns an AccessError, which names the topic or the group, for an error with
// which a broker turns this worker away, and any other error as it is.
func (c *Consumer) explain(err error) error {
	err = c.cfg.ReadRefusal(c.cfg.Topic, err)
	err = c.cfg.Refusal(err, kafka.GroupAuthorizationFailed, "use the consumer group "+c.cfg.Group, "grant it READ on that group")
	return c.cfg.Explain(err)
}

// noteRefusal records an error if it is a refusal, and reports whether it is one.
func (c *Consumer) noteRefusal(err error) bool {
	refused := conn.AccessErrorIn(c.explain(err))
	if refused == nil {
		return false
	}
	if seen, ok := c.refusal.add(refused, c.isJoined()); ok {
		seen.On(c.log).Error("Kafka does not let this worker in; trying again", keyError, refused)
	}
	return true
}

func (c *Consumer) isJoined() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.joined
}

// refusalState remembers why the cluster does not let this client in. A new reason is
// logged at once, the rest once a minute. Several can hold at the same time, such as a
// topic and a topic of dead letters without permission.
type refusalState struct {
	log outage.Limiter

	mu      sync.Mutex
	reasons map[string]*refusal // guarded by mu; by AccessError.Cause, of which there are few
	newest  *refusal            // guarded by mu; the reason of the last refusal
}

// refusal is one reason.
type refusal struct {
	err         *conn.AccessError // the last one, which may name another broker than the first
	since, last time.Time
}

// over reports whether a reason no longer holds: it did not recur for a while, although a
// member that is joined makes many requests, and one that is not has met another reason.
// The caller holds mu.
func (s *refusalState) over(r *refusal, joined bool) bool {
	return time.Since(r.last) > refusalLasts && (joined || r != s.newest)
}

// add records a refusal, and reports whether to log it.
func (s *refusalState) add(err *conn.AccessError, joined bool) (seen outage.Tally, log bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	r := s.reasons[err.Cause()]
	if r == nil || s.over(r, joined) {
		r = &refusal{since: now}
		if s.reasons == nil {
			s.reasons = make(map[string]*refusal)
		}
		s.reasons[err.Cause()] = r
	}
	r.err, r.last, s.newest = err, now, r
	seen, log = s.log.AllowErr(err)
	seen.Since = r.since
	return seen, log
}

// end records that this worker was let in.
func (s *refusalState) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.reasons)
	s.newest = nil
	s.log.Over()
}

// endOf records that a request succeeded that was refused with err before.
func (s *refusalState) endOf(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := conn.AccessErrorIn(err)
	if refused == nil {
		return
	}
	if s.newest == s.reasons[refused.Cause()] {
		s.newest = nil
	}
	delete(s.reasons, refused.Cause())
}

// current returns why this worker is not let in, by the last refusal, and since when for
// that reason; "" when it is let in.
func (s *refusalState) current(joined bool) (reason string, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == nil || s.over(s.newest, joined) {
		return "", time.Time{}
	}
	return s.newest.err.Error(), s.newest.since
}
