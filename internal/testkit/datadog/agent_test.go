package datadog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"

	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

// post sends a payload as a tracer would.
func post(t *testing.T, agent *datadog.AgentSink, body []byte) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, agent.URL+"/v0.4/traces", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func encode(t *testing.T, traces ...[]any) []byte {
	t.Helper()
	all := make([]any, len(traces))
	for i := range traces {
		all[i] = traces[i]
	}
	b, err := msgp.AppendIntf(nil, all)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAgentDecodes(t *testing.T) {
	t.Parallel()
	agent := datadog.Agent(t)
	links := `[{"trace_id":7,"trace_id_high":8,"span_id":9,"attributes":{"link.kind":"evaluates"}}]`
	resp := post(t, agent, encode(t, []any{map[string]any{
		"trace_id": uint64(1<<63 + 1), "span_id": int64(2), "parent_id": uint64(3), "service": "svc", "name": "op", "resource": "res", "type": "queue",
		"start": int64(1700), "duration": int64(5), "error": int64(1),
		"meta": map[string]any{"k": "v", "_dd.span_links": links}, "metrics": map[string]any{"_sampling_priority_v1": 2.0},
	}}, []any{map[string]any{"name": "bare"}}))
	var answer struct {
		Rates map[string]float64 `json:"rate_by_service"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Rates == nil {
		t.Fatalf("answer %+v, %v; want rates, though none", answer, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if !agent.Wait(ctx, func(a *datadog.AgentSink) bool { return len(a.Spans()) == 2 }) {
		t.Fatal("two spans did not arrive")
	}
	want := datadog.Span{
		TraceID: 1<<63 + 1, SpanID: 2, ParentID: 3, Service: "svc", Name: "op", Resource: "res", Type: "queue", Start: 1700, Duration: 5, Error: true,
		Meta: map[string]string{"k": "v", "_dd.span_links": links}, Metrics: map[string]float64{"_sampling_priority_v1": 2},
		Links: []datadog.SpanLink{{TraceID: 7, TraceIDHi: 8, SpanID: 9, Attributes: map[string]string{"link.kind": "evaluates"}}},
	}
	got := agent.Named("op")
	if d := cmp.Diff([]datadog.Span{want}, got); d != "" {
		t.Errorf("span (-want +got):\n%s", d)
	}
	if p, ok := got[0].Priority(); !ok || p != 2 {
		t.Errorf("priority = %d, %t", p, ok)
	}
	if _, ok := agent.Named("bare")[0].Priority(); ok {
		t.Error("a span without a priority has one")
	}
}

// failures replaces a test, to check that the sink would fail it.
type failures struct {
	testing.TB
	n chan struct{}
}

func (f failures) Errorf(string, ...any) { f.n <- struct{}{} }

func TestAgentRefuses(t *testing.T) {
	t.Parallel()
	bad := encode(t, []any{map[string]any{"name": "op", "meta": map[string]any{"k": 1.5}}})
	for name, body := range map[string][]byte{
		"no MessagePack":            []byte("{}"),
		"cut off":                   bad[:len(bad)-3],
		"a number for text":         bad,
		"text for a number":         encode(t, []any{map[string]any{"name": "op", "metrics": map[string]any{"k": "1.5"}}}),
		"text for an id":            encode(t, []any{map[string]any{"trace_id": "5"}}),
		"a number for a name":       encode(t, []any{map[string]any{"name": 5.0}}),
		"a list for meta":           encode(t, []any{map[string]any{"meta": []any{}}}),
		"links that are no JSON":    encode(t, []any{map[string]any{"meta": map[string]any{"_dd.span_links": "["}}}),
		"a trace that is no array":  {0x91, 0x01},
		"a span that is no map":     {0x91, 0x91, 0x01},
		"more spans than are there": {0x91, 0x92, 0x80},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := failures{t, make(chan struct{}, 1)}
			agent := datadog.Agent(f)
			if resp := post(t, agent, body); resp.StatusCode != http.StatusBadRequest {
				t.Errorf("status = %d, want 400", resp.StatusCode)
			}
			select {
			case <-f.n:
			default:
				t.Error("the sink did not fail the test")
			}
			if len(agent.Spans()) != 0 {
				t.Error("a span was taken")
			}
		})
	}
}
