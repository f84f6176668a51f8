package telemetry_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
	"github.com/evalworker/evalworker/telemetry"
)

const (
	traceHi  = 0x6745678900000000
	traceLo  = 1234
	traceHex = "674567890000000000000000000004d2"
	spanID   = 67667974448284343
	spanHex  = "00f067aa0ba902b7"
)

func headers(priority string) event.TraceContext {
	c := event.TraceContext{"x-datadog-trace-id": "1234", "x-datadog-parent-id": "67667974448284343", "x-datadog-tags": "_dd.p.tid=6745678900000000"}
	if priority != "" {
		c["x-datadog-sampling-priority"] = priority
	}
	return c
}

func failing(r *eval.Report) { r.Verdicts[0].Outcome, r.Verdicts[0].Score = eval.OutcomeFail, 0.25 }

// TestModes: how a run is related to the original span, and whether it survives
// sampling.
func TestModes(t *testing.T) {
	tests := []struct {
		name     string
		context  event.TraceContext
		change   func(*eval.Report)
		mode     string
		priority int
	}{
		{"kept and fresh", headers("1"), nil, "child", 1},
		{"kept by hand and fresh", headers("2"), nil, "child", 2},
		{"kept and fresh, failing", headers("1"), failing, "child", 1},
		{"kept and old", headers("1"), func(r *eval.Report) { r.Event.OccurredAt = finished.Add(-11 * time.Minute) }, "link", 1},
		{"kept, of unknown age", headers("1"), func(r *eval.Report) { r.Event.OccurredAt = time.Time{} }, "link", 1},
		{"kept, from a clock ahead", headers("1"), func(r *eval.Report) { r.Event.OccurredAt = finished.Add(time.Hour) }, "child", 1},
		{"kept and fresh, feedback", headers("1"), func(r *eval.Report) { r.Event.Kind = event.KindUserFeedback }, "link", 1},
		{"dropped, passing", headers("0"), nil, "link", 1},
		{"dropped, failing", headers("0"), failing, "link", 2},
		{"rejected, passing", headers("-1"), nil, "link", 1},
		{"rejected, failing", headers("-1"), failing, "link", 2},
		{"no priority", headers(""), nil, "link", 1},
		{"W3C, sampled", event.TraceContext{"traceparent": "00-" + traceHex + "-" + spanHex + "-01"}, nil, "child", 1},
		{"W3C, not sampled", event.TraceContext{"traceparent": "00-" + traceHex + "-" + spanHex + "-00"}, nil, "link", 1},
		{"corrupt Datadog headers beside W3C", event.TraceContext{
			"traceparent": "00-" + traceHex + "-" + spanHex + "-01", "x-datadog-trace-id": "zz", "x-datadog-parent-id": "zz", "x-datadog-sampling-priority": "abc",
		}, nil, "child", 1},
		{"Datadog headers without the upper half beside W3C", event.TraceContext{
			"traceparent": "00-" + traceHex + "-" + spanHex + "-01", "x-datadog-trace-id": "1234", "x-datadog-parent-id": "67667974448284343", "x-datadog-sampling-priority": "1",
		}, nil, "child", 1},
		{"fields alone", nil, func(r *eval.Report) { r.Event.TraceID, r.Event.SpanID = traceHex, spanHex }, "link", 1},
		{"no context", nil, nil, "none", 1},
		{"no context, failing", nil, failing, "none", 2},
	}
	s := start(t, func(c *telemetry.Config) { c.KeepFailures = 100 })
	for i, tt := range tests {
		s.Report(report(func(r *eval.Report) {
			r.Event.RequestID = event.RequestID(fmt.Sprint(i))
			r.Event.TraceContext = tt.context
			if tt.change != nil {
				tt.change(r)
			}
		}))
	}
	s.end(t)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run, scores := spansOf(t, s.agent, fmt.Sprint(i))
			if run.Meta["eval.link_mode"] != tt.mode {
				t.Fatalf("mode = %s, want %s", run.Meta["eval.link_mode"], tt.mode)
			}
			if child := run.TraceID == traceLo && run.ParentID == spanID && run.Meta["_dd.p.tid"] == "6745678900000000"; child != (tt.mode == "child") {
				t.Errorf("trace %d, parent %d, upper half %s in mode %s", run.TraceID, run.ParentID, run.Meta["_dd.p.tid"], tt.mode)
			}
			if tt.mode != "child" && run.ParentID != 0 {
				t.Errorf("parent = %d, want a root", run.ParentID)
			}
			want := []datadog.SpanLink{{TraceID: traceLo, TraceIDHi: traceHi, SpanID: spanID, Attributes: map[string]string{"link.kind": "evaluates"}}}
			ids := []string{traceHex, "67667974448284343"}
			if tt.mode == "none" {
				want, ids = nil, []string{"", ""}
			}
			if d := cmp.Diff(want, run.Links); d != "" {
				t.Errorf("links (-want +got):\n%s", d)
			}
			for _, span := range append(scores, run) {
				if got := []string{span.Meta["llm.trace_id"], span.Meta["llm.span_id"]}; !slices.Equal(got, ids) {
					t.Errorf("%s: original ids = %v, want %v", span.Name, got, ids)
				}
			}
			if p, ok := run.Priority(); !ok || p != tt.priority {
				t.Errorf("priority = %d, want %d", p, tt.priority)
			}
			if len(scores) != 1 || scores[0].ParentID != run.SpanID || scores[0].TraceID != run.TraceID {
				t.Errorf("scores = %+v, want one below the run", scores)
			}
		})
	}
	for mode, want := range map[string]float64{"child": 7, "link": 10, "none": 2} {
		if got := s.statsd.Sum("evalworker.links", "mode:"+mode); got != want {
			t.Errorf("evalworker.links{mode:%s} = %v, want %v", mode, got, want)
		}
	}
}

// spansOf returns the spans of a request.
func spansOf(t *testing.T, a *datadog.AgentSink, request string) (run datadog.Span, scores []datadog.Span) {
	t.Helper()
	runs := 0
	for _, span := range a.Spans() {
		if span.Meta["request_id"] != request {
			continue
		}
		switch span.Name {
		case "eval.run":
			run = span
			runs++
		case "eval.score":
			scores = append(scores, span)
		}
	}
	if runs != 1 {
		t.Fatalf("%d eval.run spans of request %s", runs, request)
	}
	return run, scores
}

// TestScoreTags checks every tag of eval.score and its place in the tree.
func TestScoreTags(t *testing.T) {
	s := start(t, nil)
	valid := verdict("reply_format", eval.TypeJSONSchema, eval.OutcomeFail, 0)
	valid.Label, valid.Measures = "wrapped", map[string]float64{eval.MeasureJSONValid: 0}
	judge := verdict("correctness", eval.TypeLLMJudge, eval.OutcomePass, 0.75)
	judge.Confidence, judge.Probability, judge.Rule = 0.9, 0.05, "support agent"
	broken := verdict("safety", eval.TypeLLMJudge, eval.OutcomeError, 0)
	broken.Reason = string(eval.ReasonTimeout)
	odd := verdict("tone", eval.TypeLLMJudge, eval.OutcomeError, 0)
	odd.Reason = "something that is no constant"
	unsure := verdict("refusal", eval.TypeRule, eval.OutcomeCannotJudge, 0.5)
	s.Report(report(func(r *eval.Report) {
		r.Event.TraceContext, r.Event.OutputSchema = headers("1"), "reply"
		r.Verdicts = []eval.Verdict{valid, judge, broken, odd, unsure}
	}))
	s.end(t)

	run, scores := spansOf(t, s.agent, "req-1")
	common := map[string]string{
		"request_id": "req-1", "llm.model": "small-1", "llm.provider": "acme", "llm.prompt_name": "returns", "llm.prompt_version": "7",
		"llm.feature": "returns_desk", "llm.trace_id": traceHex, "llm.span_id": "67667974448284343",
	}
	with := func(more map[string]string) map[string]string {
		all := maps.Clone(common)
		maps.Copy(all, more)
		return all
	}
	type want struct {
		Error   bool
		Meta    map[string]string
		Metrics map[string]float64
	}
	wants := map[string]want{
		"reply_format": {false, with(map[string]string{
			"eval.name": "reply_format", "eval.type": "json_schema", "eval.version": "v-reply_format", "eval.outcome": "fail", "eval.pass": "false", "eval.rule": "default",
			"gen_ai.evaluation.name": "reply_format", "gen_ai.evaluation.score.label": "wrapped",
		}), map[string]float64{"eval.score": 0, "gen_ai.evaluation.score.value": 0, "eval.sample_rate": 1}},
		"correctness": {false, with(map[string]string{
			"eval.name": "correctness", "eval.type": "llm_judge", "eval.version": "v-correctness", "eval.outcome": "pass", "eval.pass": "true", "eval.rule": "support agent",
			"gen_ai.evaluation.name": "correctness", "gen_ai.evaluation.score.label": "pass",
		}), map[string]float64{"eval.score": 0.75, "gen_ai.evaluation.score.value": 0.75, "eval.sample_rate": 0.05, "eval.confidence": 0.9}},
		"safety": {true, with(map[string]string{
			"eval.name": "safety", "eval.type": "llm_judge", "eval.version": "v-safety", "eval.outcome": "error", "eval.rule": "default",
			"gen_ai.evaluation.name": "safety", "error.type": "timeout",
		}), map[string]float64{"eval.sample_rate": 1}},
		"tone": {true, with(map[string]string{
			"eval.name": "tone", "eval.type": "llm_judge", "eval.version": "v-tone", "eval.outcome": "error", "eval.rule": "default",
			"gen_ai.evaluation.name": "tone", "error.type": "internal",
		}), map[string]float64{"eval.sample_rate": 1}},
		"refusal": {false, with(map[string]string{
			"eval.name": "refusal", "eval.type": "rule", "eval.version": "v-refusal", "eval.outcome": "cannot_judge", "eval.rule": "default", "gen_ai.evaluation.name": "refusal",
		}), map[string]float64{"eval.sample_rate": 1}},
	}
	if len(scores) != len(wants) {
		t.Errorf("%d eval.score spans, want %d", len(scores), len(wants))
	}
	validations := s.agent.Named("output.validation")
	if len(validations) != 1 {
		t.Fatalf("%d output.validation spans", len(validations))
	}
	if v := validations[0]; v.ParentID != run.SpanID || v.Meta["json_valid"] != "false" || v.Meta["schema_name"] != "reply" || v.Error {
		t.Errorf("output.validation = %+v", v)
	}
	for _, span := range scores {
		name := span.Meta["eval.name"]
		got := want{span.Error, ours(span.Meta), ours(span.Metrics)}
		if d := cmp.Diff(wants[name], got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		parent := run.SpanID
		if name == "reply_format" {
			parent = validations[0].SpanID
		}
		if span.ParentID != parent || span.Resource != name || span.Metrics["_dd.measured"] != 1 {
			t.Errorf("%s: parent %d, resource %s, metrics %v", name, span.ParentID, span.Resource, span.Metrics)
		}
		if span.Start != finished.Add(2100*time.Millisecond).UnixNano() || span.Duration != int64(500*time.Millisecond) {
			t.Errorf("%s: from %d for %d", name, span.Start, span.Duration)
		}
	}
	if run.Error || run.Meta["eval.failed"] != "true" || run.Meta["eval.policy"] != "rev-3" || run.Meta["span.kind"] != "consumer" || run.Type != "queue" ||
		run.Resource != "returns_desk" || run.Start != finished.Add(2*time.Second).UnixNano() || run.Duration != int64(900*time.Millisecond) {
		t.Errorf("eval.run = %+v", run)
	}
}

// ours leaves out the tracer's own tags.
func ours[V any](all map[string]V) map[string]V {
	out := maps.Clone(all)
	maps.DeleteFunc(out, func(key string, _ V) bool {
		return strings.HasPrefix(key, "_") || slices.Contains([]string{"language", "runtime-id", "version", "env", "process_id"}, key)
	})
	return out
}

// TestKeepIsBounded: once the bucket is empty, sampling decides about further
// traces.
func TestKeepIsBounded(t *testing.T) {
	s := start(t, func(c *telemetry.Config) { c.KeepFailures = 0.0001 })
	for range 5 {
		s.Report(report(failing))
	}
	s.end(t)
	kept := 0
	for _, run := range s.agent.Named("eval.run") {
		if p, _ := run.Priority(); p == 2 {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d of 5 failing traces were kept by hand, want 1", kept)
	}
}

// TestKeepNone: with 0, sampling alone decides.
func TestKeepNone(t *testing.T) {
	s := start(t, func(c *telemetry.Config) { c.KeepFailures = 0 })
	s.Report(report(failing))
	s.end(t)
	for _, span := range s.agent.Named("eval.run") {
		if p, _ := span.Priority(); p != 1 {
			t.Errorf("priority = %d", p)
		}
	}
}

// TestFailingSpansSurvive: when traces are dropped and the bucket is empty, the span
// rule still keeps failing scores, and only those.
func TestFailingSpansSurvive(t *testing.T) {
	clearEnv(t)
	t.Setenv("DD_TRACE_SAMPLING_RULES", `[{"service":"evalworker","sample_rate":0}]`)
	s := startWith(t, discard(), func(c *telemetry.Config) { c.KeepFailures = 2 })
	const n = 300 // more than the buckets let through however slow the machine
	for range n {
		s.Report(report(func(r *eval.Report) {
			failing(r)
			r.Verdicts = append(r.Verdicts, verdict("safety", eval.TypeLLMJudge, eval.OutcomePass, 1))
		}))
	}
	s.end(t)
	whole := map[uint64]bool{}
	for _, run := range s.agent.Named("eval.run") {
		whole[run.TraceID] = true
	}
	single := 0
	for _, score := range s.agent.Named("eval.score") {
		if whole[score.TraceID] {
			continue
		}
		single++
		if score.Meta["eval.pass"] != "false" || score.Metrics["_dd.span_sampling.mechanism"] != 8 {
			t.Errorf("a span of a dropped trace was kept: %+v", score)
		}
	}
	if len(whole) < 2 || len(whole) == n || single < 2 || single == n {
		t.Errorf("of %d failing events %d traces and %d single spans were kept, want some of both", n, len(whole), single)
	}
}

// TestFeedback: a user's rating is a score like any other.
func TestFeedback(t *testing.T) {
	s := start(t, func(c *telemetry.Config) { c.RequestMetrics = true })
	s.Report(report(func(r *eval.Report) {
		r.Event.Kind, r.Event.UserRating = event.KindUserFeedback, event.RatingDown
		r.Event.Comment = "not for your eyes"
		r.Event.ToolCalls = []event.ToolCall{{Name: "t"}}
		r.Verdicts = []eval.Verdict{verdict(eval.FeedbackEvaluator, eval.TypeUserFeedback, eval.OutcomeFail, 0)}
	}))
	s.end(t)
	_, scores := spansOf(t, s.agent, "req-1")
	if len(scores) != 1 || scores[0].Meta["eval.type"] != "user_feedback" || scores[0].Meta["eval.pass"] != "false" {
		t.Errorf("scores = %+v", scores)
	}
	if got := s.statsd.Values("llm.eval.user_feedback"); len(got) != 1 || got[0] != 0 {
		t.Errorf("llm.eval.user_feedback = %v", got)
	}
	if s.statsd.Sum("llm.requests")+s.statsd.Sum("llm.tool_calls") != 0 {
		t.Error("feedback counts as another request")
	}
}
