package telemetry

import (
	"slices"
	"strconv"
	"strings"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"

	"github.com/evalworker/evalworker/event"
)

// Sources of the ids of an original span.
const (
	sourceHeaders = "headers"
	sourceFields  = "fields"
	sourceNone    = "none"
)

// origin is the span of the original request.
type origin struct {
	trace  event.TraceID
	span   event.SpanID
	source string
	// parent is the span's context; nil when only its ids are known.
	parent   *tracer.SpanContext
	priority int // sampling priority; 0 when unknown
}

func (o *origin) known() bool { return !o.trace.IsZero() && o.span != 0 }

func (o *origin) link() tracer.SpanLink {
	return tracer.SpanLink{
		TraceID: o.trace.Lo, TraceIDHigh: o.trace.Hi, SpanID: uint64(o.span),
		Attributes: map[string]string{"link.kind": "evaluates"},
	}
}

// newPropagator returns a propagator that prefers W3C headers to Datadog's, which
// lose the upper half of a 128-bit id when x-datadog-tags is missing. It continues
// the trace whatever the environment says, because this package decides whether a
// span becomes a child.
func newPropagator() tracer.Propagator {
	return tracer.NewPropagator(&tracer.PropagatorConfig{
		MaxTagsHeaderLen: 512,
		ExtractStyle:     "tracecontext,datadog",
		InjectStyle:      "tracecontext,datadog",
		BehaviorExtract:  "continue",
		ExtractFirst:     new(false),
	})
}

// originOf returns the span of the original request, from the propagation headers or
// else from the fields trace_id and span_id, with the ids of [event.Event.Origin]. If
// headers contradict each other the W3C ones count, and if those fail too, the bare ids.
func originOf(p tracer.Propagator, e *event.Event) origin {
	if len(e.TraceContext) > 0 {
		carrier := carrierOf(e.TraceContext)
		sc, err := p.Extract(carrier)
		if err != nil && carrier[event.HeaderDDTraceID] != "" && carrier[event.HeaderTraceparent] != "" {
			delete(carrier, event.HeaderDDTraceID)
			delete(carrier, event.HeaderDDParentID)
			delete(carrier, headerPriority)
			delete(carrier, headerTags)
			sc, err = p.Extract(carrier)
		}
		if err == nil && sc != nil {
			o := origin{
				trace: event.TraceID{Hi: sc.TraceIDUpper(), Lo: sc.TraceIDLower()},
				span:  event.SpanID(sc.SpanID()), source: sourceHeaders, parent: sc,
			}
			trace, span := e.Origin()
			if o.trace.Lo != 0 && o.trace.Lo == trace.Lo && o.span == span {
				o.trace = trace // which may have its upper half from elsewhere
				o.priority, _ = sc.SamplingPriority()
				return o
			}
		}
	}
	trace, span := e.Origin()
	if trace.IsZero() || span == 0 {
		return origin{source: sourceNone}
	}
	source := sourceFields
	if inHeaders, _ := (&event.Event{TraceContext: e.TraceContext}).Origin(); inHeaders == trace {
		source = sourceHeaders
	}
	return origin{trace: trace, span: span, source: source}
}

const (
	headerPriority = "x-datadog-sampling-priority"
	headerTags     = "x-datadog-tags"
)

// carrierOf returns only the headers that identify the span and its sampling:
// baggage, the origin and other propagated tags would become tags of our spans, and
// may hold anything. It leaves out ids that the tracer would misread: the tracer
// accepts a negative number as an id.
func carrierOf(t event.TraceContext) tracer.TextMapCarrier {
	c := tracer.TextMapCarrier{}
	if v := strings.TrimSpace(t.Get(event.HeaderTraceparent)); v != "" {
		if _, _, ok := event.ParseTraceparent(v); ok {
			c[event.HeaderTraceparent] = v
			if state := ownState(t.Get(event.HeaderTracestate)); state != "" {
				c[event.HeaderTracestate] = state
			}
		}
	}
	trace, parent := t.Get(event.HeaderDDTraceID), t.Get(event.HeaderDDParentID)
	if !decimalID(trace) || !decimalID(parent) {
		return c
	}
	c[event.HeaderDDTraceID], c[event.HeaderDDParentID] = trace, parent
	if p := t.Get(headerPriority); isPriority(p) {
		c[headerPriority] = p
	}
	if tags := ownTags(t.Get(headerTags)); tags != "" {
		c[headerTags] = tags
	}
	return c
}

func decimalID(s string) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && n != 0
}

// ownTags returns only the tags for the upper half of the trace id and the sampling
// mechanism.
func ownTags(s string) string {
	var keep []string
	for part := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(part, "=")
		if (key == "_dd.p.tid" || key == "_dd.p.dm") && idText(value) {
			keep = append(keep, part)
		}
	}
	return strings.Join(keep, ",")
}

// ownState returns Datadog's member of a tracestate, with the sampling priority, the
// last Datadog span and the sampling mechanism only.
func ownState(s string) string {
	for member := range strings.SplitSeq(s, ",") {
		fields, ok := strings.CutPrefix(strings.TrimSpace(member), "dd=")
		if !ok {
			continue
		}
		var keep []string
		for field := range strings.SplitSeq(fields, ";") {
			key, value, _ := strings.Cut(field, ":")
			if key == "s" && isPriority(value) || (key == "p" || key == "t.dm") && idText(value) {
				keep = append(keep, field)
			}
		}
		if len(keep) > 0 {
			return "dd=" + strings.Join(keep, ";")
		}
	}
	return ""
}

// isPriority reports whether s is one of the tracer's sampling priorities.
func isPriority(s string) bool { return slices.Contains([]string{"-1", "0", "1", "2"}, s) }

// idText reports whether s is a short number or hexadecimal id.
func idText(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "0123456789abcdef-") == ""
}
