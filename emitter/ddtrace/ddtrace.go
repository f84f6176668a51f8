// Package ddtrace lets an emitter link events to the Datadog span that is active
// when they are emitted. It stands apart from the package emitter so that an
// application without dd-trace-go does not take it on.
//
//	em, err := emitter.New(emitter.Config{Brokers: brokers, TraceContext: ddtrace.FromContext})
package ddtrace

import (
	"context"
	"maps"
	"strings"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
)

// FromContext gives the propagation headers of the span in ctx, in every style
// that the tracer is set to (by default Datadog's and W3C's), without baggage,
// which is the application's own data. Nil when there is no span, or when the
// tracer cannot inject it. It starts and ends nothing.
func FromContext(ctx context.Context) map[string]string {
	span, ok := tracer.SpanFromContext(ctx)
	if !ok {
		return nil
	}
	headers := tracer.TextMapCarrier{}
	if err := tracer.Inject(span.Context(), headers); err != nil {
		return nil
	}
	maps.DeleteFunc(headers, func(name, _ string) bool {
		return name == "baggage" || strings.HasPrefix(name, "ot-baggage-")
	})
	if len(headers) == 0 {
		return nil
	}
	return headers
}
