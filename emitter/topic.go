package emitter

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"

	"github.com/evalworker/evalworker/internal/base/conn"
)

// metadataTTL is how old the cluster's metadata may get. It is also kafka-go's time
// limit for each look-up, so it must leave time for a slow one. A change is noticed
// sooner, by the first error that it causes: see refresh.
const metadataTTL = 10 * time.Second

// Compressions returns the values of [Config.Compression], in the order of Kafka's
// numbers for them.
func Compressions() []string { return []string{"none", "gzip", "snappy", "lz4", "zstd"} }

// topicClient looks up the partitions of the topic and writes to them. It works
// below kafka.Writer, whose retries cannot be cancelled: closing such a writer
// takes as long as its broker hangs.
type topicClient struct {
	topic       string
	cluster     conn.Config
	addr        net.Addr // of the brokers
	transport   *kafka.Transport
	compression kafka.Compression
	balancer    kafka.Hash

	mu     sync.Mutex
	conns  map[net.Conn]struct{} // guarded by mu; the open ones
	closed bool                  // guarded by mu
}

func newTopicClient(cfg Config) *topicClient {
	c := &topicClient{
		topic:       cfg.Topic,
		cluster:     cfg.conn(),
		addr:        kafka.TCP(cfg.Brokers...),
		transport:   conn.NewTransport(cfg.conn()),
		compression: kafka.Compression(slices.Index(Compressions(), cfg.Compression)), //nolint:gosec // there are five
		conns:       map[net.Conn]struct{}{},
	}
	dial := c.transport.Dial
	c.transport.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return c.track(conn)
	}
	c.transport.MetadataTTL = metadataTTL
	c.transport.MetadataTopics = []string{cfg.Topic}
	return c
}

// lookUp returns what the cluster says about the topic, which kafka-go keeps for a while.
func (c *topicClient) lookUp(ctx context.Context) (*metadata.ResponseTopic, error) {
	res, err := c.transport.RoundTrip(ctx, c.addr, &metadata.Request{TopicNames: []string{c.topic}})
	if err != nil {
		// kafka-go would return the same error until its next own look-up. A look-up that
		// outlasts ctx is left alone, because it serves the next call.
		if ctx.Err() == nil {
			c.refresh()
		}
		return nil, c.describe(err)
	}
	all, ok := res.(*metadata.Response)
	if !ok || len(all.Topics) == 0 {
		return &metadata.ResponseTopic{}, nil
	}
	return &all.Topics[0], nil
}

// topicError returns why the topic cannot be written to, or nil.
func topicError(topic *metadata.ResponseTopic) error {
	switch {
	case len(topic.Partitions) > 0:
		return nil
	case topic.ErrorCode != 0:
		return kafka.Error(topic.ErrorCode)
	}
	return kafka.UnknownTopicOrPartition
}

// part is one partition's share of some messages.
type part struct {
	id       int // of the partition
	leader   int32
	messages []message
	err      error // of the latest write
}

// split groups messages by the partition that their key belongs to, in order.
func (c *topicClient) split(ctx context.Context, ms []message) ([]*part, error) {
	topic, err := c.lookUp(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up topic %s: %w", c.topic, err)
	}
	if err := topicError(topic); err != nil {
		c.refresh()
		// Tried again, because topics are often made while applications start.
		return nil, fmt.Errorf("look up topic %s: %w", c.topic, c.describe(err))
	}
	ids := make([]int, len(topic.Partitions)) // which are numbered from zero without gaps
	all := make([]part, len(ids))
	for i := range ids {
		ids[i] = i
	}
	for _, p := range topic.Partitions {
		if i := int(p.PartitionIndex); i < len(all) {
			all[i].leader = p.LeaderID
		}
	}
	var parts []*part
	for _, m := range ms {
		id := c.balancer.Balance(kafka.Message{Key: m.key}, ids...)
		p := &all[id]
		if p.messages == nil {
			p.id = id
			parts = append(parts, p)
		}
		p.messages = append(p.messages, m)
	}
	return parts, nil
}

// writeParts writes parts with one request to each of their leaders, all at the same
// time, waits for all in-sync replicas, and leaves the outcome in the parts.
func (c *topicClient) writeParts(ctx context.Context, parts []*part) {
	slices.SortStableFunc(parts, func(a, b *part) int { return cmp.Compare(a.leader, b.leader) })
	var requests sync.WaitGroup
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && parts[n].leader == parts[0].leader {
			n++
		}
		own := parts[:n]
		if parts = parts[n:]; len(parts) == 0 {
			c.write(ctx, own) // the last one needs no goroutine
			break
		}
		requests.Add(1)
		go func() {
			defer requests.Done()
			c.write(ctx, own)
		}()
	}
	requests.Wait()
}

// produce writes messages to one partition.
func (c *topicClient) produce(ctx context.Context, partition int, ms []message) error {
	p := &part{id: partition, messages: ms}
	c.write(ctx, []*part{p})
	return p.err
}

// write writes parts of one leader. A topic may bound the age of its records
// (message.timestamp.before.max.ms), and an outage can last longer: records rejected for
// their time are written as of now.
func (c *topicClient) write(ctx context.Context, parts []*part) {
	c.request(ctx, parts)
	for _, p := range parts {
		if errors.Is(p.err, kafka.InvalidTimestamp) {
			late := &part{id: p.id, messages: slices.Clone(p.messages)}
			for i := range late.messages {
				late.messages[i].time = time.Now()
			}
			c.request(ctx, []*part{late})
			p.err = late.err
		}
	}
}

// request makes one request to write. kafka.Client has none for several partitions,
// and one for each costs more than all that is in it when batches are small.
func (c *topicClient) request(ctx context.Context, parts []*part) {
	var wait time.Duration // of the brokers, for replicas: half of the time, so that their answer arrives
	if until, ok := ctx.Deadline(); ok {
		wait = time.Until(until) / 2
	}
	req := &produce.Request{
		Acks: int16(kafka.RequireAll), Timeout: int32(min(wait.Milliseconds(), math.MaxInt32)), //nolint:gosec // bounded
		Topics: []produce.RequestTopic{{Topic: c.topic, Partitions: make([]produce.RequestPartition, len(parts))}},
	}
	for i, p := range parts {
		req.Topics[0].Partitions[i] = produce.RequestPartition{
			Partition: int32(p.id), //nolint:gosec // Kafka's own number
			RecordSet: protocol.RecordSet{Attributes: protocol.Attributes(c.compression), Records: &recordReader{left: p.messages}},
		}
	}
	res, err := c.transport.RoundTrip(ctx, c.addr, req)
	stale := false
	for _, p := range parts {
		if p.err = err; err == nil {
			p.err = answerTo(res, p.id)
		}
		if p.err == nil {
			continue
		}
		stale = stale || maybeStale(p.err)
		noun := "events"
		if len(p.messages) == 1 {
			noun = "event"
		}
		p.err = fmt.Errorf("write %d %s to %s/%d: %w", len(p.messages), noun, c.topic, p.id, c.describe(p.err))
	}
	if stale {
		c.refresh()
	}
}

// answerTo returns what the brokers answer about one partition.
func answerTo(res protocol.Message, partition int) error {
	answer, ok := res.(*produce.Response)
	if !ok || len(answer.Topics) == 0 {
		return protocol.ErrNoTopic
	}
	for _, p := range answer.Topics[0].Partitions {
		switch {
		case int(p.Partition) != partition:
		case p.ErrorCode == 0:
			return nil
		case p.ErrorMessage == "":
			return kafka.Error(p.ErrorCode)
		default:
			return fmt.Errorf("%w: %s", kafka.Error(p.ErrorCode), p.ErrorMessage)
		}
	}
	return protocol.ErrNoPartition
}

// recordReader reads messages as records, each into the memory of the one before.
type recordReader struct {
	left       []message
	record     protocol.Record
	key, value recordBytes
	headers    []protocol.Header
}

// ReadRecord returns the next record.
func (r *recordReader) ReadRecord() (*protocol.Record, error) {
	if len(r.left) == 0 {
		return nil, io.EOF
	}
	m := &r.left[0]
	r.left = r.left[1:]
	r.key.Reset(m.key)
	r.value.Reset(m.value)
	r.headers = r.headers[:0]
	for _, h := range m.headers {
		r.headers = append(r.headers, protocol.Header{Key: h.Key, Value: h.Value})
	}
	r.record = protocol.Record{Time: m.time, Key: &r.key, Value: &r.value, Headers: r.headers}
	return &r.record, nil
}

// recordBytes is the key or the value of a record.
type recordBytes struct{ bytes.Reader }

// Close does nothing.
func (*recordBytes) Close() error { return nil }

// refresh makes the next call look up the cluster again, on new connections.
func (c *topicClient) refresh() { c.transport.CloseIdleConnections() }

// track remembers a connection until it is closed.
func (c *topicClient) track(conn net.Conn) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	tracked := &trackedConn{Conn: conn, owner: c}
	c.conns[tracked] = struct{}{}
	return tracked, nil
}

// trackedConn is an open connection of a topicClient.
type trackedConn struct {
	net.Conn
	owner *topicClient
}

// Close closes the connection.
func (t *trackedConn) Close() error {
	t.owner.untrack(t)
	return t.Conn.Close()
}

func (c *topicClient) untrack(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
}

// close closes every connection, also those of requests in flight: a broker that
// hangs would otherwise keep their goroutines.
func (c *topicClient) close() {
	c.transport.CloseIdleConnections()
	for _, conn := range c.open() {
		_ = conn.Close() // nothing is lost that was not lost already
	}
}

// open returns the open connections and allows no further ones.
func (c *topicClient) open() []net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return slices.Collect(maps.Keys(c.conns))
}
