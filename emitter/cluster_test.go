//go:build go1.26

package emitter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
)

// cluster is a fake Kafka below a topicClient: two brokers, b1 and b2, and one
// partition that one of them leads, or more that they lead by turns. It works in memory,
// inside a synctest bubble.
type cluster struct {
	partitions int32 // zero: one

	answer func([]record) kafka.Error // to a batch; zero accepts it
	late   time.Duration              // passes before each answer
	rate   atomic.Int64               // bytes a second that the line carries; zero: any number
	away   atomic.Bool                // no connection succeeds
	hung   atomic.Int32               // the broker that does not answer

	topic   *topicClient
	serving sync.WaitGroup

	mu       sync.Mutex
	leader   int32    // guarded by mu
	requests int      // guarded by mu; to write
	took     []record // guarded by mu
}

type record struct {
	key  string
	time time.Time
}

// takes is the answer of a healthy cluster.
func takes([]record) kafka.Error { return 0 }

// under puts the cluster below a topicClient for the duration of a test.
func (c *cluster) under(t *testing.T, cable *topicClient) {
	t.Helper()
	c.leader, c.topic = 1, cable
	cable.transport.Dial = c.dial
	t.Cleanup(c.serving.Wait)
}

// emitterOn returns an emitter on a cluster.
func emitterOn(t *testing.T, c *cluster, cfg Config) *Emitter {
	t.Helper()
	cfg.Brokers = []string{"b1:9092"}
	cfg.CloseTimeout = cmp.Or(cfg.CloseTimeout, time.Hour) // tests wait for an outcome by closing
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.under(t, e.topic)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 0) // a test that checks the end calls Close itself
		defer cancel()
		_ = e.Close(ctx)
	})
	return e
}

// publisherOn returns a publisher on a cluster.
func publisherOn(t *testing.T, c *cluster, cfg Config) *Publisher {
	t.Helper()
	cfg.Brokers = []string{"b1:9092"}
	p, err := NewPublisher(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.under(t, p.topic)
	t.Cleanup(p.Close)
	return p
}

// moveLeader makes the other broker lead.
func (c *cluster) moveLeader() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leader = 3 - c.leader
}

func (c *cluster) dial(_ context.Context, _, address string) (net.Conn, error) {
	if c.away.Load() {
		return nil, syscall.ECONNREFUSED
	}
	var node int32
	if _, err := fmt.Sscanf(address, "b%d:9092", &node); err != nil {
		return nil, err
	}
	client, server := net.Pipe()
	c.serving.Go(func() {
		defer server.Close()
		for {
			version, id, _, req, err := protocol.ReadRequest(line{server, &c.rate})
			if err != nil {
				return
			}
			if c.hung.Load() == node {
				continue
			}
			res, err := c.respond(node, req)
			if err != nil {
				return
			}
			<-time.After(c.late)
			if protocol.WriteResponse(server, version, id, res) != nil {
				return
			}
		}
	})
	return c.topic.track(client)
}

// line is the far end of a connection that carries so many bytes a second.
type line struct {
	net.Conn
	rate *atomic.Int64
}

func (l line) Read(into []byte) (int, error) {
	n, err := l.Conn.Read(into[:min(1000, len(into))])
	if rate := l.rate.Load(); rate > 0 {
		<-time.After(time.Duration(n) * time.Second / time.Duration(rate))
	}
	return n, err
}

func (c *cluster) respond(node int32, req protocol.Message) (protocol.Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r := req.(type) {
	case *apiversions.Request:
		return &apiversions.Response{ApiKeys: []apiversions.ApiKeyResponse{{ApiKey: int16(protocol.Metadata), MaxVersion: 8}, {ApiKey: int16(protocol.Produce), MaxVersion: 8}}}, nil
	case *metadata.Request:
		return &metadata.Response{
			Brokers: []metadata.ResponseBroker{{NodeID: 1, Host: "b1", Port: 9092}, {NodeID: 2, Host: "b2", Port: 9092}},
			Topics:  []metadata.ResponseTopic{{Name: r.TopicNames[0], Partitions: c.layout()}},
		}, nil
	case *produce.Request:
		c.requests++
		out := produce.ResponseTopic{Topic: r.Topics[0].Topic}
		for _, p := range r.Topics[0].Partitions {
			batch, err := records(p.RecordSet.Records)
			if err != nil {
				return nil, err
			}
			code := kafka.NotLeaderForPartition
			if node == c.leaderOf(p.Partition) {
				code = c.answer(batch)
			}
			if code == 0 {
				c.took = append(c.took, batch...)
			}
			out.Partitions = append(out.Partitions, produce.ResponsePartition{Partition: p.Partition, ErrorCode: int16(code)})
		}
		return &produce.Response{Topics: []produce.ResponseTopic{out}}, nil
	}
	return nil, fmt.Errorf("a topicClient does not send a %T", req)
}

// layout returns the partitions of the topic. The caller holds mu.
func (c *cluster) layout() (out []metadata.ResponsePartition) {
	for p := range max(c.partitions, 1) {
		out = append(out, metadata.ResponsePartition{PartitionIndex: p, LeaderID: c.leaderOf(p)})
	}
	return out
}

// leaderOf returns the broker that leads a partition. The caller holds mu.
func (c *cluster) leaderOf(partition int32) int32 {
	if partition%2 == 1 {
		return 3 - c.leader
	}
	return c.leader
}

func records(from protocol.RecordReader) ([]record, error) {
	var out []record
	for {
		r, err := from.ReadRecord()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		key, err := protocol.ReadAll(r.Key)
		if err != nil {
			return nil, err
		}
		out = append(out, record{string(key), r.Time})
	}
}
