package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
	"github.com/evalworker/evalworker/kafka/consumer"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// wait bounds what a test waits for; it only ends tests that fail.
const wait = 60 * time.Second

// bench is a topic with its dead letters on an embedded broker.
type bench struct {
	t      *testing.T
	broker *broker.Broker
	client *kafka.Client
	cfg    consumer.Config
}

// newBench makes both topics with the given number of partitions.
func newBench(t *testing.T, partitions int, change ...func(*broker.Config)) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a broker")
	}
	cfg := consumer.DefaultConfig()
	cfg.Topic, cfg.Group = "events", "workers"
	cfg.SessionTimeout = time.Minute // no worker is lost because the machine is busy
	cfg.HeartbeatInterval = 100 * time.Millisecond
	cfg.CommitInterval = 20 * time.Millisecond
	cfg.PartitionWatch = 100 * time.Millisecond
	cfg.RetryMin, cfg.RetryMax = time.Millisecond, 10*time.Millisecond
	cfg.FetchMaxWait = 50 * time.Millisecond
	start := broker.Config{Topics: map[string]int32{cfg.Topic: int32(partitions), cfg.DeadLetters(): int32(partitions)}} //nolint:gosec // few
	for _, c := range change {
		c(&start)
	}
	broker, err := broker.Start(start)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	cfg.Brokers = []string{broker.Addr()}
	transport := conn.NewTransport(cfg.Config)
	t.Cleanup(transport.CloseIdleConnections)
	return &bench{t: t, broker: broker, client: conn.NewClient(cfg.Config, transport), cfg: cfg}
}

func (b *bench) open() *Queue {
	b.t.Helper()
	q, err := Open(b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(q.Close)
	return q
}

// write publishes records to one partition of a topic, in order.
func (b *bench) write(topic string, partition int, records ...kafka.Record) {
	b.t.Helper()
	res, err := b.client.Produce(b.t.Context(), &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		b.t.Fatalf("write to %s/%d: %v", topic, partition, err)
	}
}

// eventValue returns the value of a valid event, with further members.
func eventValue(id string, more ...string) kafka.Bytes {
	return kafka.NewBytes([]byte(`{"event":"llm_request_completed","request_id":"` + id + `"` + strings.Join(more, "") + `}`))
}

// newEvent returns the message of a valid event.
func newEvent(id string) kafka.Record {
	return kafka.Record{
		Key:     kafka.NewBytes([]byte(id)),
		Value:   eventValue(id),
		Headers: []kafka.Header{{Key: event.HeaderEvent, Value: []byte(event.KindRequestCompleted)}, {Key: event.HeaderRequestID, Value: []byte(id)}},
	}
}

// letter returns a dead letter as a worker writes it.
func (b *bench) letter(id string, reason eval.Reason, originOffset int, more ...kafka.Header) kafka.Record {
	r := newEvent(id)
	r.Headers = append(r.Headers,
		kafka.Header{Key: consumer.HeaderReason, Value: []byte(reason)},
		kafka.Header{Key: consumer.HeaderError, Value: []byte(string(reason) + ": as it was")},
		kafka.Header{Key: consumer.HeaderOriginTopic, Value: []byte(b.cfg.Topic)},
		kafka.Header{Key: consumer.HeaderOriginPartition, Value: []byte("0")},
		kafka.Header{Key: consumer.HeaderOriginOffset, Value: []byte(strconv.Itoa(originOffset))},
		kafka.Header{Key: consumer.HeaderAttempts, Value: []byte("1")},
	)
	r.Headers = append(r.Headers, more...)
	return r
}

// ends returns the end of each partition of a topic.
func (b *bench) ends(topic string) []int64 {
	b.t.Helper()
	q := b.open()
	ids, err := q.partitions(b.t.Context(), topic)
	if err != nil {
		b.t.Fatal(err)
	}
	spans, err := q.bounds(b.t.Context(), topic, ids)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []int64
	for _, s := range spans {
		out = append(out, s.to)
	}
	return out
}

// messages returns what a partition of a topic holds.
func (b *bench) messages(topic string, partition int) []message {
	b.t.Helper()
	var out []message
	err := b.open().scan(b.t.Context(), topic, span{partition, 0, b.ends(topic)[partition]}, func(r *kafka.Record) error {
		var m message
		var err, errV error
		m.key, err = kafka.ReadAll(r.Key)
		m.value, errV = kafka.ReadAll(r.Value)
		for _, h := range r.Headers {
			m.headers = append(m.headers, event.Header(h))
		}
		out = append(out, m)
		return errors.Join(err, errV)
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// keys returns the keys of messages, sorted.
func keys(ms []message) []string {
	out := make([]string, len(ms))
	for i, m := range ms {
		out[i] = string(m.key)
	}
	slices.Sort(out)
	return out
}

// redrive runs a redrive and returns "KEY ACTION REASON" of each result.
func (b *bench) redrive(f Filter, o Options) ([]string, Totals) {
	b.t.Helper()
	return redriveWith(b.t, b.open(), f, o)
}

func redriveWith(t *testing.T, q *Queue, f Filter, o Options) ([]string, Totals) {
	t.Helper()
	var out []string
	totals, err := q.Redrive(t.Context(), f, o, func(r Result) error {
		out = append(out, resultLine(r))
		return nil
	})
	if err != nil {
		t.Fatalf("Redrive: %v", err)
	}
	return out, totals
}

func resultLine(r Result) string {
	s := string(r.Letter.Key) + " " + string(r.Action)
	if r.Skip != "" {
		s += " " + string(r.Skip)
	}
	return s
}

// list returns "ID KEY REASON" of the letters that were not redriven.
func (b *bench) list(f Filter) ([]string, Summary) {
	b.t.Helper()
	var out []string
	sum, err := b.open().List(b.t.Context(), f, false, nil, func(l *Letter) error {
		out = append(out, fmt.Sprintf("%v %s %s", l.ID, l.Key, l.Reason))
		return nil
	})
	if err != nil {
		b.t.Fatalf("List: %v", err)
	}
	return out, sum
}

// worker is a consumer that runs until the test ends.
type worker struct {
	consumer *consumer.Consumer
	stop     func()

	mu   sync.Mutex
	seen []event.Message // guarded by mu; in the order of the calls
}

// work starts a consumer. handle may panic.
func (b *bench) work(handle func(event.Message) error) *worker {
	b.t.Helper()
	w := &worker{}
	var err error
	w.consumer, err = consumer.New(b.cfg, consumer.Deps{Handle: func(_ context.Context, m event.Message) error {
		w.mu.Lock()
		w.seen = append(w.seen, m)
		w.mu.Unlock()
		return handle(m)
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.consumer.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				b.t.Errorf("Run: %v", err)
			}
		case <-time.After(wait):
			b.t.Error("Run does not return")
		}
	})
	b.t.Cleanup(w.stop)
	return w
}

func (w *worker) messages() []event.Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

// eventually polls a condition that only the broker knows.
func (b *bench) eventually(what string, cond func() bool) {
	b.t.Helper()
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			b.t.Fatalf("not within %v: %s", wait, what)
		}
	}
}

// committed waits until the group has finished that many messages of partition 0.
func (b *bench) committed(n int64) {
	b.t.Helper()
	b.eventually(fmt.Sprintf("%d messages finished", n), func() bool {
		offset, _, ok := b.broker.CommittedOffset(b.cfg.Group, b.cfg.Topic, 0)
		return ok && offset == n
	})
}
