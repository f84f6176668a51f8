package consumer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// session is one generation of the group as this member serves it. Everything
// in it belongs to the goroutine that calls serve.
type generation struct {
	c          *Consumer
	gen        *kafka.Generation
	app, grace context.Context // end with the order to stop, and when its time is over
	rejoin     context.Context // ends when there is no time left after that to come back and commit
	parts      []*partition

	topicGone  chan struct{} // capacity one: the topic was deleted
	topicGrown chan struct{} // capacity one: the topic has other partitions than were assigned
}

// ending is why a session ends.
type endReason int

const (
	endRevoked  endReason = iota // the group rebalances, or has lost sight of us
	endStopping                  // the consumer is to stop
	endGrown                     // the group is to rebalance because partitions changed
	endStale                     // our commits are refused: others own the partitions
	endGone                      // the topic was deleted, or is not the one we read
)

// gonePause keeps a topic that is gone from causing one rebalance after the
// other, and gives the broker time to drop the offsets stored for it.
const gonePause = time.Second

func newGeneration(c *Consumer, gen *kafka.Generation, app, grace, back context.Context) *generation {
	return &generation{
		c: c, gen: gen, app: app, grace: grace, rejoin: back,
		topicGone:  make(chan struct{}, 1),
		topicGrown: make(chan struct{}, 1),
	}
}

// serve consumes until the generation ends, then lets go of it. gctx is the
// generation's. It reports stop when the consumer is to leave the group, with
// the outcome of the last commit.
func (s *generation) serve(gctx context.Context) (stop bool, err error) {
	s.c.trailing.stop()
	if gctx.Err() != nil {
		return false, nil // it ended before we began; the next one tells what is ours
	}
	s.takeOver(gctx)
	defer s.c.noteLeft()

	began := time.Now()
	end := s.consume(gctx)
	s.c.sawTopicGone = end == endGone
	defer func() {
		s.c.log.Info("generation ended", keyGeneration, s.gen.ID, keyReason, end.String(),
			keyDuration, time.Since(began), "in_flight", s.c.inFlight())
	}()
	switch end {
	case endStale:
		return false, nil // nothing that we could commit would be accepted
	case endGone:
		// No commit either: it would give a topic that is made again under the
		// same name the offsets of the old one.
		s.pauseGone(gctx)
		return false, nil
	case endStopping:
		return s.stop(gctx)
	default:
		// No deadline: kafka-go would set it on the connection, and with the commit
		// under way end everything else that is asked on it.
		limit, cancel := context.WithCancel(context.WithoutCancel(s.app))
		defer cancel()
		defer time.AfterFunc(s.c.cfg.RevokeDrain, cancel).Stop()
		s.drain(limit)
		s.handOff(min(lastCommitTimeout, s.c.cfg.SessionTimeout/3))
		return false, nil
	}
}

// letGo makes the last commit of a generation that the member stays in the
// group after, and leaves what still runs to late commits.
func (s *generation) handOff(limit time.Duration) {
	switch err := s.lastCommit(limit); {
	case err == nil:
		s.c.trailing = s.startTrailing()
	case errors.Is(err, errTopicGone):
		s.c.sawTopicGone = true
	}
}

// stop waits for what is in flight as long as the grace lasts. When the group
// rebalances meanwhile, it lets go to come back in the next generation. It comes
// back too when the last commit was not taken, because the broker hangs or has
// given this member up: what is finished here, others would do again.
func (s *generation) stop(gctx context.Context) (stop bool, err error) {
	limit, cancel := context.WithCancel(s.grace)
	defer cancel()
	defer context.AfterFunc(gctx, cancel)()
	s.drain(limit)
	again := s.grace.Err() == nil && s.c.inFlight() > 0
	if again {
		s.handOff(lastCommitTimeout)
		return false, nil
	}
	if s.grace.Err() != nil {
		s.abandon()
	}
	err = s.lastCommit(lastCommitTimeout)
	if err != nil && !errors.Is(err, errTopicGone) && s.rejoin.Err() == nil {
		return false, nil
	}
	return true, err
}

// abandon ends the contexts of all handlers and gives them a moment: one that
// is just done should still be committed.
func (s *generation) abandon() {
	for _, p := range s.parts {
		p.cancel(errStopped)
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(s.app), abandonGrace)
	defer cancel()
	for _, p := range s.parts {
		if p.tracker.waitIdle(limit) != nil {
			return
		}
	}
}

// consume takes messages in and commits what is finished, until something ends
// the session. When it returns, nothing more is taken in.
func (s *generation) consume(gctx context.Context) endReason {
	if s.app.Err() != nil {
		return endStopping
	}
	intake, stopIntake := context.WithCancel(gctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stopIntake()
	for _, p := range s.parts {
		running.Go(func() { s.fetch(intake, p) })
	}
	running.Go(func() { s.watchTopic(intake) })

	// A commit that a broker does not answer must not hold up a revoke or the
	// end of the program. One that is only just under way is waited for: given up,
	// it could be stored over the last one, which goes by another connection.
	ending, end := context.WithCancel(gctx)
	defer end()
	defer context.AfterFunc(s.app, end)()
	commits, stopCommits := graceAfter(ending, commitGrace)
	defer stopCommits()

	tick := time.NewTicker(s.c.cfg.CommitInterval)
	defer tick.Stop()
	for {
		select {
		case <-gctx.Done():
			return endRevoked
		case <-s.app.Done():
			return endStopping
		case <-s.topicGrown:
			return endGrown
		case <-s.topicGone:
			return endGone
		case <-tick.C:
			switch err := s.commit(commits); {
			case errors.Is(err, errTopicGone):
				return endGone
			case errors.Is(err, errStale):
				return endStale
			}
		}
	}
}

// drain waits until nothing is in flight, at most until limit ends, and goes on
// committing what finishes.
func (s *generation) drain(limit context.Context) {
	idle := make(chan struct{})
	waiting, stop := context.WithCancel(limit)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() {
		defer close(idle)
		for _, p := range s.parts {
			if p.tracker.waitIdle(waiting) != nil {
				return
			}
		}
	})
	commits, stopCommits := graceAfter(limit, commitGrace)
	defer stopCommits()
	tick := time.NewTicker(s.c.cfg.CommitInterval)
	defer tick.Stop()
	for {
		select {
		case <-idle:
			return
		case <-tick.C:
			if errors.Is(s.commit(commits), errStale) {
				return
			}
		}
	}
}

// commit makes one commit and logs a failure, at most once in a while.
func (s *generation) commit(ctx context.Context) error {
	err := s.c.commit(ctx, s.membership(), s.parts)
	if err != nil && ctx.Err() == nil && !s.c.noteRefusal(err) {
		told := s.c.cfg.Describe(err)
		if isOutage(err) {
			s.c.outage.note(told)
		}
		if n, ok := s.c.commitLog.allow(); ok {
			s.c.log.Warn("commit failed", keyGeneration, s.gen.ID, keyError, told, keyCount, n)
		}
	}
	return err
}

// lastCommit is what lets go of the partitions, with a time limit of its own.
// The broker still takes it while the group is only preparing to rebalance.
func (s *generation) lastCommit(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.app), limit)
	defer cancel()
	for {
		err := s.commit(ctx)
		if err == nil || errors.Is(err, errStale) || errors.Is(err, errTopicGone) {
			return err
		}
		if pause(ctx, lastCommitRetry) != nil {
			return errors.Join(err, ctx.Err())
		}
	}
}

func (s *generation) pauseGone(gctx context.Context) {
	ctx, cancel := context.WithCancel(gctx)
	defer cancel()
	defer context.AfterFunc(s.app, cancel)()
	_ = pause(ctx, gonePause) // ending early is what the context is for
}

func (s *generation) membership() membership {
	return membership{generation: int(s.gen.ID), member: s.gen.MemberID}
}

// String names the ending in logs.
func (e endReason) String() string {
	switch e {
	case endRevoked:
		return "revoked"
	case endStopping:
		return "stopping"
	case endGrown:
		return "partitions changed"
	case endStale:
		return "replaced"
	case endGone:
		return "topic gone"
	}
	return "unknown"
}
