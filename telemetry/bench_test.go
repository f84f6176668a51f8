package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

// loopback is a Telemetry with loopback agents that share the machine.
func benched(b *testing.B) *Telemetry {
	b.Helper()
	cfg := DefaultConfig()
	cfg.AgentURL, cfg.DogStatsDURL = sink(b), datadog.StatsD(b).Address
	t, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler), Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = t.Close(context.Background()) }) // b.Context has ended by then
	return t
}

// sink is a trace agent that discards what it reads.
func sink(b *testing.B) string {
	b.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write([]byte(`{"endpoints":["/v0.4/traces","/v0.6/stats"],"client_drop_p0s":true}`))
	}))
	b.Cleanup(srv.Close)
	return srv.URL
}

// benchReports are events of one feature and eight prompt versions, each with a
// schema check and two judges.
func benchReports() []*eval.Report {
	now := time.Now()
	reports := make([]*eval.Report, 64)
	for i := range reports {
		r := &eval.Report{
			Event: &event.Event{
				Kind: event.KindRequestCompleted, RequestID: event.RequestID(fmt.Sprint("req-", i)), OccurredAt: now,
				Environment: "prod", Feature: "returns_desk", PromptName: "returns", PromptVersion: fmt.Sprint(i % 8), Model: "small-1", Provider: "acme",
				TraceContext: event.TraceContext{"x-datadog-trace-id": "1234", "x-datadog-parent-id": "5678", "x-datadog-sampling-priority": "1"},
			},
			Started: now, Duration: time.Second,
		}
		for _, name := range []string{"reply_format", "correctness", "safety"} {
			v := eval.Verdict{Eval: name, Type: eval.TypeLLMJudge, Outcome: eval.OutcomePass, Score: 0.9, Probability: 0.3, Rule: "default", Version: "v1", Started: now}
			if name == "reply_format" {
				v.Type = eval.TypeJSONSchema
			}
			r.Verdicts = append(r.Verdicts, v)
		}
		reports[i] = r
	}
	return reports
}

// BenchmarkMetrics measures the metrics of an event.
func BenchmarkMetrics(b *testing.B) {
	t, reports := benched(b), benchReports()
	rec := &recorder{meter: t.meter, drops: t.drops, random: t.record.random, toolNames: newToolNames(nil)}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		rec.report(reports[i%len(reports)])
		i++
	}
}

// BenchmarkSpans measures the five spans of an event.
func BenchmarkSpans(b *testing.B) {
	t, reports := benched(b), benchReports()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		t.spans.report(reports[i%len(reports)])
		i++
	}
}

// BenchmarkReport measures the cost for the caller of Report. Most reports are
// dropped here, because the caller is faster than the queue's goroutine.
func BenchmarkReport(b *testing.B) {
	t, reports := benched(b), benchReports()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		t.Report(reports[i%len(reports)])
		i++
	}
}

// BenchmarkSkipped measures an event that is sampled out.
func BenchmarkSkipped(b *testing.B) {
	t := benched(b)
	b.ReportAllocs()
	for b.Loop() {
		t.Skipped(eval.DispositionSampledOut, 1)
	}
}

// BenchmarkDataStream measures one message with a pathway and ten other headers, with
// Data Streams on.
func BenchmarkDataStream(b *testing.B) {
	cfg := DefaultConfig()
	cfg.AgentURL, cfg.DogStatsDURL, cfg.DataStreams = sink(b), datadog.StatsD(b).Address, true
	t, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler), Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = t.Close(context.Background()) })
	m := event.Message{Value: make([]byte, 2000)}
	for i := range 10 {
		m.Headers = append(m.Headers, event.Header{Key: fmt.Sprint("header-", i), Value: []byte("value")})
	}
	m.Headers = append(m.Headers, event.Header{Key: "dd-pathway-ctx-base64", Value: []byte("1R2N8jA1YzTe6bX5vWXe6bX5vWU=")})
	stream := t.DataStream("llm.requests.completed", "evalworker")
	b.ReportAllocs()
	for b.Loop() {
		stream.Consumed(&m)
	}
}

// BenchmarkEvaluations measures the evaluations of an event with three verdicts, from
// the report to the queue.
func BenchmarkEvaluations(b *testing.B) {
	cfg := enabled()
	s, _ := newTestSubmitter(cfg, &nowhere{})
	b.Cleanup(func() { <-s.close(context.Background()) })
	reports := benchReports()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.report(reports[i%len(reports)])
		i++
	}
}

type nowhere struct{}

func (nowhere) send(context.Context, []evaluation) map[string]int { return nil }
func (nowhere) close()                                            {}
