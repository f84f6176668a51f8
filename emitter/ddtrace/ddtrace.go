// Package ddtrace links the events of an emitter to the Datadog span that is active
// when they are emitted. It is separate from the package emitter so that only
// applications that use dd-trace-go depend on it.
//
//	em, err := emitter.New(emitter.Config{Brokers: brokers, TraceContext: ddtrace.FromContext})
package ddtrace

import (
	"context"
	"maps"
	"strings"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
)

// FromContext returns the propagation headers of the span in ctx, in every style
// that the tracer is set to (by default Datadog's and W3C's), without baggage,
// which is the application's own data. It returns nil if there is no span, or the
// tracer cannot inject it. It starts and ends no span.
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
