package consumer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/base/backoff"
)

const (
	// gonePause keeps a topic that is gone from causing one rebalance after the
	// other, and leaves the broker time to drop the offsets stored for it.
	gonePause = time.Second
	// commitGrace bounds the wait for the commit under way when no more are to follow.
	// A healthy broker needs a tenth of it.
	commitGrace = 500 * time.Millisecond
	// lastCommitTimeout bounds the commit with which a member lets go of its
	// partitions, and lastCommitRetry is the pause between attempts at it.
	lastCommitTimeout = 3 * time.Second
	lastCommitRetry   = 50 * time.Millisecond
	// abandonGrace is how long the last commit waits for handlers whose context
	// has just ended.
	abandonGrace = 200 * time.Millisecond
)

// generation is one generation of the group as this member serves it, in the
// goroutine that calls serve.
type generation struct {
	c          *Consumer
	gen        *kafka.Generation
	app, grace context.Context // app ends with the order to stop, grace when the time to stop is over
	rejoin     context.Context // ends when there is no time left to join again and commit
	parts      []*partition

	topicGone  chan struct{} // capacity one: the topic was deleted
	topicGrown chan struct{} // capacity one: the topic has other partitions than were assigned
}

// endReason is why a generation ends.
type endReason string

const (
	endRevoked  endReason = "revoked"            // the group rebalances, or counts us as gone
	endStopping endReason = "stopping"           // the consumer is to stop
	endGrown    endReason = "partitions changed" // the group is to rebalance because of that
	endStale    endReason = "replaced"           // our commits are refused: others own the partitions
	endGone     endReason = "topic gone"         // it was deleted, or is not the one we read
)

// serve consumes until the generation ends, and gctx with it, and then lets go of
// the partitions. stop is true when the consumer is to leave the group; err is the
// error of the last commit.
func (g *generation) serve(gctx context.Context) (stop bool, err error) {
	g.c.stopTrailing()
	if gctx.Err() != nil {
		return false, nil // it ended before we began; the next one says what is ours
	}
	g.takeOver(gctx)
	defer g.c.noteLeft()

	began := time.Now()
	end := g.consume(gctx)
	g.c.sawTopicGone = end == endGone
	defer func() {
		g.c.log.Info("generation ended", keyGeneration, g.gen.ID, keyReason, string(end),
			"duration", time.Since(began), "in_flight", g.c.inFlight())
	}()
	switch end {
	case endStale:
		return false, nil // the broker would accept no commit of ours
	case endGone:
		// No commit either: a new topic of the same name would start with the offsets
		// of the old one.
		ctx, cancel := context.WithCancel(gctx)
		defer cancel()
		defer context.AfterFunc(g.app, cancel)()
		backoff.Wait(ctx, gonePause) // the context may cut it short
		return false, nil
	case endStopping:
		return g.stop(gctx)
	default:
		// No deadline: kafka-go would set it on the connection, and end every other
		// request on it together with the commit.
		limit, cancel := context.WithCancel(context.WithoutCancel(g.app))
		defer cancel()
		defer time.AfterFunc(g.c.cfg.RevokeDrain, cancel).Stop()
		g.drain(limit)
		g.handOff(min(lastCommitTimeout, g.c.cfg.SessionTimeout/3))
		return false, nil
	}
}

// consume reads messages and commits what is finished until something ends the
// generation. When it returns, nothing more is begun.
func (g *generation) consume(gctx context.Context) endReason {
	if g.app.Err() != nil {
		return endStopping
	}
	intake, stopIntake := context.WithCancel(gctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stopIntake()
	for _, p := range g.parts {
		running.Go(func() { g.readPartition(intake, p) })
	}
	running.Go(func() { g.watchTopic(intake) })

	// A commit that a broker does not answer must not hold up a revoke or the end
	// of the program. One that was only just sent is waited for: otherwise it could
	// be stored over the last one, which uses another connection.
	ending, end := context.WithCancel(gctx)
	defer end()
	defer context.AfterFunc(g.app, end)()
	commits, stopCommits := graceAfter(ending, commitGrace)
	defer stopCommits()

	tick := time.NewTicker(g.c.cfg.CommitInterval)
	defer tick.Stop()
	for {
		select {
		case <-gctx.Done():
			return endRevoked
		case <-g.app.Done():
			return endStopping
		case <-g.topicGrown:
			return endGrown
		case <-g.topicGone:
			return endGone
		case <-tick.C:
			switch err := g.commit(commits); {
			case errors.Is(err, errTopicGone):
				return endGone
			case errors.Is(err, errStale):
				return endStale
			}
		}
	}
}

// stop waits for messages in flight as long as the grace lasts. When the group rebalances
// meanwhile, or the last commit was not accepted, because the broker hangs or counts
// this member as gone, it returns false to join the next generation: others would do
// again what is finished here.
func (g *generation) stop(gctx context.Context) (stop bool, err error) {
	limit, cancel := context.WithCancel(g.grace)
	defer cancel()
	defer context.AfterFunc(gctx, cancel)()
	g.drain(limit)
	if g.grace.Err() != nil {
		g.abandon()
	} else if g.c.inFlight() > 0 {
		g.handOff(lastCommitTimeout)
		return false, nil
	}
	err = g.lastCommit(lastCommitTimeout)
	if err != nil && !errors.Is(err, errTopicGone) && g.rejoin.Err() == nil {
		return false, nil
	}
	return true, err
}

// drain waits until nothing is in flight, at most until limit ends, and goes on
// committing what finishes.
func (g *generation) drain(limit context.Context) {
	idle := make(chan struct{})
	waiting, stop := context.WithCancel(limit)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() {
		defer close(idle)
		_ = g.waitIdle(waiting) // either way there is nothing more to wait for
	})
	commits, stopCommits := graceAfter(limit, commitGrace)
	defer stopCommits()
	tick := time.NewTicker(g.c.cfg.CommitInterval)
	defer tick.Stop()
	for {
		select {
		case <-idle:
			return
		case <-tick.C:
			if errors.Is(g.commit(commits), errStale) {
				return
			}
		}
	}
}

// abandon ends the contexts of all handlers and waits a moment for them: one that
// is just done should still be committed.
func (g *generation) abandon() {
	for _, p := range g.parts {
		p.cancel(errStopped)
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(g.app), abandonGrace)
	defer cancel()
	_ = g.waitIdle(limit) // the context says how long
}

// waitIdle waits until no message of the generation is in flight.
func (g *generation) waitIdle(ctx context.Context) error {
	for _, p := range g.parts {
		if err := p.tracker.waitIdle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// handOff makes the last commit of a generation, after which this member stays in
// the group, and leaves what still runs to trailing commits.
func (g *generation) handOff(limit time.Duration) {
	switch err := g.lastCommit(limit); {
	case err == nil:
		g.c.stopTrailing = g.startTrailing()
	case errors.Is(err, errTopicGone):
		g.c.sawTopicGone = true
	}
}

// lastCommit makes the commit that lets go of the partitions. The broker still accepts
// it while the group prepares to rebalance.
func (g *generation) lastCommit(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(g.app), limit)
	defer cancel()
	for {
		err := g.commit(ctx)
		if err == nil || errors.Is(err, errStale) || errors.Is(err, errTopicGone) {
			return err
		}
		if !backoff.Wait(ctx, lastCommitRetry) {
			return errors.Join(err, ctx.Err())
		}
	}
}

// commit makes one commit and logs a failure, at most once a minute.
func (g *generation) commit(ctx context.Context) error {
	err := g.c.commit(ctx, g.membership(), g.parts)
	if err != nil && ctx.Err() == nil && !g.c.noteRefusal(err) {
		shown := g.c.describe(err)
		if isOutage(err) {
			g.c.outage.Fail(shown)
		}
		if seen, ok := g.c.commitLog.AllowErr(shown); ok {
			seen.Since = since(&g.c.outage, seen.Since)
			seen.On(g.c.log).Warn("offsets not committed; trying again", keyGeneration, g.gen.ID, keyError, shown)
		}
	}
	return err
}

func (g *generation) membership() membership {
	return membership{generation: int(g.gen.ID), member: g.gen.MemberID}
}
