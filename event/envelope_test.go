package event_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/evalworker/evalworker/event"
)

// TestDimensions compares each row of the table with the field of that name: body,
// headers and look-up by name agree on the dimension.
func TestDimensions(t *testing.T) {
	t.Parallel()
	if event.NumDims > 32 {
		t.Fatal("the table of 64 names is to be half empty")
	}
	for i, name := range event.DimNames() {
		if d, ok := event.DimNamed(name); !ok || int(d) != i {
			t.Errorf("DimNamed(%q) = %d, %t; want %d", name, d, ok, i)
		}
		e := event.Event{Kind: event.KindRequestCompleted, RequestID: "r"}
		for at := range reflect.TypeFor[event.Event]().NumField() {
			if tag := reflect.TypeFor[event.Event]().Field(at).Tag.Get("json"); tag == name+",omitempty" {
				reflect.ValueOf(&e).Elem().Field(at).SetString("x")
			}
		}
		var want event.Dims
		want[i] = "x"
		hs := e.Headers()
		env, _ := event.EnvelopeFromHeaders(hs)
		if e.Envelope().Dims != want || env.Dims != want || e.Dim(name) != "x" {
			t.Errorf("%s: the body has %q, headers have %q; want %q", name, e.Envelope().Dims, env.Dims, want)
		}
		if last := hs[len(hs)-1]; last.Key != name || string(last.Value) != "x" {
			t.Errorf("%s travels as %q: %q", name, last.Key, last.Value)
		}
	}
	for _, name := range []string{"", "x", "feature_", "request_id", "user_ratinG"} {
		if d, ok := event.DimNamed(name); ok {
			t.Errorf("DimNamed(%q) = %d", name, d)
		}
	}
}

// TestHeaderViewAllocatesNothing: it is read for every message.
func TestHeaderViewAllocatesNothing(t *testing.T) {
	e := event.Event{Kind: event.KindRequestCompleted, RequestID: "r", Feature: "search", UserRating: "down", TraceContext: event.TraceContext{
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}}
	hs := slices.Concat(e.Headers(), []event.Header{{Key: "feature", Value: []byte("chat")}, {Key: "correlationId", Value: []byte("7")}, {Key: "X-B3-TraceId", Value: []byte("8448eb211c80319c")}})
	if n := testing.AllocsPerRun(100, func() {
		var v event.HeaderView
		v.Read(hs, true)
		feature, _ := event.DimNamed("feature")
		if v.Trace().IsZero() || string(v.Dim(feature)) != "chat" {
			t.Error("the last of two headers does not count, or the trace is not read")
		}
	}); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

// BenchmarkEnvelope reads the envelope of a message.
func BenchmarkEnvelope(b *testing.B) {
	fields := map[string]string{"event": string(event.KindRequestCompleted), "request_id": "r", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	for _, name := range []string{"environment", "feature", "prompt_name", "prompt_version", "provider", "model", "status", "finish_reason"} {
		fields[name] = "some value"
	}
	var hs []event.Header
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		hs = append(hs, event.Header{Key: key, Value: []byte(fields[key])})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := event.EnvelopeFromHeaders(hs); !ok {
			b.Fatal("no envelope")
		}
	}
}

// TestHeadersAgree: headers decide alone when their publisher says which trace the body
// names, and they name no second one and no second request.
func TestHeadersAgree(t *testing.T) {
	t.Parallel()
	const (
		id      = "0af7651916cd43dd8448eb211c80319c"
		w3c     = "00-" + id + "-b7ad6b7169203331-01"
		another = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-01"
	)
	h := func(pairs ...string) (hs []event.Header) {
		for i := 0; i < len(pairs); i += 2 {
			hs = append(hs, event.Header{Key: pairs[i], Value: []byte(pairs[i+1])})
		}
		return hs
	}
	for name, tt := range map[string]struct {
		headers []event.Header
		want    bool
		trace   string
	}{
		"none":                           {nil, false, ""},
		"a tracer's own":                 {h("traceparent", w3c), false, id},
		"no trace in the body":           {h("trace_id", ""), true, ""},
		"the body's alone":               {h("trace_id", id), true, id},
		"the body's":                     {h("trace_id", id, "traceparent", w3c), true, id},
		"the body's, half of it":         {h("trace_id", "9532127138774266268", "traceparent", w3c), true, id},
		"in any order":                   {h("traceparent", w3c, "trace_id", id), true, id},
		"only the tracer's":              {h("trace_id", "", "traceparent", w3c), true, id},
		"another by the tracer":          {h("trace_id", id, "traceparent", another), false, another[3:35]},
		"another by the tracer, capital": {h("trace_id", id, "Traceparent", another), false, another[3:35]},
		"twice the same":                 {h("trace_id", id, "traceparent", w3c, "traceparent", w3c), true, id},
		"two":                            {h("trace_id", id, "traceparent", w3c, "traceparent", another), false, another[3:35]},
		"two of the publisher":           {h("trace_id", "", "trace_id", id), false, id},
		"two requests":                   {h("trace_id", id, "request_id", "a", "request_id", "b"), false, id},
		"one in all forms": {h("trace_id", id, "traceparent", w3c, "x-datadog-trace-id", "9532127138774266268", "b3", id+"-b7ad6b7169203331-1",
			"X-B3-TraceId", "8448eb211c80319c", "dd.trace_id", id), true, id},
		"another in Datadog's form":      {h("trace_id", id, "traceparent", w3c, "x-datadog-trace-id", "9532127138774266269"), false, id},
		"another in B3's form":           {h("trace_id", id, "b3", another[3:35]+"-b7ad6b7169203331"), false, another[3:35]},
		"another in B3's other form":     {h("trace_id", id, "x-b3-traceid", another[3:35]), false, another[3:35]},
		"another under another name":     {h("trace_id", id, "traceId", another[3:35]), false, id},
		"one of them cannot be read":     {h("trace_id", id, "traceparent", w3c, "x-datadog-trace-id", "none"), true, id},
		"no id, so no publisher of ours": {h("trace_id", "chat-7", "traceparent", w3c), false, id},
	} {
		var v event.HeaderView
		v.Read(tt.headers, true)
		trace := ""
		if !v.Trace().IsZero() {
			trace = v.Trace().String()
		}
		if got := v.Agrees(); got != tt.want || trace != tt.trace {
			t.Errorf("%s: %t, trace %s; want %t, %s", name, got, trace, tt.want, tt.trace)
		}
	}
}
