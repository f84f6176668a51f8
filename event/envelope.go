package event

import (
	"bytes"
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
//
// The header trace_id holds the trace that the body names, empty when it names none.
// Only a publisher that knows the body writes it, so it settles which trace the event is
// about: a tracer's own instrumentation of Kafka writes propagation headers beside those of
// the request, or in their place.
const (
	HeaderEvent       = "event"
	HeaderRequestID   = "request_id"
	HeaderTraceID     = "trace_id"
	HeaderSpanID      = "span_id"
	HeaderTraceparent = "traceparent"
	HeaderTracestate  = "tracestate"
	HeaderDDTraceID   = "x-datadog-trace-id"
	HeaderDDParentID  = "x-datadog-parent-id"
	HeaderDDTags      = "x-datadog-tags"

	headerDDPriority = "x-datadog-sampling-priority"
	headerB3         = "b3"
	headerB3TraceID  = "x-b3-traceid"
	headerB3SpanID   = "x-b3-spanid"
	headerLogTraceID = "dd.trace_id" // as Datadog's tracers write into logs
	headerLogSpanID  = "dd.span_id"
)

// propagationHeaders are the headers of a trace context that are copied.
var propagationHeaders = [...]string{
	HeaderTraceparent, HeaderTracestate, "baggage",
	HeaderDDTraceID, HeaderDDParentID, headerDDPriority, "x-datadog-origin", HeaderDDTags, headerB3, headerB3TraceID, headerB3SpanID,
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
	e = e.describe()
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
// order. Empty fields are left out, but for trace_id. The values share one array.
func (e *Event) Headers() []Header {
	e = e.describe() // as [Decode] does with the body
	var values [3 + len(propagationHeaders) + NumDims]struct{ key, value string }
	n, size := 0, 0
	add := func(key, value string) {
		if value != "" || key == HeaderTraceID {
			values[n].key, values[n].value = key, value
			n++
			size += len(value)
		}
	}
	add(HeaderEvent, string(e.Kind))
	add(HeaderRequestID, string(e.RequestID))
	id := ""
	if trace, _ := e.Origin(); !trace.IsZero() {
		id = trace.String()
	}
	add(HeaderTraceID, id)
	if len(e.TraceContext) > 0 {
		for _, name := range propagationHeaders {
			add(name, e.TraceContext.Get(name))
		}
	}
	for i, value := range e.dims() {
		add(dimensions[i].name, value)
	}
	hs, array := make([]Header, n), make([]byte, 0, size)
	for i, v := range values[:n] {
		if hs[i].Key = v.key; v.value != "" {
			from := len(array)
			array = append(array, v.value...)
			hs[i].Value = array[from:len(array):len(array)]
		}
	}
	return hs
}

// HeaderView reads the envelope in place from the headers of a message: it copies
// and allocates nothing. Of several headers with one key the last counts.
type HeaderView struct {
	Kind, RequestID                             []byte
	Traceparent, Tracestate, DDTraceID, TraceID []byte

	ddTags, b3, b3TraceID, otherTraceID []byte

	trace    TraceID
	named    bool   // there are headers of ids
	marked   bool   // the publisher says which trace the body names
	repeated bool   // an id is there twice, with different values
	settled  bool   // all ids are those of one trace
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
		case HeaderTraceID:
			v.repeated = v.repeated || v.marked && !bytes.Equal(v.TraceID, h.Value)
			v.marked, v.TraceID = true, h.Value
			v.named = v.named || len(h.Value) > 0
		case HeaderTraceparent, HeaderTracestate, HeaderDDTraceID, HeaderDDTags, headerB3, headerB3TraceID:
			v.carrier(h.Key, h.Value)
		default:
			if dims {
				if d, ok := DimNamed(h.Key); ok {
					v.dims[d] = int32(i) + 1 //nolint:gosec // no message has 2^31 headers
					continue
				}
			}
			if mayNameSpan(h.Key) {
				name, _ := idName(h.Key)
				v.carrier(name, h.Value)
			}
		}
	}
	if at := v.dims[ratingDim]; at > 0 {
		v.rating = NormalRating(headers[at-1].Value)
	}
	v.settle()
}

// mayNameSpan reports whether a key that is none of the usual ones may be that of an id
// ([idName]), by its first and its last character: for most other keys it is not.
func mayNameSpan(key string) bool {
	if len(key) < 2 || key == "status" {
		return false
	}
	switch key[len(key)-1] | 0x20 {
	case 'd', 'e', 't', 's', '3', '-', '_' | 0x20: // of id, tracestate, traceparent, tags and b3
	default:
		return false
	}
	switch first := key[0]; first {
	case 'b', 'd', 'o', 's', 't', 'x':
		return true
	default:
		return first <= '_' // a capital letter, or a separator
	}
}

// carrier takes the value of a header that names a span.
func (v *HeaderView) carrier(name string, value []byte) {
	v.named = true
	switch name {
	case HeaderTraceparent:
		v.set(&v.Traceparent, value)
	case HeaderTracestate:
		v.set(&v.Tracestate, value)
	case HeaderDDTraceID:
		v.set(&v.DDTraceID, value)
	case HeaderDDTags:
		v.ddTags = value
	case headerB3:
		v.set(&v.b3, value)
	case headerB3TraceID:
		v.set(&v.b3TraceID, value)
	case HeaderTraceID, headerLogTraceID: // under other names, such as traceId
		v.set(&v.otherTraceID, value)
	}
}

func (v *HeaderView) set(id *[]byte, value []byte) {
	v.repeated = v.repeated || *id != nil && !bytes.Equal(*id, value)
	*id = value
}

// settle finds the trace, in the order of [Event.Origin], and whether all headers agree.
func (v *HeaderView) settle() {
	const (
		from = len("00-")
		to   = from + 32
	)
	v.settled = !v.repeated
	if id, _, ok := ParseTraceparent(v.Traceparent); ok {
		v.trace = id
		if v.DDTraceID == nil && v.b3 == nil && v.b3TraceID == nil && v.otherTraceID == nil && bytes.Equal(v.TraceID, v.Traceparent[from:to]) {
			return // the usual message
		}
	}
	if id, ok := ParseTraceID(v.DDTraceID); ok {
		v.add(withUpperHalf(id, v.ddTags))
	}
	if b3, _ := splitB3(v.b3); len(b3) > 1 {
		v.addText(parseB3ID(b3))
	}
	v.addText(parseB3ID(v.b3TraceID))
	v.addText(ParseTraceID(v.TraceID))
	v.addText(ParseTraceID(v.otherTraceID))
	if _, ok := ParseTraceID(v.TraceID); !ok && len(v.TraceID) > 0 || len(v.TraceID) == 16 || len(v.otherTraceID) == 16 {
		v.settled = false // no publisher of ours wrote it, or its span id tells how to read it
	}
}

func (v *HeaderView) addText(id TraceID, ok bool) {
	if ok {
		v.add(id)
	}
}

func (v *HeaderView) add(id TraceID) {
	switch {
	case v.trace.IsZero():
		v.trace = id
	case !v.trace.is(id):
		v.settled = false
	case v.trace.Hi == 0:
		v.trace.Hi = id.Hi
	}
}

// Agrees reports whether the headers alone tell which request and which trace the event
// is about: they name one of each at most, and the publisher wrote the header trace_id.
// If not, the body has to be read.
func (v *HeaderView) Agrees() bool { return v.marked && v.settled }

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
func (v *HeaderView) Trace() TraceID { return v.trace }

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
