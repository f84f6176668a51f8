package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// The span of a request in LLM Observability, and its other span in APM.
const (
	llmTrace   = "6b04053100000000d8cc1e98d75898c2"
	llmSpan    = "5437377479416176291"
	apmTrace   = "0af7651916cd43dd8448eb211c80319c"
	apmDecimal = "14576827793038113322513871894673895836"
	apmSpanHex = "b7ad6b7169203331"
	apmSpanDec = "13235353014750950193"
)

func traceparent() string { return "00-" + apmTrace + "-" + apmSpanHex + "-01" }

// TestJoin is the table of docs/llm-observability.md.
func TestJoin(t *testing.T) {
	t.Parallel()
	tags := "_dd.p.dm=-1,_dd.p.llmobs_trace_id=" + llmTrace + ",_dd.p.llmobs_parent_id=" + llmSpan + ",_dd.p.llmobs_ml_app=desk"
	state := "vendor=x,dd=s:1;p:1;t.llmobs_trace_id:" + llmTrace + ";t.llmobs_parent_id:" + llmSpan + ";t.llmobs_ml_app:a~b"
	w3c := event.TraceContext{"traceparent": traceparent()}
	sdk := join{trace: llmTrace, span: llmSpan}
	otel := join{trace: apmDecimal, span: apmSpanDec, openTelemetry: true}
	byTag := join{key: "request_id", value: "r"}
	with := func(j join, mlApp string) join { j.mlApp = mlApp; return j }
	for _, tt := range []struct {
		name  string
		event event.Event
		cfg   LLMObservability
		want  join // zero: none
	}{
		{"ids of the event", event.Event{LLMObs: &event.LLMObs{TraceID: llmTrace, SpanID: llmSpan}, TraceContext: w3c}, LLMObservability{OTel: true, Tag: "request_id"}, sdk},
		{"ids in decimal", event.Event{LLMObs: &event.LLMObs{TraceID: "142248270030648119184148034104461924546", SpanID: "7"}}, LLMObservability{}, join{trace: llmTrace, span: "7"}},
		{"ids of the event before those of the headers", event.Event{LLMObs: &event.LLMObs{TraceID: llmTrace, SpanID: "7"}, TraceContext: event.TraceContext{"X-Datadog-Tags": tags}}, LLMObservability{}, with(join{trace: llmTrace, span: "7"}, "desk")},
		{"half an id", event.Event{LLMObs: &event.LLMObs{TraceID: llmTrace}}, LLMObservability{}, join{}},
		{"half an id, headers", event.Event{LLMObs: &event.LLMObs{TraceID: apmTrace}, TraceContext: event.TraceContext{"x-datadog-tags": tags}}, LLMObservability{}, with(sdk, "desk")},
		{"an id that is none", event.Event{LLMObs: &event.LLMObs{TraceID: "chat-7", SpanID: llmSpan}}, LLMObservability{}, join{}},
		{"Datadog's header", event.Event{TraceContext: event.TraceContext{"x-datadog-tags": tags}}, LLMObservability{OTel: true}, with(sdk, "desk")},
		{"tracestate", event.Event{TraceContext: event.TraceContext{"traceparent": traceparent(), "tracestate": state}}, LLMObservability{OTel: true}, with(sdk, "a=b")},
		{"another vendor's tracestate", event.Event{TraceContext: event.TraceContext{"tracestate": "x" + strings.ReplaceAll(state, "vendor=x,", "")}}, LLMObservability{}, join{}},
		{"an APM trace is no trace of LLM Observability", event.Event{TraceContext: w3c}, LLMObservability{}, join{}},
		{"OpenTelemetry by the event", event.Event{LLMObs: &event.LLMObs{Source: event.LLMObsOTel}, TraceContext: w3c}, LLMObservability{Tag: "request_id"}, otel},
		{"OpenTelemetry by fields", event.Event{LLMObs: &event.LLMObs{Source: event.LLMObsOTel}, TraceID: apmTrace, SpanID: apmSpanHex}, LLMObservability{}, otel},
		{"OpenTelemetry with ids of its own", event.Event{LLMObs: &event.LLMObs{Source: event.LLMObsOTel, TraceID: apmTrace, SpanID: apmSpanHex}}, LLMObservability{}, otel},
		{"OpenTelemetry by configuration", event.Event{TraceContext: w3c}, LLMObservability{OTel: true, Tag: "request_id"}, otel},
		{"the event says otherwise", event.Event{LLMObs: &event.LLMObs{Source: event.LLMObsSDK}, TraceContext: w3c}, LLMObservability{OTel: true}, join{}},
		{"OpenTelemetry without a span", event.Event{LLMObs: &event.LLMObs{Source: event.LLMObsOTel}, TraceID: apmTrace}, LLMObservability{}, join{}},
		{"OpenTelemetry without a span, tag", event.Event{LLMObs: &event.LLMObs{Source: event.LLMObsOTel}}, LLMObservability{Tag: "request_id"}, byTag},
		{"tag", event.Event{TraceContext: w3c}, LLMObservability{Tag: "request_id"}, byTag},
		{"nothing", event.Event{}, LLMObservability{}, join{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.event.RequestID = "r"
			got, ok := tt.cfg.joinOf(&tt.event)
			if ok != (tt.want != join{}) || ok && got != tt.want {
				t.Errorf("got  %+v, %t\nwant %+v", got, ok, tt.want)
			}
		})
	}
}

// TestEvaluationLabel: a configured name is its label; no two names share one.
func TestEvaluationLabel(t *testing.T) {
	t.Parallel()
	if got := evaluationLabel("answer_grounded", ""); got != "answer_grounded" {
		t.Errorf("a valid name became %q", got)
	}
	seen := map[string]string{}
	for _, name := range []string{
		"tone", "Tone", "tone.v2", "tone_v2", "tone-v2", "2tone", "_tone", "tone_outcome", "tone_criteria", "töne", "", " ",
		strings.Repeat("a", 200), strings.Repeat("a", 201), strings.Repeat("a", 300) + "b", "é" + strings.Repeat("a", 300),
	} {
		for _, end := range []string{"", labelOutcome, labelCriteria} {
			got := evaluationLabel(name, end)
			if !isLabel(got) || len(got) > maxLabel {
				t.Errorf("%q%s: %q is no label", name, end, got)
			}
			if other, ok := seen[got]; ok {
				t.Errorf("%q%s and %s share %q", name, end, other, got)
			}
			seen[got] = fmt.Sprintf("%q%s", name, end)
		}
	}
}

// sent is a sender that keeps what it gets.
type sent struct {
	hang   bool
	closed bool

	mu    sync.Mutex
	rows  []evaluation // guarded by mu
	calls []int        // guarded by mu; the sizes of requests
}

func (s *sent) requests() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *sent) send(ctx context.Context, rows []evaluation) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, len(rows))
	if s.hang {
		<-ctx.Done()
		return map[string]int{lostUnreachable: len(rows)}
	}
	s.rows = append(s.rows, rows...)
	return nil
}

func (s *sent) close() { s.closed = true }

func enabled() LLMObservability {
	cfg := defaultLLMObservability()
	cfg.Enabled, cfg.MLApp, cfg.Tag = true, "desk", "request_id"
	return cfg
}

func newTestSubmitter(cfg LLMObservability, to evaluationSender) (*submitter, *drops) {
	d := &drops{}
	mask := func(s string) string { return strings.ReplaceAll(s, "secret", "[X]") }
	return newSubmitter(cfg, mask, to, d, slog.New(slog.DiscardHandler)), d
}

func judged(verdicts ...eval.Verdict) *eval.Report {
	return &eval.Report{
		Event:   &event.Event{RequestID: "r", PromptName: "Returns", PromptVersion: "7", Environment: "prod", OccurredAt: time.Now()},
		Started: time.Now(), Verdicts: verdicts,
	}
}

func lostBy(d *drops) map[string]int64 {
	out := map[string]int64{}
	for _, drop := range d.snapshot() {
		if drop.Sink != SinkLLMObs {
			out["sink "+drop.Sink] = drop.Count
			continue
		}
		out[drop.Reason] = drop.Count
	}
	return out
}

// TestEvaluations: what each kind of verdict becomes. What decides nothing is neither a
// fail nor a score.
func TestEvaluations(t *testing.T) {
	t.Parallel()
	type row struct {
		Label, Assessment, Reasoning string
		Value                        any
	}
	judge := eval.Verdict{Eval: "grounded", Type: eval.TypeLLMJudge, Outcome: eval.OutcomeFail, Score: 0.25, Explanation: "it says secret"}
	criteria := judge
	criteria.Outcome, criteria.Criteria = eval.OutcomePass, []eval.Criterion{
		{ID: "cites", Outcome: eval.OutcomePass, Evidence: "content"}, {ID: "complete", Outcome: eval.OutcomeCannotJudge, Reason: "content"},
	}
	change := func(v eval.Verdict, o eval.Outcome) eval.Verdict { v.Outcome = o; return v }
	nan := judge
	nan.Score = math.NaN()
	for name, tt := range map[string]struct {
		verdict   eval.Verdict
		reasoning bool
		want      []row
		lost      int64
	}{
		"judge":               {judge, false, []row{{"grounded", "fail", "", 0.25}}, 0},
		"judge, reasoning":    {judge, true, []row{{"grounded", "fail", "it says [X]", 0.25}}, 0},
		"criteria":            {criteria, false, []row{{"grounded", "pass", "", 0.25}, {"grounded_criteria", "", "", map[string]any{"cites": "pass", "complete": "cannot_judge"}}}, 0},
		"judge cannot judge":  {change(judge, eval.OutcomeCannotJudge), true, []row{{"grounded_outcome", "", "", "cannot_judge"}}, 0},
		"judge failed":        {change(judge, eval.OutcomeError), true, []row{{"grounded_outcome", "", "", "error"}}, 0},
		"not applicable":      {change(judge, eval.OutcomeNotApplicable), true, nil, 0},
		"NaN":                 {nan, true, nil, 1},
		"validator, pass":     {eval.Verdict{Eval: "json", Type: eval.TypeJSONSchema, Outcome: eval.OutcomePass, Score: 1}, true, []row{{"json", "pass", "", true}}, 0},
		"validator, fail":     {eval.Verdict{Eval: "pii", Type: eval.TypeRule, Outcome: eval.OutcomeFail, Explanation: "x"}, true, []row{{"pii", "fail", "", false}}, 0},
		"feedback, no reason": {eval.Verdict{Eval: "user_feedback", Type: eval.TypeUserFeedback, Outcome: eval.OutcomePass, Score: 0.75, Explanation: "the user's words"}, true, []row{{"user_feedback", "pass", "", 0.75}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, to := enabled(), &sent{}
			cfg.Reasoning = tt.reasoning
			s, d := newTestSubmitter(cfg, to)
			s.report(judged(tt.verdict))
			<-s.close(t.Context())
			var got []row
			for _, r := range to.rows {
				got = append(got, row{r.label, r.assessment, r.reasoning, r.value})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if lostBy(d)[lostInvalid] != tt.lost {
				t.Errorf("lost %v", lostBy(d))
			}
		})
	}
}

// TestWhatIsNotSent: evaluations that belong to no span, and those of old requests, are
// counted one by one.
func TestWhatIsNotSent(t *testing.T) {
	t.Parallel()
	cfg, to := enabled(), &sent{}
	cfg.Tag = ""
	s, d := newTestSubmitter(cfg, to)
	fail := eval.Verdict{Eval: "a", Type: eval.TypeRule, Outcome: eval.OutcomeFail}
	s.report(judged(fail, fail))
	old := judged(fail)
	old.Event.OccurredAt = time.Now().Add(-25 * time.Hour)
	old.Event.LLMObs = &event.LLMObs{TraceID: llmTrace, SpanID: llmSpan}
	s.report(old)
	<-s.close(t.Context())
	s.report(old)
	old.Event.OccurredAt = time.Time{}
	s.report(old)
	if diff := cmp.Diff(map[string]int64{lostNoSpan: 2, lostTooOld: 2, lostClosed: 1}, lostBy(d)); diff != "" || len(to.rows) != 0 || !to.closed {
		t.Errorf("lost (-want +got):\n%s\nsent %v, closed %t", diff, to.rows, to.closed)
	}
}

// TestSubmitterBatches: requests hold up to 1000 evaluations, and few ones wait two seconds.
func TestSubmitterBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &sent{}
		s, d := newTestSubmitter(enabled(), to)
		fail := eval.Verdict{Eval: "a", Type: eval.TypeRule, Outcome: eval.OutcomeFail}
		s.report(judged(fail))
		synctest.Wait()
		if got := to.requests(); len(got) != 0 {
			t.Errorf("sent at once: %v", got)
		}
		<-time.After(submitEvery)
		synctest.Wait()
		for range submitSize + 1 {
			s.report(judged(fail))
		}
		synctest.Wait()
		<-s.close(t.Context())
		if diff := cmp.Diff([]int{1, submitSize, 1}, to.requests()); diff != "" || len(lostBy(d)) != 0 {
			t.Errorf("requests (-want +got):\n%s\nlost %v", diff, lostBy(d))
		}
	})
}

// TestSubmitterNeverBlocks: while nothing is taken, evaluations beyond the queue are
// dropped and counted, and the time to close is kept. Each one is sent or counted.
func TestSubmitterNeverBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg, to := enabled(), &sent{hang: true}
		cfg.Queue = 1500
		s, d := newTestSubmitter(cfg, to)
		fail := eval.Verdict{Eval: "a", Type: eval.TypeRule, Outcome: eval.OutcomeFail}
		started := time.Now()
		report := func(n int) {
			for range n {
				s.report(judged(fail))
			}
			synctest.Wait()
		}
		report(submitSize) // all in one request, which hangs
		report(cfg.Queue + 10)
		if took := time.Since(started); took != 0 {
			t.Errorf("reports waited %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		<-s.close(ctx)
		if took := time.Since(started); took != 3*time.Second {
			t.Errorf("close took %v, want the 3 s that it was given", took)
		}
		if diff := cmp.Diff(map[string]int64{lostQueueFull: 10, lostAbandoned: submitSize + int64(cfg.Queue)}, lostBy(d)); diff != "" {
			t.Errorf("lost (-want +got):\n%s", diff)
		}
	})
}

// TestSubmissionPanics: a panic of Datadog's client costs its request and nothing else.
func TestSubmissionPanics(t *testing.T) {
	t.Parallel()
	s, d := newTestSubmitter(enabled(), panics{})
	s.report(judged(eval.Verdict{Eval: "a", Type: eval.TypeRule, Outcome: eval.OutcomeFail}))
	<-s.close(t.Context())
	if got := lostBy(d); !maps.Equal(got, map[string]int64{string(eval.ReasonPanic): 1}) {
		t.Errorf("lost %v", got)
	}
}

type panics struct{}

func (panics) send(context.Context, []evaluation) map[string]int { panic("of the client") }
func (panics) close()                                            {}

// TestSubmissionEnds: a submission that hangs gives up after a while, and the next goes on.
func TestSubmissionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &sent{hang: true}
		s, d := newTestSubmitter(enabled(), to)
		s.report(judged(eval.Verdict{Eval: "a", Type: eval.TypeRule, Outcome: eval.OutcomeFail}))
		<-time.After(submitEvery + submitTimeout)
		synctest.Wait()
		if got := lostBy(d); !maps.Equal(got, map[string]int64{lostUnreachable: 1}) {
			t.Errorf("lost %v", got)
		}
		<-s.close(t.Context())
	})
}
