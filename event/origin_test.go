package event_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
)

const (
	hexTrace = "0af7651916cd43dd8448eb211c80319c"
	lowTrace = "00000000000000008448eb211c80319c" // the same, its upper half lost
	hexSpan  = "b7ad6b7169203331"
	decTrace = "14576827793038113322513871894673895836" // hexTrace
	decLow   = "9532127138774266268"
	decSpan  = "13235353014750950193"
	parent   = "00-" + hexTrace + "-" + hexSpan + "-01"
	other    = "00-1111111111111111aaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01"
)

// idForm is a form in which clients write the ids of a span, in the body of an event or
// in the headers of its message.
type idForm struct {
	fields  string // members of the body
	headers string // KEY=VALUE lines

	trace, span string // hexadecimal; empty: none
	fault       event.LinkFault
	ignored     string
}

func idForms() []idForm {
	both := func(fields string) idForm { return idForm{fields: fields, trace: hexTrace, span: hexSpan} }
	low := func(fields string) idForm { return idForm{fields: fields, trace: lowTrace, span: hexSpan} }
	message := func(headers string) idForm { return idForm{headers: headers, trace: hexTrace, span: hexSpan} }
	fault := func(f event.LinkFault, fields, ignored string) idForm {
		return idForm{fields: fields, fault: f, ignored: ignored}
	}
	return []idForm{
		// How an id is written.
		both(`"trace_id":"` + hexTrace + `","span_id":"` + hexSpan + `"`),
		both(`"trace_id":"` + strings.ToUpper(hexTrace) + `","span_id":"` + strings.ToUpper(hexSpan) + `"`),
		both(`"trace_id":"0af76519-16cd-43dd-8448-eb211c80319c","span_id":"` + decSpan + `"`),
		both(`"trace_id":"0AF76519-16CD-43DD-8448-EB211C80319C","span_id":"` + hexSpan + `"`),
		both(`"trace_id":"0x` + hexTrace + `","span_id":"0x` + hexSpan + `"`),
		both(`"trace_id":"0Xaf7651916cd43dd8448eb211c80319c","span_id":"0XB7AD6B7169203331"`), // without its zero, as Python's hex() prints it
		both(`"trace_id":"af7651916cd43dd8448eb211c80319c","span_id":"` + hexSpan + `"`),      // the same with format(id, "x")
		both(`"trace_id":"` + decTrace + `","span_id":"` + decSpan + `"`),
		both(`"trace_id":` + decTrace + `,"span_id":` + decSpan),
		both(`"trace_id":" ` + hexTrace + ` ","span_id":"\t` + decSpan + `\n"`),
		both(`"TRACE_ID":"` + hexTrace + `","Span_Id":"` + hexSpan + `"`),
		low(`"trace_id":"` + decLow + `","span_id":"` + decSpan + `"`),
		low(`"trace_id":` + decLow + `,"span_id":` + decSpan),
		low(`"trace_id":"8448eb211c80319c","span_id":"` + hexSpan + `"`),
		{fields: `"trace_id":"0234567890123456","span_id":"0034567890123456"`, trace: "00000000000000000234567890123456", span: "0034567890123456"},
		{fields: `"trace_id":"1234567890123456","span_id":"1234567890123457"`, trace: fmt.Sprintf("%032x", 1234567890123456), span: fmt.Sprintf("%016x", 1234567890123457)},
		{fields: `"trace_id":1234567890123456,"span_id":"` + hexSpan + `"`, trace: fmt.Sprintf("%032x", 1234567890123456), span: hexSpan},
		{fields: `"trace_id":"1234567890123456","span_id":"` + hexSpan + `"`, trace: "00000000000000001234567890123456", span: hexSpan},             // beside an id that is hexadecimal
		{fields: `"trace_id":"` + hexTrace + `","span_id":"1234567890123456"`, trace: hexTrace, span: "1234567890123456"},                           // the same
		{fields: `"dd.trace_id":"` + hexTrace + `","dd.span_id":"1234567890123456"`, trace: hexTrace, span: fmt.Sprintf("%016x", 1234567890123456)}, // Datadog logs decimal spans beside traces of 128 bits
		{fields: `"trace_id":17,"span_id":17.0`, trace: fmt.Sprintf("%032x", 17), span: fmt.Sprintf("%016x", 17)},

		// Where it stands in the body.
		both(`"trace_context":{"traceparent":"` + parent + `"}`),
		both(`"trace_context":"` + parent + `"`),
		both(`"trace_context":{"Traceparent":["` + parent + `"]}`),
		both(`"trace_context":{"trace_id":"` + hexTrace + `","span_id":"` + decSpan + `"}`),
		both(`"trace_context":{"traceId":"` + hexTrace + `","spanId":"` + hexSpan + `"}`),
		low(`"trace_context":{"x-datadog-trace-id":"` + decLow + `","x-datadog-parent-id":` + decSpan + `,"x-datadog-sampling-priority":1}`),
		both(`"trace_context":{"x-datadog-trace-id":"` + decLow + `","x-datadog-parent-id":"` + decSpan + `","x-datadog-tags":"_dd.p.dm=-1,_dd.p.tid=0af7651916cd43dd"}`),
		both(`"trace_context":{"b3":"` + hexTrace + `-` + hexSpan + `-1-05e3ac9a4f6e3b90"}`),
		low(`"trace_context":{"X-B3-TraceId":"8448eb211c80319c","X-B3-SpanId":"` + hexSpan + `","X-B3-Sampled":"1"}`),
		{fields: `"trace_context":{"b3":"1234567890123456-1234567890123457"}`, trace: "00000000000000001234567890123456", span: "1234567890123457"}, // always hexadecimal
		both(`"traceId":"` + hexTrace + `","spanId":"` + hexSpan + `"`),
		both(`"TraceId":"` + hexTrace + `","SpanId":"` + hexSpan + `"`),
		both(`"dd.trace_id":"` + decTrace + `","dd.span_id":"` + decSpan + `"`),
		both(`"dd.trace_id":"` + hexTrace + `","dd.span_id":"` + decSpan + `","dd.service":"api","dd.env":"prod","dd.version":"1"`),
		low(`"dd_trace_id":"` + decLow + `","dd_span_id":"` + decSpan + `"`),
		low(`"dd":{"trace_id":"` + decLow + `","span_id":"` + decSpan + `","service":"api","env":"prod"}`),
		both(`"dd":{"trace_id":"` + hexTrace + `","span_id":"` + decSpan + `"}`),
		both(`"otelTraceID":"` + hexTrace + `","otelSpanID":"` + hexSpan + `","otelTraceSampled":true`),
		both(`"trace.id":"` + hexTrace + `","span.id":"` + hexSpan + `"`),
		both(`"trace":{"id":"` + hexTrace + `"},"span":{"id":"` + hexSpan + `"}`),
		both(`"trace":{"trace_id":"` + hexTrace + `","span_id":"` + hexSpan + `"}`),
		both(`"trace":{"traceId":"` + hexTrace + `","spanId":"` + hexSpan + `"}`),
		both(`"trace":{"traceparent":"` + parent + `","tracestate":"dd=s:1"}`),
		both(`"trace":{"dd.trace_id":"` + decTrace + `","dd.span_id":"` + decSpan + `"}`),
		both(`"traceparent":"` + parent + `"`),
		both(`"traceparent":"` + parent + `","tracestate":"dd=s:2;t.dm:-4"`),
		both(`"traceparent":["` + parent + `"]`),
		low(`"x-datadog-trace-id":"` + decLow + `","x-datadog-parent-id":"` + decSpan + `"`),
		both(`"x-datadog-trace-id":` + decLow + `,"x-datadog-parent-id":` + decSpan + `,"x-datadog-tags":"_dd.p.tid=0af7651916cd43dd"`),
		both(`"b3":"` + hexTrace + `-` + hexSpan + `-1"`),
		both(`"X-B3-TraceId":"` + hexTrace + `","X-B3-SpanId":"` + hexSpan + `"`),
		both(`"headers":{"traceparent":"` + parent + `"}`),
		both(`"headers":{"Traceparent":["` + parent + `"],"Cookie":["a=b"]}`),
		both(`"headers":{"traceparent":["` + parent + `","` + parent + `"]}`),
		low(`"headers":{"X-Datadog-Trace-Id":["` + decLow + `"],"X-Datadog-Parent-Id":["` + decSpan + `"]}`),
		both(`"headers":{"B3":["` + hexTrace + `-` + hexSpan + `-d"]}`),
		both(`"trace_headers":{"traceparent":"` + parent + `"}`),
		low(`"trace_headers":{"x-datadog-trace-id":` + decLow + `,"x-datadog-parent-id":` + decSpan + `}`),
		both(`"trace_headers":{"X-B3-TraceId":["` + hexTrace + `"],"X-B3-SpanId":["` + hexSpan + `"]}`),

		// In the headers of the message alone.
		message("traceparent=" + parent),
		message("traceparent=" + parent + "\ntracestate=dd=s:1"),
		message("Traceparent=" + parent),
		message("x-datadog-trace-id=" + decLow + "\nx-datadog-parent-id=" + decSpan + "\nx-datadog-tags=_dd.p.tid=0af7651916cd43dd"),
		message("b3=" + hexTrace + "-" + hexSpan + "-1"),
		message("X-B3-TraceId=" + hexTrace + "\nX-B3-SpanId=" + hexSpan),
		message("trace_id=" + hexTrace + "\nspan_id=" + hexSpan),
		message("traceId=" + decTrace + "\nspanId=" + decSpan),
		message("dd.trace_id=" + hexTrace + "\ndd.span_id=" + decSpan),
		message("trace_id=\ntraceparent=" + parent), // the publisher knows of none
		{fields: `"trace_id":"0","span_id":"0"`, headers: "traceparent=" + parent, trace: hexTrace, span: hexSpan},

		// Several places of one trace complete each other.
		{fields: `"trace_id":"` + decLow + `","traceparent":"` + parent + `"`, trace: hexTrace, span: hexSpan},
		{fields: `"trace_id":"` + decLow + `","span_id":"5","headers":{"traceparent":"` + parent + `"}`, trace: hexTrace, span: fmt.Sprintf("%016x", 5)},
		{fields: `"trace_id":"` + hexTrace + `"`, headers: "traceparent=" + parent, trace: hexTrace, span: hexSpan},
		{fields: `"trace_context":{"x-datadog-trace-id":"` + decLow + `"},"dd.span_id":"` + decSpan + `"`, trace: lowTrace, span: hexSpan},
		{fields: `"span_id":"` + decSpan + `"`, headers: "trace_id=" + hexTrace, trace: hexTrace, span: hexSpan},

		// Of several traces the first counts: the event's own fields, then the rest of the
		// body, then the message.
		{fields: `"trace_context":{"traceparent":"` + parent + `"},"trace_id":"17","span_id":"18"`, trace: hexTrace, span: hexSpan, fault: event.LinkDiffers},
		{fields: `"trace_id":"` + hexTrace + `","span_id":"` + decSpan + `","dd.trace_id":"17","dd.span_id":"18"`, trace: hexTrace, span: hexSpan, fault: event.LinkDiffers},
		{fields: `"trace_id":"` + hexTrace + `","dd.trace_id":"17","dd.span_id":"18"`, trace: hexTrace, fault: event.LinkSpanMissing}, // not the span of another trace
		{fields: `"dd.trace_id":"` + decTrace + `","dd.span_id":"` + decSpan + `","traceparent":"` + other + `"`, trace: hexTrace, span: hexSpan, fault: event.LinkDiffers},
		{fields: `"traceparent":"` + parent + `","headers":{"traceparent":"` + other + `"}`, trace: hexTrace, span: hexSpan, fault: event.LinkDiffers},
		{fields: `"headers":{"traceparent":"` + parent + `"}`, headers: "traceparent=" + other, trace: hexTrace, span: hexSpan, fault: event.LinkDiffers},
		{fields: `"trace_context":{"traceparent":"` + parent + `","x-datadog-trace-id":"17","x-datadog-parent-id":"18"}`, trace: hexTrace, span: hexSpan, fault: event.LinkDiffers},

		// An id that cannot be read gives way to one that can, and is told.
		{fields: `"trace_id":"chat-7","dd.trace_id":"` + decTrace + `","dd.span_id":"` + decSpan + `"`, trace: hexTrace, span: hexSpan, fault: event.LinkTraceMalformed, ignored: "trace_id"},
		{fields: `"trace_id":"chat-7","span_id":"9"`, headers: "traceparent=" + parent, trace: hexTrace, span: hexSpan, fault: event.LinkTraceMalformed, ignored: "trace_id"},
		{fields: `"trace_context":{"traceparent":"00-x"},"trace_id":"` + hexTrace + `","span_id":"` + hexSpan + `"`, trace: hexTrace, span: hexSpan, fault: event.LinkTraceMalformed, ignored: "trace_context"},
		{fields: `"trace_id":"0","span_id":"0","traceparent":"` + parent + `"`, trace: hexTrace, span: hexSpan},

		// What links to nothing.
		fault(event.LinkAbsent, `"feature":"a"`, ""),
		fault(event.LinkAbsent, `"trace_id":null,"span_id":""`, ""),
		fault(event.LinkAbsent, `"span_id":"`+decSpan+`"`, ""),
		fault(event.LinkAbsent, `"headers":{"accept":"*/*"},"trace":"on","span":7,"dd":true`, ""),
		fault(event.LinkAbsent, `"b3":"0"`, ""),
		fault(event.LinkZero, `"trace_id":"0","span_id":"0"`, ""),
		fault(event.LinkZero, `"trace_id":0,"span_id":0`, ""),
		fault(event.LinkZero, `"dd.trace_id":"0","dd.span_id":"0"`, ""),
		fault(event.LinkZero, `"otelTraceID":"00000000000000000000000000000000","otelSpanID":"0000000000000000"`, ""),
		fault(event.LinkZero, `"traceparent":"00-00000000000000000000000000000000-0000000000000000-00"`, ""),
		fault(event.LinkTraceMalformed, `"trace_id":"chat-7","span_id":"9"`, "trace_id"),
		fault(event.LinkTraceMalformed, `"trace_id":1.457682779303811e37,"span_id":"9"`, "trace_id"),
		fault(event.LinkTraceMalformed, `"trace_id":-5,"span_id":"9"`, "trace_id"),
		fault(event.LinkTraceMalformed, `"trace_id":"340282366920938463463374607431768211456"`, "trace_id"),
		fault(event.LinkTraceMalformed, `"trace_id":"0af76519-16cd-43dd-8448eb211c80319c0"`, "trace_id"),
		fault(event.LinkTraceMalformed, `"trace_id":"0af7651916cd43dd8448"`, "trace_id"),
		fault(event.LinkTraceMalformed, `"trace_context":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"}`, "trace_context"),
		fault(event.LinkTraceMalformed, `"trace_context":{"x-datadog-trace-id":"-5","x-datadog-parent-id":"6"}`, "trace_context"),
		fault(event.LinkTraceMalformed, `"dd.trace_id":9.532e18`, "trace_id"),
		fault(event.LinkTraceMalformed, `"headers":{"traceparent":["`+parent+`","`+other+`"]}`, "trace_context"),
		{headers: "traceparent=00-x", fault: event.LinkTraceMalformed},
		{fields: `"trace_id":"` + hexTrace + `"`, trace: hexTrace, fault: event.LinkSpanMissing},
		{fields: `"trace_id":"` + hexTrace + `","span_id":"0"`, trace: hexTrace, fault: event.LinkSpanMissing},
		{fields: `"trace_id":"` + hexTrace + `","span_id":"span-1"`, trace: hexTrace, fault: event.LinkSpanMalformed, ignored: "span_id"},
		{fields: `"trace_id":"` + hexTrace + `","span_id":"18446744073709551616"`, trace: hexTrace, fault: event.LinkSpanMalformed, ignored: "span_id"},
		{fields: `"trace_id":"` + hexTrace + `","span_id":1.3e19`, trace: hexTrace, fault: event.LinkSpanMalformed, ignored: "span_id"},
		{fields: `"x-datadog-trace-id":"` + decLow + `","x-datadog-parent-id":"?"`, trace: lowTrace, fault: event.LinkSpanMalformed, ignored: "trace_context"},
	}
}

// decodeForm returns the event of a form as a worker reads it.
func decodeForm(t *testing.T, f idForm) *event.Event {
	t.Helper()
	e := decode(t, strings.TrimSuffix(`"team":null,`+f.fields, ","))
	e.Join(f.messageHeaders())
	return e
}

func (f idForm) messageHeaders() (hs []event.Header) {
	for line := range strings.SplitSeq(f.headers, "\n") {
		if key, value, ok := strings.Cut(line, "="); ok {
			hs = append(hs, event.Header{Key: key, Value: []byte(value)})
		}
	}
	return hs
}

// TestIDForms is the table of what clients write. What is read is the same when the event
// is written and read again, and from the headers that its publisher would write.
func TestIDForms(t *testing.T) {
	t.Parallel()
	forms := idForms()
	if len(forms) < 66 {
		t.Errorf("%d forms", len(forms))
	}
	for _, f := range forms {
		t.Run(f.fields+" "+f.headers, func(t *testing.T) {
			t.Parallel()
			e := decodeForm(t, f)
			compareIDs(t, "event", e, f)
			if fault, at := e.LinkFault(); fault != f.fault || (fault == "") != (at == "") {
				t.Errorf("fault %q at %q, want %q", fault, at, f.fault)
			}
			if got := strings.Join(e.Ignored(), " "); got != f.ignored {
				t.Errorf("ignored %q, want %q", got, f.ignored)
			}
			written, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			again, err := event.Decode(written)
			if err != nil {
				t.Fatal(err)
			}
			compareIDs(t, string(written), again, f)
			if again.Ignored() != nil {
				t.Errorf("%s: ignored %q", written, again.Ignored())
			}
			env, ok := event.EnvelopeFromHeaders(e.Headers())
			if want := e.Envelope(); !ok || env.Trace != want.Trace || env.Tracestate != want.Tracestate {
				t.Errorf("headers %+v, body %+v", env, want)
			}
		})
	}
}

func compareIDs(t *testing.T, name string, e *event.Event, f idForm) {
	t.Helper()
	trace, span := e.Origin()
	gotTrace, gotSpan := "", ""
	if !trace.IsZero() {
		gotTrace = trace.String()
	}
	if span != 0 {
		gotSpan = fmt.Sprintf("%016x", uint64(span))
	}
	if gotTrace != f.trace || gotSpan != f.span {
		t.Errorf("%s: trace %q, span %q; want %q, %q", name, gotTrace, gotSpan, f.trace, f.span)
	}
}

// TestOneIdentityOfAllForms: the trace by which an event is sampled is the same whichever
// half of the id its form has.
func TestOneIdentityOfAllForms(t *testing.T) {
	t.Parallel()
	n := 0
	for _, f := range idForms() {
		if f.trace != hexTrace && f.trace != lowTrace {
			continue
		}
		n++
		if e := decodeForm(t, f); e.Envelope().Trace.Lo != 0x8448eb211c80319c {
			t.Errorf("%s %s: trace %v", f.fields, f.headers, e.Envelope().Trace)
		}
	}
	if n < 50 {
		t.Errorf("%d forms of one trace", n)
	}
}

// TestStrictNamesIDs: tools that report mistakes refuse ids that cannot be read, and take
// every form that can.
func TestStrictNamesIDs(t *testing.T) {
	t.Parallel()
	for _, f := range idForms() {
		if f.headers != "" || strings.Contains(f.fields, "otelTraceSampled") || strings.Contains(f.fields, `"dd":true`) {
			continue
		}
		_, err := event.DecodeStrict(body(strings.TrimSuffix(`"feature":"a",`+f.fields, ",")))
		if refused := f.ignored != ""; refused != (err != nil) {
			t.Errorf("%s: %v", f.fields, err)
		}
	}
}

// TestJoinTakesTracestateOfItsTrace: the state of another trace does not enter.
func TestJoinTakesTracestateOfItsTrace(t *testing.T) {
	t.Parallel()
	for headers, want := range map[string]string{
		"traceparent=" + parent + "\ntracestate=ot=th:8": "ot=th:8",
		"tracestate=ot=th:8":                             "ot=th:8",
		"traceparent=" + other + "\ntracestate=ot=th:8":  "",
	} {
		f := idForm{fields: `"trace_id":"` + hexTrace + `","span_id":"` + hexSpan + `"`, headers: headers}
		if got := decodeForm(t, f).Envelope().Tracestate; got != want {
			t.Errorf("%s: tracestate %q, want %q", headers, got, want)
		}
	}
}

// TestJoinChangesNoMap: the context of an event may be its publisher's.
func TestJoinChangesNoMap(t *testing.T) {
	t.Parallel()
	own := event.TraceContext{"traceparent": parent}
	e := event.Event{TraceContext: own}
	e.Join([]event.Header{{Key: "traceparent", Value: []byte(parent)}, {Key: "tracestate", Value: []byte("dd=s:1")}})
	if len(own) != 1 || e.TraceContext.Get("tracestate") != "dd=s:1" {
		t.Errorf("own %v, event %v", own, e.TraceContext)
	}
}

// TestJoinOfTheUsualMessageAllocatesNothing: its headers say what the body says.
func TestJoinOfTheUsualMessageAllocatesNothing(t *testing.T) {
	e := event.Event{Kind: event.KindRequestCompleted, RequestID: "r", TraceContext: event.TraceContext{"traceparent": parent, "tracestate": "dd=s:1"}}
	headers := slices.Clone(e.Headers())
	if n := testing.AllocsPerRun(100, func() { e.Join(headers) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

// TestSchemaHasThePlaces: each member that the schema describes as a place of ids is read
// as one.
func TestSchemaHasThePlaces(t *testing.T) {
	t.Parallel()
	var schema struct {
		Properties map[string]struct{ Description string }
	}
	if err := json.Unmarshal(event.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, p := range schema.Properties {
		if !strings.HasPrefix(p.Description, "other place of ") {
			continue
		}
		n++
		read := false
		for _, value := range []string{`"0000000000000000000000000000000g"`, `{"trace_id":"g","span_id":"g","id":"g","traceparent":"g"}`} {
			fields := fmt.Sprintf("%q:%s", name, value)
			if strings.HasSuffix(name, "state") || strings.HasSuffix(name, "priority") || strings.HasSuffix(name, "tags") {
				fields += `,"traceparent":"g"`
			}
			if fault, _ := decode(t, fields).LinkFault(); fault == event.LinkTraceMalformed || fault == event.LinkSpanMalformed {
				read = true
			}
		}
		if !read {
			t.Errorf("%s is not read", name)
		}
	}
	if n < 20 {
		t.Errorf("%d places", n)
	}
}
