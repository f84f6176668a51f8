package pipeline_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/pipeline"
	"github.com/evalworker/evalworker/sampler"
)

// spelled returns members of a body that name a span, in one of the forms of clients.
func spelled(r *rand.Rand, trace event.TraceID, span uint64) string {
	parent := fmt.Sprintf("00-%s-%016x-01", trace, span)
	forms := []string{
		fmt.Sprintf(`"trace_context":{"traceparent":%q}`, parent),
		fmt.Sprintf(`"trace_context":{"x-datadog-trace-id":"%d","x-datadog-parent-id":"%d"}`, trace.Lo, span),
		fmt.Sprintf(`"trace_id":%q,"span_id":"%016x"`, trace, span),
		fmt.Sprintf(`"trace_id":%d,"span_id":%d`, trace.Lo, span),
		fmt.Sprintf(`"dd.trace_id":"%d","dd.span_id":"%d"`, trace.Lo, span),
		fmt.Sprintf(`"otelTraceID":%q,"otelSpanID":"%016x"`, trace, span),
		fmt.Sprintf(`"b3":"%s-%016x-1"`, trace, span),
		fmt.Sprintf(`"traceparent":%q`, parent),
		fmt.Sprintf(`"headers":{"Traceparent":[%q]}`, parent),
		fmt.Sprintf(`"trace_id":"chat-7","traceId":%q,"spanId":"%d"`, trace, span),
	}
	return forms[r.IntN(len(forms))]
}

// carried returns the headers that a tracer's instrumentation of Kafka writes.
func carried(r *rand.Rand, trace event.TraceID, span uint64) []event.Header {
	header := func(key, value string) event.Header { return event.Header{Key: key, Value: []byte(value)} }
	parent := fmt.Sprintf("00-%s-%016x-01", trace, span)
	forms := [][]event.Header{
		{header("traceparent", parent), header("tracestate", "dd=s:1")},
		{header("Traceparent", parent)},
		{header("x-datadog-trace-id", fmt.Sprint(trace.Lo)), header("x-datadog-parent-id", fmt.Sprint(span))},
		{header("x-datadog-trace-id", fmt.Sprint(trace.Lo)), header("x-datadog-parent-id", fmt.Sprint(span)), header("traceparent", parent)},
		{header("b3", fmt.Sprintf("%s-%016x-1", trace, span))},
		{header("X-B3-TraceId", fmt.Sprintf("%016x", trace.Lo)), header("X-B3-SpanId", fmt.Sprintf("%016x", span))},
	}
	return forms[r.IntN(len(forms))]
}

// TestOneIdentity: whatever the body and the headers of a message say, Skip and Handle
// decide by one trace, which is also the one that is linked: the body's, or that of the
// headers when the body names none. A second hand-over decides alike, as a redrive does.
func TestOneIdentity(t *testing.T) {
	t.Parallel()
	const events = 20_000
	cfg := sampler.Config{DefaultRate: 0.5, Salt: "test"}
	w := &world{}
	p := newPipeline(t, w, cfg, judge("correctness", func(context.Context, *event.Event) (eval.Verdict, error) { return pass, nil }))
	r := rand.New(rand.NewPCG(17, 19))
	some := func() event.TraceID { return event.TraceID{Hi: r.Uint64() | 1, Lo: r.Uint64() | 1} }
	skipped, inMessage, differing := 0, 0, 0
	for i := range events {
		var want, own event.TraceID
		body := fmt.Sprintf(`{"event":"llm_request_completed","request_id":"r%d"`, i)
		if r.IntN(3) > 0 {
			own = some()
			body += "," + spelled(r, own, r.Uint64()|1)
			want = own
		}
		m := event.Message{Value: []byte(body + "}")}
		if r.IntN(3) > 0 { // by a publisher that knows the body
			e, err := event.Decode(m.Value)
			if err != nil {
				t.Fatal(err)
			}
			m.Headers = e.Headers()
			if r.IntN(4) == 0 { // or one that copies the request's headers and no more
				m.Headers = slices.DeleteFunc(m.Headers, func(h event.Header) bool { return h.Key == event.HeaderTraceID })
			}
		}
		if r.IntN(2) > 0 { // through a client that a tracer instruments
			published := some()
			if !own.IsZero() && r.IntN(2) > 0 {
				published = own
			}
			if own.IsZero() {
				want = published
				inMessage++
			} else if published != own {
				differing++
			}
			added := carried(r, published, r.Uint64()|1)
			switch r.IntN(3) {
			case 0: // as dd-trace-go does: its headers replace those of the same names
				m.Headers = slices.DeleteFunc(m.Headers, func(h event.Header) bool {
					return slices.ContainsFunc(added, func(a event.Header) bool { return a.Key == h.Key })
				})
				m.Headers = append(m.Headers, added...)
			case 1:
				m.Headers = append(m.Headers, added...)
			default:
				m.Headers = append(added, m.Headers...)
			}
		}
		env := event.Envelope{Kind: event.KindRequestCompleted, RequestID: event.RequestID(fmt.Sprint("r", i)), Trace: want}
		plan := p.Policy().Sampler.Decide(&env)
		for range 2 {
			before := len(w.reports)
			if p.Skip(&m) {
				skipped++
				if len(plan.Picks) > 0 {
					t.Fatalf("%s, headers %q: skipped, and trace %s is wanted", m.Value, m.Headers, want)
				}
				continue
			}
			if err := p.Handle(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if evaluated := len(w.reports) > before; evaluated != (len(plan.Picks) > 0) {
				t.Fatalf("%s, headers %q: evaluated %t, trace %s wanted %d", m.Value, m.Headers, evaluated, want, len(plan.Picks))
			} else if !evaluated {
				continue
			}
			if trace, span := w.reports[before].Event.Origin(); trace.Lo != want.Lo || span == 0 != want.IsZero() {
				t.Fatalf("%s, headers %q: linked to %s, %d; want %s", m.Value, m.Headers, trace, span, want)
			}
			m.Headers = append(slices.Clip(m.Headers), event.Header{Key: "evalworker-redrives", Value: []byte("1")})
		}
	}
	if skipped < events/8 || inMessage < events/20 || differing < events/20 {
		t.Errorf("%d skipped, %d named by headers alone, %d by both: too few of %d to tell", skipped, inMessage, differing, events)
	}
}

// TestIDsAreTold: one line for each fault, with its place and its mend, whatever the
// number of events; an id itself is not in it.
func TestIDsAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		var log strings.Builder
		p, err := pipeline.New(newPolicy(t, all(), rule("format", pass)), pipeline.Deps{Redactor: w, Keeper: w, Recorder: w, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		handle := func(fields string, times int) {
			for range times {
				if err := p.Handle(t.Context(), message(`{"event":"llm_request_completed","request_id":"r",`+fields+`}`)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for fields, want := range map[string]string{
			`"trace_id":"chat of Ann","span_id":"1"`:               "level=WARN .* reason=trace_malformed place=trace_id",
			`"trace_id":"17","span_id":"step of Ann"`:              "level=WARN .* reason=span_malformed place=span_id",
			`"trace_id":"17"`:                                      "level=INFO .* reason=span_missing place=span_id",
			`"dd.trace_id":"0"`:                                    "level=INFO .* reason=zero place=dd.trace_id",
			`"feature":"a"`:                                        "level=INFO .* reason=absent place=trace_id",
			`"trace_id":"17","span_id":"1","dd":{"trace_id":"18"}`: "level=INFO .* reason=differs place=dd.trace_id",
		} {
			before := log.Len()
			handle(fields, 3)
			text := log.String()[before:]
			if strings.Count(text, "\n") != 1 || !regexp.MustCompile(want+".* mend=").MatchString(text) || strings.Contains(text, "Ann") {
				t.Errorf("%s: want one line %s, got\n%s", fields, want, text)
			}
		}
		<-time.After(2 * time.Minute) // of the bubble's clock
		before := log.Len()
		handle(`"feature":"a"`, 1)
		if text := log.String()[before:]; !strings.Contains(text, "count=3") {
			t.Errorf("no count: %s", text)
		}
		before = log.Len()
		handle(`"trace_id":"17","span_id":"1"`, 1)
		if text := log.String()[before:]; text != "" {
			t.Errorf("an event that is linked is told: %s", text)
		}
	})
}
