package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/kafka/conn"
)

// stored is what the group has committed for a partition.
type groupOffset struct {
	offset   int64 // unplaced for nothing
	metadata string
}

// fetchOffsets asks the coordinator what the group has committed.
func (c *Consumer) fetchOffsets(ctx context.Context, ids []int) (_ map[int]groupOffset, err error) {
	defer func() { c.refreshMetadata(err) }()
	res, err := c.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
		GroupID: c.cfg.Group,
		Topics:  map[string][]int{c.cfg.Topic: ids},
	})
	if err == nil {
		err = res.Error
	}
	if errors.Is(err, kafka.GroupIdNotFound) { // some brokers say so of a group that is new
		none := make(map[int]groupOffset, len(ids))
		for _, id := range ids {
			none[id] = groupOffset{offset: unknownOffset}
		}
		return none, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fetch offsets of group %s: %w", c.cfg.Group, conn.Bare(err))
	}
	out := make(map[int]groupOffset, len(ids))
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

// bounds asks the brokers how far partitions reach.
func (c *Consumer) bounds(ctx context.Context, ids []int) (_ map[int]logBounds, err error) {
	defer func() { c.refreshMetadata(err) }()
	asked := make([]kafka.OffsetRequest, 0, 2*len(ids))
	for _, id := range ids {
		asked = append(asked, kafka.FirstOffsetOf(id), kafka.LastOffsetOf(id))
	}
	res, err := c.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{c.cfg.Topic: asked},
	})
	if err != nil {
		return nil, fmt.Errorf("list offsets of %s: %w", c.cfg.Topic, conn.Bare(err))
	}
	out := make(map[int]logBounds, len(ids))
	for _, p := range res.Topics[c.cfg.Topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("list offsets of %s/%d: %w", c.cfg.Topic, p.Partition, p.Error)
		}
		out[p.Partition] = logBounds{first: p.FirstOffset, last: p.LastOffset}
	}
	for _, id := range ids {
		if _, ok := out[id]; !ok {
			return nil, fmt.Errorf("list offsets of %s/%d: %w", c.cfg.Topic, id, kafka.UnknownTopicOrPartition)
		}
	}
	return out, nil
}
