package emitter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/kafka/conn"
)

// metadataTTL is how old the picture of the cluster may get, and at the same time
// kafka-go's time limit of each look-up: a slow one must have time enough. What has
// changed is noticed sooner, by the first error that tells: see renew.
const metadataTTL = 10 * time.Second

var compressionNames = []string{"none", "gzip", "snappy", "lz4", "zstd"}

func compression(name string) kafka.Compression {
	switch name {
	case "gzip":
		return kafka.Gzip
	case "snappy":
		return kafka.Snappy
	case "lz4":
		return kafka.Lz4
	case "zstd":
		return kafka.Zstd
	}
	return 0
}

// cable is the connection to the cluster. It works below kafka.Writer, whose
// retries nobody can cancel: closing such a writer takes as long as its broker
// hangs.
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
		compression: compression(cfg.Compression),
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
	// Half of the timeout is what brokers are told to wait for replicas; without
	// one it is 500 ms, after which an event that is stored is sent again.
	c.client = &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Transport: c.transport, Timeout: cfg.WriteTimeout}
	return c
}

// ping asks for what is known of the topic.
func (c *topicClient) ping(ctx context.Context) error {
	_, err := c.lookUp(ctx)
	return err
}

// lookUp gives what is known of the topic, or why nothing is.
func (c *topicClient) lookUp(ctx context.Context) (*kafka.MetadataResponse, error) {
	meta, err := c.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{c.topic}})
	// kafka-go would give the same error until it looks up by itself. A look-up that
	// goes on behind the end of ctx serves the next call.
	if err != nil && ctx.Err() == nil {
		c.refresh()
	}
	return meta, describe(c.cluster, err)
}

// partition sorts messages by the partition that their key belongs to.
func (c *topicClient) partition(ctx context.Context, ms []message) (map[int][]message, error) {
	meta, err := c.lookUp(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up topic %s: %w", c.topic, err)
	}
	if len(meta.Topics) == 0 || len(meta.Topics[0].Partitions) == 0 {
		err := noTopicError(c.topic)
		if len(meta.Topics) > 0 && meta.Topics[0].Error != nil && !errors.Is(meta.Topics[0].Error, kafka.UnknownTopicOrPartition) {
			err = fmt.Errorf("look up topic %s: %w", c.topic, meta.Topics[0].Error)
		}
		c.refresh()
		return nil, err
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

// produce writes messages to one partition and waits for all in-sync replicas. A
// topic may bound how old a record is (message.timestamp.before.max.ms), which an
// outage can outlast: records whose time it refuses are written as of now.
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
	if err != nil {
		if maybeStale(err) {
			c.refresh()
		}
		noun := "events"
		if len(ms) == 1 {
			noun = "event"
		}
		return fmt.Errorf("write %d %s to %s/%d: %w", len(ms), noun, c.topic, partition, describe(c.cluster, err))
	}
	return nil
}

// renew makes the next call look up the cluster anew, on new connections.
func (c *topicClient) refresh() { c.transport.CloseIdleConnections() }

// outdated reports whether an error of a write may come of an old picture of the
// cluster.
func maybeStale(err error) bool {
	code, answered := errors.AsType[kafka.Error](err)
	if !answered {
		return true // the network: whoever led may be gone
	}
	switch code {
	case kafka.UnknownTopicOrPartition, kafka.LeaderNotAvailable, kafka.NotLeaderForPartition, kafka.BrokerNotAvailable,
		kafka.ReplicaNotAvailable, kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch, kafka.KafkaStorageError:
		return true
	}
	return false
}

// watch remembers an open connection.
func (c *topicClient) track(conn net.Conn) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	w := &trackedConn{Conn: conn, cable: c}
	c.conns[w] = struct{}{}
	return w, nil
}

// close ends every connection, those of requests without an answer too: a
// broker that hangs would otherwise keep their goroutines.
func (c *topicClient) close() {
	c.transport.CloseIdleConnections()
	for _, conn := range c.shut() {
		_ = conn.Close() // nothing is lost that was not lost already
	}
}

func (c *topicClient) shut() []net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	open := make([]net.Conn, 0, len(c.conns))
	for conn := range c.conns {
		open = append(open, conn)
	}
	return open
}

// watched is a connection that its cable knows of until it is closed.
type trackedConn struct {
	net.Conn
	cable *topicClient
}

func (w *trackedConn) Close() error {
	w.cable.untrack(w)
	return w.Conn.Close()
}

func (c *topicClient) untrack(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
}
