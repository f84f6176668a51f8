package agent

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/telemetry"
)

// evaluations turns evaluations on.
func evaluations(c *telemetry.Config) {
	c.LLMObservability.Enabled, c.LLMObservability.MLApp = true, "returns-desk"
	c.LLMObservability.Tag, c.LLMObservability.Reasoning = "request_id", true
}

// about returns an event with one more member.
func about(t *testing.T, member string) *event.Event {
	t.Helper()
	e, err := event.Decode([]byte(`{"event":"llm_request_completed","request_id":"req-42","environment":"prod","prompt_name":"returns","prompt_version":"7",` + member + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var evaluated = time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)

func judgement(e *event.Event, verdicts ...eval.Verdict) *eval.Report {
	for i := range verdicts {
		verdicts[i].Started, verdicts[i].Duration, verdicts[i].Probability, verdicts[i].Version = evaluated, time.Second, 0.25, "3f9a"
	}
	return &eval.Report{Event: e, Started: evaluated, Duration: time.Second, Verdicts: verdicts}
}

// TestEvaluationsOnTheWire compares what reaches Datadog's API through the agent as a
// whole: all types of evaluations, and all ways to join them to a span.
func TestEvaluationsOnTheWire(t *testing.T) {
	p := start(t, false)
	w := worker(t, p, evaluations)
	w.Report(judgement(about(t, `"llmobs":{"trace_id":"6b04053100000000d8cc1e98d75898c2","span_id":5437377479416176291}`),
		eval.Verdict{
			Eval: "grounded", Type: eval.TypeLLMJudge, Outcome: eval.OutcomeFail, Score: 0.25, Reason: "criterion:cites",
			Explanation: "It cites nothing for hidden.", Confidence: 0.5, Usage: &eval.Usage{Model: "small-1"},
			Criteria: []eval.Criterion{{ID: "cites", Outcome: eval.OutcomeFail, Evidence: "hidden", Reason: "hidden"}},
		},
		eval.Verdict{Eval: "reply_format", Type: eval.TypeJSONSchema, Outcome: eval.OutcomePass, Score: 1, Label: "valid"},
	))
	w.Report(judgement(about(t, `"llmobs":{"source":"otel"},"trace_context":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}`),
		eval.Verdict{Eval: "grounded", Type: eval.TypeLLMJudge, Outcome: eval.OutcomeCannotJudge}))
	w.Report(judgement(about(t, `"feature":"x"`), eval.Verdict{Eval: "pii", Type: eval.TypeRule, Outcome: eval.OutcomeFail, Reason: "email"}))
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	requests := p.intake("/api/intake/llm-obs/v2/eval-metric")
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	got := requests[0]
	if !strings.HasPrefix(got.host, "api.") || got.key != strings.Repeat("0", 32) {
		t.Errorf("host %q, key %q", got.host, got.key)
	}
	want := `{"data":{"type":"evaluation_metric","attributes":{"metrics":[
 {"join_on":{"span":{"span_id":"5437377479416176291","trace_id":"6b04053100000000d8cc1e98d75898c2"}},"metric_type":"score","label":"grounded",
  "score_value":0.25,"ml_app":"returns-desk","timestamp_ms":1780304401000,"assessment":"fail","reasoning":"It cites nothing for [REDACTED].",
  "tags":["env:prod","eval_type:llm_judge","eval_version:3f9a","prompt_name:returns","prompt_version:7","reason:criterion:cites","sample_probability:0.25","ddtrace.version:v2.12.0"],
  "eval_metric_metadata":{"request_id":"req-42","confidence":0.5,"judge_model":"small-1"}},
 {"join_on":{"span":{"span_id":"5437377479416176291","trace_id":"6b04053100000000d8cc1e98d75898c2"}},"metric_type":"json","label":"grounded_criteria",
  "json_value":{"cites":"fail"},"ml_app":"returns-desk","timestamp_ms":1780304401000,
  "tags":["env:prod","eval_type:llm_judge","eval_version:3f9a","prompt_name:returns","prompt_version:7","reason:criterion:cites","sample_probability:0.25","ddtrace.version:v2.12.0"],
  "eval_metric_metadata":{"request_id":"req-42","confidence":0.5,"judge_model":"small-1"}},
 {"join_on":{"span":{"span_id":"5437377479416176291","trace_id":"6b04053100000000d8cc1e98d75898c2"}},"metric_type":"boolean","label":"reply_format",
  "boolean_value":true,"ml_app":"returns-desk","timestamp_ms":1780304401000,"assessment":"pass",
  "tags":["env:prod","eval_type:json_schema","eval_version:3f9a","prompt_name:returns","prompt_version:7","sample_probability:0.25","ddtrace.version:v2.12.0"],
  "eval_metric_metadata":{"request_id":"req-42","label":"valid"}},
 {"join_on":{"span":{"span_id":"13235353014750950193","trace_id":"14576827793038113322513871894673895836"}},"metric_type":"categorical","label":"grounded_outcome",
  "categorical_value":"cannot_judge","ml_app":"returns-desk","timestamp_ms":1780304401000,
  "tags":["env:prod","eval_type:llm_judge","eval_version:3f9a","prompt_name:returns","prompt_version:7","sample_probability:0.25","source:otel","ddtrace.version:v2.12.0"],
  "eval_metric_metadata":{"request_id":"req-42"}},
 {"join_on":{"tag":{"key":"request_id","value":"req-42"}},"metric_type":"boolean","label":"pii",
  "boolean_value":false,"ml_app":"returns-desk","timestamp_ms":1780304401000,"assessment":"fail",
  "tags":["env:prod","eval_type:rule","eval_version:3f9a","prompt_name:returns","prompt_version:7","reason:email","sample_probability:0.25","ddtrace.version:v2.12.0"],
  "eval_metric_metadata":{"request_id":"req-42"}}]}}}`
	var wantJSON, gotJSON any
	if err := json.Unmarshal([]byte(want), &wantJSON); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got.body, &gotJSON); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantJSON, gotJSON); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if n := w.Stats().Dropped(telemetry.SinkLLMObs); n != 0 {
		t.Errorf("%d dropped", n)
	}
}

// TestEvaluationsAreRefused: what Datadog or the agent does not take is counted by
// reason, and holds up neither spans nor the end of the worker.
func TestEvaluationsAreRefused(t *testing.T) {
	for status, reason := range map[int]string{
		http.StatusForbidden: "refused", http.StatusTooManyRequests: "rate_limited", http.StatusInternalServerError: "unavailable",
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			p := start(t, false)
			p.answer(status)
			w := worker(t, p, evaluations)
			w.Report(judgement(about(t, `"feature":"x"`), eval.Verdict{Eval: "pii", Type: eval.TypeRule, Outcome: eval.OutcomeFail}))
			err := w.Close(t.Context())
			if err == nil || !strings.Contains(err.Error(), "1 evaluations abandoned") {
				t.Errorf("close: %v", err)
			}
			if diff := cmp.Diff([]telemetry.Drop{{Sink: "llmobs", Reason: reason, Count: 1}}, w.Stats().Drops); diff != "" {
				t.Errorf("drops (-want +got):\n%s", diff)
			}
			if spans := p.got(t); len(spans) != 2 {
				t.Errorf("%d spans, want 2", len(spans))
			}
		})
	}
}

// TestEvaluationsWithoutAnAgent: an agent that hangs, and one that is gone, cost
// evaluations and no time beyond that of the end.
func TestEvaluationsWithoutAnAgent(t *testing.T) {
	t.Run("hangs", func(t *testing.T) {
		p := start(t, true)
		w := worker(t, p, func(c *telemetry.Config) { evaluations(c); c.CloseTimeout = 3 * time.Second })
		w.Report(judgement(about(t, `"feature":"x"`), eval.Verdict{Eval: "pii", Type: eval.TypeRule, Outcome: eval.OutcomeFail}))
		err := w.Close(t.Context()) // without its limit it would wait until the test is over
		if err == nil || !strings.Contains(err.Error(), "1 evaluations abandoned") {
			t.Errorf("close: %v", err)
		}
		if !p.used("/evp_proxy/v2/api/intake/llm-obs/v2/eval-metric") {
			t.Error("the agent was never asked: this test shows nothing")
		}
	})
	t.Run("gone", func(t *testing.T) {
		p := start(t, false)
		w := worker(t, p, evaluations)
		p.front.Close()
		w.Report(judgement(about(t, `"feature":"x"`), eval.Verdict{Eval: "pii", Type: eval.TypeRule, Outcome: eval.OutcomeFail}))
		_ = w.Close(t.Context())
		found := false
		for _, d := range w.Stats().Drops {
			found = found || d == telemetry.Drop{Sink: "llmobs", Reason: "unreachable", Count: 1}
		}
		if !found {
			t.Errorf("drops: %+v", w.Stats().Drops)
		}
	})
}
