package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

// Names of spans.
const (
	spanRun        = "eval.run"
	spanValidation = "output.validation"
	spanScore      = "eval.score"
)

// runOf returns the eval.run span of a request.
func (p *performance) runOf(t *testing.T, id event.RequestID) datadog.Span {
	t.Helper()
	spans := p.of(spanRun, id)
	if len(spans) != 1 {
		t.Fatalf("%d eval.run spans of %s, want 1", len(spans), id)
	}
	return spans[0]
}

// of returns the spans of an operation that are about a request.
func (p *performance) of(operation string, id event.RequestID) []datadog.Span {
	var out []datadog.Span
	for _, s := range p.agent.Named(operation) {
		if s.Meta["request_id"] == string(id) {
			out = append(out, s)
		}
	}
	return out
}

// ancestors returns the ids of a span's parents, the nearest first. The last one
// may be a span that was never sent here.
func (p *performance) ancestors(s datadog.Span) []uint64 {
	byID := map[uint64]datadog.Span{}
	for _, other := range p.agent.Spans() {
		byID[other.SpanID] = other
	}
	var out []uint64
	for parent := s.ParentID; parent != 0 && len(out) < 10; parent = byID[parent].ParentID {
		out = append(out, parent)
	}
	return out
}

// testSpans: one eval.run per event, one eval.score per verdict below it, and an
// output.validation between them where JSON was checked.
func (p *performance) testSpans(t *testing.T) {
	evaluated := 0
	for _, s := range p.scenesWanted() {
		evaluated++
		run := p.runOf(t, s.id)
		if run.Error {
			t.Errorf("%s: eval.run is an error", s.id)
		}
		got := map[string]string{}
		for _, score := range p.of(spanScore, s.id) {
			name := score.Meta["eval.name"]
			got[name] = score.Meta["eval.outcome"]
			up := p.ancestors(score)
			wantAbove := 1
			if name == "reply_format" {
				wantAbove = 2
				p.testValidation(t, s, up[0])
			}
			if len(up) < wantAbove || up[wantAbove-1] != run.SpanID || score.TraceID != run.TraceID {
				t.Errorf("%s: %s does not stand below eval.run: %v", s.id, name, up)
			}
		}
		want := map[string]string{}
		for name, answer := range s.want {
			want[name], _, _ = strings.Cut(answer, ": ")
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: eval.score spans (-want +got):\n%s", s.id, d)
		}
	}
	if n := len(p.agent.Named(spanRun)); n != evaluated {
		t.Errorf("%d eval.run spans, want %d", n, evaluated)
	}
}

func (p *performance) testValidation(t *testing.T, s scene, id uint64) {
	for _, v := range p.agent.Named(spanValidation) {
		if v.SpanID != id {
			continue
		}
		valid := fmt.Sprint(s.want["reply_format"] != "fail: no JSON")
		if v.Meta["json_valid"] != valid || v.Meta["schema_name"] != "support_reply" || v.Error {
			t.Errorf("%s: output.validation %v, want json_valid %s", s.id, v.Meta, valid)
		}
		return
	}
	t.Errorf("%s: the schema's score does not stand below output.validation", s.id)
}

// testOriginalSpans: where the original trace was kept and is young, scores are in
// it below the original span; else eval.run is a new root with a link, and is kept
// manually when the answer failed.
func (p *performance) testOriginalSpans(t *testing.T) {
	for _, s := range p.scenesWanted() {
		if s.id == liveID {
			continue
		}
		run := p.runOf(t, s.id)
		if run.Meta["eval.link_mode"] != s.mode {
			t.Errorf("%s: mode %s, want %s", s.id, run.Meta["eval.link_mode"], s.mode)
			continue
		}
		if failed := fmt.Sprint(p.seen.report(t, s.id).Failed()); run.Meta["eval.failed"] != failed {
			t.Errorf("%s: eval.failed %s, want %s", s.id, run.Meta["eval.failed"], failed)
		}
		trace, _ := p.seen.report(t, s.id).Event.Origin()
		if s.mode == none {
			if len(run.Links) != 0 || run.ParentID != 0 {
				t.Errorf("%s: links %v and parent %d of a span that nobody knows", s.id, run.Links, run.ParentID)
			}
		} else {
			want := []datadog.SpanLink{{TraceID: trace.Lo, TraceIDHi: trace.Hi, SpanID: spanID, Attributes: map[string]string{"link.kind": "evaluates"}}}
			if d := cmp.Diff(want, run.Links); d != "" {
				t.Errorf("%s: links (-want +got):\n%s", s.id, d)
			}
		}
		for _, score := range p.of(spanScore, s.id) {
			up := p.ancestors(score)
			if s.mode == child {
				if score.TraceID != trace.Lo || run.Meta["_dd.p.tid"] != traceHi || trace.String()[:16] != traceHi || up[len(up)-1] != spanID {
					t.Errorf("%s: %s in trace %s%016x below %v, want %s below %d", s.id, score.Meta["eval.name"], run.Meta["_dd.p.tid"], score.TraceID, up, trace, uint64(spanID))
				}
			} else if score.TraceID == trace.Lo || up[len(up)-1] != run.SpanID {
				t.Errorf("%s: %s in trace %016x below %v, want a trace of its own", s.id, score.Meta["eval.name"], score.TraceID, up)
			}
		}
		if priority, ok := run.Priority(); s.mode != child && (!ok || priority != s.priority) {
			t.Errorf("%s: sampling priority %d, want %d", s.id, priority, s.priority)
		}
	}
}

// testLiveSpan: an application's own span, through the emitter's adapter, is
// found again above the scores.
func (p *performance) testLiveSpan(t *testing.T) {
	original := p.agent.Named("llm.request")
	if len(original) != 1 {
		t.Fatalf("%d original spans, want 1", len(original))
	}
	scores := p.of(spanScore, liveID)
	if len(scores) == 0 {
		t.Fatal("no scores")
	}
	for _, score := range scores {
		up := p.ancestors(score)
		if up[len(up)-1] != original[0].SpanID || score.TraceID != original[0].TraceID {
			t.Errorf("%s stands below %v, want %d", score.Meta["eval.name"], up, original[0].SpanID)
		}
	}
	if run := p.runOf(t, liveID); run.Meta["_dd.p.tid"] != original[0].Meta["_dd.p.tid"] || run.Meta["_dd.p.tid"] == "" {
		t.Errorf("upper half of the trace id %q, want %q", run.Meta["_dd.p.tid"], original[0].Meta["_dd.p.tid"])
	}
}

// testScoreTags compares every tag of every eval.score span with its verdict.
func (p *performance) testScoreTags(t *testing.T) {
	for _, s := range p.scenesWanted() {
		r := p.seen.report(t, s.id)
		scores := map[string]datadog.Span{}
		for _, score := range p.of(spanScore, s.id) {
			scores[score.Meta["eval.name"]] = score
		}
		for _, v := range r.Verdicts {
			span := scores[v.Eval]
			meta, metrics := tagsOf(r, &v)
			for key, want := range meta {
				if got, ok := span.Meta[key]; got != want || ok != (want != "") {
					t.Errorf("%s: %s: %s = %q, want %q", s.id, v.Eval, key, got, want)
				}
			}
			for key, want := range metrics {
				if got, ok := span.Metrics[key]; !ok || got != want {
					t.Errorf("%s: %s: %s = %v, want %v", s.id, v.Eval, key, got, want)
				}
			}
			if _, scored := span.Metrics["eval.score"]; scored != v.Outcome.Decided() {
				t.Errorf("%s: %s: has a score: %v", s.id, v.Eval, scored)
			}
			if span.Error != (v.Outcome == eval.OutcomeError) || span.Service != "evalworker" || span.Resource != v.Eval {
				t.Errorf("%s: %s: error %v, service %s, resource %s", s.id, v.Eval, span.Error, span.Service, span.Resource)
			}
			if span.Start != v.Started.UnixNano() || span.Duration != v.Duration.Nanoseconds() {
				t.Errorf("%s: %s: from %d for %d, want the time of the work", s.id, v.Eval, span.Start, span.Duration)
			}
		}
	}
}

// tagsOf returns the tags of a verdict's span; an empty text means no tag.
func tagsOf(r *eval.Report, v *eval.Verdict) (meta map[string]string, metrics map[string]float64) {
	e := r.Event
	trace, span := e.Origin()
	meta = map[string]string{
		"eval.type": string(v.Type), "eval.version": v.Version, "eval.outcome": v.Outcome.String(), "eval.rule": v.Rule, "eval.pass": "",
		"llm.model": e.Model, "llm.provider": e.Provider, "llm.prompt_name": e.PromptName, "llm.prompt_version": e.PromptVersion,
		"llm.feature": e.Feature, "request_id": string(e.RequestID), "llm.trace_id": "", "llm.span_id": "",
		"gen_ai.evaluation.name": v.Eval, "gen_ai.evaluation.score.label": v.Label, "error.type": "",
	}
	if v.Version == "" || v.Rule == "" {
		meta["eval.version"], meta["eval.rule"] = "a version", "a rule" // never empty
	}
	metrics = map[string]float64{"eval.sample_rate": v.Probability}
	if v.Outcome.Decided() {
		metrics["eval.score"], metrics["gen_ai.evaluation.score.value"] = v.Score, v.Score
		meta["eval.pass"] = fmt.Sprint(v.Outcome == eval.OutcomePass)
		if v.Label == "" {
			meta["gen_ai.evaluation.score.label"] = v.Outcome.String()
		}
	}
	if v.Outcome == eval.OutcomeError {
		meta["error.type"] = v.Reason
	}
	if !trace.IsZero() && span != 0 {
		meta["llm.trace_id"], meta["llm.span_id"] = trace.String(), span.String()
	}
	return meta, metrics
}
