package emitter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

func newPublisher(tb testing.TB, cfg emitter.Config) *emitter.Publisher {
	tb.Helper()
	p, err := emitter.NewPublisher(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}

// encoded returns the i-th event, of one of five traces, with an output of that size.
func encoded(tb testing.TB, i, size int) emitter.EncodedEvent {
	tb.Helper()
	ev := newEvent(i)
	ev.Kind, ev.TraceID = event.KindRequestCompleted, event.ID(fmt.Sprint(1+i%5))
	ev.Output = event.Text(strings.Repeat("x", size))
	b, err := json.Marshal(ev)
	if err != nil {
		tb.Fatal(err)
	}
	return emitter.EncodedEvent{Event: &ev, Value: b, Time: time.UnixMilli(1_750_000_000_000 + int64(i))}
}

func requestIDs(es []emitter.EncodedEvent) []string {
	out := []string{}
	for _, e := range es {
		out = append(out, string(e.Event.RequestID))
	}
	return out
}

// byKey returns the request ids of each key in the order of the topic.
func byKey(ms []kafka.Message) map[string][]string {
	out := map[string][]string{}
	for _, m := range ms {
		ev, err := event.Decode(m.Value)
		if err != nil {
			continue
		}
		out[string(m.Key)] = append(out[string(m.Key)], string(ev.RequestID))
	}
	return out
}

func TestPublishKeepsTheOrderOfAKey(t *testing.T) {
	t.Parallel()
	b := startBroker(t, broker.Config{MaxMessageBytes: 3000})
	cfg := quick(b.Addr())
	cfg.Compression, cfg.BatchEvents = "none", 20 // several requests a partition, and halves of them
	p := newPublisher(t, cfg)
	var all []emitter.EncodedEvent
	for i := range 200 {
		all = append(all, encoded(t, i, 200))
	}
	huge := encoded(t, 200, 4000)
	all = slices.Insert(all, 77, huge)
	got, err := p.Publish(t.Context(), all)
	if err != nil || got.Written != 200 || len(got.Left) != 0 {
		t.Fatalf("Publish = %d written, %d left, %v", got.Written, len(got.Left), err)
	}
	if len(got.Rejected) != 1 || got.Rejected[0].Event.RequestID != huge.Event.RequestID || !errors.Is(got.Rejected[0].Err, kafka.MessageSizeTooLarge) {
		t.Errorf("refused %+v, want the huge one for its size", got.Rejected)
	}
	ms := messages(t, b.Addr())
	want := map[string][]string{}
	for _, e := range all {
		if e.Event != huge.Event {
			trace, _ := e.Event.Origin()
			want[trace.String()] = append(want[trace.String()], string(e.Event.RequestID))
		}
	}
	if diff := cmp.Diff(want, byKey(ms)); diff != "" {
		t.Errorf("order of each key (-want +got):\n%s", diff)
	}
	for _, m := range ms {
		if m.Time.Before(time.UnixMilli(1_750_000_000_000)) || m.Time.After(time.UnixMilli(1_750_000_001_000)) {
			t.Fatalf("time of a record is %v, want that of its event", m.Time)
		}
	}
}

func TestPublishLeavesWhatMayBeWrittenLater(t *testing.T) {
	t.Parallel()
	b := startBroker(t, broker.Config{})
	p := newPublisher(t, quick(b.Addr()))
	var all []emitter.EncodedEvent
	for i := range 20 {
		all = append(all, encoded(t, i, 10))
	}
	restore := b.RefuseWrites(topic)
	got, err := p.Publish(t.Context(), all)
	if !errors.Is(err, kafka.NotEnoughReplicas) || got.Written != 0 || len(got.Rejected) != 0 {
		t.Errorf("Publish = %+v, %v", got, err)
	}
	if diff := cmp.Diff(requestIDs(all), requestIDs(got.Left)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	restore()
	if got, err = p.Publish(t.Context(), got.Left); err != nil || got.Written != 20 {
		t.Errorf("Publish again = %+v, %v", got, err)
	}
}

func TestPublishWithoutABroker(t *testing.T) {
	t.Parallel()
	// A listener that accepts connections and never answers.
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, addr := range map[string]string{"nobody": "127.0.0.1:1", "silence": l.Addr().String()} {
		want := "look up topic " + topic + ": broker " + addr + ": no answer in time"
		if name == "nobody" {
			want = "look up topic " + topic + ": broker " + addr + " cannot be reached: connect: connection refused"
		}
		cfg := quick(addr)
		if name == "silence" {
			cfg.WriteTimeout = time.Second // a busy machine connects in that time
		}
		p := newPublisher(t, cfg)
		got, err := p.Publish(t.Context(), []emitter.EncodedEvent{encoded(t, 1, 10)})
		if err == nil || len(got.Left) != 1 {
			t.Errorf("%s: Publish = %+v, %v", name, got, err)
		}
		if err.Error() != want {
			t.Errorf("%s: %q, want %q", name, err, want)
		}
		_, network := errors.AsType[*net.OpError](err)
		if network != (name == "nobody") || errors.Is(err, context.DeadlineExceeded) == network {
			t.Errorf("%s: %v stands for another error", name, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.Publish(ctx, got.Left); err == nil {
			t.Errorf("%s: Publish with a context that has ended is no error", name)
		}
		p.Close()
	}
}

func TestPublisherCheck(t *testing.T) {
	t.Parallel()
	cfg := quick("127.0.0.1:1")
	cfg.MaxEventBytes = 1000
	p := newPublisher(t, cfg)
	small, large := encoded(t, 1, 10), encoded(t, 2, 2000)
	if err := p.Check(small.Event, small.Value); err != nil {
		t.Error(err)
	}
	if err := p.Check(large.Event, large.Value); !errors.Is(err, emitter.ErrTooLarge) || !eval.IsPermanent(err) {
		t.Errorf("Check of a large event = %v", err)
	}
	// An event above the limit is rejected without asking a broker.
	got, err := p.Publish(t.Context(), []emitter.EncodedEvent{large, {Event: &event.Event{}}})
	if err != nil || len(got.Rejected) != 2 {
		t.Errorf("Publish = %+v, %v", got, err)
	}
	if _, err := emitter.NewPublisher(emitter.Config{}); err == nil {
		t.Error("a publisher without brokers is no error")
	}
}
