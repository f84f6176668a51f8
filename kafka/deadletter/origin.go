package deadletter

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/kafka/consumer"
)

// Trace says whether a message is still where it died.
type Trace string

// The traces.
const (
	TraceThere    Trace = "there"    // still in its topic
	TraceDeleted  Trace = "deleted"  // retention or compaction has removed it
	TraceReplaced Trace = "replaced" // another message stands there: the topic was made anew
	TraceNoTopic  Trace = "no_topic" // the topic, or its partition, is gone
	TraceUnknown  Trace = "unknown"  // the letter does not name its origin
)

// clockSkew is how far the clock of whoever published a message may be ahead of
// the worker's. A message that is younger than its letter is another one.
const clockSkew = 5 * time.Minute

// message is what is published to a topic.
type message struct {
	key, value []byte
	headers    []event.Header
}

// Trace looks whether the message of a letter is still in its origin topic.
func (q *Queue) Trace(ctx context.Context, l *Letter) (Trace, error) {
	_, trace, err := q.original(ctx, l)
	return trace, err
}

// original fetches the message that a letter is about.
func (q *Queue) original(ctx context.Context, l *Letter) (*message, Trace, error) {
	at := l.Origin
	if at.Topic == "" {
		return nil, TraceUnknown, nil
	}
	ids, err := q.partitions(ctx, at.Topic)
	if err != nil {
		return nil, "", err
	}
	if !slices.Contains(ids, at.Partition) {
		return nil, TraceNoTopic, nil
	}
	bounds, err := q.bounds(ctx, at.Topic, []int{at.Partition})
	if err != nil {
		return nil, "", err
	}
	switch b := bounds[0]; {
	case at.Offset < b.from:
		return nil, TraceDeleted, nil
	case at.Offset >= b.to:
		return nil, TraceReplaced, nil
	}
	trace := TraceDeleted
	var out *message
	err = q.scan(ctx, at.Topic, span{at.Partition, at.Offset, at.Offset + 1}, func(r *kafka.Record) error {
		m := &message{headers: publisherHeaders(r.Headers)}
		var err error
		if m.key, err = bytesOf(r.Key); err != nil {
			return err
		}
		if m.value, err = bytesOf(r.Value); err != nil {
			return err
		}
		trace = TraceReplaced
		if !r.Time.After(l.Time.Add(clockSkew)) && l.matches(m) {
			out, trace = m, TraceThere
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("look for the origin of letter %v: %w", l.ID, err)
	}
	return out, trace, nil
}

// isOf reports whether a letter is that of a message, as far as what was left
// out of it lets one see.
func (l *Letter) matches(m *message) bool {
	if l.Truncated == consumer.TruncatedAll {
		return true // nothing is left to compare
	}
	same := bytes.Equal(l.Key, m.key) && slices.EqualFunc(l.Headers, m.headers, func(a, b event.Header) bool {
		return a.Key == b.Key && bytes.Equal(a.Value, b.Value)
	})
	return same && (l.Truncated != "" || bytes.Equal(l.Value, m.value))
}

// theirs gives the headers that are not ours.
func publisherHeaders(hs []kafka.Header) []event.Header {
	var out []event.Header
	for _, h := range hs {
		if !strings.HasPrefix(h.Key, consumer.HeaderPrefix) {
			out = append(out, event.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
	}
	return out
}
