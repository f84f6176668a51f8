//go:build go1.26

package emitter

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

// FuzzHeadersAgreeWithTheBody: sampling on headers is correct because, for any event
// of an application, the envelope in the headers equals the decoded body's.
func FuzzHeadersAgreeWithTheBody(f *testing.F) {
	f.Add("req_1", "chat", "up", "00-0000000000000000000000000000002a-0000000000000007-01", "123")
	f.Add("r", "\xff\xfe", " DOWN\t", "", "0000000000000000000000000000002a")
	f.Add("<&>\u2028", "\x00", "4.50", "00-x", "x")
	e := &Emitter{cfg: DefaultConfig()}
	f.Fuzz(func(t *testing.T, id, feature, rating, parent, trace string) {
		ev := event.Event{
			RequestID: event.RequestID(id), Feature: feature, UserRating: event.Rating(rating), TraceID: event.ID(trace),
			TraceContext: event.TraceContext{event.HeaderTraceparent: parent},
		}
		e.complete(context.Background(), &ev)
		m, err := e.encode(&ev)
		if err != nil {
			return
		}
		got, err := event.Decode(m.value)
		if err != nil {
			t.Fatalf("the body cannot be read: %v", err)
		}
		hs := make([]event.Header, len(m.headers))
		for i, h := range m.headers {
			hs[i] = event.Header{Key: h.Key, Value: h.Value}
		}
		env, ok := event.EnvelopeFromHeaders(hs)
		if diff := testdiff.Of(got.Envelope(), env); !ok || diff != "" {
			t.Errorf("envelope (-body +headers):\n%s", diff)
		}
		if len(m.key) == 0 {
			t.Error("no key")
		}
	})
}

func TestTheBodyIsTheEventAsJSON(t *testing.T) {
	t.Parallel()
	text, object := event.Text("a \"quoted\" <text>"), event.JSON(json.RawMessage(`{ "a" : [1, 2] }`))
	for name, ev := range map[string]event.Event{
		"empty":       {},
		"one":         {RequestID: "a", Output: text},
		"all":         {RequestID: "a", Input: text, Output: object, Expected: text, Tools: object},
		"first, last": {RequestID: "a", Input: object, Tools: text},
	} {
		got, err := encodeBody(ev)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		var g, w any
		if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal(want, &w)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := testdiff.Of(w, g); diff != "" {
			t.Errorf("%s (-json.Marshal +encodeBody):\n%s", name, diff)
		}
	}
}

func TestTakeKeepsToTheBoundsOfABatch(t *testing.T) {
	t.Parallel()
	e := &Emitter{cfg: Config{BatchEvents: 3, BatchBytes: 100}, wake: make(chan struct{}, 1)}
	for _, size := range []int{60, 40, 10, 120, 1, 1, 1, 1} {
		e.put(message{size: size})
	}
	var got [][]int
	for {
		batch := e.take(e.cfg.BatchEvents, e.cfg.BatchBytes)
		if len(batch) == 0 {
			break
		}
		var sizes []int
		for _, m := range batch {
			sizes = append(sizes, m.size)
		}
		got = append(got, sizes)
	}
	// A message that exceeds the bound by itself goes alone.
	if diff := testdiff.Of([][]int{{60, 40}, {10}, {120}, {1, 1, 1}, {1}}, got); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	if e.queued != 0 {
		t.Errorf("%d bytes are queued in an empty queue", e.queued)
	}
}

func BenchmarkEmit(b *testing.B) {
	// There is no broker: this is what Emit itself costs a request. The queue is
	// emptied from time to time, so that the buffer does not fill.
	for name, size := range map[string]int{"2KB": 1500, "32KB": 32000} {
		b.Run(name, func(b *testing.B) {
			e := idle(b, Config{BufferBytes: 1 << 30})
			ev := sample(size)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if err := e.Emit(b.Context(), ev); err != nil {
					b.Fatal(err)
				}
				if n++; n%1000 == 0 {
					e.settle(e.take(math.MaxInt, math.MaxInt), nil)
				}
			}
		})
	}
	b.Run("full", func(b *testing.B) {
		e := idle(b, Config{BufferEvents: 1})
		ev := sample(1500)
		if err := e.Emit(b.Context(), ev); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := e.Emit(b.Context(), ev); !errors.Is(err, ErrFull) {
				b.Fatal(err)
			}
		}
	})
}

// idle returns an emitter whose cluster is away.
func idle(b *testing.B, cfg Config) *Emitter {
	b.Helper()
	cfg.Brokers, cfg.MaxAttempts = []string{"127.0.0.1:1"}, 1_000_000
	e, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = e.Close(ctx) // nothing was meant to be sent
	})
	return e
}

func sample(size int) event.Event {
	return event.Event{
		RequestID: "req_9f3a", TraceID: "123456789", Feature: "support_agent", PromptName: "support_triage",
		PromptVersion: "2026-06-01.3", Provider: "anthropic", Model: "claude-sonnet-4", Status: "success",
		InputTokens: new(int64(1840)), OutputTokens: new(int64(312)), LatencyMS: new(1430.0),
		Output: event.Text(strings.Repeat("an answer ", size/10)),
	}
}
