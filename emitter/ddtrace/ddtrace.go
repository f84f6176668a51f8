// Package ddtrace links the events of an emitter to the Datadog span that is active
// when they are emitted. It is separate from the package emitter so that only
// applications that use dd-trace-go depend on it.
//
//	em, err := emitter.New(emitter.Config{Brokers: brokers, TraceContext: ddtrace.FromContext})
package ddtrace

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
	"github.com/DataDog/dd-trace-go/v2/llmobs"
)

// FromContext returns the propagation headers of the span in ctx, in every style
// that the tracer is set to (by default Datadog's and W3C's), without baggage,
// which is the application's own data, and with the ids of the span of LLM Observability
// in ctx, if there is one. It returns nil if there is no span, or the
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
	nameLLMSpan(ctx, headers)
	return headers
}

// nameLLMSpan adds the ids of the span of LLM Observability in ctx, where there is one,
// in the form in which Datadog's library adds them to the headers of spans below it. It
// does not add those of the span itself.
func nameLLMSpan(ctx context.Context, headers map[string]string) {
	const header, trace, span = "x-datadog-tags", "_dd.p.llmobs_trace_id=", "_dd.p.llmobs_parent_id="
	s, ok := llmobs.SpanFromContext(ctx)
	if !ok || s.TraceID() == "" || s.SpanID() == "" {
		return
	}
	tags := slices.DeleteFunc(strings.Split(headers[header], ","), func(tag string) bool {
		return tag == "" || strings.HasPrefix(tag, trace) || strings.HasPrefix(tag, span)
	})
	headers[header] = strings.Join(append(tags, trace+s.TraceID(), span+s.SpanID()), ",")
}
