package event_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
)

// messages makes messages whose bodies and headers name spans in many forms, right and
// wrong, few enough that they often agree.
type messages struct{ *rand.Rand }

func (r messages) pick(of ...string) string { return of[r.IntN(len(of))] }

func (r messages) id() string {
	hi, lo := []uint64{0, 77}[r.IntN(2)], []uint64{0x1234567890123456, 0xa3ce929d0e0e4736, 7041, 1234567890123456}[r.IntN(4)]
	switch long := (event.TraceID{Hi: hi, Lo: lo}).String(); r.IntN(8) {
	case 0, 1:
		return long
	case 2:
		return fmt.Sprint(lo)
	case 3:
		return fmt.Sprintf("%016x", lo)
	case 4:
		return fmt.Sprintf(" 0x%x ", lo)
	case 5:
		return strings.Join([]string{long[:8], long[8:12], long[12:16], long[16:20], long[20:]}, "-")
	case 6:
		return r.pick("", "0", "00000000000000000000000000000000", "null")
	default:
		return r.pick("xyz", "1-5759e988-bd862e3fe1be46a994272793", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "-5")
	}
}

// member returns a header, or a field, that may name the span.
func (r messages) member() (key, value string) {
	switch r.IntN(5) {
	case 0:
		key = r.pick("traceparent", "Traceparent", "TRACEPARENT", "trace-parent", "trace_parent")
		trace := event.TraceID{Hi: uint64(r.IntN(2)), Lo: []uint64{7041, 0x1234567890123456}[r.IntN(2)]}
		return key, r.pick("", "00-", fmt.Sprintf("00-%s-%016x-01", trace, r.IntN(3)))
	case 1:
		return r.pick("b3", "B3"), r.pick("0", r.id(), r.id()+"-"+r.id()+"-1")
	case 2:
		return r.pick("x-datadog-trace-id", "X-Datadog-Trace-Id", "x_datadog_trace_id", "dd.trace_id", "dd_trace_id"), r.id()
	case 3:
		return r.pick("x-b3-traceid", "X-B3-TraceId", "traceId", "Trace_Id", "trace_id_", "otelTraceID", "trace.id"), r.id()
	default:
		return r.pick("x-datadog-parent-id", "x-b3-spanid", "span_id", "dd.span_id", "span.id"), r.id()
	}
}

// object returns members of a JSON object without its braces.
func (r messages) object(n int) string {
	members := map[string]string{}
	for range n {
		key, value := r.member()
		members[key] = value
	}
	var out []string
	for key, value := range members {
		out = append(out, fmt.Sprintf("%q:%q", key, value))
	}
	return strings.Join(out, ",")
}

// TestHeadersSettleOneTrace: where headers tell which trace an event is about, it is that
// of the body joined with them, whatever is written in which place, and each reading
// of a body tells the same.
func TestHeadersSettleOneTrace(t *testing.T) {
	t.Parallel()
	r := messages{rand.New(rand.NewPCG(3, 2))}
	agreed := 0
	for range 40_000 {
		body := `{"event":"llm_request_completed","request_id":"r1","trace_context":{` + r.object(r.IntN(3)) + `}`
		if more := r.object(r.IntN(3)); more != "" {
			body += "," + more
		}
		e, err := event.Decode([]byte(body + "}"))
		if err != nil {
			t.Fatal(err)
		}
		own, _ := e.Origin()
		hs := e.Headers()
		if env, _ := event.EnvelopeFromHeaders(hs); env.Trace.Lo != own.Lo {
			t.Fatalf("%s: trace %s, in headers %s: %q", body, own, env.Trace, hs)
		}
		for range r.IntN(4) {
			key, value := r.member()
			h := event.Header{Key: key, Value: []byte(value)}
			if r.IntN(2) == 0 {
				hs = append(hs, h)
			} else {
				hs = append([]event.Header{h}, hs...)
			}
		}
		var v event.HeaderView
		v.Read(hs, r.IntN(2) == 0)
		if !v.Agrees() {
			continue
		}
		agreed++
		e.Join(hs)
		if joined, _ := e.Origin(); joined.Lo != v.Trace().Lo {
			t.Fatalf("%s, headers %q: decided by %s, linked to %s", body, hs, v.Trace(), joined)
		}
	}
	if agreed < 1_000 {
		t.Errorf("%d messages whose headers settle their trace", agreed)
	}
}

// TestHeadersInSeveralCases: of one header in several cases the same one counts each time.
func TestHeadersInSeveralCases(t *testing.T) {
	t.Parallel()
	const parent = "00-0000000000000000000000000000000%d-b7ad6b7169203331-01"
	c := event.TraceContext{}
	for i, key := range []string{"TRACEPARENT", "TraceParent", "Traceparent", "traceParent"} {
		c[key] = fmt.Sprintf(parent, i+1)
	}
	for range 50 {
		e := event.Event{TraceContext: c}
		trace, _ := e.Origin()
		if got, want := c.Get(event.HeaderTraceparent), fmt.Sprintf(parent, 4); got != want || trace.Lo != 4 {
			t.Fatalf("traceparent %s, trace %s; want %s", got, trace, want)
		}
	}
}

// TestZeroIsOneRating: a zero has one form, so that conditions compare it.
func TestZeroIsOneRating(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"-0": "0", "0.0": "0", "-0.0": "0", "1e-400": "0", "-0/5": "0/5"} {
		if got := event.NormalRating(text); got != want {
			t.Errorf("rating %q is %q, want %q", text, got, want)
		}
	}
}
