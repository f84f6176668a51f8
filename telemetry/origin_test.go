package telemetry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/event"
)

const (
	high   = "6745678900000000"
	low    = "00000000000004d2" // 1234
	parent = "00f067aa0ba902b7" // 67667974448284343
)

// TestOriginOf is the table of carriers that applications really send.
func TestOriginOf(t *testing.T) {
	t.Parallel()
	type want struct {
		trace    string
		span     event.SpanID
		source   string
		priority int
		parent   bool
	}
	const span = 67667974448284343
	w3c := "00-" + high + low + "-" + parent + "-"
	wide := high + low
	narrow := strings.Repeat("0", 16) + low
	dd := func(more ...string) event.TraceContext {
		c := event.TraceContext{"x-datadog-trace-id": "1234", "x-datadog-parent-id": "67667974448284343", "x-datadog-sampling-priority": "1"}
		for i := 0; i < len(more); i += 2 {
			c[more[i]] = more[i+1]
		}
		return c
	}
	tests := []struct {
		name  string
		event event.Event
		want  want
	}{
		{"Datadog with the upper half", event.Event{TraceContext: dd("x-datadog-tags", "_dd.p.tid="+high)}, want{wide, span, "headers", 1, true}},
		{
			"names in capitals",
			event.Event{TraceContext: event.TraceContext{"X-Datadog-Trace-Id": "1234", "X-Datadog-Parent-Id": "67667974448284343", "X-Datadog-Sampling-Priority": "2"}},
			want{narrow, span, "headers", 2, true},
		},
		{"W3C, sampled", event.Event{TraceContext: event.TraceContext{"traceparent": w3c + "01", "tracestate": "dd=s:2;t.dm:-4"}}, want{wide, span, "headers", 2, true}},
		{"W3C, the flag wins over the priority", event.Event{TraceContext: event.TraceContext{"traceparent": w3c + "00", "tracestate": "dd=s:2"}}, want{wide, span, "headers", 0, true}},
		{"W3C, sampled against the priority", event.Event{TraceContext: event.TraceContext{"traceparent": w3c + "01", "tracestate": "dd=s:-1"}}, want{wide, span, "headers", 1, true}},
		{"W3C, not sampled", event.Event{TraceContext: event.TraceContext{"traceparent": w3c + "00"}}, want{wide, span, "headers", 0, true}},
		{"both, Datadog without the upper half", event.Event{TraceContext: dd("traceparent", w3c+"01")}, want{wide, span, "headers", 1, true}},
		{"corrupt priority beside W3C", event.Event{TraceContext: dd("x-datadog-sampling-priority", "abc", "traceparent", w3c+"01")}, want{wide, span, "headers", 1, true}},
		{"corrupt priority alone", event.Event{TraceContext: dd("x-datadog-sampling-priority", "abc")}, want{narrow, span, "headers", 0, true}},
		{"priority that does not exist", event.Event{TraceContext: dd("x-datadog-sampling-priority", "3")}, want{narrow, span, "headers", 0, true}},
		{"user reject", event.Event{TraceContext: dd("x-datadog-sampling-priority", "-1")}, want{narrow, span, "headers", -1, true}},
		{"no priority", event.Event{TraceContext: event.TraceContext{"x-datadog-trace-id": "1234", "x-datadog-parent-id": "67667974448284343"}}, want{narrow, span, "headers", 0, true}},
		{
			"hexadecimal Datadog id is known but cannot be a parent",
			event.Event{TraceContext: event.TraceContext{"x-datadog-trace-id": "000000000000abcd", "x-datadog-parent-id": "5"}},
			want{strings.Repeat("0", 28) + "abcd", 5, "headers", 0, false},
		},
		{"negative id", event.Event{TraceContext: event.TraceContext{"x-datadog-trace-id": "-5", "x-datadog-parent-id": "5"}}, want{source: "none"}},
		{"negative id beside W3C", event.Event{TraceContext: dd("x-datadog-trace-id", "-5", "traceparent", w3c+"01")}, want{wide, span, "headers", 1, true}},
		{"no parent id", event.Event{TraceContext: event.TraceContext{"x-datadog-trace-id": "1234"}}, want{source: "none"}},
		{"traceparent of zeros", event.Event{TraceContext: event.TraceContext{"traceparent": "00-" + strings.Repeat("0", 32) + "-" + parent + "-01"}}, want{source: "none"}},
		{"traceparent with bad flags keeps its ids", event.Event{TraceContext: event.TraceContext{"traceparent": w3c + "zz"}}, want{wide, span, "headers", 0, false}},
		{"empty context", event.Event{TraceContext: event.TraceContext{}}, want{source: "none"}},
		{"no context", event.Event{}, want{source: "none"}},
		{"fields, decimal", event.Event{TraceID: "1234", SpanID: "67667974448284343"}, want{narrow, span, "fields", 0, false}},
		{"fields, hexadecimal", event.Event{TraceID: event.ID(wide), SpanID: parent}, want{wide, span, "fields", 0, false}},
		{"field without a span", event.Event{TraceID: "1234"}, want{source: "none"}},
		{"headers that say nothing, then fields", event.Event{TraceContext: event.TraceContext{"baggage": "a=b"}, TraceID: "1234", SpanID: "5"}, want{narrow, 5, "fields", 0, false}},
	}
	p := newPropagator()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := originOf(p, &tt.event)
			got := want{source: o.source, priority: o.priority, span: o.span, parent: o.parent != nil}
			if o.known() {
				got.trace = o.trace.String()
			}
			if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(want{})); d != "" {
				t.Errorf("origin (-want +got):\n%s", d)
			}
			if link := o.link(); o.known() && (link.TraceID != o.trace.Lo || link.TraceIDHigh != o.trace.Hi || link.SpanID != uint64(o.span)) {
				t.Errorf("link = %+v", link)
			}
		})
	}
}

// TestCarrierKeepsIdsOnly: whatever else an application propagates would become
// a tag of our spans.
func TestCarrierKeepsIdsOnly(t *testing.T) {
	t.Parallel()
	got := carrierOf(event.TraceContext{
		"traceparent":                 "00-" + high + low + "-" + parent + "-01",
		"tracestate":                  "other=canary,dd=s:2;o:canary;t.usr.id:canary;t.dm:-4;p:00f067aa0ba902b7",
		"baggage":                     "user.id=canary",
		"ot-baggage-user":             "canary",
		"x-datadog-trace-id":          "1234",
		"x-datadog-parent-id":         "5",
		"x-datadog-origin":            "canary",
		"x-datadog-tags":              "_dd.p.usr.id=canary,_dd.p.tid=" + high + ",_dd.p.dm=-1,_dd.p.tid=canary",
		"x-datadog-sampling-priority": "canary",
	})
	want := map[string]string{
		"traceparent":         "00-" + high + low + "-" + parent + "-01",
		"tracestate":          "dd=s:2;t.dm:-4;p:00f067aa0ba902b7",
		"x-datadog-trace-id":  "1234",
		"x-datadog-parent-id": "5",
		"x-datadog-tags":      "_dd.p.tid=" + high + ",_dd.p.dm=-1",
	}
	if d := cmp.Diff(want, map[string]string(got)); d != "" {
		t.Errorf("carrier (-want +got):\n%s", d)
	}
}

func FuzzOriginOf(f *testing.F) {
	f.Add("00-"+high+low+"-"+parent+"-01", "dd=s:2;t.dm:-4", "1234", "5", "1", "_dd.p.tid="+high)
	f.Add("", "", "-5", "x", "abc", "_dd.p.tid=zz,,=")
	f.Add("00-"+high+low+"-"+parent+"-01", "dd=s:7", "0", "0", "0", "")
	p := newPropagator()
	f.Fuzz(func(t *testing.T, traceparent, tracestate, trace, span, priority, tags string) {
		o := originOf(p, &event.Event{TraceContext: event.TraceContext{
			"traceparent": traceparent, "tracestate": tracestate, "x-datadog-trace-id": trace, "x-datadog-parent-id": span,
			"x-datadog-sampling-priority": priority, "x-datadog-tags": tags,
		}})
		if o.known() == (o.source == sourceNone) {
			t.Errorf("known = %t with source %q", o.known(), o.source)
		}
		if o.parent != nil && (o.parent.TraceIDLower() != o.trace.Lo || o.parent.SpanID() != uint64(o.span)) {
			t.Errorf("parent and ids differ: %+v", o)
		}
		if o.priority < -1 || o.priority > 2 {
			t.Errorf("priority %d", o.priority)
		}
	})
}
