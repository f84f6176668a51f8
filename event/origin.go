package event

import (
	"maps"
	"strings"
)

// LinkFault says in one word why an id of an event links it to no span, or was not
// used; it becomes a metric tag.
type LinkFault string

// The faults of ids.
const (
	LinkAbsent         LinkFault = "absent"          // the event names no trace
	LinkZero           LinkFault = "zero"            // its id is 0: there was no span
	LinkTraceMalformed LinkFault = "trace_malformed" // a trace id in no known form
	LinkSpanMalformed  LinkFault = "span_malformed"  // a span id in no known form
	LinkSpanMissing    LinkFault = "span_missing"    // a trace without a span
	LinkDiffers        LinkFault = "differs"         // another trace than the one that counts
)

// gravity orders the faults of one event, of which the gravest is told.
func (f LinkFault) gravity() int {
	switch f {
	case LinkTraceMalformed:
		return 4
	case LinkSpanMalformed:
		return 3
	case LinkDiffers:
		return 2
	case LinkZero:
		return 1
	}
	return 0
}

// Origin returns the span that the event is about: from trace_context (traceparent, then
// Datadog's headers, then B3's), then from the fields trace_id and span_id. [Decode] and
// [Event.Join] bring there what stands elsewhere. An id is zero when it is absent or
// cannot be read.
func (e *Event) Origin() (TraceID, SpanID) {
	if trace, span, ok := ParseTraceparent(e.TraceContext.Get(HeaderTraceparent)); ok && trace.Hi != 0 {
		return trace, span
	}
	o := e.origin()
	return o.trace, o.spanOfTrace()
}

// LinkFault returns why the event is not linked to its span, or which id was not used,
// because it cannot be read or names another trace, and the place of that id. It is empty
// for an event that is linked when nothing else is wrong.
func (e *Event) LinkFault() (fault LinkFault, at string) {
	o := e.origin()
	o.noted(e.faulty)
	linked := !o.trace.IsZero() && o.spanOfTrace() != 0
	switch {
	case linked && o.fault == LinkZero:
		return "", ""
	case linked || o.fault.gravity() >= LinkSpanMalformed.gravity():
		return o.fault, o.at
	case !o.trace.IsZero():
		return LinkSpanMissing, HeaderSpanID
	case o.fault == "":
		return LinkAbsent, HeaderTraceID
	}
	return o.fault, o.at
}

// Join adds to the event what the headers of its message say about its span, after all
// that the body says.
func (e *Event) Join(headers []Header) {
	var v HeaderView
	v.Read(headers, false)
	trace, span := e.Origin()
	known := v.settled && !trace.IsZero() && trace == v.trace && span != 0
	if !v.named || known && (len(v.Tracestate) == 0 || e.TraceContext.Get(HeaderTracestate) != "") {
		return
	}
	t := TraceContext{}
	for _, h := range headers { // of several with one key the last counts
		if name, _ := idName(h.Key); name != "" && len(h.Value) > 0 {
			t[name] = string(h.Value)
		}
	}
	e.join("message headers", t)
}

// origin collects the ids of an event's span from the places that name it. The first
// trace counts; other places with the same trace add what it lacks.
type origin struct {
	trace TraceID
	span  SpanID
	stray SpanID // of a place that names no trace

	fault LinkFault // the gravest, and of several the first
	at    string    // its place
}

func (e *Event) origin() (o origin) {
	o.context("trace_context", e.TraceContext)
	o.pair(HeaderTraceID, string(e.TraceID), string(e.SpanID), styleOpen)
	return o
}

// spanOfTrace returns the span of the trace, else the only one that is named.
func (o *origin) spanOfTrace() SpanID {
	if o.span == 0 && !o.trace.IsZero() {
		return o.stray
	}
	return o.span
}

// note keeps a fault unless one as grave is known.
func (o *origin) note(fault LinkFault, at string) {
	if fault.gravity() > o.fault.gravity() {
		o.fault, o.at = fault, at
	}
}

// faultyID is an id that links to nothing, and its place.
type faultyID struct {
	fault LinkFault
	at    string
}

func (o *origin) noted(f *faultyID) {
	if f != nil {
		o.note(f.fault, f.at)
	}
}

func (o *origin) faulty() *faultyID {
	if o.fault == "" {
		return nil
	}
	return &faultyID{o.fault, o.at}
}

// add adds a trace and its span, zero when unknown.
func (o *origin) add(at string, trace TraceID, span SpanID) {
	switch {
	case o.trace.IsZero():
		o.trace, o.span = trace, span
	case !o.trace.is(trace):
		o.note(LinkDiffers, at)
	default:
		if o.trace.Hi == 0 {
			o.trace.Hi = trace.Hi
		}
		if o.span == 0 {
			o.span = span
		}
	}
}

// is reports whether two ids are those of one trace; either may have lost its upper half.
func (t TraceID) is(other TraceID) bool {
	return t.Lo == other.Lo && (t.Hi == other.Hi || t.Hi == 0 || other.Hi == 0)
}

// context adds what one place says in headers.
func (o *origin) context(at string, t TraceContext) {
	if len(t) == 0 {
		return
	}
	c := t.carried()
	if v := strings.TrimSpace(c[carriedTraceparent]); v != "" {
		trace, span, ok := ParseTraceparent(v)
		switch {
		case ok:
			o.add(at, trace, span)
		case len(v) > len("00-") && isZero(v[len("00-"):min(len(v), 35)]):
			o.note(LinkZero, at)
		default:
			o.note(LinkTraceMalformed, at)
		}
	}
	o.tagged(at, c[carriedDDTrace], c[carriedDDParent], styleDecimal, c[carriedDDTags])
	if trace, span := splitB3(c[carriedB3]); len(trace) > 1 { // one letter tells the sampling decision alone
		o.pair(at, trace, span, styleHex)
	}
	o.pair(at, c[carriedB3Trace], c[carriedB3Span], styleHex)
	o.pair(at, c[carriedTrace], c[carriedSpan], styleOpen)
	o.tagged(at, c[carriedLogTrace], c[carriedLogSpan], styleDecimal, c[carriedDDTags])
}

// splitB3 returns the ids of a B3 header: TRACE-SPAN, and after it how it was sampled
// and the parent.
func splitB3[T ~string | ~[]byte](header T) (trace, span T) {
	trace, rest := cutDash(header)
	span, _ = cutDash(rest)
	return trace, span
}

func cutDash[T ~string | ~[]byte](s T) (before, after T) {
	for i := range len(s) {
		if s[i] == '-' {
			return s[:i], s[i+1:]
		}
	}
	return s, s[len(s):]
}

// parseB3ID reads a trace id of B3, whose sixteen digits are always hexadecimal.
func parseB3ID[T ~string | ~[]byte](s T) (TraceID, bool) {
	if len(s) == 16 {
		return parseAnyHex(s)
	}
	return ParseTraceID(s)
}

// style says how sixteen digits without a letter are meant.
type style uint8

const (
	styleOpen    style = iota // hexadecimal beside an id that can only be that, else decimal
	styleDecimal              // Datadog's, whose span ids are decimal beside a hexadecimal trace id
	styleHex                  // B3's, in which all ids are hexadecimal
)

// pair adds a trace id and a span id that belong together, as text.
func (o *origin) pair(at, trace, span string, s style) { o.tagged(at, trace, span, s, "") }

// tagged is pair for a trace whose upper half may stand in tags.
func (o *origin) tagged(at, trace, span string, s style, tags string) {
	if trace == "" && span == "" {
		return
	}
	t, known := ParseTraceID(trace)
	if s == styleHex || s == styleOpen && isHexID(span) {
		t, known = parseB3ID(trace)
	}
	p, spanKnown := ParseSpanID(span)
	if len(span) == 16 && (s == styleHex || s == styleOpen && isHexID(trace)) {
		var id TraceID
		id, spanKnown = parseAnyHex(span)
		p = SpanID(id.Lo)
	}
	if (known || trace == "") && !spanKnown && !isZero(span) {
		if at == HeaderTraceID {
			at = HeaderSpanID
		}
		o.note(LinkSpanMalformed, at)
	}
	switch {
	case known:
		o.add(at, withUpperHalf(t, tags), p)
	case isZero(trace):
		if trace != "" {
			o.note(LinkZero, at)
		} else if o.stray == 0 {
			o.stray = p
		}
	default:
		o.note(LinkTraceMalformed, at)
	}
}

// isHexID reports whether an id can only be hexadecimal.
func isHexID(s string) bool {
	switch len(s) {
	case 16:
		_, decimal := parseDecimal(s)
		return !decimal || s[0] == '0'
	case 32, 36:
		_, known := ParseTraceID(s)
		return known
	}
	return len(s) > 2 && s[1]|0x20 == 'x'
}

// isZero reports whether an id says that there is none.
func isZero(s string) bool {
	s = strings.TrimSpace(s)
	if len(s) > 2 && s[1]|0x20 == 'x' {
		s = s[:1] + s[2:]
	}
	return strings.Trim(s, "0-") == ""
}

// The headers that name a span, in the order of carriedNames.
const (
	carriedTraceparent = iota
	carriedDDTrace
	carriedDDParent
	carriedDDTags
	carriedB3
	carriedB3Trace
	carriedB3Span
	carriedTrace
	carriedSpan
	carriedLogTrace
	carriedLogSpan
	numCarried
)

var carriedNames = [numCarried]string{
	HeaderTraceparent, HeaderDDTraceID, HeaderDDParentID, HeaderDDTags, headerB3, headerB3TraceID, headerB3SpanID,
	HeaderTraceID, HeaderSpanID, headerLogTraceID, headerLogSpanID,
}

// carried returns the values of the headers that name a span, as Get does, in one pass.
func (t TraceContext) carried() (values [numCarried]string) {
	var keys [numCarried]string
	for key, value := range t {
		for i, name := range carriedNames {
			if len(key) == len(name) && strings.EqualFold(key, name) {
				if key > keys[i] {
					keys[i], values[i] = key, value
				}
				break
			}
		}
	}
	return values
}

// Get returns the header with that lower-case name, whatever the case of the key. Of
// several keys the one in lower case counts, and else the last in the order of bytes: an
// event has the same ids each time that it is delivered.
func (t TraceContext) Get(name string) string {
	if v, ok := t[name]; ok {
		return v
	}
	last, value := "", ""
	for k, v := range t {
		if len(k) == len(name) && k > last && strings.EqualFold(k, name) {
			last, value = k, v
		}
	}
	return value
}

func (t TraceContext) drop(names ...string) {
	maps.DeleteFunc(t, func(key, _ string) bool {
		for _, name := range names {
			if strings.EqualFold(key, name) {
				return true
			}
		}
		return false
	})
}

// prune drops ids that cannot be read, and what belongs to them.
func (t TraceContext) prune() {
	if _, _, ok := ParseTraceparent(t.Get(HeaderTraceparent)); !ok {
		t.drop(HeaderTraceparent)
	}
	if trace, _ := splitB3(t.Get(headerB3)); len(trace) > 1 {
		if _, ok := ParseTraceID(trace); !ok {
			t.drop(headerB3)
		}
	}
	for _, names := range [...][2]string{
		{HeaderDDTraceID, HeaderDDParentID}, {headerB3TraceID, headerB3SpanID}, {HeaderTraceID, HeaderSpanID}, {headerLogTraceID, headerLogSpanID},
	} {
		trace := t.Get(names[0])
		if _, ok := ParseTraceID(trace); trace != "" && !ok {
			t.drop(names[:]...)
		}
		if _, ok := ParseSpanID(t.Get(names[1])); !ok {
			t.drop(names[1])
		}
	}
}

// join adds what another place says to the event's own ids, which count before. It
// returns what is wrong with the place itself.
func (e *Event) join(at string, t TraceContext) LinkFault {
	if len(t) == 0 {
		return ""
	}
	var p origin
	p.context(at, t)
	own := e.origin()
	own.noted(e.faulty)
	own.note(p.fault, p.at)
	t.prune()
	span := p.spanOfTrace()
	switch {
	case p.trace.IsZero():
		e.inherit(t, HeaderTracestate)
		if span := firstSpan(own.span, firstSpan(own.stray, p.stray)); span != 0 {
			e.setIDs(own.trace, span)
		}
	case own.trace.IsZero():
		e.inherit(t, carriers[:]...)
		e.setIDs(p.trace, firstSpan(span, own.stray))
	case !own.trace.is(p.trace):
		own.note(LinkDiffers, at)
	default:
		if span != 0 && span == own.spanOfTrace() {
			e.inherit(t, carriers[:]...)
		}
		e.inherit(t, HeaderTracestate)
		if own.trace.Hi == 0 {
			own.trace.Hi = p.trace.Hi
		}
		e.setIDs(own.trace, firstSpan(own.spanOfTrace(), span))
	}
	e.faulty = own.faulty()
	return p.fault
}

func firstSpan(a, b SpanID) SpanID {
	if a != 0 {
		return a
	}
	return b
}

// carriers are the headers that an event takes over from another place.
var carriers = [...]string{
	HeaderTraceparent, HeaderTracestate, HeaderDDTraceID, HeaderDDParentID, headerDDPriority, HeaderDDTags, headerB3, headerB3TraceID, headerB3SpanID,
}

// inherit takes over the named headers that the event lacks.
func (e *Event) inherit(t TraceContext, names ...string) {
	for _, name := range names {
		if v := t.Get(name); v != "" && e.TraceContext.Get(name) == "" {
			next := maps.Clone(e.TraceContext) // the caller of Join may hold it
			if next == nil {
				next = TraceContext{}
			}
			next[name] = v
			e.TraceContext = next
		}
	}
}

// setIDs makes [Event.Origin] return a trace and a span.
func (e *Event) setIDs(trace TraceID, span SpanID) {
	if t, s := e.Origin(); t == trace && s == span {
		return
	}
	e.TraceID, e.SpanID = "", ""
	if !trace.IsZero() {
		e.TraceID = ID(trace.String())
	}
	if span != 0 {
		e.SpanID = ID(span.hex())
	}
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
