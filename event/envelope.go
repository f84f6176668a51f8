package event

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// Header is one message header.
type Header struct {
	Key   string
	Value []byte
}

// Message is one record of a topic as the worker sees it.
type Message struct {
	Topic     string
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []Header
	Time      time.Time // when it was published
}

// Names of the headers that carry the envelope's ids. The propagation headers
// keep their own names in lower case; dimensions use the names of [DimNames].
const (
	HeaderEvent       = "event"
	HeaderRequestID   = "request_id"
	HeaderTraceID     = "trace_id"
	HeaderTraceparent = "traceparent"
	HeaderTracestate  = "tracestate"
	HeaderDDTraceID   = "x-datadog-trace-id"
	HeaderDDParentID  = "x-datadog-parent-id"
	HeaderDDTags      = "x-datadog-tags"
)

// propagationHeaders are the headers of a trace context that are copied.
var propagationHeaders = [...]string{
	HeaderTraceparent, HeaderTracestate, "baggage",
	HeaderDDTraceID, HeaderDDParentID, "x-datadog-sampling-priority", "x-datadog-origin", HeaderDDTags,
}

// dimensions is the table of the envelope: one row per dimension, in the order in
// which headers are written. The name is that of the field in the event's JSON, of
// the header and in sampling conditions; value finds it in an Event. Everything
// else about dimensions follows from here, except which of them become tags: that
// is declared in telemetry, beside its metrics.
var dimensions = [...]struct {
	name  string
	value func(e *Event) string
}{
	{"environment", func(e *Event) string { return e.Environment }},
	{"feature", func(e *Event) string { return e.Feature }},
	{"prompt_name", func(e *Event) string { return e.PromptName }},
	{"prompt_version", func(e *Event) string { return e.PromptVersion }},
	{"provider", func(e *Event) string { return e.Provider }},
	{"model", func(e *Event) string { return e.Model }},
	{"status", func(e *Event) string { return e.Status }},
	{"finish_reason", func(e *Event) string { return e.FinishReason }},
	{"tenant_tier", func(e *Event) string { return e.TenantTier }},
	{"user_rating", func(e *Event) string { return string(e.UserRating) }},
	{"output_schema", func(e *Event) string { return e.OutputSchema }},
}

// NumDims is the number of dimensions.
const NumDims = len(dimensions)

// Dim is a dimension: its index in [Dims], below [NumDims].
type Dim uint8

// DimNames returns the names of all dimensions, in order.
func DimNames() []string {
	names := make([]string, NumDims)
	for i := range dimensions {
		names[i] = dimensions[i].name
	}
	return names
}

// DimNamed returns the dimension with a name, which is also the key of its header.
func DimNamed(name string) (Dim, bool) {
	if name == "" {
		return 0, false
	}
	for slot := dimSlot(name); ; slot++ { // ends: the table is never full
		switch e := &dimsByName[slot%uint(len(dimsByName))]; e.name {
		case name:
			return e.dim, true
		case "":
			return 0, false
		}
	}
}

// dimsByName is a hash table with linear probing. A name is looked up for every
// header of every message, and a map takes several times as long.
var dimsByName = func() (table [64]struct {
	name string
	dim  Dim
},
) {
	for i := range dimensions {
		slot := dimSlot(dimensions[i].name)
		for table[slot%uint(len(table))].name != "" {
			slot++
		}
		e := &table[slot%uint(len(table))]
		e.name, e.dim = dimensions[i].name, Dim(i)
	}
	return table
}()

// dimSlot hashes a name by its length and its first letter, which differ for
// most names.
func dimSlot(name string) uint { return uint(len(name))*8 + uint(name[0]) }

// The dimensions whose values are normalised when read ([NormalRating],
// [NormalStatus]).
var (
	ratingDim, _ = DimNamed("user_rating")
	statusDim, _ = DimNamed("status")
)

// Dims are the fields that a sampling condition can read, in the order of
// [DimNames]. An absent field is the empty string.
type Dims [NumDims]string

// Envelope is the part of an event that sampling needs. Dims are few-valued, so a
// rule's result for them can be cached; the other fields differ from event to event.
type Envelope struct {
	Kind       Kind
	RequestID  RequestID
	Trace      TraceID // original trace; zero when unknown
	Tracestate string  // W3C tracestate, for the OpenTelemetry sampling threshold
	Dims       Dims
}

// Envelope returns the event's envelope.
func (e *Event) Envelope() Envelope {
	trace, _ := e.Origin()
	return Envelope{
		Kind:       e.Kind,
		RequestID:  e.RequestID,
		Trace:      trace,
		Tracestate: e.TraceContext.Get(HeaderTracestate),
		Dims:       e.dims(),
	}
}

// Dim returns the event's value of the named dimension.
func (e *Event) Dim(name string) string {
	d, ok := DimNamed(name)
	if !ok {
		return ""
	}
	return dimensions[d].value(e)
}

func (e *Event) dims() (out Dims) {
	for i := range dimensions {
		out[i] = dimensions[i].value(e)
	}
	out[ratingDim] = NormalRating(out[ratingDim])
	out[statusDim] = NormalStatus(out[statusDim])
	return out
}

// Headers returns the message headers that carry the event's envelope, in a fixed
// order. Empty fields are left out.
func (e *Event) Headers() []Header {
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
	for i, value := range e.dims() {
		add(dimensions[i].name, value)
	}
	return hs
}

// HeaderView reads the envelope in place from the headers of a message: it copies
// and allocates nothing. Of several headers with one key the last counts.
type HeaderView struct {
	Kind, RequestID                             []byte
	Traceparent, Tracestate, DDTraceID, TraceID []byte

	repeated bool   // an id is there twice, with different values
	rating   []byte // in its normal form
	headers  []Header
	dims     [NumDims]int32 // indexes in headers, counted from 1; 0: absent
}

// Read finds the envelope in headers. Without dims it skips the dimensions, which
// are half of the work.
func (v *HeaderView) Read(headers []Header, dims bool) {
	v.headers = headers
	for i := range headers {
		h := &headers[i]
		switch h.Key {
		case HeaderEvent:
			v.set(&v.Kind, h.Value)
		case HeaderRequestID:
			v.set(&v.RequestID, h.Value)
		case HeaderTraceparent:
			v.set(&v.Traceparent, h.Value)
		case HeaderDDTraceID:
			v.set(&v.DDTraceID, h.Value)
		case HeaderTraceID:
			v.set(&v.TraceID, h.Value)
		case HeaderTracestate:
			v.set(&v.Tracestate, h.Value)
		default:
			if !dims {
				continue
			}
			if d, ok := DimNamed(h.Key); ok {
				v.dims[d] = int32(i) + 1 //nolint:gosec // no message has 2^31 headers
			}
		}
	}
	if at := v.dims[ratingDim]; at > 0 {
		v.rating = NormalRating(headers[at-1].Value)
	}
}

func (v *HeaderView) set(id *[]byte, value []byte) {
	v.repeated = v.repeated || *id != nil && !bytes.Equal(*id, value)
	*id = value
}

// Agrees reports whether the headers name one request and one trace. A tracer's own
// instrumentation of Kafka writes the trace of the publishing beside that of the
// request, or in its place; only the body then says which is which.
func (v *HeaderView) Agrees() bool {
	if v.repeated {
		return false
	}
	if v.Traceparent == nil || v.DDTraceID == nil {
		return true
	}
	w3c, _, ok := ParseTraceparent(v.Traceparent)
	datadog, known := ParseTraceID(v.DDTraceID)
	return !ok || !known || w3c.Lo == datadog.Lo
}

// Dim returns the value of a dimension, nil when no header carries it.
func (v *HeaderView) Dim(d Dim) []byte {
	switch at := v.dims[d]; {
	case at == 0:
		return nil
	case d == ratingDim:
		return v.rating
	case d == statusDim:
		return NormalStatus(v.headers[at-1].Value)
	default:
		return v.headers[at-1].Value
	}
}

// Trace returns the original trace, zero when the headers name none.
func (v *HeaderView) Trace() TraceID {
	if id, _, ok := ParseTraceparent(v.Traceparent); ok {
		return id
	}
	if id, ok := ParseTraceID(v.DDTraceID); ok {
		for _, h := range slices.Backward(v.headers) {
			if h.Key == HeaderDDTags {
				return withUpperHalf(id, h.Value)
			}
		}
		return id
	}
	id, _ := ParseTraceID(v.TraceID)
	return id
}

// EnvelopeFromHeaders reads an envelope from message headers. It reports false
// when they carry none (no event or no request_id among them); the caller then has
// to decode the body. If the publisher copies fields into headers, as the emitter
// does, the result equals the envelope of the decoded body.
func EnvelopeFromHeaders(hs []Header) (Envelope, bool) {
	var v HeaderView
	v.Read(hs, true)
	if len(v.Kind) == 0 || len(v.RequestID) == 0 {
		return Envelope{}, false
	}
	env := Envelope{Kind: Kind(v.Kind), RequestID: RequestID(v.RequestID), Trace: v.Trace(), Tracestate: string(v.Tracestate)}
	for i := range env.Dims {
		env.Dims[i] = string(v.Dim(Dim(i)))
	}
	return env, true
}

// Origin returns the span that the event is about. The traceparent header is
// preferred, then the Datadog headers, then the fields trace_id and span_id. An
// id is zero when it is absent or cannot be read.
func (e *Event) Origin() (TraceID, SpanID) {
	if trace, span, ok := ParseTraceparent(e.TraceContext.Get(HeaderTraceparent)); ok {
		return trace, span
	}
	if trace, ok := ParseTraceID(e.TraceContext.Get(HeaderDDTraceID)); ok {
		span, _ := ParseSpanID(e.TraceContext.Get(HeaderDDParentID))
		return withUpperHalf(trace, e.TraceContext.Get(HeaderDDTags)), span
	}
	trace, _ := ParseTraceID(e.TraceID)
	span, _ := ParseSpanID(e.SpanID)
	return trace, span
}

// Get returns the header with that lower-case name, whatever the case of the key.
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

// withUpperHalf adds the upper half to a trace id from Datadog's headers: the
// lower half has its own header; the upper half is the tag _dd.p.tid, 16
// hexadecimal digits, in a comma-separated list of key=value.
func withUpperHalf[T ~string | ~[]byte](id TraceID, tags T) TraceID {
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
