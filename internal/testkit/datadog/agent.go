package datadog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// Span is one span as it reached the agent.
type Span struct {
	TraceID  uint64 // lower half
	SpanID   uint64
	ParentID uint64
	Service  string
	Name     string // operation
	Resource string
	Type     string
	Start    int64 // nanoseconds since 1970
	Duration int64 // nanoseconds
	Error    bool
	Meta     map[string]string
	Metrics  map[string]float64
	Links    []SpanLink
}

// SpanLink ties a span to one of another trace, or of another process.
type SpanLink struct {
	TraceID    uint64            `json:"trace_id"`
	TraceIDHi  uint64            `json:"trace_id_high"`
	SpanID     uint64            `json:"span_id"`
	Attributes map[string]string `json:"attributes"`
}

// Priority returns the sampling priority that a chunk's first span carries.
func (s Span) Priority() (int, bool) {
	p, ok := s.Metrics["_sampling_priority_v1"]
	return int(p), ok
}

// AgentSink is a trace agent that keeps what it receives. It speaks the v0.4
// protocol over plain HTTP, so it works with an unchanged tracer in the same
// process or in another.
type AgentSink struct {
	URL string

	report func(error)
	arrivals[Span]
}

// Agent starts a trace agent. It stops with the test.
func Agent(t testing.TB) *AgentSink {
	t.Helper()
	a, handler := NewAgent(func(err error) { t.Errorf("trace agent: %v", err) })
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	a.URL = srv.URL
	return a
}

// NewAgent returns a trace agent and its handler, for programs that are not tests.
// It reports what it cannot read or answer.
func NewAgent(report func(error)) (*AgentSink, http.Handler) {
	a := &AgentSink{report: report}
	mux := http.NewServeMux()
	mux.HandleFunc("/info", func(w http.ResponseWriter, _ *http.Request) {
		a.reply(w, map[string]any{
			"version": "7.70.0", "endpoints": []string{"/v0.4/traces", "/v0.6/stats", "/telemetry/proxy/"}, "client_drop_p0s": true,
		})
	})
	mux.HandleFunc("/v0.4/traces", a.traces)
	mux.HandleFunc("/v0.6/stats", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
	})
	return a, mux
}

// Spans returns the spans that have arrived so far.
func (a *AgentSink) Spans() []Span { return a.all() }

// Named returns the spans of an operation.
func (a *AgentSink) Named(operation string) []Span {
	return slices.DeleteFunc(a.Spans(), func(s Span) bool { return s.Name != operation })
}

// Wait returns once ok accepts what has arrived, and false when ctx ends first.
func (a *AgentSink) Wait(ctx context.Context, ok func(*AgentSink) bool) bool {
	return a.wait(ctx, func() bool { return ok(a) })
}

func (a *AgentSink) traces(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil { // the tracer was cut off; the test sees that its spans are missing
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	spans, err := decodeTraces(bytes.NewReader(body))
	if err != nil {
		a.report(err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.add(spans...)
	a.reply(w, map[string]any{"rate_by_service": map[string]float64{}})
}

func (a *AgentSink) reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		a.report(fmt.Errorf("answer: %w", err))
	}
}

// decodeTraces reads an array of traces, each an array of spans, in MessagePack.
func decodeTraces(r io.Reader) ([]Span, error) {
	in := msgp.NewReader(r)
	traces, err := in.ReadArrayHeader()
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	var out []Span
	for range traces {
		spans, err := in.ReadArrayHeader()
		if err != nil {
			return nil, fmt.Errorf("trace: %w", err)
		}
		for range spans {
			fields := map[string]any{}
			if err := in.ReadMapStrIntf(fields); err != nil {
				return nil, fmt.Errorf("span: %w", err)
			}
			s, err := spanOf(fields)
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
	}
	return out, nil
}

func spanOf(fields map[string]any) (Span, error) {
	d := fieldReader{fields: fields}
	s := Span{
		TraceID: d.id("trace_id"), SpanID: d.id("span_id"), ParentID: d.id("parent_id"),
		Service: d.text("service"), Name: d.text("name"), Resource: d.text("resource"), Type: d.text("type"),
		Start: int64(d.id("start")), Duration: int64(d.id("duration")), Error: d.id("error") != 0, //nolint:gosec // nanoseconds fit
		Meta: map[string]string{}, Metrics: map[string]float64{},
	}
	for k, v := range d.object("meta") {
		text, ok := v.(string)
		if !ok {
			return Span{}, fmt.Errorf("span %s: meta %q is no text", s.Name, k)
		}
		s.Meta[k] = text
	}
	for k, v := range d.object("metrics") {
		number, ok := v.(float64)
		if !ok {
			return Span{}, fmt.Errorf("span %s: metric %q is no number", s.Name, k)
		}
		s.Metrics[k] = number
	}
	if links := s.Meta["_dd.span_links"]; links != "" {
		if err := json.Unmarshal([]byte(links), &s.Links); err != nil {
			return Span{}, fmt.Errorf("span %s: links: %w", s.Name, err)
		}
	}
	return s, d.err
}

// fieldReader reads typed fields of a span and keeps the first fault.
type fieldReader struct {
	fields map[string]any
	err    error
}

func (d *fieldReader) fault(name, want string) {
	if d.err == nil {
		d.err = fmt.Errorf("span: field %q is no %s", name, want)
	}
}

func (d *fieldReader) id(name string) uint64 {
	switch v := d.fields[name].(type) {
	case nil:
		return 0
	case uint64:
		return v
	case int64:
		return uint64(v) //nolint:gosec // the encoder picks the sign by size alone
	}
	d.fault(name, "integer")
	return 0
}

func (d *fieldReader) text(name string) string {
	v, ok := d.fields[name].(string)
	if !ok && d.fields[name] != nil {
		d.fault(name, "text")
	}
	return v
}

func (d *fieldReader) object(name string) map[string]any {
	v, ok := d.fields[name].(map[string]any)
	if !ok && d.fields[name] != nil {
		d.fault(name, "map")
	}
	return v
}
