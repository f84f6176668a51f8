package consumer

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/outage"
)

const (
	loadPause = 100 * time.Millisecond // between attempts to read the stored offsets
	// startDelayHeartbeats: one to learn that others join, and two to spare on a busy
	// machine.
	startDelayHeartbeats = 3
)

// partition is a partition that this member holds. It lasts from one generation to
// the next as long as this member keeps it.
type partition struct {
	id      int
	tracker *tracker
	// work is the context of its handlers; it ends when the partition is lost or
	// the consumer stops.
	work   context.Context
	cancel context.CancelCauseFunc
	taken  time.Time    // when this member took it over
	high   atomic.Int64 // the offset after the newest message; unknownOffset until one is seen
	highAt atomic.Int64 // when a broker last confirmed high or raised it, in milliseconds since 1970; 0: not yet
	// readTo is the time up to which the partition has been read: that of the last message
	// read, or when a broker last had no more. In milliseconds since 1970; 0: not yet.
	readTo atomic.Int64
	open   atomic.Bool   // a connection reads it, from an offset within the partition
	outage outage.Outage // of reading it
	// startDelay is how long its first fetch waits. Only generations use it.
	startDelay time.Duration
}

func newPartition(ctx context.Context, id int, stored int64) *partition {
	p := &partition{id: id, tracker: newTracker(stored), taken: time.Now()}
	p.work, p.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	p.high.Store(unknownOffset)
	return p
}

// noteReadTo records a time up to which the partition has been read. One in the future
// comes from a publisher whose clock is ahead.
func (p *partition) noteReadTo(t time.Time) {
	if ms := min(t.UnixMilli(), time.Now().UnixMilli()); ms > p.readTo.Load() { // its reader alone writes it
		p.readTo.Store(ms)
	}
}

// oldestAge returns the age of the oldest message that is not finished, by its own time,
// or the most that it can be while it is not read yet. 0: all are finished, or a clock
// is wrong; below zero: it is not known. A blind partition is one whose end is not known
// now, so that high says nothing about what has come since. One that this member has
// never read counts from when it took it over: its messages may be older, and an age that
// grows is seen, where none would not be.
func (p *partition) oldestAge(at progress, high int64, blind bool) time.Duration {
	var since time.Time
	switch readTo := p.readTo.Load(); {
	case at.working+at.returned > 0:
		since = at.oldest
	case high <= at.next && !blind:
		return 0
	case readTo > 0:
		since = time.UnixMilli(readTo)
	case blind:
		since = p.taken
	}
	if since.UnixMilli() <= 0 { // a message need not have a time
		return -1
	}
	return max(time.Since(since), 0)
}

// raiseHigh records an end of the partition that a broker was asked for at a time, unless
// a higher one is known.
func (p *partition) raiseHigh(offset int64, asked time.Time) {
	for {
		known := p.high.Load()
		if offset < known {
			return
		}
		if offset == known || p.high.CompareAndSwap(known, offset) {
			p.highAt.Store(max(p.highAt.Load(), asked.UnixMilli()))
			return
		}
	}
}

// minEndAge is the least time for which an end of the partition counts as known.
const minEndAge = 30 * time.Second

// blind reports whether it is not known where the partition ends: it cannot be read, or no
// broker has said so for a while. Brokers say it with each fetch and each
// Config.PartitionWatch; a reader that waits for room makes no fetches.
func (p *partition) blind(down bool, watch time.Duration) bool {
	at := p.highAt.Load()
	return down || at > 0 && time.Since(time.UnixMilli(at)) > max(minEndAge, 3*watch)
}

// takeOver takes over the assigned partitions. One that this member had before
// continues in place, unless its offset was moved: its handlers run on and nothing is
// fetched twice. Any other starts at its stored offset, and skips the runs that are
// finished according to its metadata. The handlers of other partitions are cancelled,
// because other members do their work now.
func (g *generation) takeOver(gctx context.Context) {
	c := g.c
	assigned := g.gen.Assignments[c.cfg.Topic]
	ids := make([]int, len(assigned))
	for i, a := range assigned {
		ids[i] = a.ID
	}
	slices.Sort(ids)
	// This precedes all requests: what they finish from here on cannot be committed.
	for id, p := range c.partitions {
		if !slices.Contains(ids, id) {
			p.cancel(errPartitionLost)
		}
	}
	offsets := g.loadOffsets(gctx, ids)

	taken := make(map[int]*partition, len(ids))
	kept := []int{} // the log shows an empty list as it shows that of the partitions
	var fresh []int
	for _, a := range assigned {
		from, ok := offsets[a.ID]
		if !ok { // the offset from the join; missing its metadata only costs repeated work
			from = groupOffset{offset: max(a.Offset, unknownOffset)}
		}
		p := c.partitions[a.ID]
		if p != nil && g.canContinue(p, from.offset) {
			kept = append(kept, a.ID)
			p.startDelay = 0
		} else {
			if p != nil {
				p.cancel(errPartitionLost)
			}
			p = newPartition(g.app, a.ID, from.offset)
			p.startDelay = g.startDelay()
			p.tracker.doubt() // the topic may be a new one under the old name
			fresh = append(fresh, a.ID)
		}
		runs, err := decodeRuns(from.offset, from.metadata)
		if err != nil {
			if seen, ok := c.metadataLog.Allow(); ok {
				seen.On(c.log).Warn("commit metadata not used; some work may be repeated", keyPartition, a.ID, keyError, err)
			}
		}
		p.tracker.restore(runs)
		taken[a.ID] = p
		g.parts = append(g.parts, p)
	}
	if len(taken) == 0 {
		g.countPartitions(gctx) // a missing topic shows in Status from the first moment on
	} else {
		c.topicMissing.Store(nil)
	}
	c.mu.Lock()
	c.partitions, c.joined, c.generation = taken, true, g.gen.ID
	c.mu.Unlock()
	c.member = g.gen.MemberID
	c.refusal.end()
	c.outage.End()
	c.joinLog.Over() // the next outage is a new one
	c.commitLog.Over()
	c.topicLog.Over()
	slices.Sort(kept)
	slices.Sort(fresh)
	// Partitions with work in them are claimed first, so that those just taken are given
	// up first: after an outage they belong to a member that comes back a moment later,
	// and only that member knows what it has finished of them.
	c.assignor.setClaim(g.gen.ID, slices.Concat(kept, fresh))
	c.breaker.reset() // the outage of commits, if there was one, is over or was another member's
	c.noteForeign()
	c.log.Info("partitions assigned", keyGeneration, g.gen.ID, "member", g.gen.MemberID, "partitions", ids, "kept", kept)
}

// startDelay returns how long this generation waits before it reads partitions that
// this member did not have before. An outage shows as a request without an answer, or
// as a new id of this member. After one the coordinator has expelled some members, and
// assigns everything to the first that is back. It waits until the others are back
// too, because only they know what they finished and could not commit.
func (g *generation) startDelay() time.Duration {
	renamed := g.c.member != "" && g.c.member != g.gen.MemberID
	if !renamed && !g.c.unansweredWithin(g.c.cfg.SessionTimeout+requestTimeout) {
		return 0
	}
	return startDelayHeartbeats * g.c.cfg.HeartbeatInterval
}

// canContinue reports whether a partition that this member had continues in place.
func (g *generation) canContinue(p *partition, offset int64) bool {
	if g.c.sawTopicGone && offset == unknownOffset {
		return false // a new topic under the old name
	}
	return p.work.Err() == nil && p.tracker.resume(offset)
}

// loadOffsets reads the stored offsets with their metadata. It tries again for a while:
// the first requests to a broker that came back run into dead connections.
func (g *generation) loadOffsets(gctx context.Context, ids []int) map[int]groupOffset {
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(gctx, requestTimeout)
	defer cancel()
	defer context.AfterFunc(g.app, cancel)()
	for {
		sent := time.Now()
		offsets, err := g.c.fetchOffsets(ctx, ids)
		if err == nil {
			return offsets
		}
		g.c.noteUnanswered(sent, err)
		g.c.noteRefusal(err)
		if !backoff.Wait(ctx, loadPause) {
			shown := g.c.describe(err)
			if seen, ok := g.c.offsetsLog.AllowErr(shown); ok {
				seen.On(g.c.log).Warn("commit metadata not read; some work may be repeated", keyGeneration, g.gen.ID, keyError, shown)
			}
			return nil
		}
	}
}

// noteForeign logs which other topics members of the group read, once for each change. All
// work, but every deployment that comes or goes stops all of them for a rebalance.
func (c *Consumer) noteForeign() {
	foreign := c.assignor.foreignTopics()
	if len(foreign) == 0 || slices.Equal(foreign, c.foreign) {
		return
	}
	if seen, ok := c.foreignLog.Allow(); ok { // else the next generation tries again
		c.foreign = foreign
		seen.On(c.log).Warn("the group reads other topics too: give each deployment a group of its own", "other_topics", foreign[:min(len(foreign), maxForeign)])
	}
}

// maxForeign bounds the names in one line of the log.
const maxForeign = 10
