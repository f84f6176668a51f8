package agent

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/telemetry"
)

// The trace of the original request, in the headers below.
const (
	lowID      = "5e6f7a8b9c0d1e2f"
	lowDecimal = "6804792302017257007"
	highID     = "6745678900000000"
	spanID     = 4660
	spanHex    = "0000000000001234"
	original   = highID + lowID
)

// datadogHeaders returns what Datadog's tracers inject, with this sampling priority.
func datadogHeaders(priority string) map[string]string {
	h := map[string]string{
		"x-datadog-trace-id": lowDecimal, "x-datadog-parent-id": "4660", "x-datadog-tags": "_dd.p.tid=" + highID + ",_dd.p.dm=-1",
	}
	if priority != "" {
		h["x-datadog-sampling-priority"] = priority
	}
	return h
}

func w3cHeaders(flags, state string) map[string]string {
	h := map[string]string{"traceparent": "00-" + original + "-" + spanHex + "-" + flags}
	if state != "" {
		h["tracestate"] = state
	}
	return h
}

// join returns the headers of both.
func join(a, b map[string]string) map[string]string {
	maps.Copy(a, b)
	return a
}

// TestKept is the matrix of the headers of an event, its age and its outcome against what
// the agent lets through: the spans, the trace that they are in and its priority.
func TestKept(t *testing.T) {
	const (
		young = time.Minute
		old   = time.Hour
	)
	all := []string{"eval.run", "eval.score first", "eval.score second"}
	noBudget := func(c *telemetry.Config) { c.KeepFailures = 0 }
	for _, row := range []struct {
		name     string
		headers  map[string]string
		age      time.Duration
		outcome  eval.Outcome
		change   func(*telemetry.Config)
		mode     string
		priority int32
		spans    []string
	}{
		{"kept, young, pass", datadogHeaders("1"), young, eval.OutcomePass, nil, "child", 1, all},
		{"kept, young, fail", datadogHeaders("1"), young, eval.OutcomeFail, nil, "child", 1, all},
		{"kept by hand, young, pass", datadogHeaders("2"), young, eval.OutcomePass, nil, "child", 2, all},
		{"kept, old, pass", datadogHeaders("1"), old, eval.OutcomePass, nil, "link", 1, all},
		{"kept, old, fail", datadogHeaders("1"), old, eval.OutcomeFail, nil, "link", 2, all},
		{"dropped, pass", datadogHeaders("0"), young, eval.OutcomePass, nil, "link", 1, all},
		{"dropped, fail", datadogHeaders("0"), young, eval.OutcomeFail, nil, "link", 2, all},
		{"dropped by hand, pass", datadogHeaders("-1"), young, eval.OutcomePass, nil, "link", 1, all},
		{"dropped by hand, fail", datadogHeaders("-1"), young, eval.OutcomeFail, nil, "link", 2, all},
		{"dropped, fail, no budget", datadogHeaders("0"), young, eval.OutcomeFail, noBudget, "link", 1, all},
		{"priority absent", datadogHeaders(""), young, eval.OutcomePass, nil, "link", 1, all},
		{"the evaluator failed", datadogHeaders("1"), young, eval.OutcomeError, nil, "child", 1, all},
		{"W3C, sampled", w3cHeaders("01", ""), young, eval.OutcomePass, nil, "child", 1, all},
		{"W3C, sampled, by hand", w3cHeaders("01", "dd=s:2;t.dm:-4"), young, eval.OutcomePass, nil, "child", 2, all},
		{"W3C, not sampled", w3cHeaders("00", ""), young, eval.OutcomePass, nil, "link", 1, all},
		{"W3C, the flag wins over the state", w3cHeaders("00", "dd=s:2"), young, eval.OutcomePass, nil, "link", 1, all},
		{"no headers, pass", nil, young, eval.OutcomePass, nil, "none", 1, all},
		{"no headers, fail", nil, young, eval.OutcomeFail, nil, "none", 2, all},
		{"no parent for a child of age zero", datadogHeaders("1"), young, eval.OutcomePass, func(c *telemetry.Config) { c.MaxChildAge = 0 }, "link", 1, all},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := start(t, false)
			w := worker(t, p, row.change)
			w.Report(report(request(t, row.age, row.headers), row.outcome))
			if err := w.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			spans := p.got(t)
			var names []string
			for _, s := range spans {
				name := s.Name
				if name == "eval.score" {
					name += " " + s.Resource
				}
				names = append(names, name)
				if s.Priority != row.priority {
					t.Errorf("%s has priority %d, want %d", name, s.Priority, row.priority)
				}
				if in := s.Trace == original; in != (row.mode == "child") {
					t.Errorf("%s is in trace %s, mode %s", name, s.Trace, row.mode)
				}
			}
			if diff := cmp.Diff(row.spans, names); diff != "" {
				t.Fatalf("spans that the agent let through (-want +got):\n%s", diff)
			}
			run := spans[0]
			if got := run.text("eval.link_mode"); got != row.mode {
				t.Errorf("eval.link_mode = %q, want %q", got, row.mode)
			}
			parent, links := uint64(0), []link(nil)
			if row.mode == "child" {
				parent = spanID
			}
			if row.mode != "none" {
				links = []link{{original, spanID}}
			}
			if run.Parent != parent {
				t.Errorf("parent %d, want %d", run.Parent, parent)
			}
			if diff := cmp.Diff(links, run.Links); diff != "" {
				t.Errorf("links (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFailuresSurviveSampling: under more failures than the agent's own rate would keep,
// as many as configured are kept by hand, whatever the agent drops.
func TestFailuresSurviveSampling(t *testing.T) {
	p := start(t, false)
	const perSecond = 5
	w := worker(t, p, func(c *telemetry.Config) { c.KeepFailures = perSecond })
	started := time.Now()
	e := request(t, time.Minute, datadogHeaders("0"))
	for range 500 {
		w.Report(report(e, eval.OutcomeFail))
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	most := perSecond * (2 + int(time.Since(started)/time.Second)) // a second's worth at once, more while time passes
	byHand := 0
	for _, s := range p.got(t) {
		if s.Name == "eval.run" && s.Priority == 2 {
			byHand++
		}
	}
	if byHand < perSecond || byHand > most {
		t.Errorf("%d failures are kept by hand, want %d to %d", byHand, perSecond, most)
	}
}

// TestLinksOnBothProtocols: the link reaches Datadog alike, with all 128 bits, whichever
// protocol tracer and agent agree on.
func TestLinksOnBothProtocols(t *testing.T) {
	for protocol, path := range map[string]string{"0.4": "/v0.4/traces", "1.0": "/v1.0/traces"} {
		t.Run(protocol, func(t *testing.T) {
			t.Setenv("DD_TRACE_AGENT_PROTOCOL_VERSION", protocol)
			p := start(t, false)
			w := worker(t, p, nil)
			w.Report(report(request(t, time.Minute, datadogHeaders("0")), eval.OutcomePass))
			if err := w.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			spans := p.got(t)
			if !p.used(path) {
				t.Errorf("no request to %s: %v", path, p.paths)
			}
			if len(spans) != 3 {
				t.Fatalf("%d spans", len(spans))
			}
			run := spans[0]
			if diff := cmp.Diff([]link{{original, spanID}}, run.Links); diff != "" {
				t.Errorf("links (-want +got):\n%s", diff)
			}
			for key, want := range map[string]string{"llm.trace_id": original, "request_id": "request-1", "eval.link_mode": "link"} {
				if got := run.text(key); got != want {
					t.Errorf("%s = %q, want %q", key, got, want)
				}
			}
		})
	}
}

// TestCarriers: headers of an event, read by our code and the tracer's, name one span
// for the agent, or none.
func TestCarriers(t *testing.T) {
	upper := map[string]string{"X-Datadog-Trace-Id": lowDecimal, "X-Datadog-Parent-Id": "4660", "X-Datadog-Tags": "_dd.p.tid=" + highID}
	half := strings.Repeat("0", 16) + lowID // what 64 bits of an id say
	for _, row := range []struct {
		name    string
		headers map[string]string
		trace   string // "": no link
	}{
		{"Datadog", datadogHeaders("1"), original},
		{"Datadog, other case", upper, original},
		{"Datadog, 64 bits", map[string]string{"x-datadog-trace-id": lowDecimal, "x-datadog-parent-id": "4660"}, half},
		{"W3C", w3cHeaders("01", "dd=s:1;t.dm:-1"), original},
		{"both", join(datadogHeaders("1"), w3cHeaders("01", "dd=s:1")), original},
		{"Datadog without the upper half beside W3C", join(map[string]string{"x-datadog-trace-id": lowDecimal, "x-datadog-parent-id": "4660"}, w3cHeaders("01", "")), original},
		{"a priority that is no number beside W3C", join(datadogHeaders("abc"), w3cHeaders("01", "")), original},
		{"a priority that is no number", datadogHeaders("abc"), original},
		{"hostile tags", join(datadogHeaders("1"), map[string]string{"x-datadog-tags": "_dd.p.tid=" + highID + ",_dd.p.usr=" + strings.Repeat("x", 600)}), original},
		{"a negative id", map[string]string{"x-datadog-trace-id": "-5", "x-datadog-parent-id": "4660"}, ""},
		{"W3C of zeros", map[string]string{"traceparent": "00-" + strings.Repeat("0", 32) + "-" + spanHex + "-01"}, ""},
		{"no parent", map[string]string{"x-datadog-trace-id": lowDecimal}, ""},
		{"nothing", nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := start(t, false)
			w := worker(t, p, nil)
			w.Report(report(request(t, time.Minute, row.headers), eval.OutcomePass))
			if err := w.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			spans := p.got(t)
			if len(spans) != 3 {
				t.Fatalf("%d spans, want 3", len(spans))
			}
			want := []link{{row.trace, spanID}}
			if row.trace == "" {
				want = nil
			}
			if diff := cmp.Diff(want, spans[0].Links); diff != "" {
				t.Errorf("links (-want +got):\n%s", diff)
			}
			run := slices.IndexFunc(spans, func(s span) bool { return s.Name == "eval.run" })
			if row.trace != "" && spans[run].text("llm.trace_id") != row.trace && spans[run].text("llm.trace_id") != strings.TrimLeft(row.trace, "0") {
				t.Errorf("llm.trace_id = %q, want %q", spans[run].text("llm.trace_id"), row.trace)
			}
		})
	}
}
