package event

import "strings"

// Header is one message header.
type Header struct {
	Key   string
	Value []byte
}

// Names of the headers that carry the envelope. The propagation headers travel
// under their own lower-case names.
const (
	HeaderEvent        = "event"
	HeaderRequestID    = "request_id"
	HeaderTraceID      = "trace_id"
	HeaderTraceparent  = "traceparent"
	HeaderTracestate   = "tracestate"
	HeaderDDTraceID    = "x-datadog-trace-id"
	HeaderDDParentID   = "x-datadog-parent-id"
	HeaderDDTags       = "x-datadog-tags"
	HeaderEnvironment  = "environment"
	HeaderFeature      = "feature"
	HeaderPromptName   = "prompt_name"
	HeaderPromptVer    = "prompt_version"
	HeaderProvider     = "provider"
	HeaderModel        = "model"
	HeaderStatus       = "status"
	HeaderFinishReason = "finish_reason"
	HeaderTenantTier   = "tenant_tier"
	HeaderUserRating   = "user_rating"
	HeaderOutputSchema = "output_schema"
)

// Envelope is the part of an event that sampling needs. Dims are few-valued, so
// that what a rule says about them can be remembered; the other fields differ
// from event to event.
type Envelope struct {
	Kind       Kind
	RequestID  RequestID
	Trace      TraceID // original trace; zero when unknown
	Tracestate string  // W3C tracestate, for the OpenTelemetry sampling threshold
	Dims       Dims
}

// Dims are the fields that a sampling condition can read, under these names
// in snake case: environment, feature, prompt_name and so on. An absent field
// is the empty string.
type Dims struct {
	Environment   string `expr:"environment"`
	Feature       string `expr:"feature"`
	PromptName    string `expr:"prompt_name"`
	PromptVersion string `expr:"prompt_version"`
	Provider      string `expr:"provider"`
	Model         string `expr:"model"`
	Status        string `expr:"status"`
	FinishReason  string `expr:"finish_reason"`
	TenantTier    string `expr:"tenant_tier"`
	UserRating    string `expr:"user_rating"`
	OutputSchema  string `expr:"output_schema"`
}

// Envelope gives the event's envelope.
func (e *Event) Envelope() Envelope {
	trace, _ := e.Origin()
	return Envelope{
		Kind:       e.Kind,
		RequestID:  e.RequestID,
		Trace:      trace,
		Tracestate: e.TraceContext.Get(HeaderTracestate),
		Dims: Dims{
			Environment:   e.Environment,
			Feature:       e.Feature,
			PromptName:    e.PromptName,
			PromptVersion: e.PromptVersion,
			Provider:      e.Provider,
			Model:         e.Model,
			Status:        e.Status,
			FinishReason:  e.FinishReason,
			TenantTier:    e.TenantTier,
			UserRating:    string(PlainRating(e.UserRating)),
			OutputSchema:  e.OutputSchema,
		},
	}
}

// Origin gives the span that the event is about. The traceparent header is
// preferred, then the Datadog headers, then the fields trace_id and span_id. An
// id is zero when it is absent or cannot be read.
func (e *Event) Origin() (TraceID, SpanID) {
	if trace, span, ok := ParseTraceparent(e.TraceContext.Get(HeaderTraceparent)); ok {
		return trace, span
	}
	if trace, ok := ParseTraceID(e.TraceContext.Get(HeaderDDTraceID)); ok {
		trace = completed(trace, e.TraceContext.Get(HeaderDDTags))
		span, _ := ParseSpanID(e.TraceContext.Get(HeaderDDParentID))
		return trace, span
	}
	trace, _ := ParseTraceID(e.TraceID)
	span, _ := ParseSpanID(e.SpanID)
	return trace, span
}

// Get gives the header of that lower-case name, whatever the case of the key.
func (t TraceContext) Get(name string) string {
	if v, ok := t[name]; ok {
		return v
	}
	for k, v := range t {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// Headers gives the message headers that carry the event's envelope, in a fixed
// order. Empty fields are left out.
func (e *Event) Headers() []Header {
	env := e.Envelope()
	hs := make([]Header, 0, 20)
	add := func(key, value string) {
		if value != "" {
			hs = append(hs, Header{key, []byte(value)})
		}
	}
	add(HeaderEvent, string(e.Kind))
	add(HeaderRequestID, string(e.RequestID))
	add(HeaderTraceID, string(e.TraceID))
	for _, name := range propagationHeaders {
		add(name, e.TraceContext.Get(name))
	}
	d := env.Dims
	add(HeaderEnvironment, d.Environment)
	add(HeaderFeature, d.Feature)
	add(HeaderPromptName, d.PromptName)
	add(HeaderPromptVer, d.PromptVersion)
	add(HeaderProvider, d.Provider)
	add(HeaderModel, d.Model)
	add(HeaderStatus, d.Status)
	add(HeaderFinishReason, d.FinishReason)
	add(HeaderTenantTier, d.TenantTier)
	add(HeaderUserRating, d.UserRating)
	add(HeaderOutputSchema, d.OutputSchema)
	return hs
}

// propagationHeaders are the headers of a trace context that travel.
var propagationHeaders = []string{
	HeaderTraceparent, HeaderTracestate, "baggage",
	HeaderDDTraceID, HeaderDDParentID, "x-datadog-sampling-priority", "x-datadog-origin", HeaderDDTags,
}

// EnvelopeFromHeaders reads an envelope from message headers. It reports false
// when they carry none (no event or no request_id among them): then the body
// has to be decoded. For a message that an emitter wrote, or another publisher
// that copies fields into headers, the result equals the envelope of the decoded body.
func EnvelopeFromHeaders(hs []Header) (Envelope, bool) {
	var (
		env                            Envelope
		parent, ddTrace, ddTags, plain []byte
	)
	for i := range hs {
		v := hs[i].Value
		switch hs[i].Key {
		case HeaderEvent:
			env.Kind = Kind(v)
		case HeaderRequestID:
			env.RequestID = RequestID(v)
		case HeaderTraceparent:
			parent = v
		case HeaderDDTraceID:
			ddTrace = v
		case HeaderDDTags:
			ddTags = v
		case HeaderTraceID:
			plain = v
		case HeaderTracestate:
			env.Tracestate = string(v)
		default:
			if f := env.Dims.field(hs[i].Key); f != nil {
				*f = string(v)
			}
		}
	}
	if env.Kind == "" || env.RequestID == "" {
		return Envelope{}, false
	}
	env.Dims.UserRating = PlainRating(env.Dims.UserRating)
	env.Trace = headerTrace(parent, ddTrace, ddTags, plain)
	return env, true
}

// HeaderTrace gives the trace that the values of the headers traceparent,
// x-datadog-trace-id and trace_id name, in that order of preference. Of a trace
// that Datadog's headers name it is the lower half: the upper one travels in
// x-datadog-tags, which a decision does not need.
func HeaderTrace(traceparent, ddTraceID, traceID []byte) TraceID {
	return headerTrace(traceparent, ddTraceID, nil, traceID)
}

func headerTrace(traceparent, ddTraceID, ddTags, traceID []byte) TraceID {
	if id, _, ok := ParseTraceparent(traceparent); ok {
		return id
	}
	if id, ok := ParseTraceID(ddTraceID); ok {
		return completed(id, ddTags)
	}
	id, _ := ParseTraceID(traceID)
	return id
}

// completed adds the upper half to a trace id that Datadog's headers carry: the
// lower half is a header of its own, the upper one the tag _dd.p.tid, 16
// hexadecimal digits, in a list of key=value that commas separate.
func completed[T ~string | ~[]byte](id TraceID, tags T) TraceID {
	const key = "_dd.p.tid="
	for rest := tags; id.Hi == 0 && len(rest) >= len(key)+16; {
		end := 0
		for end < len(rest) && rest[end] != ',' {
			end++
		}
		if tag := rest[:end]; len(tag) == len(key)+16 && string(tag[:len(key)]) == key {
			id.Hi, _ = parseHex(tag[len(key):])
		}
		rest = rest[min(end+1, len(rest)):]
	}
	return id
}

func (d *Dims) field(header string) *string {
	switch header {
	case HeaderEnvironment:
		return &d.Environment
	case HeaderFeature:
		return &d.Feature
	case HeaderPromptName:
		return &d.PromptName
	case HeaderPromptVer:
		return &d.PromptVersion
	case HeaderProvider:
		return &d.Provider
	case HeaderModel:
		return &d.Model
	case HeaderStatus:
		return &d.Status
	case HeaderFinishReason:
		return &d.FinishReason
	case HeaderTenantTier:
		return &d.TenantTier
	case HeaderUserRating:
		return &d.UserRating
	case HeaderOutputSchema:
		return &d.OutputSchema
	}
	return nil
}
