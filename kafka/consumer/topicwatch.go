package consumer

import (
	"context"
	"time"
)

// watchTopic looks up the ends of the partitions every Config.PartitionWatch, for the
// lag. In the group's leader it also compares the topic's partitions with those that
// were assigned: kafka-go's own watch ends a hundred generations a second while a
// topic is missing, and then never notices that it is back.
func (g *generation) watchTopic(ctx context.Context) {
	tick := time.NewTicker(g.c.cfg.PartitionWatch)
	defer tick.Stop()
	shorter := 0
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		// A partition that ends below what was read of it is not the one that was
		// read. Once may be a change of leader, twice is not.
		if shorter++; !g.refreshHigh(ctx) {
			shorter = 0
		}
		if shorter >= beyondChecks {
			signal(g.topicGone)
		}
		g.compareTopic(ctx)
	}
}

// refreshHigh records the ends of the partitions, and reports whether one of them ends
// before what was read of it. It ignores failures: the readers notice them too, and
// partitions that they cannot read are not asked for, so that the others get their answers.
func (g *generation) refreshHigh(ctx context.Context) (shorter bool) {
	var ids []int
	read := make(map[int]int64, len(g.parts)) // as it was before the request
	for _, p := range g.parts {
		if _, failed := p.outage.Now(); failed == nil {
			ids, read[p.id] = append(ids, p.id), p.tracker.progress().next
		}
	}
	if len(ids) == 0 {
		return false
	}
	sent := time.Now()
	bounds, err := g.c.bounds(ctx, ids)
	if err != nil {
		g.c.noteUnanswered(sent, err)
		g.c.noteRefusal(err)
	}
	for _, p := range g.parts {
		if b, known := bounds[p.id]; known {
			p.raiseHigh(b.last, sent)
			shorter = shorter || p.open.Load() && b.last < read[p.id]
		}
	}
	return shorter
}

// compareTopic compares the topic with the assignment that this member made as the
// group's leader. Other members leave that to the leader; one without partitions
// only looks whether there is a topic.
func (g *generation) compareTopic(ctx context.Context) {
	assigned, leader := g.c.assignor.leaderCount()
	if !leader && len(g.parts) > 0 {
		return
	}
	n, known := g.countPartitions(ctx)
	switch {
	case !known, !leader:
	case n > assigned:
		signal(g.topicGrown)
	case n < assigned: // it was deleted, and perhaps recreated
		signal(g.topicGone)
	}
}

// countPartitions returns the number of the topic's partitions, and records when
// there are none. known is false when no broker answered.
func (g *generation) countPartitions(ctx context.Context) (partitions int, known bool) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	defer context.AfterFunc(g.app, cancel)()
	ids, err := g.c.partitionIDs(ctx)
	if err != nil {
		return 0, false
	}
	if len(ids) > 0 {
		g.c.topicMissing.Store(nil)
		g.c.topicLog.Over()
		return len(ids), true
	}
	g.c.topicMissing.CompareAndSwap(nil, new(time.Now()))
	if seen, ok := g.c.topicLog.Allow(); ok {
		if missing := g.c.topicMissing.Load(); missing != nil {
			seen.Since = *missing // as the status page says it
		}
		g.c.log.Warn("topic does not exist: nothing is consumed until it is made; create it, or correct kafka.topic", seen.Attr())
	}
	return 0, true
}
