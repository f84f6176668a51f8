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
	// fetchBytes is how much one fetch asks for. A larger message arrives by itself.
	fetchBytes = 4 << 20
	// maxEmpty is how many fetches in a row may return nothing before the end.
	maxEmpty = 20
)

// errStop ends a scan early without a failure.
var errStop = errors.New("enough")

// scan calls fn with the messages of a span, in order. The record and its bytes are
// valid until fn returns. The scan ends at the end of the span, also if the last
// messages were deleted or compacted away; fn ends it early with errStop.
func (q *Queue) scan(ctx context.Context, topic string, s span, fn func(*kafka.Record) error) error {
	next, empty := s.from, 0
	for next < s.to {
		res, err := q.fetch(ctx, topic, s.partition, next)
		if errors.Is(err, kafka.OffsetOutOfRange) {
			// Retention has overtaken the scan, or the topic was made again.
			after, err := q.bounds(ctx, topic, []int{s.partition})
			if err != nil {
				return err
			}
			if after[0].from <= next {
				return fmt.Errorf("read %s/%d: it ends before %d: the topic was recreated meanwhile", topic, s.partition, next)
			}
			next = after[0].from
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s/%d at %d: %w", topic, s.partition, next, err)
		}
		after, some, err := eachRecord(res.Records, next, s.to, fn)
		switch {
		case errors.Is(err, errStop):
			return nil
		case err != nil:
			return err
		case after > next:
			next, empty = after, 0
		case some:
			// All records are before next: the rest of the batch was compacted away, and
			// kafka-go does not say where it ends.
			next, empty = next+1, 0
		default:
			if empty++; empty >= maxEmpty {
				return fmt.Errorf("read %s/%d at %d: the broker returns nothing, although it reports messages up to %d", topic, s.partition, next, s.to)
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
			err = q.cfg.ReadRefusal(topic, res.Error)
		}
		return err
	})
	return res, err
}

// eachRecord calls fn with the records from next on and before to. It returns the
// offset to go on at, and whether there were any batches at all.
func eachRecord(records kafka.RecordReader, next, to int64, fn func(*kafka.Record) error) (after int64, some bool, err error) {
	set, ok := records.(*protocol.RecordStream)
	if !ok {
		return next, false, nil // empty
	}
	for _, batch := range set.Records {
		some = true
		// Control batches hold markers of transactions, not messages. RecordStream would
		// skip their offsets as well.
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
			_ = b.Close() // memory: it cannot fail
		}
	}
}
