package deadletter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
)

const (
	// batchLetters is how many letters are published before they are marked: after a
	// run that was killed, as many are published again.
	batchLetters = 100
	// batchBytes closes a batch as well; the last letter may exceed it.
	batchBytes = 512 << 10
)

// batch is a group of letters of one partition, published and marked together.
type batch struct {
	partition int // of the letters
	items     []item
	messages  int // to publish
	bytes     int // of those
}

// item is a letter of a batch.
type item struct {
	letter   *Letter
	identity identity // of its message
	message  *message // to publish; nil for a duplicate, which is only marked
	rejected bool     // by the broker, for its size
	sent     bool     // the broker has accepted the message
	done     bool     // marked, or rejected
}

func (b *batch) add(l *Letter, id identity, m *message) {
	b.items = append(b.items, item{letter: l, identity: id, message: m})
	if m != nil {
		b.messages++
		b.bytes += m.size()
	}
}

// publishes reports whether the batch is to publish a message.
func (b *batch) publishes(id identity) bool {
	return slices.ContainsFunc(b.items, func(i item) bool { return i.message != nil && i.identity == id })
}

// deliver publishes a batch and marks the letters that the broker has accepted, even if
// the rest fails. ctx should outlast the program's.
func (q *Queue) deliver(ctx context.Context, partitions []int, b *batch) error {
	groups := make(map[int][]*item)
	for i := range b.items {
		item := &b.items[i]
		if item.message == nil {
			item.sent = true // with another letter
			continue
		}
		to := targetPartition(item, partitions)
		groups[to] = append(groups[to], item)
	}
	var failed error
	for _, partition := range partitions {
		if len(groups[partition]) > 0 && failed == nil {
			failed = q.publish(ctx, partition, groups[partition])
		}
	}
	return errors.Join(failed, q.mark(ctx, b))
}

// targetPartition returns the partition for a message: where it was, so that its key
// stays where the publisher's partitioner has put it.
func targetPartition(i *item, partitions []int) int {
	if p := i.letter.Origin.Partition; slices.Contains(partitions, p) {
		return p
	}
	return (&kafka.Hash{}).Balance(kafka.Message{Key: i.message.key}, partitions...)
}

// publish writes messages to a partition of the origin topic, one by one if they are
// too large for one request.
func (q *Queue) publish(ctx context.Context, partition int, items []*item) error {
	messages := make([]*message, len(items))
	for i, it := range items {
		messages[i] = it.message
	}
	err := q.produce(ctx, q.cfg.Topic, partition, messages...)
	switch {
	case err == nil:
		for _, it := range items {
			it.sent = true
		}
	case !tooLarge(err):
		return fmt.Errorf("publish to %s/%d: %w", q.cfg.Topic, partition, err)
	case len(items) == 1:
		items[0].rejected = true
	default:
		for i := range items {
			if err := q.publish(ctx, partition, items[i:i+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func tooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}

// mark writes a mark for the letters of a batch that were sent.
func (q *Queue) mark(ctx context.Context, b *batch) error {
	var offsets []int64
	for i := range b.items {
		if b.items[i].sent {
			offsets = append(offsets, b.items[i].letter.ID.Offset)
		}
	}
	if len(offsets) > 0 {
		err := q.produce(ctx, q.Topic(), b.partition, &message{
			// A compacted topic accepts only messages with a key and keeps one message
			// per key, so each mark has a unique one.
			key:     []byte("mark-" + rand.Text()),
			value:   encodeRuns(offsets),
			headers: []event.Header{{Key: HeaderRedriven, Value: []byte("1")}},
		})
		if err != nil {
			letters := fmt.Sprintf("the %d letters from %v on, which are", len(offsets), ID{b.partition, offsets[0]})
			if len(offsets) == 1 {
				letters = fmt.Sprintf("the letter %v, which is", ID{b.partition, offsets[0]})
			}
			return fmt.Errorf("mark in %s/%d %s redriven already and will be once more by the next run: %w", q.Topic(), b.partition, letters, err)
		}
	}
	for i := range b.items {
		b.items[i].done = b.items[i].sent || b.items[i].rejected
	}
	return nil
}

// produce writes messages to a partition and waits for all replicas in sync. It works
// below kafka.Writer, whose attempts cannot be bounded.
func (q *Queue) produce(ctx context.Context, topic string, partition int, messages ...*message) error {
	return q.retry(ctx, func(ctx context.Context) error {
		records := make([]kafka.Record, len(messages)) // each attempt consumes them
		for i, m := range messages {
			records[i] = kafka.Record{Key: kafka.NewBytes(m.key), Value: kafka.NewBytes(m.value), Headers: make([]kafka.Header, len(m.headers))}
			for j, h := range m.headers {
				records[i].Headers[j] = kafka.Header(h)
			}
		}
		res, err := q.client.Produce(ctx, &kafka.ProduceRequest{
			Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(records...), Compression: kafka.Snappy,
		})
		if err == nil {
			err = q.cfg.WriteRefusal(topic, res.Error)
		}
		return err
	})
}
