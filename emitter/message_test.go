//go:build go1.26

package emitter

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

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

// TestTheBodyIsTheEventAsJSON: appendEvent knows every field of an event, also those of
// the objects in it, and writes it as json.Marshal does.
func TestTheBodyIsTheEventAsJSON(t *testing.T) {
	t.Parallel()
	var all event.Event
	fill(t, reflect.ValueOf(&all).Elem())
	text, object := event.Text("a \"quoted\" <text>"), event.JSON(json.RawMessage(`{ "a" : [1, 2] }`))
	for name, ev := range map[string]event.Event{
		"all fields": all,
		"required":   {Kind: event.KindUserFeedback, RequestID: "a"},
		"content":    {Kind: event.KindUserFeedback, RequestID: "a", Input: text, Output: object, Expected: text, Tools: object},
		"zeros": {
			Kind: event.KindUserFeedback, RequestID: "a", InputTokens: new(int64), LatencyMS: new(float64), CacheHit: new(bool),
			LLMObs: &event.LLMObs{}, Retrieval: &event.Retrieval{Chunks: []event.Chunk{{}, {}}}, ToolCalls: []event.ToolCall{{}, {}},
		},
		"numbers": {Kind: event.KindUserFeedback, RequestID: "a", LatencyMS: new(1e300), EstimatedCostUSD: new(1e-300), FirstTokenLatencyMS: new(0.1), TotalTokens: new(int64(math.MinInt64))},
		"texts":   {Kind: event.KindUserFeedback, RequestID: "\x00\x1f\b\f\n\r\t\"\\/<>&", Comment: "\u2028 é 漢 😀", Feature: "a\xffb\xc3", Model: "\xff"},
		"trace":   {Kind: event.KindUserFeedback, RequestID: "a", TraceContext: event.TraceContext{"traceparent": "00-", "b": "\xfe", "a\"": ""}},
	} {
		got := appendEvent(nil, &ev)
		want, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		var g, w any
		if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal(want, &w)); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, got)
		}
		if diff := testdiff.Of(w, g); diff != "" {
			t.Errorf("%s (-json.Marshal +appendEvent):\n%s", name, diff)
		}
	}
}

// fill gives a value to everything that a struct holds.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	if content, ok := reflect.TypeAssert[*event.Content](v.Addr()); ok {
		*content = event.Text("content")
		return
	}
	if at, ok := reflect.TypeAssert[*time.Time](v.Addr()); ok {
		*at = time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(t, v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0))
		fill(t, v.Index(1))
	case reflect.Map:
		v.Set(reflect.ValueOf(event.TraceContext{"traceparent": "a", "tracestate": "b"}))
	case reflect.String:
		v.SetString("text")
	case reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Bool:
		v.SetBool(true)
	default:
		t.Fatalf("an event holds a %s", v.Type())
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
