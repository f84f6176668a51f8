package consumer

import (
	"context"
	"time"
)

// watch looks, every now and then, how far the partitions reach, for the lag,
// and, in the group's leader, whether the topic has other partitions than were
// assigned. kafka-go has a watch of its own, which ends a hundred generations a
// second while a topic is missing and then never notices that it is back.
func (s *session) watch(ctx context.Context) {
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
			signal(s.gone)
		}
		switch s.compare(ctx) {
		case topicGrew:
			signal(s.grown)
		case topicReplaced:
			signal(s.gone)
		}
	}
}

// refreshHigh notes the ends of the partitions, and reports whether one of them
// ends before what was read of it. A failure is no news: the fetchers meet it
// as well.
func (s *session) refreshHigh(ctx context.Context) (beyond bool) {
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
		s.c.turnedAway(err)
		return false
	}
	for _, p := range s.parts {
		p.sawHigh(bounds[p.id].last)
		beyond = beyond || p.reading.Load() && bounds[p.id].last < read[p.id]
	}
	return beyond
}

// change is what has become of the topic's partitions since they were assigned.
type change int

const (
	topicSame change = iota
	topicGrew
	topicReplaced // it has fewer: it was deleted, and perhaps made again
)

// compare compares the topic with the assignment that this member made. Members
// that did not make it leave that to the one that did; one that has nothing looks
// only whether there is a topic.
func (s *session) compare(ctx context.Context) change {
	assigned, leader := s.c.balancer.seen()
	if !leader && len(s.parts) > 0 {
		return topicSame
	}
	n, known := s.look(ctx)
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
func (s *session) look(ctx context.Context) (partitions int, known bool) {
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
