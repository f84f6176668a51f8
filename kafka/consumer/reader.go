package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
)

const (
	fetchRetryMin = 200 * time.Millisecond
	fetchRetryMax = 5 * time.Second
	// missingLimit is how often in a row a partition may be unknown to the
	// brokers when it is opened before the topic counts as deleted: one that
	// was just made is not known to all of them at once.
	missingLimit = 5
	// beyondChecks and beyondPause: an offset beyond the end is believed only
	// when it stays so. After a change of leader the end may lag for a moment.
	beyondChecks = 2
	beyondPause  = 500 * time.Millisecond
	// gapInterval bounds how often a gap in the offsets asks the broker for its
	// reason. Gaps within it of each other are put down to compaction.
	gapInterval = time.Second
)

// fetch reads a partition until ctx ends, opening it anew after errors.
func (s *generation) fetch(ctx context.Context, p *partition) {
	if p.startDelay > 0 && pause(ctx, p.startDelay) != nil {
		return
	}
	missing, wait := 0, fetchRetryMin
	for {
		began := time.Now()
		err := s.read(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > fetchRetryMax {
			wait = fetchRetryMin
		}
		if missing++; !errors.Is(err, kafka.UnknownTopicOrPartition) {
			missing = 0
		}
		if missing >= missingLimit || errors.Is(err, errPartitionGone) {
			signal(s.topicGone)
		}
		err = s.c.cfg.Describe(err)
		p.outage.note(err)
		if !s.c.noteRefusal(err) {
			if n, ok := s.c.fetchLog.allow(); ok {
				s.c.log.Warn("fetching interrupted; trying again", keyPartition, p.id, keyError, err, keyCount, n)
			}
		}
		if pause(ctx, jitter(wait)) != nil {
			return
		}
		wait = min(2*wait, fetchRetryMax)
	}
}

// read opens a partition where its tracker stands and takes in its messages.
// It returns with an error always.
func (s *generation) read(ctx context.Context, p *partition) error {
	if err := s.position(ctx, p); err != nil {
		return err
	}
	conn, err := s.c.dialLeader(ctx, p.id)
	if err != nil {
		return err
	}
	// A read that waits for the broker ends with the connection.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	r := &reading{s: s, p: p, next: p.tracker.progress().next, in: &intake{
		id: p.id, tracker: p.tracker, skip: s.c.deps.Skip, observe: s.c.observe, log: s.c.log, maxBytes: s.c.cfg.MaxMessageBytes,
		msg: event.Message{Topic: s.c.cfg.Topic, Partition: p.id},
	}}
	p.open.Store(true)
	defer p.open.Store(false)
	for {
		if err := r.batch(ctx, conn); err != nil {
			return s.c.from(conn.RemoteAddr(), err)
		}
		p.outage.over()
	}
}

// begin hands the message that in holds to a handler, as soon as there is room
// for it: in the partition's window, in memory, among the handlers in flight, and
// while commits work.
func (s *generation) begin(ctx context.Context, p *partition, in *intake, fault error) error {
	c := s.c
	if err := p.tracker.waitRoom(ctx, c.cfg.Window); err != nil {
		return err
	}
	size, err := c.budget.acquire(ctx, in.memory())
	if err != nil {
		return err
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		c.budget.release(size)
		return ctx.Err()
	}
	if err := c.breaker.wait(ctx, c.cfg.MaxCommitOutage); err != nil {
		<-c.slots
		c.budget.release(size)
		return err
	}
	c.start(task{p: p, span: p.tracker.begin(in.msg.Offset), msg: in.own(), size: size, fault: fault})
	return nil
}

// position puts the tracker where reading can go on, and tells what is lost
// when that is not where it stood.
func (s *generation) position(ctx context.Context, p *partition) error {
	var at startPoint
	for check := range beyondChecks + 1 {
		if check > 0 {
			if err := pause(ctx, beyondPause); err != nil {
				return err
			}
		}
		b, err := s.boundsOf(ctx, p)
		if err != nil {
			return err
		}
		p.high.Store(b.last)
		if at = findStart(p.tracker.progress().next, b, s.c.cfg.OutOfRange); !at.beyond {
			break
		}
	}
	if at.beyond {
		from := p.tracker.progress().next
		p.tracker.reset(at.start)
		s.c.observe.OffsetReset(p.id, from, at.start)
		s.c.log.Warn("the stored offset lies beyond the end of the partition", keyPartition, p.id,
			keyOffset, from, "start", at.start, "policy", string(s.c.cfg.OutOfRange))
		return nil
	}
	s.jump(p, at.start)
	return nil
}

// explainGap looks whether offsets are missing before a message because they
// were deleted while we read; otherwise compaction has removed them.
func (s *generation) explainGap(ctx context.Context, p *partition, to int64) error {
	b, err := s.boundsOf(ctx, p)
	if err != nil {
		return err
	}
	if b.first > p.tracker.progress().next {
		s.jump(p, min(b.first, to))
	}
	return nil
}

func (s *generation) jump(p *partition, to int64) {
	if lost := p.tracker.jump(to); lost > 0 {
		s.c.observe.LostToRetention(p.id, lost)
		s.c.log.Error("messages were deleted before they were read", keyPartition, p.id, keyOffset, to, keyCount, lost)
	}
}

func (s *generation) boundsOf(ctx context.Context, p *partition) (logBounds, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	all, err := s.c.bounds(ctx, []int{p.id})
	return all[p.id], err
}
