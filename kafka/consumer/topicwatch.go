package consumer

import (
	"context"
	"time"
)

// watch looks, every now and then, how far the partitions reach, for the lag,
// and, in the group's leader, whether the topic has other partitions than were
// assigned. kafka-go has a watch of its own, which ends a hundred generations a
// second while a topic is missing and then never notices that it is back.
func (s *generation) watchTopic(ctx context.Context) {
	tick := time.NewTicker(s.c.cfg.PartitionWatch)
	defer tick.Stop()
	beyond := 0
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		// A partition that ends below what was read of it is not the one that was
		// read. Once may be a change of leader, twice is not.
		if beyond++; !s.refreshHigh(ctx) {
			beyond = 0
		}
		if beyond >= beyondChecks {
			signal(s.topicGone)
		}
		switch s.compareTopic(ctx) {
		case topicGrew:
			signal(s.topicGrown)
		case topicReplaced:
			signal(s.topicGone)
		}
	}
}

// refreshHigh notes the ends of the partitions, and reports whether one of them
// ends before what was read of it. A failure is no news: the fetchers meet it
// as well.
func (s *generation) refreshHigh(ctx context.Context) (beyond bool) {
	if len(s.parts) == 0 {
		return false
	}
	ids := make([]int, len(s.parts))
	read := make(map[int]int64, len(s.parts)) // as it was before the question
	for i, p := range s.parts {
		ids[i], read[p.id] = p.id, p.tracker.progress().next
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	sent := time.Now()
	bounds, err := s.c.bounds(ctx, ids)
	if err != nil {
		s.c.silence.note(sent, err)
		s.c.noteRefusal(err)
		return false
	}
	for _, p := range s.parts {
		p.raiseHigh(bounds[p.id].last)
		beyond = beyond || p.open.Load() && bounds[p.id].last < read[p.id]
	}
	return beyond
}

// change is what has become of the topic's partitions since they were assigned.
type topicChange int

const (
	topicSame topicChange = iota
	topicGrew
	topicReplaced // it has fewer: it was deleted, and perhaps made again
)

// compare compares the topic with the assignment that this member made. Members
// that did not make it leave that to the one that did; one that has nothing looks
// only whether there is a topic.
func (s *generation) compareTopic(ctx context.Context) topicChange {
	assigned, leader := s.c.assignor.leaderCount()
	if !leader && len(s.parts) > 0 {
		return topicSame
	}
	n, known := s.countPartitions(ctx)
	switch {
	case !known, !leader:
		return topicSame
	case n > assigned:
		return topicGrew
	case n < assigned:
		return topicReplaced
	}
	return topicSame
}

// look counts the partitions of the topic, and notes when there are none. It
// reports false when nobody could tell.
func (s *generation) countPartitions(ctx context.Context) (partitions int, known bool) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	defer context.AfterFunc(s.app, cancel)()
	ids, err := s.c.partitionIDs(ctx)
	if err != nil {
		return 0, false
	}
	if len(ids) > 0 {
		s.c.topicMissing.Store(nil)
		return len(ids), true
	}
	now := time.Now()
	s.c.topicMissing.CompareAndSwap(nil, &now)
	if n, ok := s.c.topicLog.allow(); ok {
		s.c.log.Warn("topic does not exist: nothing is consumed until it is made", keyCount, n)
	}
	return 0, true
}
