// Package otel links events to the spans of OpenTelemetry. It is a module of its own, so
// that only applications that use OpenTelemetry depend on it.
//
//	em, err := emitter.New(emitter.Config{Brokers: brokers, TraceContext: otel.FromContext})
package otel

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/evalworker/evalworker/emitter"
)

// FromContext returns the W3C propagation headers of the span in ctx, for
// emitter.Config.TraceContext: traceparent, and tracestate where there is one. Baggage is
// the application's own data and left out. It returns nil if there is no span. It starts
// and ends no span, and needs no propagator.
func FromContext(ctx context.Context) map[string]string {
	span := trace.SpanContextFromContext(ctx)
	return emitter.Traceparent(span.TraceID(), span.SpanID(), span.IsSampled(), span.TraceState().String())
}
