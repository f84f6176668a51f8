package consumer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/testkit/containers"
)

func TestMain(m *testing.M) { os.Exit(containers.Main(m, containers.WithKafka)) }

// patience bounds what a test waits for; it only ends tests that fail.
const patience = 60 * time.Second

// testbed is a topic and a group of a test's own, on an embedded broker or on an
// Apache Kafka.
type testbed struct {
	t      testing.TB
	broker *broker.Broker // nil on a cluster
	client *kafka.Client
	cfg    Config
}

// newTestbed makes the topic. A test that needs the embedded broker passes true.
func newTestbed(t testing.TB, partitions int, embedded ...bool) *testbed {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a broker")
	}
	cfg := DefaultConfig()
	var embeddedBroker *broker.Broker
	var addrs []string
	real := false
	if len(embedded) == 0 {
		addrs, real = containers.UseKafka(t)
	}
	if real {
		cfg.Brokers = addrs
		cfg.SessionTimeout = 6 * time.Second // the least that Apache Kafka accepts
	} else {
		broker, err := broker.Start(broker.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(broker.Close)
		embeddedBroker = broker
		cfg.Brokers = []string{broker.Addr()}
		cfg.SessionTimeout = time.Minute // no worker is lost because the machine is busy
	}
	b := testbedOn(t, cfg, partitions)
	b.broker = embeddedBroker
	return b
}

// testbedOn makes the topic on the cluster of a configuration.
func testbedOn(t testing.TB, cfg Config, partitions int) *testbed {
	t.Helper()
	b := &testbed{t: t}
	id := strings.ToLower(rand.Text()[:10])
	cfg.Topic, cfg.Group = "stream-"+id, "stream-"+id
	cfg.HeartbeatInterval = 100 * time.Millisecond
	cfg.CommitInterval = 20 * time.Millisecond
	cfg.PartitionWatch = 100 * time.Millisecond
	cfg.RetryMin, cfg.RetryMax = time.Millisecond, 10*time.Millisecond
	cfg.FetchMaxWait = 50 * time.Millisecond
	b.cfg = cfg
	transport := conn.NewTransport(cfg.Config)
	transport.MetadataTTL = 100 * time.Millisecond
	t.Cleanup(transport.CloseIdleConnections)
	b.client = conn.NewClient(cfg.Config, transport)
	b.createTopic(cfg.Topic, partitions)
	return b
}

func (b *testbed) createTopic(name string, partitions int) {
	b.t.Helper()
	b.eventually("topic "+name+" made", func() bool {
		res, err := b.client.CreateTopics(b.t.Context(), &kafka.CreateTopicsRequest{
			Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}},
		})
		if err != nil || !errors.Is(res.Errors[name], kafka.TopicAlreadyExists) {
			return err == nil && res.Errors[name] == nil
		}
		// A worker that looks for its topic makes a broker create it, with one partition.
		_, err = b.client.CreatePartitions(b.t.Context(), &kafka.CreatePartitionsRequest{
			Topics: []kafka.TopicPartitionsConfig{{Name: name, Count: int32(partitions)}}, //nolint:gosec // few
		})
		return err == nil
	})
	b.eventually("topic "+name+" known", func() bool {
		found, err := conn.NewDialer(b.cfg.Config).LookupPartitions(b.t.Context(), "tcp", b.cfg.Brokers[0], name)
		return err == nil && len(found) == partitions
	})
}

// publish writes values to one partition, in order.
func (b *testbed) publish(partition int, values ...string) {
	b.t.Helper()
	records := make([]kafka.Message, len(values))
	for i, v := range values {
		records[i] = kafka.Message{Key: []byte("key " + v), Value: []byte(v), Headers: []kafka.Header{{Key: "h", Value: []byte(v)}}}
	}
	b.publishMessages(partition, records...)
}

func (b *testbed) publishMessages(partition int, messages ...kafka.Message) {
	b.t.Helper()
	w := &kafka.Writer{
		Addr: b.client.Addr, Topic: b.cfg.Topic, Transport: b.client.Transport,
		RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, BatchBytes: 32 << 20,
		Balancer: kafka.BalancerFunc(func(kafka.Message, ...int) int { return partition }),
	}
	defer w.Close()
	b.eventually(fmt.Sprintf("published to partition %d", partition), func() bool {
		err := w.WriteMessages(b.t.Context(), messages...)
		if err != nil && !errors.Is(err, kafka.UnknownTopicOrPartition) { // not all parts of a broker know a new topic at once
			b.t.Fatalf("publish to partition %d: %v", partition, err)
		}
		return err == nil
	})
}

// stored returns the offset that the group has committed; unknownOffset for none.
func (b *testbed) stored(partition int) int64 {
	b.t.Helper()
	res, err := b.client.OffsetFetch(b.t.Context(), &kafka.OffsetFetchRequest{
		GroupID: b.cfg.Group, Topics: map[string][]int{b.cfg.Topic: {partition}},
	})
	if err != nil || res.Error != nil || len(res.Topics[b.cfg.Topic]) == 0 {
		return unknownOffset
	}
	return res.Topics[b.cfg.Topic][0].CommittedOffset
}

// restart starts a broker of the test's own on the address of one that it had before.
// Meanwhile another process may have got the port for a connection, and keep it for a
// moment.
func (b *testbed) restart(cfg broker.Config) *broker.Broker {
	b.t.Helper()
	var again *broker.Broker
	b.eventually("listening on "+cfg.Addr, func() bool {
		var err error
		if again, err = broker.Start(cfg); err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			b.t.Fatal(err)
		}
		return err == nil
	})
	b.t.Cleanup(again.Close)
	return again
}

// eventually polls a condition that only another process knows.
func (b *testbed) eventually(what string, cond func() bool) {
	b.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			b.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// worker is a consumer that runs.
type worker struct {
	*Consumer
	b    *testbed
	stop context.CancelFunc
	end  chan error
	seen *tally
}

// start runs a consumer with the testbed's configuration until the test ends.
func (b *testbed) start(deps Deps) *worker {
	b.t.Helper()
	return b.startWith(deps, func(*Consumer) {})
}

// startWith is start with a change of the consumer before it runs.
func (b *testbed) startWith(deps Deps, change func(*Consumer)) *worker {
	b.t.Helper()
	seen := &tally{counts: make(map[string]int)}
	if deps.Observe == nil {
		deps.Observe = seen
	}
	if deps.Log == nil && testing.Verbose() {
		deps.Log = slog.New(slog.NewTextHandler(testLog{b.t}, nil))
	}
	c, err := New(b.cfg, deps)
	if err != nil {
		b.t.Fatal(err)
	}
	change(c)
	ctx, cancel := context.WithCancel(context.Background())
	w := &worker{Consumer: c, b: b, stop: cancel, end: make(chan error, 1), seen: seen}
	go func() { w.end <- c.Run(ctx) }()
	b.t.Cleanup(func() { w.halt() })
	return w
}

// halt stops the worker and returns what Run returned; nil after the first time.
func (w *worker) halt() error {
	w.stop()
	select {
	case err, running := <-w.end:
		if running {
			close(w.end)
		}
		return err
	case <-time.After(patience):
		w.b.t.Error("Run does not return")
		return nil
	}
}

// owns waits until the worker has n partitions.
func (w *worker) owns(n int) {
	w.b.t.Helper()
	w.b.eventually(fmt.Sprintf("%d partitions assigned", n), func() bool {
		st := w.Status()
		return st.Joined && len(st.Partitions) == n
	})
}

// testLog writes log lines to a test's log.
type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// tally is an Observer that counts.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (o *tally) add(what string, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts[what] += n
}

func (o *tally) count(what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.counts[what]
}

func (o *tally) Consumed(n int)                      { o.add("consumed", n) }
func (o *tally) DeadLettered(r eval.Reason)          { o.add("dead "+string(r), 1) }
func (o *tally) LostToRetention(_ int, n int64)      { o.add("lost", int(n)) }
func (o *tally) ControlRecord()                      { o.add("control", 1) }
func (o *tally) OffsetReset(_ int, _ int64, _ int64) { o.add("reset", 1) }

// notebook is a Handler that notes the values it is called with.
type notebook struct {
	mu    sync.Mutex
	calls map[string]int
}

func (n *notebook) Handle(_ context.Context, m event.Message) error {
	n.note(string(m.Value))
	return nil
}

func (n *notebook) note(value string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.calls == nil {
		n.calls = make(map[string]int)
	}
	n.calls[value]++
}

func (n *notebook) get() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make(map[string]int, len(n.calls))
	maps.Copy(out, n.calls)
	return out
}

// values returns prefix0, prefix1 and so on.
func values(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return out
}

// once returns the values, each with a count of one.
func once(groups ...[]string) map[string]int {
	out := make(map[string]int)
	for _, g := range groups {
		for _, v := range g {
			out[v]++
		}
	}
	return out
}

// heldUntil returns a handler that finishes messages once a channel is closed.
func heldUntil(release <-chan struct{}) func(context.Context, event.Message) error {
	return func(ctx context.Context, _ event.Message) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
