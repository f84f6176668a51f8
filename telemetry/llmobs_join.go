package telemetry

import (
	"math/big"
	"strings"

	"github.com/evalworker/evalworker/event"
)

// join says which span of LLM Observability an evaluation is about: the span with two
// ids, or else the one with a tag.
type join struct {
	trace, span   string
	key, value    string
	openTelemetry bool   // the span is one of OpenTelemetry
	mlApp         string // of the span; empty when the event does not say
}

// joinOf returns the span of an event's request, and whether there is one. The ids of
// LLM Observability are those of its library, which differ from those of the trace, or
// for a span of OpenTelemetry the trace's own.
func (c *LLMObservability) joinOf(e *event.Event) (join, bool) {
	var own event.LLMObs
	if e.LLMObs != nil {
		own = *e.LLMObs
	}
	trace, known := event.ParseTraceID(own.TraceID)
	span, spanKnown := event.ParseSpanID(own.SpanID)
	known = known && spanKnown
	if own.Source == event.LLMObsOTel {
		if !known {
			trace, span = e.Origin()
		}
		if j, ok := openTelemetrySpan(trace, span); ok {
			return j, true
		}
		return c.byTag(e, "")
	}
	headers := llmobsHeadersOf(e.TraceContext)
	if !known {
		trace, known = event.ParseTraceID(headers.trace)
		span, spanKnown = event.ParseSpanID(headers.span)
		known = known && spanKnown
	}
	if known {
		return join{trace: trace.String(), span: span.String(), mlApp: headers.mlApp}, true
	}
	if c.OTel && own.Source == "" {
		if j, ok := openTelemetrySpan(e.Origin()); ok {
			return j, true
		}
	}
	return c.byTag(e, headers.mlApp)
}

// byTag joins by the request's id, if spans are configured to carry it.
func (c *LLMObservability) byTag(e *event.Event, mlApp string) (join, bool) {
	return join{key: c.Tag, value: string(e.RequestID), mlApp: mlApp}, c.Tag != "" && e.RequestID != ""
}

// openTelemetrySpan returns the join to a span of OpenTelemetry: both ids in decimal.
func openTelemetrySpan(trace event.TraceID, span event.SpanID) (join, bool) {
	id := new(big.Int).SetUint64(trace.Hi)
	id.Lsh(id, 64).Or(id, new(big.Int).SetUint64(trace.Lo))
	return join{trace: id.String(), span: span.String(), openTelemetry: true}, !trace.IsZero() && span != 0
}

// llmobsHeaders are the values that Datadog's library adds to the headers of a request
// inside a span of LLM Observability.
type llmobsHeaders struct{ trace, span, mlApp string }

// llmobsHeadersOf reads them from x-datadog-tags, or else from Datadog's member of
// tracestate, where a name has the prefix t. in place of _dd.p. and ~ stands for =.
func llmobsHeadersOf(t event.TraceContext) llmobsHeaders {
	var p llmobsHeaders
	for tag := range strings.SplitSeq(t.Get(event.HeaderDDTags), ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(tag), "=")
		if name, ok := strings.CutPrefix(key, "_dd.p."); ok {
			p.set(name, value)
		}
	}
	if p.trace != "" && p.span != "" {
		return p
	}
	p = llmobsHeaders{}
	for member := range strings.SplitSeq(t.Get(event.HeaderTracestate), ",") {
		fields, ok := strings.CutPrefix(strings.TrimSpace(member), "dd=")
		if !ok {
			continue
		}
		for field := range strings.SplitSeq(fields, ";") {
			key, value, _ := strings.Cut(field, ":")
			if name, ok := strings.CutPrefix(key, "t."); ok {
				p.set(name, strings.ReplaceAll(value, "~", "="))
			}
		}
	}
	return p
}

func (p *llmobsHeaders) set(name, value string) {
	switch name {
	case "llmobs_trace_id":
		p.trace = value
	case "llmobs_parent_id":
		p.span = value
	case "llmobs_ml_app":
		if len(value) <= maxMLApp {
			p.mlApp = value
		}
	}
}
