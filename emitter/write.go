package emitter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/segmentio/kafka-go"
)

// attempt writes the messages once, all partitions at the same time, and
// settles those that are written or can never be. It gives back the others, with
// the last error.
func (e *Emitter) attempt(ctx context.Context, batch []message) ([]message, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.WriteTimeout)
	defer cancel()
	parts, err := e.topic.partition(ctx, batch)
	if err != nil {
		err = e.cfg.explain(err)
		if permanent(err) {
			e.settle(batch, err)
			return nil, nil
		}
		return batch, err
	}
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		failed []message // guarded by mu
		last   error     // guarded by mu
	)
	for id, part := range parts {
		wg.Go(func() {
			again, err := e.write(ctx, id, part)
			mu.Lock()
			defer mu.Unlock()
			if len(again) > 0 {
				failed, last = append(failed, again...), err
			}
		})
	}
	wg.Wait()
	return failed, last
}

// write writes one partition's messages. A batch that the broker refuses for what
// is in it is halved until it fits, since the broker's limit may be lower than
// ours, or until the culprit is alone.
func (e *Emitter) write(ctx context.Context, partition int, ms []message) ([]message, error) {
	err := e.cfg.explain(e.topic.produce(ctx, partition, ms))
	switch {
	case err == nil:
		e.settle(ms, nil)
		return nil, nil
	case aboutRecords(err) && len(ms) > 1:
		half := len(ms) / 2
		first, err1 := e.write(ctx, partition, ms[:half])
		second, err2 := e.write(ctx, partition, ms[half:])
		if err2 == nil {
			err2 = err1
		}
		return append(slices.Clip(first), second...), err2
	case permanent(err):
		e.settle(ms, err)
		return nil, nil
	}
	e.countRetry()
	return ms, err
}

func (e *Emitter) countRetry() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Retries++
}

// tooLarge reports whether the broker refused a batch for its size.
func tooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}

// aboutRecords reports whether the broker refused a batch for the records in it,
// and not for the state of the cluster or our permissions, which may change.
func aboutRecords(err error) bool {
	return tooLarge(err) || errors.Is(err, kafka.InvalidRecord) || errors.Is(err, kafka.InvalidTimestamp)
}

// permanent reports whether another attempt cannot help, which only few answers of
// a broker say. All others are about the state of the cluster, the network or our
// permissions, and pass or are mended.
func permanent(err error) bool {
	code, _ := errors.AsType[kafka.Error](err)
	switch code {
	case kafka.InvalidTopic, kafka.InvalidRequiredAcks, kafka.UnsupportedVersion, kafka.UnsupportedForMessageFormat, kafka.UnsupportedCompressionType:
		return true
	}
	return aboutRecords(err)
}

// errNoTopic is what a cluster without the topic comes to. It is tried again,
// because topics are often made while applications start.
func noTopicError(topic string) error {
	return fmt.Errorf("there is no topic %s: make it, or name another: %w", topic, kafka.UnknownTopicOrPartition)
}
