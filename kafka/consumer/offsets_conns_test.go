package consumer

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/evalworker/evalworker/event"
)

// The bounds of many partitions take few connections: kafka-go asks for each on one of
// its own, and keeps it.
func TestBoundsTakeFewConnections(t *testing.T) {
	t.Parallel()
	const partitions = 64
	b := newTestbed(t, partitions, true)
	c, err := New(b.cfg, Deps{Handle: func(context.Context, event.Message) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.transport.CloseIdleConnections()
	var dialed atomic.Int32
	dial := c.transport.Dial
	c.transport.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialed.Add(1)
		return dial(ctx, network, addr)
	}
	ids := make([]int, partitions)
	for i := range ids {
		ids[i] = i
	}
	bounds, err := c.bounds(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	if len(bounds) != partitions {
		t.Errorf("bounds of %d partitions, want %d", len(bounds), partitions)
	}
	if got := dialed.Load(); got > 12 { // eight requests at once, and some for the cluster's metadata
		t.Errorf("%d connections for %d partitions, want at most 12", got, partitions)
	}
}

// brokerOfASecond answers questions about offsets after a second.
type brokerOfASecond struct{}

func (brokerOfASecond) RoundTrip(ctx context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var out listoffsets.Response
	for _, topic := range req.(*listoffsets.Request).Topics {
		answer := listoffsets.ResponseTopic{Topic: topic.Topic}
		for _, p := range topic.Partitions {
			answer.Partitions = append(answer.Partitions, listoffsets.ResponsePartition{Partition: p.Partition, Timestamp: p.Timestamp, Offset: 7})
		}
		out.Topics = append(out.Topics, answer)
	}
	return &out, nil
}

// Questions about many partitions are asked one after the other, so each has its own time.
func TestBoundsOfManyPartitionsTakeTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &Consumer{client: &kafka.Client{Addr: kafka.TCP("broker:9092"), Transport: brokerOfASecond{}}, transport: &kafka.Transport{}}
		g := &generation{c: c}
		const partitions = 10 * boundsAtOnce
		for id := range partitions {
			g.parts = append(g.parts, &partition{id: id, tracker: newTracker(0)})
		}
		g.refreshHigh(t.Context())
		for _, p := range g.parts {
			if p.high.Load() != 7 {
				t.Fatalf("the end of partition %d is not known", p.id)
			}
		}
	})
}

// openConns counts the connections that a listener has accepted and that are still open.
type openConns struct {
	net.Listener
	now, peak *atomic.Int32
}

func (l openConns) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	n := l.now.Add(1)
	for peak := l.peak.Load(); n > peak && !l.peak.CompareAndSwap(peak, n); peak = l.peak.Load() {
	}
	return &countedConn{Conn: nc, now: l.now}, nil
}

// countedConn is one of them.
type countedConn struct {
	net.Conn
	now    *atomic.Int32
	closed sync.Once
}

func (c *countedConn) Close() error {
	c.closed.Do(func() { c.now.Add(-1) })
	return c.Conn.Close()
}

// TestConnectionsOfAWorker: as docs/scaling.md says, a worker holds one connection a
// partition and some ten more, and up to two more a partition for a while after it took
// partitions over.
func TestConnectionsOfAWorker(t *testing.T) {
	t.Parallel()
	const partitions = 48
	var now, peak atomic.Int32
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(func(network, addr string) (net.Listener, error) {
		ln, err := new(net.ListenConfig).Listen(t.Context(), network, addr)
		return openConns{Listener: ln, now: &now, peak: &peak}, err
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cfg := DefaultConfig()
	cfg.Brokers, cfg.SessionTimeout = cluster.ListenAddrs(), time.Minute
	b := testbedOn(t, cfg, partitions)
	b.client.Transport.(*kafka.Transport).CloseIdleConnections()
	b.eventually("only the worker's connections are counted", func() bool { return now.Load() == 0 })
	peak.Store(0)
	w := b.startWith(Deps{Handle: new(notebook).Handle}, func(c *Consumer) { c.transport.IdleTimeout = 200 * time.Millisecond })
	b.eventually("all partitions are read", func() bool {
		open := 0
		for _, p := range w.Status().Partitions {
			if p.High == 0 && p.Lag == 0 {
				open++
			}
		}
		return open == partitions && now.Load() >= partitions
	})
	b.eventually("one a partition and some ten more", func() bool { return now.Load() >= partitions && now.Load() <= partitions+14 })
	t.Logf("%d connections for %d partitions, %d at most", now.Load(), partitions, peak.Load())
	if most := peak.Load(); most > 3*partitions+14 {
		t.Errorf("%d connections at once for %d partitions, want at most three a partition and some ten", most, partitions)
	}
}
