package telemetry

import (
	"strconv"
	"strings"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"

	"github.com/evalworker/evalworker/event"
)

// Where the ids of an original span came from.
const (
	sourceHeaders = "headers"
	sourceFields  = "fields"
	sourceNone    = "none"
)

// origin is the span that an event is about.
type origin struct {
	trace  event.TraceID
	span   event.SpanID
	source string
	// parent is the span as a parent; nil when only its ids are known.
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

// newPropagator reads W3C headers before Datadog's: the latter alone lose the
// upper half of a 128-bit id when x-datadog-tags is missing. It continues the
// trace whatever the environment says, since telemetry decides on its own
// whether a span becomes a child.
func newPropagator() tracer.Propagator {
	return tracer.NewPropagator(&tracer.PropagatorConfig{
		MaxTagsHeaderLen: 512,
		ExtractStyle:     "tracecontext,datadog",
		InjectStyle:      "tracecontext,datadog",
		BehaviorExtract:  "continue",
		ExtractFirst:     new(false),
	})
}

// originOf finds the span that an event is about: from its propagation headers,
// or else from its fields trace_id and span_id. Headers that contradict
// themselves fall back to the W3C ones, and at last to bare ids.
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
			if o.trace.Lo != 0 && o.span != 0 {
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
	if e.TraceContext.Get(event.HeaderTraceparent) != "" || e.TraceContext.Get(event.HeaderDDTraceID) != "" {
		source = sourceHeaders
	}
	return origin{trace: trace, span: span, source: source}
}

const (
	headerPriority = "x-datadog-sampling-priority"
	headerTags     = "x-datadog-tags"
)

// carrierOf gives the headers that say which span it was and how it was
// sampled, and nothing else of what an application put into them. Baggage, the
// origin and other propagated tags would become tags of our spans, and they may
// hold anything. Ids that the tracer would misread are left out: it takes a
// negative number for an id.
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
	if p := t.Get(headerPriority); knownPriority(p) {
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

func knownPriority(s string) bool {
	switch s {
	case "-1", "0", "1", "2":
		return true
	}
	return false
}

// ownTags keeps the upper half of the trace id and the sampling mechanism.
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

// ownState keeps of a tracestate Datadog's member, and of that the sampling
// priority, the last Datadog span and the sampling mechanism.
func ownState(s string) string {
	for member := range strings.SplitSeq(s, ",") {
		fields, ok := strings.CutPrefix(strings.TrimSpace(member), "dd=")
		if !ok {
			continue
		}
		var keep []string
		for field := range strings.SplitSeq(fields, ";") {
			key, value, _ := strings.Cut(field, ":")
			if (key == "s" || key == "p" || key == "t.dm") && idText(value) {
				keep = append(keep, field)
			}
		}
		if len(keep) > 0 {
			return "dd=" + strings.Join(keep, ";")
		}
	}
	return ""
}

// idText reports whether s is a short number or hexadecimal id.
func idText(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "0123456789abcdef-") == ""
}
