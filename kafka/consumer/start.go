package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/kafka/conn"
)

// beginGroup gives a group that has never committed anything for the topic its
// beginning, when that is to be the end of the topic: it commits the present
// end of every partition before anybody has joined.
//
// Leaving this to the start offset of the members would lose messages: a
// partition that is added later has no committed offset either, and all that
// was published to it before its first assignment would be passed over.
//
// It tries until it is done and reports false when ctx ends first.
func (c *Consumer) beginGroup(ctx context.Context) bool {
	if c.cfg.Start != StartLast {
		return true
	}
	for {
		err := c.commitEnds(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if !c.noteRefusal(err) {
			told := c.cfg.Describe(c.cfg.Explain(err))
			c.outage.note(told)
			if n, ok := c.joinLog.allow(); ok {
				c.log.Warn("beginning of the group not set; trying again", keyError, told, keyCount, n)
			}
		}
		if pause(ctx, joinBackoff) != nil {
			return false
		}
	}
}

// commitEnds makes one attempt. The broker may take the commit for one partition
// and not for another; what is left is done by the next attempt, to which the
// group is not new any more.
func (c *Consumer) commitEnds(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ids, err := c.partitionIDs(ctx)
	if err != nil || len(ids) == 0 {
		return err // a topic that is not there yet is read from its first message
	}
	stored, err := c.fetchOffsets(ctx, ids)
	if err != nil {
		return err
	}
	if isNew(stored) {
		if c.startEnds, err = c.bounds(ctx, ids); err != nil {
			return err
		}
	}
	commits := make([]kafka.OffsetCommit, 0, len(ids))
	for _, id := range ids {
		at, placed := stored[id]
		if end, seen := c.startEnds[id]; seen && (!placed || at.offset == unknownOffset) {
			commits = append(commits, kafka.OffsetCommit{Partition: id, Offset: end.last})
		}
	}
	if len(commits) == 0 {
		return nil // the group is known
	}
	err = c.sendCommits(ctx, memberless, commits)
	if errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.IllegalGeneration) {
		return nil // another worker has joined since, and began the group first
	}
	return err
}

// isNew says of a group whether it has committed nothing.
func isNew(offsets map[int]groupOffset) bool {
	for _, s := range offsets {
		if s.offset != unknownOffset {
			return false
		}
	}
	return true
}

// partitionIDs gives the partitions of the topic as the brokers have them now;
// none when there is no such topic.
func (c *Consumer) partitionIDs(ctx context.Context) ([]int, error) {
	var failed error
	for _, broker := range c.cfg.Brokers {
		found, err := conn.Partitions(ctx, c.dialer, broker, c.cfg.Topic, requestTimeout)
		switch {
		case errors.Is(err, kafka.UnknownTopicOrPartition):
			return nil, nil
		case err != nil:
			failed = errors.Join(failed, err)
			continue
		}
		ids := make([]int, len(found))
		for i, p := range found {
			ids[i] = p.ID
		}
		return ids, nil
	}
	return nil, fmt.Errorf("look up partitions of %s: %w", c.cfg.Topic, failed)
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
