package ddtrace_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/mocktracer"
	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"

	"github.com/evalworker/evalworker/emitter/ddtrace"
	"github.com/evalworker/evalworker/event"
)

// TestFromContext: the tracer is global to the process, so these tests take turns.
func TestFromContext(t *testing.T) {
	mt := mocktracer.Start()
	defer mt.Stop()
	span, ctx := tracer.StartSpanFromContext(t.Context(), "llm.request")
	span.SetBaggageItem("customer", "acme")
	defer span.Finish()

	headers := ddtrace.FromContext(ctx)
	e := event.Event{TraceContext: headers}
	trace, spanID := e.Origin()
	if trace.String() != span.Context().TraceID() || uint64(spanID) != span.Context().SpanID() {
		t.Errorf("Origin = %s, %s, want trace %s and span %d", trace, spanID, span.Context().TraceID(), span.Context().SpanID())
	}
	e.Kind, e.RequestID = event.KindRequestCompleted, "r"
	value, err := json.Marshal(&e)
	if err != nil {
		t.Fatal(err)
	}
	read, err := event.Decode(value)
	if err != nil {
		t.Fatal(err)
	}
	read.Join(e.Headers())
	if gotTrace, gotSpan := read.Origin(); gotTrace != trace || gotSpan != spanID {
		t.Errorf("a worker reads %s, %s of %s", gotTrace, gotSpan, value)
	}
	if fault, at := read.LinkFault(); fault != "" {
		t.Errorf("fault %s at %s of %s", fault, at, value)
	}
	for name := range headers {
		if name == "baggage" || name == "ot-baggage-customer" {
			t.Errorf("%s was passed on", name)
		}
	}
}

func TestFromContextWithoutASpan(t *testing.T) {
	mt := mocktracer.Start()
	defer mt.Stop()
	for name, ctx := range map[string]context.Context{
		"no span":  t.Context(),
		"nil span": tracer.ContextWithSpan(t.Context(), nil),
	} {
		if got := ddtrace.FromContext(ctx); got != nil {
			t.Errorf("%s: FromContext = %v, want nil", name, got)
		}
	}
}

func TestFromContextWithoutATracer(t *testing.T) {
	if got := ddtrace.FromContext(t.Context()); got != nil {
		t.Errorf("FromContext = %v, want nil", got)
	}
}
