package deadletter

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

const (
	// fetchBytes is how much one fetch asks for. A message that is larger comes
	// alone.
	fetchBytes = 4 << 20
	// maxIdle is how many fetches in a row may bring nothing where there should
	// be something.
	maxIdle = 20
)

// errStop ends a scan early and well.
var errStop = errors.New("enough")

// scan gives the messages of a span to fn, in order. The record and its bytes
// are valid until fn returns. It ends at the end of the span, whatever was
// deleted or compacted away there; fn ends it early with errStop.
func (q *Queue) scan(ctx context.Context, topic string, s span, fn func(*kafka.Record) error) error {
	next, idle := s.from, 0
	for next < s.to {
		res, err := q.fetch(ctx, topic, s.partition, next)
		if errors.Is(err, kafka.OffsetOutOfRange) {
			// Retention was faster than we, or the topic is another one now.
			after, err := q.bounds(ctx, topic, []int{s.partition})
			if err != nil {
				return err
			}
			if after[0].from <= next {
				return fmt.Errorf("read %s/%d: it ends before %d: the topic was made anew meanwhile", topic, s.partition, next)
			}
			next = after[0].from
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s/%d at %d: %w", topic, s.partition, next, err)
		}
		after, some, err := walk(res.Records, next, s.to, fn)
		switch {
		case errors.Is(err, errStop):
			return nil
		case err != nil:
			return err
		case after > next:
			next, idle = after, 0
		case some:
			// Only what lies before: the rest of that batch was compacted away, and
			// kafka-go does not tell where it ends.
			next, idle = next+1, 0
		default:
			if idle++; idle >= maxIdle {
				return fmt.Errorf("read %s/%d at %d: the broker gives nothing, and says that there is something up to %d", topic, s.partition, next, s.to)
			}
		}
	}
	return nil
}

func (q *Queue) fetch(ctx context.Context, topic string, partition int, offset int64) (*kafka.FetchResponse, error) {
	var res *kafka.FetchResponse
	err := q.retry(ctx, func(ctx context.Context) (err error) {
		res, err = q.client.Fetch(ctx, &kafka.FetchRequest{
			Topic: topic, Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: fetchBytes, MaxWait: q.cfg.FetchMaxWait,
		})
		if err == nil {
			err = res.Error
		}
		return err
	})
	return res, err
}

// walk gives the records from next on and below to to fn. It returns the offset
// to go on at, and whether there were any records or batches at all.
func walk(records kafka.RecordReader, next, to int64, fn func(*kafka.Record) error) (after int64, some bool, err error) {
	set, ok := records.(*protocol.RecordStream)
	if !ok {
		return next, false, nil // empty
	}
	for _, batch := range set.Records {
		some = true
		// Markers of transactions are no messages. RecordStream would step over
		// them as well, and over their offsets.
		_, control := batch.(*protocol.ControlBatch)
		for {
			r, err := batch.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return next, some, err
			}
			if r.Offset >= next && r.Offset < to && !control {
				err = fn(r)
			}
			release(r)
			if err != nil {
				return next, some, err
			}
			next = max(next, r.Offset+1)
		}
	}
	return next, some, nil
}

func release(r *kafka.Record) {
	for _, b := range []kafka.Bytes{r.Key, r.Value} {
		if b != nil {
			_ = b.Close() // pages of memory: nothing can go wrong
		}
	}
}
