package agent

import (
	"encoding/json"
	"testing"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
	"github.com/DataDog/dd-trace-go/v2/llmobs"
	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/emitter/ddtrace"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// llmSpan is what an application's LLM span is called, the headers of a span below it, and
// what the emitter takes from its own context.
type llmSpan struct {
	trace, span, apmTrace string
	headers, own          map[string]string
}

// application makes a span with Datadog's library of LLM Observability.
func application(t *testing.T, p *peer) llmSpan {
	t.Helper()
	err := tracer.Start(tracer.WithAgentURL(p.URL), tracer.WithService("desk"), tracer.WithLogStartup(false), tracer.WithLLMObsEnabled(true),
		tracer.WithLLMObsMLApp("desk"), tracer.WithLLMObsAgentlessEnabled(false), tracer.WithLogger(tracer.AdaptLogger(func(tracer.LogLevel, string, ...any) {})))
	if err != nil {
		t.Fatal(err)
	}
	defer tracer.Stop()
	llm, ctx := llmobs.StartLLMSpan(t.Context(), "chat")
	own := ddtrace.FromContext(ctx)
	below, _ := tracer.StartSpanFromContext(ctx, "publish")
	headers := tracer.TextMapCarrier{}
	if err := tracer.Inject(below.Context(), headers); err != nil {
		t.Error(err)
	}
	out := llmSpan{llm.TraceID(), llm.SpanID(), llm.APMTraceID(), headers, own}
	below.Finish()
	llm.Finish()
	return out
}

// TestIDsOfTheLibrary: an evaluation names the span as Datadog's library names it to
// Datadog, for an event that carries the headers of a span below it, with and without
// those of Datadog, and for one that is emitted in the span itself.
func TestIDsOfTheLibrary(t *testing.T) {
	p := start(t, false)
	t.Setenv("DD_API_KEY", "")
	app := application(t, p)
	if app.trace == app.apmTrace || app.headers["x-datadog-tags"] == "" || app.headers["tracestate"] == "" {
		t.Fatalf("ids %+v", app)
	}
	w := worker(t, p, evaluations)
	report := func(headers map[string]string) {
		e := &event.Event{Kind: event.KindRequestCompleted, RequestID: "r", TraceContext: headers}
		w.Report(judgement(e, eval.Verdict{Eval: "pii", Type: eval.TypeRule, Outcome: eval.OutcomeFail}))
	}
	report(app.headers)
	report(app.own)
	report(map[string]string{"traceparent": app.headers["traceparent"], "tracestate": app.headers["tracestate"]})
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	requests := p.intake("/api/intake/llm-obs/v2/eval-metric")
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	var body struct {
		Data struct {
			Attributes struct {
				Metrics []struct {
					JoinOn map[string]map[string]string `json:"join_on"`
					MLApp  string                       `json:"ml_app"`
				}
			}
		}
	}
	if err := json.Unmarshal(requests[0].body, &body); err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]string{"span": {"trace_id": app.trace, "span_id": app.span}}
	var apps []string
	for _, m := range body.Data.Attributes.Metrics {
		apps = append(apps, m.MLApp)
		if diff := cmp.Diff(want, m.JoinOn); diff != "" {
			t.Errorf("join (-want +got):\n%s", diff)
		}
	}
	// The span's own context does not say its application, so the configuration does.
	if diff := cmp.Diff([]string{"desk", "returns-desk", "desk"}, apps); diff != "" {
		t.Errorf("ml_app (-want +got):\n%s", diff)
	}
}
