package event

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// place is a place in the body of an event that names its span, besides trace_context,
// trace_id and span_id, which count before. Lower ones count before higher ones.
type place uint8

const (
	placeCamel    place = iota // traceId, spanId
	placeDatadog               // dd.trace_id, dd.span_id, or the object dd
	placeOTel                  // otelTraceID, otelSpanID
	placeTrace                 // trace.id, span.id, or the objects trace and span
	placeCarriers              // propagation headers as fields
	placeHeaders               // the object headers
	placeTraced                // the object trace_headers
	numPlaces
)

// String returns the name that stands for the place in messages.
func (p place) String() string {
	return [numPlaces]string{"traceId", "dd.trace_id", "otelTraceID", "trace", "traceparent", "headers", "trace_headers"}[p]
}

// idName returns the name under which a [TraceContext] keeps an id or a propagation
// header, and the place of a field of that name. Case, _ and - do not count. The result is
// empty for any other name. It allocates nothing.
func idName[T ~string | ~[]byte](name T) (canonical string, at place) {
	var folded [maxMember]byte
	switch string(foldPlain(folded[:0], name)) {
	case HeaderTraceparent:
		return HeaderTraceparent, placeCarriers
	case HeaderTracestate:
		return HeaderTracestate, placeCarriers
	case headerB3:
		return headerB3, placeCarriers
	case "xdatadogtraceid":
		return HeaderDDTraceID, placeCarriers
	case "xdatadogparentid":
		return HeaderDDParentID, placeCarriers
	case "xdatadogtags":
		return HeaderDDTags, placeCarriers
	case "xdatadogsamplingpriority":
		return headerDDPriority, placeCarriers
	case "xb3traceid":
		return headerB3TraceID, placeCarriers
	case "xb3spanid":
		return headerB3SpanID, placeCarriers
	case "traceid":
		return HeaderTraceID, placeCamel
	case "spanid":
		return HeaderSpanID, placeCamel
	case "dd.traceid", "ddtraceid":
		return headerLogTraceID, placeDatadog
	case "dd.spanid", "ddspanid":
		return headerLogSpanID, placeDatadog
	case "oteltraceid":
		return HeaderTraceID, placeOTel
	case "otelspanid":
		return HeaderSpanID, placeOTel
	case "trace.id":
		return HeaderTraceID, placeTrace
	case "span.id":
		return HeaderSpanID, placeTrace
	}
	return "", 0
}

// objects are the members of an event that hold ids or headers, with the names of an id
// that they call id.
var objects = [...]struct {
	name string
	at   place
	id   string
}{
	{"dd", placeDatadog, ""},
	{"trace", placeTrace, HeaderTraceID},
	{"span", placeTrace, HeaderSpanID},
	{"headers", placeHeaders, ""},
	{"trace_headers", placeTraced, ""},
}

// elsewhere returns the members of an event that name its span beside its own fields,
// with their descriptions.
func elsewhere() map[string]string {
	return map[string]string{
		"traceId": "other place of trace_id", "spanId": "other place of span_id",
		"dd.trace_id": "other place of trace_id", "dd.span_id": "other place of span_id",
		"otelTraceID": "other place of trace_id", "otelSpanID": "other place of span_id",
		"trace.id": "other place of trace_id", "span.id": "other place of span_id",
		"dd":    "other place of trace_id and span_id, as its members",
		"trace": "other place of trace_context, trace_id and span_id, as its members", "span": "other place of span_id, as its member id",
		"traceparent": "other place of trace_context", "tracestate": "other place of trace_context", headerB3: "other place of trace_context",
		headerB3TraceID: "other place of trace_context", headerB3SpanID: "other place of trace_context",
		HeaderDDTraceID: "other place of trace_context", HeaderDDParentID: "other place of trace_context",
		HeaderDDTags: "other place of trace_context", headerDDPriority: "other place of trace_context",
		"headers": "other place of trace_context: the request's headers, of which only these are read", "trace_headers": "other place of trace_context",
	}
}

// places hold what the body says about the span in other places than its own fields.
type places [numPlaces]TraceContext

// readElsewhere reads a member that the event's table does not define, when it names the
// event's span, and reports whether it does.
func readElsewhere(d *decoder, name []byte, value jsonscan.Token) bool {
	for _, o := range objects {
		if value.Kind == jsonscan.Object && strings.EqualFold(string(name), o.name) {
			d.readPlace(o.at, o.id)
			return true
		}
	}
	if canonical, at := idName(name); canonical != "" {
		d.found(at, canonical, value)
		return true
	}
	return d.takeProviderMember(name, value)
}

// readPlace reads the members of the object that has just been opened.
func (d *decoder) readPlace(at place, id string) {
	for key, ok := d.scan.Next(); ok && key.Kind == jsonscan.Key; key, ok = d.scan.Next() {
		value, ok := d.scan.Next()
		if !ok {
			return
		}
		text := d.data[key.Start+1 : key.End-1]
		name, own := idName(text)
		switch {
		case id != "" && bytes.EqualFold(text, []byte("id")):
			name = id
		case at == placeDatadog && own == placeCamel: // the object dd
			name = "dd." + name
		}
		if name == "" {
			d.skip(value)
			continue
		}
		d.found(at, name, value)
	}
}

// foldPlain is foldMember for a name without its quotes.
func foldPlain[T ~string | ~[]byte](folded []byte, name T) []byte {
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_' || c == '-':
			continue
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		if len(folded) == maxMember {
			return nil
		}
		folded = append(folded, c)
	}
	return folded
}

// found keeps an id or a header of a place.
func (d *decoder) found(at place, name string, value jsonscan.Token) {
	text, ok := d.headerValue(value)
	if !ok {
		return
	}
	if d.places == nil {
		d.places = &places{}
	}
	if d.places[at] == nil {
		d.places[at] = TraceContext{}
	}
	d.places[at][name] = text
}

// headerValue reads the value of a header: a text, a number, a boolean, or the list of a
// header's values, as libraries of HTTP keep them. Values that differ are joined by
// commas, as HTTP says; an id with a comma cannot be read.
func (d *decoder) headerValue(t jsonscan.Token) (string, bool) {
	switch {
	case t.Kind == jsonscan.String:
		return d.string(t), true
	case t.Kind == jsonscan.Number:
		return d.decimal(t), true
	case t.Kind == jsonscan.Literal && !d.isNull(t):
		return string(d.raw(t)), true
	case t.Kind != jsonscan.Array:
		d.skip(t)
		return "", false
	}
	var values []string
	for item, ok := d.scan.Next(); ok && item.Kind != jsonscan.Close; item, ok = d.scan.Next() {
		if item.Kind != jsonscan.String || len(values) == MaxItems {
			d.skip(item)
			continue
		}
		if v := d.string(item); !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return strings.Join(values, ","), len(values) > 0
}

// decimal returns a number as text that is read as decimal: sixteen digits get a zero in
// front, because they can be hexadecimal where they stand as text.
func (d *decoder) decimal(t jsonscan.Token) string {
	number := d.raw(t)
	if n, ok := wholeNumber(number); ok && !isInteger(number) && n > -exactBelow && n < exactBelow {
		number = strconv.AppendInt(nil, n, 10)
	}
	if len(number) == 16 && isInteger(number) {
		return "0" + string(number)
	}
	return string(number)
}

// traceField is the form of the event's own ids.
func traceField(want string, at func(*Event) *ID) form[Event] {
	return form[Event]{want, func(d *decoder, e *Event, t jsonscan.Token) result {
		if t.Kind == jsonscan.Number {
			*at(e) = ID(d.decimal(t))
			return found
		}
		s, r := d.text(t)
		if r == found {
			*at(e) = ID(s)
		}
		return r
	}}
}

// What ids have to be.
const (
	wantTraceID = "32 or 16 hexadecimal digits, a UUID, or a decimal number that has all its digits"
	wantSpanID  = "16 hexadecimal digits, or a decimal number that has all its digits"
	wantContext = "an object of propagation headers whose ids can be read"
)

// readTraceContext reads propagation headers. Members that are no header's value are
// left out. A text is that of traceparent.
func readTraceContext(d *decoder, e *Event, t jsonscan.Token) result {
	switch {
	case t.Kind == jsonscan.String && t.End-t.Start > len(`""`):
		e.TraceContext = TraceContext{HeaderTraceparent: d.string(t)}
		return found
	case t.Kind == jsonscan.String:
		return absent
	case t.Kind != jsonscan.Object:
		d.skip(t)
		return d.orWrong(t)
	}
	headers := TraceContext{}
	n := 0
	for key, ok := d.scan.Next(); ok && key.Kind == jsonscan.Key; key, ok = d.scan.Next() {
		value, _ := d.scan.Next()
		if n++; n > MaxItems {
			d.long = "trace_context"
			d.skip(value)
			continue
		}
		if text, ok := d.headerValue(value); ok {
			headers[d.headerName(key)] = text
		}
	}
	e.TraceContext = headers
	return found
}

// headerName returns a key of trace_context: the usual one without a copy, and another
// spelling of an id's name as the name that is asked for.
func (d *decoder) headerName(key jsonscan.Token) string {
	if string(d.raw(key)) == `"`+HeaderTraceparent+`"` {
		return HeaderTraceparent
	}
	name := d.string(key)
	if known, _ := idName(name); known != "" && !strings.EqualFold(known, name) {
		return known
	}
	return name
}

// origin leaves out ids that cannot be read, and brings into the event's own fields what
// stands elsewhere in the body.
func (d *decoder) origin(e *Event) {
	if len(e.TraceContext) == 0 && e.TraceID == "" && e.SpanID == "" && d.places == nil {
		return
	}
	var own, all origin
	all.context("trace_context", e.TraceContext)
	if f := all.fault.gravity(); f > 0 && all.fault != LinkDiffers {
		if f >= LinkSpanMalformed.gravity() {
			d.leaveOut("trace_context", "trace_context", wantContext)
		}
		e.TraceContext.prune()
	}
	own.pair(HeaderTraceID, string(e.TraceID), string(e.SpanID), styleOpen)
	switch own.fault {
	case LinkTraceMalformed:
		d.leaveOut(HeaderTraceID, HeaderTraceID, wantTraceID)
		e.TraceID, e.SpanID = "", ""
	case LinkSpanMalformed:
		d.leaveOut(HeaderSpanID, HeaderSpanID, wantSpanID)
		e.SpanID = ""
	case LinkZero:
		e.TraceID, e.SpanID = "", ""
	}
	if isZero(string(e.SpanID)) {
		e.SpanID = ""
	}
	all.note(own.fault, own.at)
	e.faulty = all.faulty()
	if d.places != nil {
		for at := range numPlaces {
			if e.join(at.String(), d.places[at]).gravity() < LinkSpanMalformed.gravity() {
				continue
			}
			if at >= placeCarriers {
				d.leaveOut("trace_context", at.String(), wantContext)
			} else {
				d.leaveOut(HeaderTraceID, at.String(), wantTraceID)
			}
		}
	}
}

// leaveOut notes ids of a place that cannot be read, under the field that they stand for.
func (d *decoder) leaveOut(field, at, want string) {
	d.ignored.add(d.tables.named(field))
	d.warn(Warning{Field: at, Problem: "no id that can be read", want: "want " + want})
}
