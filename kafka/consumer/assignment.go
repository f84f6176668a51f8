package consumer

import (
	"context"
	"slices"
	"time"
)

const (
	// loadRetry is the pause between attempts to read the stored offsets.
	loadPause = 100 * time.Millisecond
	// settleHeartbeats: one to learn that others join, and two to spare on a busy
	// machine. They are waited for after an outage only.
	startDelayHeartbeats = 3
)

// adopt takes over the partitions that the generation assigned. One that was
// here before goes on in place where nobody has moved it: its handlers run on
// and nothing is fetched twice. Any other starts at its stored offset, less the
// runs that its metadata tells to be finished. The handlers of partitions that
// are here no more are cancelled, because others do their work now.
func (s *generation) takeOver(gctx context.Context) {
	c := s.c
	assigned := s.gen.Assignments[c.cfg.Topic]
	ids := make([]int, len(assigned))
	for i, a := range assigned {
		ids[i] = a.ID
	}
	slices.Sort(ids)
	// Before anything is asked for: what they finish from here on cannot be
	// committed, and would be done twice.
	for id, p := range c.partitions {
		if !slices.Contains(ids, id) {
			p.cancel(errPartitionLost)
		}
	}
	known := s.loadOffsets(gctx, ids)

	held := make(map[int]*partition, len(ids))
	var kept, fresh []int
	for _, a := range assigned {
		from, ok := known[a.ID]
		if !ok { // what the join has seen, without its metadata, which only costs repeated work
			from = groupOffset{offset: max(a.Offset, unknownOffset)}
		}
		p := c.partitions[a.ID]
		if p != nil && s.canContinue(p, from.offset) {
			kept = append(kept, a.ID)
			p.startDelay = 0
		} else {
			p = newPartition(s.app, a.ID, from.offset)
			p.startDelay = s.startDelay()
			fresh = append(fresh, a.ID)
		}
		runs, err := decodeRuns(from.offset, from.metadata)
		if err != nil {
			c.log.Warn("commit metadata not used; some work may be repeated", keyPartition, a.ID, keyError, err)
		}
		p.tracker.restore(runs)
		held[a.ID] = p
		s.parts = append(s.parts, p)
	}
	for id, p := range c.partitions {
		if held[id] != p {
			p.cancel(errPartitionLost)
		}
	}
	if len(held) == 0 {
		s.countPartitions(gctx) // a topic that is not there is told from the first moment on
	}
	c.mu.Lock()
	c.partitions, c.joined, c.generation = held, true, s.gen.ID
	c.mu.Unlock()
	c.member = s.gen.MemberID
	c.refusal.over()
	c.outage.over()
	slices.Sort(kept)
	slices.Sort(fresh)
	// What has work in it is claimed first, so that what has to be given up is
	// what was just taken: after an outage, the partitions of a member that comes
	// back a moment later, who alone knows what it has finished of them.
	c.assignor.setClaim(s.gen.ID, slices.Concat(kept, fresh))
	c.breaker.reset() // the outage, if there was one, was somebody else's or is over
	c.log.Info("partitions assigned", keyGeneration, s.gen.ID, keyMember, s.gen.MemberID, keyPartitions, ids, "kept", kept)
}

// settleTime is how long this session waits before it reads partitions that it
// did not have before. When the cluster gave no answer for a while, some members
// have been given up by the coordinator and some have not, and the first to be
// back is given everything. What the others have finished and could not commit is
// only theirs to go on with when it is left alone until they are back too.
//
// That there was an outage shows in a request of ours that was not answered, or
// in our coming back under a new name.
func (s *generation) startDelay() time.Duration {
	renamed := s.c.member != "" && s.c.member != s.gen.MemberID
	if !renamed && !s.c.silence.within(s.c.cfg.SessionTimeout+requestTimeout) {
		return 0
	}
	return startDelayHeartbeats * s.c.cfg.HeartbeatInterval
}

// goesOn says whether a partition that was here before goes on in place.
func (s *generation) canContinue(p *partition, offset int64) bool {
	if s.c.sawTopicGone && offset == unknownOffset {
		return false // a new topic under the old name
	}
	return p.work.Err() == nil && p.tracker.resume(offset)
}

// load reads the stored offsets with their metadata. It tries again for a while,
// because after a broker came back the first requests meet dead connections and
// an old picture of the cluster. Without an answer only the metadata is missing,
// which costs repeated work.
func (s *generation) loadOffsets(gctx context.Context, ids []int) map[int]groupOffset {
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(gctx, requestTimeout)
	defer cancel()
	defer context.AfterFunc(s.app, cancel)()
	for {
		sent := time.Now()
		known, err := s.c.fetchOffsets(ctx, ids)
		if err == nil {
			return known
		}
		s.c.silence.note(sent, err)
		s.c.noteRefusal(err)
		if pause(ctx, loadPause) != nil {
			s.c.log.Warn("commit metadata not read; some work may be repeated", keyGeneration, s.gen.ID, keyError, err)
			return nil
		}
	}
}
