package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/kafka/consumer"
)

const (
	// requestTimeout bounds one request to a broker.
	requestTimeout = 10 * time.Second
	// retryLimit bounds the attempts at one request, pauses included.
	retryLimit = 30 * time.Second
	// pauseMin and pauseMax bound the pause between two attempts.
	pauseMin = 100 * time.Millisecond
	pauseMax = 2 * time.Second
)

// ErrEmpty says that the topic of events exists but the topic of dead letters does
// not: nothing has died yet.
var ErrEmpty = errors.New("no dead letters")

// Queue is the dead letters of one topic. It is safe for concurrent use.
type Queue struct {
	cfg        consumer.Config
	transport  *kafka.Transport
	client     *kafka.Client
	batchSize  int           // letters that are published before they are marked
	retryLimit time.Duration // for the attempts at one request
}

// Open returns the dead letters of the configured topic. It connects on first use.
// The error is of type fault.List. The caller must Close the queue.
func Open(cfg consumer.Config) (*Queue, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	transport := conn.NewTransport(cfg.Config)
	client := conn.NewClient(cfg.Config, transport)
	client.Timeout = requestTimeout // half of it is for replicas, which would have 500 ms without it
	return &Queue{cfg: cfg, transport: transport, client: client, batchSize: batchLetters, retryLimit: retryLimit}, nil
}

// Close closes the connections.
func (q *Queue) Close() { q.transport.CloseIdleConnections() }

// Topic returns the topic of the dead letters.
func (q *Queue) Topic() string { return q.cfg.DeadLetters() }

// partitions returns the partitions of a topic, ascending; none if it does not exist.
func (q *Queue) partitions(ctx context.Context, topic string) ([]int, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := q.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("look up topic %s: %w", topic, q.cfg.Describe(err))
	}
	var out []int
	for _, t := range res.Topics {
		switch {
		case t.Name != topic, errors.Is(t.Error, kafka.UnknownTopicOrPartition):
			continue
		case t.Error != nil:
			return nil, fmt.Errorf("look up topic %s: %w", topic, q.cfg.Describe(q.cfg.ReadRefusal(topic, t.Error)))
		}
		for _, p := range t.Partitions {
			out = append(out, p.ID)
		}
	}
	slices.Sort(out)
	return out, nil
}

// span is a range of offsets of a partition: from is inside, to is not.
type span struct {
	partition int
	from, to  int64
}

// spans returns the offsets that the partitions of the dead letters hold now.
func (q *Queue) spans(ctx context.Context) ([]span, error) {
	ids, err := q.partitions(ctx, q.Topic())
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		origin, err := q.partitions(ctx, q.cfg.Topic)
		if err != nil {
			return nil, err
		}
		if len(origin) == 0 {
			return nil, fmt.Errorf("neither topic %s nor %s exists on %s: name yours with kafka.topic, kafka.dead_letter_topic and kafka.brokers",
				q.Topic(), q.cfg.Topic, strings.Join(q.cfg.Brokers, ", "))
		}
		return nil, fmt.Errorf("%w: topic %s does not exist yet", ErrEmpty, q.Topic())
	}
	return q.bounds(ctx, q.Topic(), ids)
}

// bounds returns the offsets that partitions hold now.
func (q *Queue) bounds(ctx context.Context, topic string, ids []int) ([]span, error) {
	asked := make([]kafka.OffsetRequest, 0, 2*len(ids))
	for _, id := range ids {
		asked = append(asked, kafka.FirstOffsetOf(id), kafka.LastOffsetOf(id))
	}
	found, err := q.listOffsets(ctx, topic, asked)
	if err != nil {
		return nil, err
	}
	out := make([]span, len(ids))
	for i, id := range ids {
		out[i] = span{id, found[id].FirstOffset, found[id].LastOffset}
	}
	return out, nil
}

// trimBefore moves the start of each span to the first message at that time or later.
func (q *Queue) trimBefore(ctx context.Context, spans []span, t time.Time) error {
	asked := make([]kafka.OffsetRequest, len(spans))
	for i, s := range spans {
		asked[i] = kafka.TimeOffsetOf(s.partition, t)
	}
	found, err := q.listOffsets(ctx, q.Topic(), asked)
	if err != nil {
		return err
	}
	for i := range spans {
		s := &spans[i]
		first := s.to // a broker without such a message answers -1
		for o := range found[s.partition].Offsets {
			if o >= 0 {
				first = o
			}
		}
		s.from = min(max(s.from, first), s.to)
	}
	return nil
}

func (q *Queue) listOffsets(ctx context.Context, topic string, asked []kafka.OffsetRequest) (map[int]kafka.PartitionOffsets, error) {
	out := make(map[int]kafka.PartitionOffsets)
	err := q.retry(ctx, func(ctx context.Context) error {
		res, err := q.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: asked}})
		if err != nil {
			return err
		}
		for _, p := range res.Topics[topic] {
			if p.Error != nil {
				return fmt.Errorf("partition %d: %w", p.Partition, q.cfg.ReadRefusal(topic, p.Error))
			}
			out[p.Partition] = p
		}
		for _, a := range asked {
			if _, ok := out[a.Partition]; !ok {
				return fmt.Errorf("partition %d: %w", a.Partition, kafka.UnknownTopicOrPartition)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list offsets of %s: %w", topic, err)
	}
	return out, nil
}

// retry makes a request until it succeeds, fails for good, or retryLimit has passed.
// It returns the error of the last attempt that the limit did not cut short.
func (q *Queue) retry(ctx context.Context, request func(context.Context) error) error {
	all, cancel := context.WithTimeout(ctx, q.retryLimit)
	defer cancel()
	pause := backoff.Backoff{Min: pauseMin, Max: pauseMax}
	var last error
	for attempt := 1; ; attempt++ {
		one, cancel := context.WithTimeout(all, requestTimeout)
		err := request(one)
		cancel()
		if err == nil || !temporary(err) {
			return q.cfg.Describe(err)
		}
		if last == nil || all.Err() == nil {
			last = err
		}
		if pause.Wait(all, attempt) {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return q.cfg.Describe(last)
	}
}

// temporary reports whether the next attempt may succeed: the broker says so, or the
// connection broke.
func temporary(err error) bool {
	if code, ok := errors.AsType[kafka.Error](err); ok {
		return code.Temporary() || code == kafka.Unknown // kafka-go's code for a connection that broke
	}
	return true
}
