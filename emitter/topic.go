package emitter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

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
	client      *kafka.Client
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
	// Brokers are told to wait half of the timeout for replicas. Without one it is
	// 500 ms, after which an event that is stored is sent again.
	c.client = &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Transport: c.transport, Timeout: cfg.WriteTimeout}
	return c
}

// lookUp returns the metadata of the topic.
func (c *topicClient) lookUp(ctx context.Context) (*kafka.MetadataResponse, error) {
	meta, err := c.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{c.topic}})
	// kafka-go would return the same error until its next own look-up. A look-up that
	// outlasts ctx is left alone, because it serves the next call.
	if err != nil && ctx.Err() == nil {
		c.refresh()
	}
	return meta, c.describe(err)
}

// topicError returns why the topic cannot be written to, or nil.
func topicError(meta *kafka.MetadataResponse) error {
	switch {
	case len(meta.Topics) > 0 && len(meta.Topics[0].Partitions) > 0:
		return nil
	case len(meta.Topics) > 0 && meta.Topics[0].Error != nil:
		return meta.Topics[0].Error
	}
	return kafka.UnknownTopicOrPartition
}

// groupByPartition groups messages by the partition that their key belongs to.
func (c *topicClient) groupByPartition(ctx context.Context, ms []message) (map[int][]message, error) {
	meta, err := c.lookUp(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up topic %s: %w", c.topic, err)
	}
	if err := topicError(meta); err != nil {
		c.refresh()
		// Tried again, because topics are often made while applications start.
		return nil, fmt.Errorf("look up topic %s: %w", c.topic, c.describe(err))
	}
	ids := make([]int, len(meta.Topics[0].Partitions))
	for i := range ids {
		ids[i] = i // partitions are numbered from zero without gaps
	}
	parts := make(map[int][]message, len(ids))
	for _, m := range ms {
		id := c.balancer.Balance(kafka.Message{Key: m.key}, ids...)
		parts[id] = append(parts[id], m)
	}
	return parts, nil
}

// writeParts calls write with the messages of each partition, all at the same time,
// and returns those that write left, with the last error.
func (c *topicClient) writeParts(ctx context.Context, ms []message, write func(ctx context.Context, partition int, ms []message) ([]message, error)) ([]message, error) {
	parts, err := c.groupByPartition(ctx, ms)
	if err != nil {
		return ms, err
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		left []message // guarded by mu
		last error     // guarded by mu
	)
	for id, part := range parts {
		wg.Go(func() {
			rest, err := write(ctx, id, part)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				left, last = append(left, rest...), err
			}
		})
	}
	wg.Wait()
	return left, last
}

// produce writes messages to one partition and waits for all in-sync replicas. A
// topic may bound the age of its records (message.timestamp.before.max.ms), and an
// outage can last longer: records rejected for their time are written as of now.
func (c *topicClient) produce(ctx context.Context, partition int, ms []message) error {
	err := c.write(ctx, partition, ms)
	if errors.Is(err, kafka.InvalidTimestamp) {
		ms = slices.Clone(ms)
		for i := range ms {
			ms[i].time = time.Now()
		}
		err = c.write(ctx, partition, ms)
	}
	return err
}

func (c *topicClient) write(ctx context.Context, partition int, ms []message) error {
	records := make([]kafka.Record, len(ms))
	for i := range ms {
		records[i] = kafka.Record{
			Time: ms[i].time, Key: kafka.NewBytes(ms[i].key), Value: kafka.NewBytes(ms[i].value), Headers: ms[i].headers,
		}
	}
	res, err := c.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: c.topic, Partition: partition, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(records...), Compression: c.compression,
	})
	if err == nil {
		err = res.Error
	}
	if err == nil {
		return nil
	}
	if maybeStale(err) {
		c.refresh()
	}
	noun := "events"
	if len(ms) == 1 {
		noun = "event"
	}
	return fmt.Errorf("write %d %s to %s/%d: %w", len(ms), noun, c.topic, partition, c.describe(err))
}

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
