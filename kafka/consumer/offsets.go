package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/outage"
)

// An offset counts as beyond the end only if beyondChecks more look-ups, beyondPause
// apart, confirm it: after a change of leader the end may lag for a moment.
const (
	beyondChecks = 2
	beyondPause  = 500 * time.Millisecond
)

// groupOffset is the offset that the group has committed for a partition.
type groupOffset struct {
	offset   int64 // unknownOffset for nothing
	metadata string
}

// fetchOffsets asks the coordinator which offsets the group has committed.
func (c *Consumer) fetchOffsets(ctx context.Context, ids []int) (_ map[int]groupOffset, err error) {
	defer func() { c.refreshMetadata(err) }()
	res, err := c.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
		GroupID: c.cfg.Group,
		Topics:  map[string][]int{c.cfg.Topic: ids},
	})
	if err == nil {
		err = res.Error
	}
	out := make(map[int]groupOffset, len(ids))
	if errors.Is(err, kafka.GroupIdNotFound) { // some brokers answer this for a new group
		for _, id := range ids {
			out[id] = groupOffset{offset: unknownOffset}
		}
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fetch offsets of group %s: %w", c.cfg.Group, conn.TrimMethod(err))
	}
	for _, p := range res.Topics[c.cfg.Topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("fetch offset of partition %d: %w", p.Partition, p.Error)
		}
		out[p.Partition] = groupOffset{offset: max(p.CommittedOffset, unknownOffset), metadata: p.Metadata}
	}
	return out, nil
}

// logBounds are the first offset of a partition and the one after its last.
type logBounds struct{ first, last int64 }

// boundsAtOnce is the number of partitions whose bounds are asked for at once. kafka-go
// makes two requests of each, in parallel and on connections of their own that it keeps:
// all at once would hold three connections a partition open, not one.
const boundsAtOnce = 4

// bounds asks the brokers for the bounds of partitions. Each question has requestTimeout,
// because a worker of many partitions asks many. With an error it returns those that are
// known: it goes on over partitions whose leaders do not answer, and ends when nobody does.
func (c *Consumer) bounds(ctx context.Context, ids []int) (_ map[int]logBounds, err error) {
	defer func() { c.refreshMetadata(err) }()
	out := make(map[int]logBounds, len(ids))
	for some := range slices.Chunk(ids, boundsAtOnce) {
		before := len(out)
		if failed := c.addBounds(ctx, out, some); failed != nil {
			if err = cmp.Or(err, failed); len(out) == before {
				return out, err
			}
		}
	}
	return out, err
}

// errLeaderSilent takes the place of the code with which kafka-go reports any failure of a
// request for bounds that got no answer. A broker has a code for each of its own.
var errLeaderSilent = errors.New("its leader cannot be reached, or does not answer")

// addBounds adds the bounds of some partitions to out, and returns the first error of one.
func (c *Consumer) addBounds(ctx context.Context, out map[int]logBounds, ids []int) (failed error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	requests := make([]kafka.OffsetRequest, 0, 2*len(ids))
	for _, id := range ids {
		requests = append(requests, kafka.FirstOffsetOf(id), kafka.LastOffsetOf(id))
	}
	res, err := c.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{c.cfg.Topic: requests},
	})
	if err != nil {
		return fmt.Errorf("list offsets of %s: %w", c.cfg.Topic, conn.TrimMethod(err))
	}
	answers := make(map[int]kafka.PartitionOffsets, len(ids))
	for _, p := range res.Topics[c.cfg.Topic] {
		answers[p.Partition] = p
	}
	for _, id := range ids {
		p, ok := answers[id]
		if !ok {
			p.Error = kafka.UnknownTopicOrPartition
		}
		if errors.Is(p.Error, kafka.Unknown) {
			p.Error = errLeaderSilent
		}
		if p.Error == nil {
			out[id] = logBounds{first: p.FirstOffset, last: p.LastOffset}
		} else if failed == nil {
			failed = fmt.Errorf("list offsets of %s/%d: %w", c.cfg.Topic, id, p.Error)
		}
	}
	return failed
}

// partitionIDs returns the partitions of the topic as the brokers have them now;
// none when there is no such topic.
func (c *Consumer) partitionIDs(ctx context.Context) ([]int, error) {
	var failed error
	for _, broker := range c.cfg.Brokers {
		partitions, err := conn.Partitions(ctx, c.dialer, broker, c.cfg.Topic, requestTimeout)
		if err != nil && !errors.Is(err, kafka.UnknownTopicOrPartition) {
			failed = errors.Join(failed, err)
			continue
		}
		ids := make([]int, len(partitions)) // none on an error
		for i, p := range partitions {
			ids[i] = p.ID
		}
		return ids, nil
	}
	return nil, fmt.Errorf("look up partitions of %s: %w", c.cfg.Topic, failed)
}

// beginGroup commits the current end offsets for a group that has never committed
// anything for the topic, so that Start: last skips what is already there. It does
// so before any member has joined.
//
// Leaving this to the start offset of the members would lose messages: a partition
// that is added later has no committed offset either, and all that was published
// to it before its first assignment would be skipped.
//
// It tries until it is done, and reports false when ctx ends first.
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
			shown := c.describe(err)
			c.outage.Fail(shown)
			if seen, ok := c.joinLog.AllowErr(shown); ok {
				seen.Since = since(&c.outage, seen.Since)
				seen.On(c.log).Warn("beginning of the group not set; trying again", keyError, shown)
			}
		}
		if !backoff.Wait(ctx, joinBackoff) {
			return false
		}
	}
}

// commitEnds makes one attempt. The broker may accept the commit for some partitions
// only; the next attempt finds a group that is not new, and uses the same ends.
func (c *Consumer) commitEnds(attempt context.Context) error {
	ctx, cancel := context.WithTimeout(attempt, requestTimeout)
	defer cancel()
	ids, err := c.partitionIDs(ctx)
	if err != nil || len(ids) == 0 {
		return err // a topic that is not there yet is read from its first message
	}
	offsets, err := c.fetchOffsets(ctx, ids)
	if err != nil {
		return err
	}
	isNew := true
	for _, o := range offsets {
		isNew = isNew && o.offset == unknownOffset
	}
	if isNew {
		ends, err := c.bounds(attempt, ids)
		if err != nil {
			return err
		}
		c.startEnds = ends
	}
	var commits []kafka.OffsetCommit
	for _, id := range ids {
		o, stored := offsets[id]
		if end, ok := c.startEnds[id]; ok && (!stored || o.offset == unknownOffset) {
			commits = append(commits, kafka.OffsetCommit{Partition: id, Offset: end.last})
		}
	}
	if len(commits) == 0 {
		return nil // the group is not new
	}
	ctx, cancel = context.WithTimeout(attempt, requestTimeout) // the bounds of many partitions take their time
	defer cancel()
	answers, err := c.offsetCommit(ctx, memberless, commits)
	for id, answer := range answers {
		if answer != nil {
			err = errors.Join(err, fmt.Errorf("commit partition %d: %w", id, answer))
		}
	}
	if errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.IllegalGeneration) {
		return nil // another worker has joined since, and began the group first
	}
	return err
}

// startPoint is where to begin reading a partition.
type startPoint struct {
	offset int64
	beyond bool // the offset to go on at is beyond the end, and the policy has chosen this one
}

// findStart returns where to go on in a partition with the given bounds, when next is
// the offset to fetch next. kafka-go would jump silently over what retention has
// deleted, and wait forever at an offset beyond the end.
func findStart(next int64, b logBounds, policy OutOfRange) startPoint {
	switch {
	case next < b.first: // unknown offsets too
		return startPoint{offset: b.first}
	case next > b.last && policy == OutOfRangeLast:
		return startPoint{offset: b.last, beyond: true}
	case next > b.last:
		return startPoint{offset: b.first, beyond: true}
	}
	return startPoint{offset: next}
}

// seek moves the tracker to where reading can go on, and reports the messages that
// it lost on the way.
func (g *generation) seek(ctx context.Context, p *partition) error {
	var start startPoint
	for check := range beyondChecks + 1 {
		if check > 0 && !backoff.Wait(ctx, beyondPause) {
			return ctx.Err()
		}
		asked := time.Now()
		b, err := g.boundsOf(ctx, p)
		if err != nil {
			return err
		}
		p.high.Store(b.last) // also a lower one, of a topic that was made again
		p.highAt.Store(asked.UnixMilli())
		if start = findStart(p.tracker.progress().next, b, g.c.cfg.OutOfRange); !start.beyond {
			g.jump(p, start.offset)
			return nil
		}
	}
	from := p.tracker.progress().next
	p.tracker.reset(start.offset)
	for _, other := range g.parts { // those of a topic that was made again go on where nothing was read
		other.tracker.doubt()
	}
	g.c.observe.OffsetReset(p.id, from, start.offset)
	if seen, ok := g.c.resetLog.Allow(); ok {
		seen.On(g.c.log).Warn("the committed offset lies beyond the end of the partition: the topic was made again or cut", keyPartition, p.id,
			keyOffset, from, "start", start.offset, "policy", string(g.c.cfg.OutOfRange))
	}
	return nil
}

// explainGap finds out whether offsets before a message are missing because they were
// deleted while we read, and reports them; otherwise compaction has removed them.
func (g *generation) explainGap(ctx context.Context, p *partition, to int64) error {
	b, err := g.boundsOf(ctx, p)
	if err != nil {
		return err
	}
	if b.first > p.tracker.progress().next {
		g.jump(p, min(b.first, to))
	}
	return nil
}

// jump moves on to an offset, and reports what it passes over as lost.
func (g *generation) jump(p *partition, to int64) {
	if lost := p.tracker.jump(to); lost > 0 {
		g.c.observe.LostToRetention(p.id, lost)
		if seen, ok := g.c.lostLog.AllowN(int(lost)); ok {
			g.c.logLost(seen, keyPartition, p.id, keyOffset, to)
		}
	}
}

// logLost logs messages that were lost to the topic's retention.
func (c *Consumer) logLost(seen outage.Tally, place ...any) {
	c.log.With(place...).Error("messages were deleted before they were read: raise the topic's retention or add workers", seen.Attr())
}

func (g *generation) boundsOf(ctx context.Context, p *partition) (logBounds, error) {
	all, err := g.c.bounds(ctx, []int{p.id})
	return all[p.id], err
}
