package deadletter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/kafka/consumer"
)

// ID is a letter's place in the topic of dead letters.
type ID struct {
	Partition int
	Offset    int64
}

// String returns PARTITION:OFFSET.
func (id ID) String() string {
	return strconv.Itoa(id.Partition) + ":" + strconv.FormatInt(id.Offset, 10)
}

// ParseID reads PARTITION:OFFSET.
func ParseID(s string) (ID, error) {
	partition, offset, ok := strings.Cut(s, ":")
	p, errP := strconv.ParseUint(partition, 10, 31)
	o, errO := strconv.ParseUint(offset, 10, 63)
	if !ok || errP != nil || errO != nil {
		return ID{}, fmt.Errorf("%q is not the id of a letter", s)
	}
	return ID{Partition: int(p), Offset: int64(o)}, nil //nolint:gosec // ParseUint bounded both
}

// Origin is the place of the message that died.
type Origin struct {
	Topic     string
	Partition int
	Offset    int64
}

// String returns TOPIC PARTITION:OFFSET, and "unknown" for the zero value.
func (o Origin) String() string {
	if o.Topic == "" {
		return "unknown"
	}
	return o.Topic + " " + ID{o.Partition, o.Offset}.String()
}

// Letter is one dead letter. Key, Value and Headers are those of the message
// that died; a nil Value was null.
type Letter struct {
	ID        ID
	Time      time.Time   // of its death
	Reason    eval.Reason // empty if the letter names none
	Error     string      // the error's text; ids and names, no content
	Origin    Origin      // zero if the letter names none: no worker wrote it
	Attempts  int         // calls of the handler
	Redrives  int         // how often the message was redriven before this death
	Truncated string      // "", "value", "headers" or "value,headers": what the letter lacks of the message
	Redriven  bool        // a mark names this letter

	Key, Value []byte
	Headers    []event.Header
}

// Bytes returns the size of key, value and headers, as far as the letter has them.
func (l *Letter) Bytes() int { return l.message().size() }

// message returns the message that died, as far as the letter has it.
func (l *Letter) message() *message { return &message{key: l.Key, value: l.Value, headers: l.Headers} }

// letterOf reads a letter from a record of a partition. A worker's header that cannot be
// parsed leaves its field zero.
func letterOf(partition int, r *kafka.Record) (*Letter, error) {
	m, err := messageOf(r)
	if err != nil {
		return nil, err
	}
	l := &Letter{ID: ID{partition, r.Offset}, Time: r.Time, Key: m.key, Value: m.value, Headers: m.headers}
	var topic, place, offset string // of the origin
	for _, h := range r.Headers {
		text := string(h.Value)
		switch h.Key {
		case consumer.HeaderReason:
			l.Reason = eval.Reason(text)
		case consumer.HeaderError:
			l.Error = text
		case consumer.HeaderOriginTopic:
			topic = text
		case consumer.HeaderOriginPartition:
			place = text
		case consumer.HeaderOriginOffset:
			offset = text
		case consumer.HeaderAttempts:
			l.Attempts = parseCount(text)
		case consumer.HeaderRedrives:
			l.Redrives = max(l.Redrives, parseCount(text))
		case consumer.HeaderTruncated:
			l.Truncated = text
		}
	}
	if id, err := ParseID(place + ":" + offset); err == nil && topic != "" {
		l.Origin = Origin{topic, id.Partition, id.Offset}
	}
	return l, nil
}

// parseCount reads a number of times; anything else counts as zero.
func parseCount(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0
	}
	return int(n) //nolint:gosec // 31 bits
}

// message is a message as it is published to a topic.
type message struct {
	key, value []byte
	headers    []event.Header
}

// messageOf copies a record, without the headers that a worker has added.
func messageOf(r *kafka.Record) (*message, error) {
	m := &message{}
	var err error
	if m.key, err = kafka.ReadAll(r.Key); err != nil {
		return nil, err
	}
	if m.value, err = kafka.ReadAll(r.Value); err != nil {
		return nil, err
	}
	for _, h := range r.Headers {
		if h.Key == consumer.HeaderKeyAdded {
			m.key = nil
		}
		if !strings.HasPrefix(h.Key, consumer.HeaderPrefix) {
			m.headers = append(m.headers, event.Header{Key: h.Key, Value: slices.Clone(h.Value)})
		}
	}
	return m, nil
}

// size returns the bytes of key, value and headers.
func (m *message) size() int {
	n := len(m.key) + len(m.value)
	for _, h := range m.headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// withRedrives returns the message as it is published for the nth time, with a header
// that says so and counts towards the size.
func (m *message) withRedrives(n int) *message {
	return &message{key: m.key, value: m.value, headers: append(slices.Clip(m.headers),
		event.Header{Key: consumer.HeaderRedrives, Value: strconv.AppendInt(nil, int64(n), 10)})}
}
