package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/kafka/fetch"
)

// The headers that a dead letter has in addition to those of its message.
const (
	HeaderPrefix          = "evalworker-"
	HeaderReason          = HeaderPrefix + "reason"           // an eval.Reason
	HeaderError           = HeaderPrefix + "error"            // the error's text; ids and names, no content
	HeaderOriginTopic     = HeaderPrefix + "origin-topic"     // where the message was
	HeaderOriginPartition = HeaderPrefix + "origin-partition" // decimal
	HeaderOriginOffset    = HeaderPrefix + "origin-offset"    // decimal
	HeaderAttempts        = HeaderPrefix + "attempts"         // how often the handler was called, decimal
	HeaderTruncated       = HeaderPrefix + "truncated"        // what was left out, when the whole was more than the broker accepts or a worker reads
	// HeaderKeyAdded marks a letter whose message has no key, for a topic that accepts
	// none without one, as compacted topics do. The letter's key is partition:offset of
	// the origin, and a redriven message has none again.
	HeaderKeyAdded = HeaderPrefix + "key-added"
	// HeaderRedrives is how often the message was redriven from the dead letters,
	// decimal. Of these headers it is the only one that a redriven message keeps, and
	// its next dead letter has it too, so that loops are counted.
	HeaderRedrives = HeaderPrefix + "redrives"
)

// What HeaderTruncated says was left out.
const (
	TruncatedValue   = "value"
	TruncatedHeaders = "headers"       // of a message with more than MaxHeaders
	TruncatedAll     = "value,headers" // the key as well
)

// MaxHeaders is the largest number of headers that a worker reads of a message. One with
// more becomes a dead letter with its key and value and without its headers.
const MaxHeaders = fetch.MaxHeaders

const (
	maxErrorBytes  = 1000             // of HeaderError
	publishTimeout = 10 * time.Second // of one attempt to publish a dead letter
	// letterSlots bounds how many are written at once: enough to wait for the
	// replicas of each without being slow, and few enough for a slow broker.
	letterSlots = 16
	topicPause  = 50 * time.Millisecond // between attempts while not all brokers know a new topic
)

// deadLetters publishes messages that can never be processed. It does not use
// kafka.Writer, which queues without bound and keeps what its callers have given up:
// letters would time out behind each other, be stored once for each attempt, and hold
// up the end of the program while their broker hangs.
type deadLetters struct {
	cfg      conn.Config
	topic    string
	client   *kafka.Client
	balancer kafka.Hash
	slots    chan struct{} // one token for each letter that is being written
}

func newDeadLetters(cfg Config, transport *kafka.Transport) *deadLetters {
	client := conn.NewClient(cfg.Config, transport)
	client.Timeout = publishTimeout // of which kafka-go grants the broker half to wait for its replicas
	return &deadLetters{cfg: cfg.Config, topic: cfg.DeadLetters(), client: client, slots: make(chan struct{}, letterSlots)}
}

// publish writes one dead letter and returns when the broker has accepted it, or
// when ctx ends. A message that is too large for the dead letter topic goes without
// its value, and if need be without its headers: the headers of its origin say
// where the whole is.
//
// A write that was not answered may have been accepted, so a letter can be there
// more than once, with the same origin.
func (d *deadLetters) publish(ctx context.Context, m *event.Message, fault error, attempts int) error {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	// The time begins here: a letter that waits for others has not failed.
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	err := d.publishFitting(ctx, m, fault, attempts)
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		if err = d.create(ctx); err == nil {
			err = d.publishToNew(ctx, m, fault, attempts)
		}
	}
	if err != nil {
		return fmt.Errorf("publish dead letter to %s: %w", d.topic, d.cfg.Describe(d.cfg.WriteRefusal(d.topic, err)))
	}
	return nil
}

// publishToNew publishes to a new topic, as soon as the brokers know it.
func (d *deadLetters) publishToNew(ctx context.Context, m *event.Message, fault error, attempts int) error {
	for backoff.Wait(ctx, topicPause) {
		if err := d.publishFitting(ctx, m, fault, attempts); !errors.Is(err, kafka.UnknownTopicOrPartition) {
			return err
		}
	}
	return ctx.Err()
}

// publishFitting publishes as much of a message as the broker accepts, with a key where
// it wants one.
func (d *deadLetters) publishFitting(ctx context.Context, m *event.Message, fault error, attempts int) error {
	ours := letterHeaders(m, fault, attempts)
	all := append(originHeaders(m.Headers), ours...)
	without := func(headers []kafka.Header, what string) []kafka.Header {
		return append(slices.Clip(headers), kafka.Header{Key: HeaderTruncated, Value: []byte(what)})
	}
	empty := kafka.Message{Headers: without(ours, TruncatedAll)}
	write := func(letter kafka.Message) error {
		err := d.write(ctx, letter)
		// Brokers before version 2.4 call a message without a key damaged.
		if (errors.Is(err, kafka.InvalidRecord) || errors.Is(err, kafka.InvalidMessage)) && len(letter.Key) == 0 {
			letter.Key = fmt.Appendf(nil, "%d:%d", m.Partition, m.Offset)
			letter.Headers = append(slices.Clip(letter.Headers), kafka.Header{Key: HeaderKeyAdded, Value: []byte("true")})
			err = d.write(ctx, letter)
		}
		return err
	}
	// From the most to the least of the message.
	letters := []kafka.Message{
		{Key: m.Key, Value: m.Value, Headers: all},
		{Key: m.Key, Headers: without(all, TruncatedValue)},
		empty,
	}
	switch {
	case errors.Is(fault, errUnread):
		letters = letters[2:]
	case errors.Is(fault, errHeaders):
		letters = []kafka.Message{{Key: m.Key, Value: m.Value, Headers: without(ours, TruncatedHeaders)}, empty}
	}
	var err error
	for _, letter := range letters {
		if err = write(letter); !errors.Is(err, kafka.MessageSizeTooLarge) {
			break
		}
	}
	return err
}

// write makes one attempt, with one letter a request: a letter that the broker
// refuses must not take others with it.
func (d *deadLetters) write(ctx context.Context, m kafka.Message) error {
	partition, err := d.choosePartition(ctx, m)
	if err != nil {
		return err
	}
	res, err := d.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: d.topic, Partition: partition,
		// With less, a message that only the leader has, or that is too large, would
		// be gone without an error.
		RequiredAcks: kafka.RequireAll,
		Records:      kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: m.Headers}),
	})
	if err == nil {
		err = res.Error
	}
	return conn.TrimMethod(err)
}

// choosePartition returns the partition that the key of a letter belongs to; without
// a key, the next one. The client answers from its metadata of the cluster.
func (d *deadLetters) choosePartition(ctx context.Context, m kafka.Message) (int, error) {
	res, err := d.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{d.topic}})
	if err != nil {
		return 0, conn.TrimMethod(err)
	}
	if len(res.Topics) == 0 || len(res.Topics[0].Partitions) == 0 && res.Topics[0].Error == nil {
		return 0, kafka.UnknownTopicOrPartition
	}
	if err := res.Topics[0].Error; err != nil {
		return 0, err
	}
	ids := make([]int, len(res.Topics[0].Partitions))
	for i := range ids {
		ids[i] = i // partitions are numbered from zero without gaps
	}
	return d.balancer.Balance(m, ids...), nil
}

// create creates the topic, with the broker's own defaults.
func (d *deadLetters) create(ctx context.Context) error {
	res, err := d.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: d.topic, NumPartitions: -1, ReplicationFactor: -1}},
	})
	if err != nil {
		return err
	}
	err = res.Errors[d.topic]
	if err == nil || errors.Is(err, kafka.TopicAlreadyExists) {
		return nil
	}
	for _, code := range []kafka.Error{kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed} {
		err = d.cfg.Refusal(err, code, "create the topic "+d.topic+", which does not exist", "create it, or grant CREATE on it")
	}
	return fmt.Errorf("create topic: %w", err)
}

func letterHeaders(m *event.Message, fault error, attempts int) []kafka.Header {
	text := fault.Error()
	if len(text) > maxErrorBytes {
		text = strings.ToValidUTF8(text[:maxErrorBytes], "")
	}
	header := func(key, value string) kafka.Header { return kafka.Header{Key: key, Value: []byte(value)} }
	out := []kafka.Header{
		header(HeaderReason, string(eval.ReasonOf(fault))),
		header(HeaderError, text),
		header(HeaderOriginTopic, m.Topic),
		header(HeaderOriginPartition, strconv.Itoa(m.Partition)),
		header(HeaderOriginOffset, strconv.FormatInt(m.Offset, 10)),
		header(HeaderAttempts, strconv.Itoa(attempts)),
	}
	if n := redrives(m.Headers); n > 0 {
		out = append(out, header(HeaderRedrives, strconv.Itoa(n)))
	}
	return out
}

// redrives returns how often a message was redriven from the dead letters; anything
// but a number counts as never.
func redrives(hs []event.Header) int {
	most := 0
	for _, h := range hs {
		if h.Key == HeaderRedrives {
			if n, err := strconv.Atoi(string(h.Value)); err == nil {
				most = max(most, n)
			}
		}
	}
	return most
}

// originHeaders returns the headers of the message itself, with room for ours. A
// message that was redriven before may have ours; they are left out, and
// letterHeaders adds the count of redrives again.
func originHeaders(hs []event.Header) []kafka.Header {
	out := make([]kafka.Header, 0, len(hs)+8)
	for _, h := range hs {
		if !strings.HasPrefix(h.Key, HeaderPrefix) {
			out = append(out, kafka.Header(h))
		}
	}
	return out
}
