package emitter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
)

// cluster stands in for Kafka below a cable: one broker with one partition, whose
// answers a test gives.
type cluster struct {
	answer func([]record) kafka.Error // to a batch; zero takes it

	mu   sync.Mutex
	took []record // guarded by mu
}

type record struct {
	key  string
	time time.Time
}

// under puts a cluster below a cable.
func under(c *cable, answer func([]record) kafka.Error) *cluster {
	fake := &cluster{answer: answer}
	c.client.Transport = fake
	return fake
}

// RoundTrip answers what a cable asks.
func (c *cluster) RoundTrip(_ context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	switch r := req.(type) {
	case *metadata.Request:
		return &metadata.Response{
			Brokers: []metadata.ResponseBroker{{NodeID: 1, Host: "broker", Port: 9092}},
			Topics:  []metadata.ResponseTopic{{Name: r.TopicNames[0], Partitions: []metadata.ResponsePartition{{LeaderID: 1}}}},
		}, nil
	case *produce.Request:
		batch, err := records(r.Topics[0].Partitions[0].RecordSet.Records)
		if err != nil {
			return nil, err
		}
		code := c.take(batch)
		return &produce.Response{Topics: []produce.ResponseTopic{{Partitions: []produce.ResponsePartition{{ErrorCode: int16(code)}}}}}, nil
	}
	return nil, fmt.Errorf("a cable does not ask for %T", req)
}

func (c *cluster) take(batch []record) kafka.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	code := c.answer(batch)
	if code == 0 {
		c.took = append(c.took, batch...)
	}
	return code
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

// onCluster is an emitter on a cluster that gives these answers.
func onCluster(t *testing.T, cfg Config, answer func([]record) kafka.Error) *Emitter {
	t.Helper()
	cfg.Brokers = []string{"broker:9092"}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	under(e.cable, answer)
	return e
}
