package emitter_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/testkit/containers"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(envService); addr != "" {
		if err := service(addr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(containers.Main(m, containers.WithKafka))
}

const topic = "events"

func startBroker(tb testing.TB, cfg broker.Config) *broker.Broker {
	tb.Helper()
	if cfg.Topics == nil {
		cfg.Topics = map[string]int32{topic: 3}
	}
	b, err := broker.Start(cfg)
	for end := time.Now().Add(time.Minute); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(end); {
		runtime.Gosched() // another process has got the port of an earlier broker for a connection, for a moment
		b, err = broker.Start(cfg)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Close)
	return b
}

// target is a topic of three partitions to write to.
type target struct{ addr, topic string }

// newTarget returns a topic for one test, on an embedded broker or on Apache Kafka.
func newTarget(t *testing.T) target {
	t.Helper()
	addrs, ok := containers.UseKafka(t)
	if !ok {
		return target{startBroker(t, broker.Config{}).Addr(), topic}
	}
	out := target{addrs[0], "emitter-" + strings.ToLower(rand.Text()[:10])}
	conn, err := kafka.DialContext(t.Context(), "tcp", out.addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.CreateTopics(kafka.TopicConfig{Topic: out.topic, NumPartitions: 3, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for p := range 3 {
		for tries := 0; !out.leads(t, p); tries++ {
			if tries == 1500 {
				t.Fatalf("nobody leads partition %d of topic %s", p, out.topic)
			}
			<-tick.C
		}
	}
	return out
}

// leads reports whether a partition's leader knows that it leads, which is a little
// later than the others know.
func (g target) leads(t *testing.T, partition int) bool {
	t.Helper()
	conn, err := kafka.DialLeader(t.Context(), "tcp", g.addr, g.topic, partition)
	if err != nil {
		return false
	}
	defer conn.Close()
	_, err = conn.ReadLastOffset()
	return err == nil
}

// quick returns a configuration for it that gives up soon.
func (g target) quick() emitter.Config {
	cfg := quick(g.addr)
	cfg.Topic = g.topic
	return cfg
}

// quick returns a configuration that gives up soon.
func quick(addr string) emitter.Config {
	return emitter.Config{
		Brokers: []string{addr}, Topic: topic, Linger: time.Millisecond,
		BackoffMin: time.Millisecond, BackoffMax: 5 * time.Millisecond, MaxAttempts: 3,
	}
}

func newEmitter(tb testing.TB, cfg emitter.Config) *emitter.Emitter {
	tb.Helper()
	e, err := emitter.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 0) // a test that checks the end calls Close itself
		defer cancel()
		_ = e.Close(ctx)
	})
	return e
}

// messages returns everything that is in the topic.
func messages(t *testing.T, addr string) []kafka.Message {
	t.Helper()
	return target{addr, topic}.messages(t)
}

func (g target) messages(t *testing.T) []kafka.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var all []kafka.Message
	for p := range 3 {
		conn, err := kafka.DialLeader(ctx, "tcp", g.addr, g.topic, p)
		if err != nil {
			t.Fatal(err)
		}
		last, err := conn.ReadLastOffset()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if last == 0 {
			continue
		}
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{g.addr}, Topic: g.topic, Partition: p, MaxWait: 100 * time.Millisecond, MinBytes: 1, MaxBytes: 4 << 20})
		for range last {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func ids(ms []kafka.Message) []string {
	out := make([]string, 0, len(ms))
	for _, m := range ms {
		for _, h := range m.Headers {
			if h.Key == event.HeaderRequestID {
				out = append(out, string(h.Value))
			}
		}
	}
	slices.Sort(out)
	return out
}

func newEvent(i int) event.Event {
	return event.Event{RequestID: event.RequestID(fmt.Sprintf("req_%04d", i)), Feature: "chat", Output: event.Text("hello")}
}

func checkBalance(t *testing.T, s emitter.Stats) {
	t.Helper()
	if s.Accepted != s.Sent+s.Unsent+uint64(s.BufferedEvents) {
		t.Errorf("accepted is not sent + unsent + buffered: %+v", s)
	}
}

func TestEverythingArrives(t *testing.T) {
	t.Parallel()
	for _, compression := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			t.Parallel()
			g := newTarget(t)
			cfg := g.quick()
			cfg.Compression, cfg.BatchEvents, cfg.Block = compression, 50, true
			e := newEmitter(t, cfg)
			const n, writers = 400, 4
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := w; i < n; i += writers {
						if err := e.Emit(t.Context(), newEvent(i)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if err := e.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			var want []string
			for i := range n {
				want = append(want, string(newEvent(i).RequestID))
			}
			if diff := cmp.Diff(want, ids(g.messages(t))); diff != "" {
				t.Errorf("request ids (-emitted +read):\n%s", diff)
			}
			s := e.Stats()
			checkBalance(t, s)
			if s.Sent != n || s.BufferedEvents != 0 || s.BufferedBytes != 0 {
				t.Errorf("Stats = %+v, want %d sent and nothing left", s, n)
			}
		})
	}
}

func TestAMessageIsWhatAWorkerExpects(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	cfg := g.quick()
	cfg.TraceContext = func(context.Context) map[string]string {
		return emitter.Traceparent([16]byte{15: 7}, [8]byte{7: 9}, true, "")
	}
	e := newEmitter(t, cfg)
	sent := []event.Event{
		{RequestID: "a", Feature: "chat", UserRating: "Up ", Model: "m\xffm"},
		{RequestID: "b", Kind: event.KindUserFeedback, TraceID: "123456789", UserRating: event.RatingDown},
		{RequestID: "c", TraceContext: event.TraceContext{"X-Datadog-Trace-Id": "5", "x-datadog-parent-id": "6"}},
	}
	before := time.Now()
	for _, ev := range sent {
		if err := e.Emit(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantKeys := map[string]string{
		"a": "00000000000000000000000000000007",
		"b": fmt.Sprintf("%032x", 123456789),
		"c": "00000000000000000000000000000005",
	}
	got := g.messages(t)
	if len(got) != len(sent) {
		t.Fatalf("%d messages, want %d", len(got), len(sent))
	}
	for _, m := range got {
		ev, err := event.DecodeStrict(m.Value)
		if err != nil {
			t.Fatal(err)
		}
		hs := make([]event.Header, len(m.Headers))
		for i, h := range m.Headers {
			hs[i] = event.Header{Key: h.Key, Value: h.Value}
		}
		env, ok := event.EnvelopeFromHeaders(hs)
		if diff := cmp.Diff(ev.Envelope(), env); !ok || diff != "" {
			t.Errorf("request %s: envelope (-body +headers):\n%s", ev.RequestID, diff)
		}
		if string(m.Key) != wantKeys[string(ev.RequestID)] {
			t.Errorf("request %s: key %q, want %q", ev.RequestID, m.Key, wantKeys[string(ev.RequestID)])
		}
		if ev.OccurredAt.Before(before.Add(-time.Second)) {
			t.Errorf("request %s: occurred_at %v was not filled in", ev.RequestID, ev.OccurredAt)
		}
	}
}

func TestEventsOfATraceShareAPartition(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	e := newEmitter(t, g.quick())
	for i := range 60 {
		ev := newEvent(i)
		ev.TraceID = event.ID(fmt.Sprint(1 + i%6))
		if err := e.Emit(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	where := map[string]int{}
	used := map[int]bool{}
	for _, m := range g.messages(t) {
		if p, ok := where[string(m.Key)]; ok && p != m.Partition {
			t.Errorf("trace %s is in partitions %d and %d", m.Key, p, m.Partition)
		}
		where[string(m.Key)] = m.Partition
		used[m.Partition] = true
	}
	if len(used) < 2 {
		t.Errorf("six traces went to %d of 3 partitions", len(used))
	}
}

func TestForwardKeepsTheBytes(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	e := newEmitter(t, g.quick())
	raw := []byte(`{ "request_id" : 7, "event":"llm_request_completed", "team_field":[1] }`)
	ev, err := event.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Forward(t.Context(), ev, raw); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := g.messages(t)
	if len(got) != 1 || string(got[0].Value) != string(raw) || string(got[0].Key) != "7" {
		t.Errorf("read %v, want the bytes as they were", got)
	}
}

func TestEmitRefusesWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	cfg := quick("127.0.0.1:1")
	cfg.MaxEventBytes = 1000
	e := newEmitter(t, cfg)
	for name, c := range map[string]struct {
		ev     event.Event
		reason eval.Reason
		want   error
	}{
		"no request id": {event.Event{}, eval.ReasonMalformed, nil},
		"unknown kind":  {event.Event{RequestID: "a", Kind: "llm_request_started"}, eval.ReasonUnknownEvent, nil},
		"too large":     {event.Event{RequestID: "a", Feature: strings.Repeat("x", 1000), Output: event.Text("y")}, eval.ReasonTooLarge, emitter.ErrTooLarge},
	} {
		err := e.Emit(t.Context(), c.ev)
		if !eval.IsPermanent(err) || eval.ReasonOf(err) != c.reason || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: Emit = %v, want a permanent error with reason %s", name, err, c.reason)
		}
		if err != nil && strings.Contains(err.Error(), "xxxx") {
			t.Errorf("%s: the error holds content", name)
		}
	}
	if s := e.Stats(); s.Rejected != 3 || s.Accepted != 0 {
		t.Errorf("Stats = %+v, want 3 refused", s)
	}
}

// TestAnEventAtTheLimitArrives: the limit is exact, so an event at the limit is
// written to a broker with Kafka's own limit for a batch.
func TestAnEventAtTheLimitArrives(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	cfg := g.quick()
	cfg.Compression = "none"
	e := newEmitter(t, cfg)
	ev := event.Event{RequestID: "a", OccurredAt: time.Unix(0, 0)}
	for n := 999_900; ; n-- {
		ev.Output = event.Text(strings.Repeat("x", n))
		before := e.Stats().Withheld
		if err := e.Emit(t.Context(), ev); err != nil || n < 999_000 {
			t.Fatal(n, err)
		}
		if e.Stats().Withheld == before {
			break // it went with its content
		}
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	largest := 0
	for _, m := range g.messages(t) {
		largest = max(largest, len(m.Value))
	}
	if s := e.Stats(); s.Unsent != 0 || s.Sent != s.Withheld+1 || largest < 999_000 {
		t.Errorf("Stats = %+v, the largest message has %d bytes; want one with its content", s, largest)
	}
}
