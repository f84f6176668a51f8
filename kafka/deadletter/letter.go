package deadletter

import (
	"errors"
	"fmt"
	"io"
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

// String gives PARTITION:OFFSET.
func (id ID) String() string {
	return strconv.Itoa(id.Partition) + ":" + strconv.FormatInt(id.Offset, 10)
}

// ParseID reads PARTITION:OFFSET.
func ParseID(s string) (ID, error) {
	partition, offset, ok := strings.Cut(s, ":")
	p, errP := strconv.ParseUint(partition, 10, 31)
	o, errO := strconv.ParseUint(offset, 10, 63)
	if !ok || errP != nil || errO != nil {
		return ID{}, fmt.Errorf("%q is no letter", s)
	}
	return ID{Partition: int(p), Offset: int64(o)}, nil //nolint:gosec // both were bounded when they were read
}

// Origin is the place of the message that died.
type Origin struct {
	Topic     string
	Partition int
	Offset    int64
}

// String gives TOPIC PARTITION:OFFSET, and "unknown" for the zero value.
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
	Reason    eval.Reason // empty when it names none
	Error     string      // the error's text; ids and names, no content
	Origin    Origin      // zero when it names none: somebody else wrote it
	Attempts  int         // calls of the handler
	Redrives  int         // times it was published anew before this death
	Truncated string      // "", "value" or "value,headers": what the letter lacks of the message
	Redriven  bool        // a mark says that this letter was redriven

	Key, Value []byte
	Headers    []event.Header
}

// Bytes is the size of key, value and headers, as far as the letter has them.
func (l *Letter) Bytes() int { return size(l.Key, l.Value, l.Headers) }

func size(key, value []byte, headers []event.Header) int {
	n := len(key) + len(value)
	for _, h := range headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// letterOf reads a letter from a record of a partition. What cannot be read of
// our headers is left zero.
func letterOf(partition int, r *kafka.Record) (*Letter, error) {
	l := &Letter{ID: ID{partition, r.Offset}, Time: r.Time}
	var err error
	if l.Key, err = bytesOf(r.Key); err != nil {
		return nil, err
	}
	if l.Value, err = bytesOf(r.Value); err != nil {
		return nil, err
	}
	var at Origin
	var place [2]bool // partition and offset could be read
	for _, h := range r.Headers {
		text := string(h.Value)
		switch h.Key {
		case consumer.HeaderReason:
			l.Reason = eval.Reason(text)
		case consumer.HeaderError:
			l.Error = text
		case consumer.HeaderOriginTopic:
			at.Topic = text
		case consumer.HeaderOriginPartition:
			n, err := strconv.ParseUint(text, 10, 31)
			at.Partition, place[0] = int(n), err == nil //nolint:gosec // 31 bits
		case consumer.HeaderOriginOffset:
			n, err := strconv.ParseUint(text, 10, 63)
			at.Offset, place[1] = int64(n), err == nil //nolint:gosec // 63 bits
		case consumer.HeaderAttempts:
			l.Attempts = count(text)
		case consumer.HeaderRedrives:
			l.Redrives = max(l.Redrives, count(text))
		case consumer.HeaderTruncated:
			l.Truncated = text
		default:
			if !strings.HasPrefix(h.Key, consumer.HeaderPrefix) {
				l.Headers = append(l.Headers, event.Header{Key: h.Key, Value: slices.Clone(h.Value)})
			}
		}
	}
	if at.Topic != "" && place[0] && place[1] {
		l.Origin = at
	}
	return l, nil
}

// count reads a number of times; what is none counts as never.
func count(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0
	}
	return int(n) //nolint:gosec // 31 bits
}

// bytesOf reads all of b; null stays nil, and empty stays empty.
func bytesOf(b kafka.Bytes) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	out := make([]byte, b.Len())
	if _, err := io.ReadFull(b, out); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return out, nil
}

func header(hs []kafka.Header, key string) ([]byte, bool) {
	for _, h := range hs {
		if h.Key == key {
			return h.Value, true
		}
	}
	return nil, false
}
