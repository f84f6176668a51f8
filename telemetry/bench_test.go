package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"

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

// BenchmarkMetrics measures the metrics of an event: for DogStatsD alone, for Prometheus
// alone, and for both.
func BenchmarkMetrics(b *testing.B) {
	for _, sinks := range []struct {
		name               string
		statsd, prometheus bool
	}{{"dogstatsd", true, false}, {"prometheus", false, true}, {"both", true, true}} {
		b.Run(sinks.name, func(b *testing.B) {
			to, d, log := target{service: "evalworker"}, &drops{}, slog.New(slog.DiscardHandler)
			m := newMeter(to, limits{200, 2000}, d, log)
			if sinks.prometheus {
				newExposition(m, to)
			}
			if sinks.statsd {
				client, err := statsd.New(datadog.StatsD(b).Address, statsdOptions(to, d)...)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = client.Close() })
				m.statsd = client
			}
			rec := &recorder{
				meter: m, drops: d, random: rand.New(rand.NewPCG(1, 1)), requests: true, //nolint:gosec // a benchmark
				toolNames: newToolNames(nil), releases: newReleases(),
			}
			reports := benchReports()
			for _, r := range reports {
				rec.report(r)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				rec.report(reports[i%len(reports)])
				i++
			}
		})
	}
}

// BenchmarkPage measures a page for Prometheus, as the server asks for it, of a worker
// whose events have so many combinations of dimensions and everything that metrics are made
// of: three evaluators, tokens, latencies, cost, a retrieval, a tool. 4000 combinations
// reach the bounds.
func BenchmarkPage(b *testing.B) {
	heap := func() float64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return float64(s.HeapAlloc)
	}
	for _, combinations := range []int{200, 4000} {
		b.Run(fmt.Sprint(combinations), func(b *testing.B) {
			before := heap()
			to, d, log := target{service: "evalworker"}, &drops{}, slog.New(slog.DiscardHandler)
			m := newMeter(to, limits{200, 2000}, d, log)
			newExposition(m, to)
			rec := &recorder{
				meter: m, drops: d, random: rand.New(rand.NewPCG(1, 1)), requests: true, //nolint:gosec // a benchmark
				toolNames: newToolNames(nil), releases: newReleases(),
			}
			fill(rec, combinations)
			held := heap() - before
			req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics", nil)
			req.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3")
			b.ReportAllocs()
			var size int
			for b.Loop() {
				w := &counted{header: http.Header{}}
				m.prometheus.ServeHTTP(w, req)
				size = w.n
			}
			b.ReportMetric(float64(size)/1e6, "MB/page")
			b.ReportMetric(float64(m.prometheus.series()), "series")
			b.ReportMetric(held/1e6, "MB-held")
		})
	}
}

// counted is a response that is only counted.
type counted struct {
	header http.Header
	n      int
}

func (c *counted) Header() http.Header { return c.header }

func (c *counted) WriteHeader(int) {}

func (c *counted) Write(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}

// fill records events with so many combinations of dimensions, and everything that metrics
// are made of.
func fill(rec *recorder, combinations int) {
	now := time.Now()
	for i := range 10 * combinations {
		e := benchEvent(i % combinations)
		e.Status, e.RetryCount, e.InputTokens, e.OutputTokens = "success", new(int64(i%2)), new(int64(900+i)), new(int64(100+i))
		if i%7 == 0 {
			e.Status, e.ErrorType = "error", "timeout"
		}
		e.LatencyMS, e.FirstTokenLatencyMS, e.EstimatedCostUSD = new(float64(100*i)), new(float64(10*i)), new(0.001*float64(i))
		e.Retrieval = &event.Retrieval{Index: "help_center", TopScore: new(0.1 * float64(i%10)), HitCount: new(int64(i % 12))}
		e.ToolCalls = []event.ToolCall{{Name: "track_parcel", Status: "success"}}
		e.TaskCompleted = new(i%3 > 0)
		r := &eval.Report{Event: e, Started: now, Duration: time.Second}
		for n, name := range []string{"reply_format", "correctness", "safety"} {
			v := eval.Verdict{Eval: name, Type: eval.TypeLLMJudge, Outcome: eval.OutcomePass, Score: 0.1 * float64(i%11), Probability: 0.3}
			if n == 0 {
				v.Type = eval.TypeJSONSchema
			}
			if i%9 == n {
				v.Outcome = eval.OutcomeFail
			}
			r.Verdicts = append(r.Verdicts, v)
		}
		rec.report(r)
	}
}

// benchEvent returns an event with the n-th combination of dimensions.
func benchEvent(n int) *event.Event {
	return &event.Event{
		Kind: event.KindRequestCompleted, RequestID: "req", OccurredAt: time.Now(),
		Environment: "prod", Feature: fmt.Sprint("feature_", n%10), PromptName: fmt.Sprint("prompt_", n%10), PromptVersion: fmt.Sprint("2026-06-01.", n/20),
		Model: fmt.Sprint("model-", n/10%2), Provider: "acme", TenantTier: "enterprise",
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
