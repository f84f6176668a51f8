package emitter

import (
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/evalworker/evalworker/event"
)

// Traceparent returns the W3C propagation headers of a span, for Config.TraceContext
// or an event's TraceContext. The ids are the arrays that OpenTelemetry uses:
//
//	func(ctx context.Context) map[string]string {
//		sc := trace.SpanContextFromContext(ctx)
//		return emitter.Traceparent(sc.TraceID(), sc.SpanID(), sc.IsSampled(), sc.TraceState().String())
//	}
//
// The tracestate may be empty. The result is nil if one of the ids is zero.
func Traceparent(traceID [16]byte, spanID [8]byte, sampled bool, tracestate string) map[string]string {
	if traceID == [16]byte{} || spanID == [8]byte{} {
		return nil
	}
	flags := "-00"
	if sampled {
		flags = "-01"
	}
	h := map[string]string{
		event.HeaderTraceparent: "00-" + hex.EncodeToString(traceID[:]) + "-" + hex.EncodeToString(spanID[:]) + flags,
	}
	if tracestate != "" {
		h[event.HeaderTracestate] = tracestate
	}
	return h
}

// FromHeader returns the propagation headers among those of an HTTP request, for an
// application that passes a trace on and has no tracer; nil if there are none.
// Baggage is left out: it is the application's own data.
func FromHeader(h http.Header) map[string]string {
	var out map[string]string
	for name := range h {
		switch key := strings.ToLower(name); {
		case key == event.HeaderTraceparent, key == event.HeaderTracestate, key == "b3", strings.HasPrefix(key, "x-datadog-"), strings.HasPrefix(key, "x-b3-"):
			if out == nil {
				out = map[string]string{}
			}
			out[key] = h.Get(name)
		}
	}
	return out
}
