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
	TraceID  uint64             `json:"trace_id"` // lower half
	SpanID   uint64             `json:"span_id"`
	ParentID uint64             `json:"parent_id"`
	Service  string             `json:"service"`
	Name     string             `json:"name"` // operation
	Resource string             `json:"resource"`
	Type     string             `json:"type"`
	Start    int64              `json:"start"`    // nanoseconds since 1970
	Duration int64              `json:"duration"` // nanoseconds
	Error    bool               `json:"-"`
	Meta     map[string]string  `json:"meta"`
	Metrics  map[string]float64 `json:"metrics"`
	Links    []SpanLink         `json:"-"` // of Meta
}

// SpanLink links a span to one of another trace or process.
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
	mux.HandleFunc("/v0.6/stats", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})
	return a, mux
}

// Spans returns the spans that have arrived so far.
func (a *AgentSink) Spans() []Span { return a.all() }

// Named returns the spans with an operation name.
func (a *AgentSink) Named(operation string) []Span {
	return slices.DeleteFunc(a.Spans(), func(s Span) bool { return s.Name != operation })
}

// Wait returns true once ok accepts the spans that have arrived, and false when ctx
// ends first.
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

// decodeTraces reads an array of traces, each an array of spans, in MessagePack. It
// goes through JSON, so that a field of another type is an error.
func decodeTraces(r io.Reader) ([]Span, error) {
	var text bytes.Buffer
	if _, err := msgp.CopyToJSON(&text, r); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	var traces [][]struct {
		Span
		Error int `json:"error"`
	}
	if err := json.Unmarshal(text.Bytes(), &traces); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	var out []Span
	for _, got := range slices.Concat(traces...) {
		s := got.Span
		s.Error = got.Error != 0
		if links := s.Meta["_dd.span_links"]; links != "" {
			if err := json.Unmarshal([]byte(links), &s.Links); err != nil {
				return nil, fmt.Errorf("span %s: links: %w", s.Name, err)
			}
		}
		out = append(out, s)
	}
	return out, nil
}
