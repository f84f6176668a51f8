package deadletter

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/kafka/consumer"
)

// OriginState says whether a message is still where it died.
type OriginState string

// The states of an origin.
const (
	OriginPresent  OriginState = "there"    // still in its topic
	OriginDeleted  OriginState = "deleted"  // retention or compaction has removed it
	OriginReplaced OriginState = "replaced" // another message has its offset: the topic was recreated
	OriginNoTopic  OriginState = "no_topic" // the topic, or its partition, is gone
	OriginUnknown  OriginState = "unknown"  // the letter does not name its origin
)

// clockSkew is how far the clock of a message's publisher may be ahead of the
// worker's. A message that is younger than the letter is not the letter's.
const clockSkew = 5 * time.Minute

// OriginState finds out whether the message of a letter is still in its origin topic.
func (q *Queue) OriginState(ctx context.Context, l *Letter) (OriginState, error) {
	_, state, err := q.original(ctx, l)
	return state, err
}

// original fetches the message of a letter; nil unless it is still there.
func (q *Queue) original(ctx context.Context, l *Letter) (*message, OriginState, error) {
	at := l.Origin
	if at.Topic == "" {
		return nil, OriginUnknown, nil
	}
	ids, err := q.partitions(ctx, at.Topic)
	if err != nil {
		return nil, "", err
	}
	if !slices.Contains(ids, at.Partition) {
		return nil, OriginNoTopic, nil
	}
	bounds, err := q.bounds(ctx, at.Topic, []int{at.Partition})
	if err != nil {
		return nil, "", err
	}
	switch b := bounds[0]; {
	case at.Offset < b.from:
		return nil, OriginDeleted, nil
	case at.Offset >= b.to:
		return nil, OriginReplaced, nil
	}
	state := OriginDeleted
	var out *message
	err = q.scan(ctx, at.Topic, span{at.Partition, at.Offset, at.Offset + 1}, func(r *kafka.Record) error {
		m, err := messageOf(r)
		if err != nil {
			return err
		}
		state = OriginReplaced
		if !r.Time.After(l.Time.Add(clockSkew)) && l.matches(m) {
			out, state = m, OriginPresent
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("look for the origin of letter %v: %w", l.ID, err)
	}
	return out, state, nil
}

// matches reports whether a letter can be of this message, judging by what was not
// truncated.
func (l *Letter) matches(m *message) bool {
	if l.Truncated == consumer.TruncatedAll {
		return true // nothing is left to compare
	}
	sameValue := l.Truncated == consumer.TruncatedValue || bytes.Equal(l.Value, m.value)
	sameHeaders := l.Truncated == consumer.TruncatedHeaders || slices.EqualFunc(l.Headers, m.headers, func(a, b event.Header) bool {
		return a.Key == b.Key && bytes.Equal(a.Value, b.Value)
	})
	return bytes.Equal(l.Key, m.key) && sameValue && sameHeaders
}
