package otel_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/evalworker/evalworker/emitter/otel"
	"github.com/evalworker/evalworker/event"
)

func TestFromContext(t *testing.T) {
	t.Parallel()
	state, err := trace.ParseTraceState("vendor=1")
	if err != nil {
		t.Fatal(err)
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0: 1, 15: 2}, SpanID: trace.SpanID{7: 3}, TraceFlags: trace.FlagsSampled, TraceState: state,
	})
	headers := otel.FromContext(trace.ContextWithSpanContext(t.Context(), span))
	if headers["tracestate"] != "vendor=1" || headers["traceparent"] != "00-01000000000000000000000000000002-0000000000000003-01" {
		t.Errorf("headers %v", headers)
	}
	e := event.Event{TraceContext: headers}
	id, spanID := e.Origin()
	if id.String() != span.TraceID().String() || uint64(spanID) != 3 {
		t.Errorf("Origin = %s, %d", id, spanID)
	}
}

func TestFromContextWithoutASpan(t *testing.T) {
	t.Parallel()
	if got := otel.FromContext(context.Background()); got != nil {
		t.Errorf("FromContext = %v, want nil", got)
	}
}
