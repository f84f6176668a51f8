package stream

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
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		s.refreshHigh(ctx)
		if s.partitionsChanged(ctx) {
			signal(s.grown)
		}
	}
}

// refreshHigh notes the ends of the partitions. A failure is no news: the
// fetchers meet it as well.
func (s *session) refreshHigh(ctx context.Context) {
	if len(s.parts) == 0 {
		return
	}
	ids := make([]int, len(s.parts))
	for i, p := range s.parts {
		ids[i] = p.id
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	bounds, err := s.c.bounds(ctx, ids)
	if err != nil {
		return
	}
	for _, p := range s.parts {
		p.sawHigh(bounds[p.id].last)
	}
}

// partitionsChanged compares the topic with the assignment that this member
// made. Members that did not make it leave that to the one that did.
func (s *session) partitionsChanged(ctx context.Context) bool {
	assigned, leader := s.c.balancer.seen()
	if !leader {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ids, err := s.c.partitionIDs(ctx)
	return err == nil && len(ids) != assigned
}
