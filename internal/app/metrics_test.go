package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/telemetry"
)

// testMetricsTable: every metric sent is in the table, with its type and no other
// tags.
func (p *performance) testMetricsTable(t *testing.T) {
	table := map[string]telemetry.Metric{}
	for _, m := range telemetry.Metrics() {
		table[m.Name] = m
	}
	types := map[telemetry.MetricType]string{telemetry.TypeCount: "c", telemetry.TypeGauge: "g", telemetry.TypeDistribution: "d"}
	sent := map[string]bool{}
	for _, m := range p.statsd.Metrics() {
		entry, ok := table[m.Name]
		if !ok && strings.HasPrefix(m.Name, "llm.eval.") {
			entry, ok = table[telemetry.ScoreMetric], true
		}
		if !ok {
			t.Errorf("%s is not in the table", m.Name)
			continue
		}
		sent[entry.Name] = true
		if m.Type != types[entry.Type] {
			t.Errorf("%s was sent as %s, the table says %s", m.Name, m.Type, entry.Type)
		}
		allowed := append([]string{"env", "service", "version"}, entry.Tags...)
		for _, tag := range m.Tags {
			if key, _, _ := strings.Cut(tag, ":"); !slices.Contains(allowed, key) {
				t.Errorf("%s carries %s, the table knows %v", m.Name, tag, entry.Tags)
			}
		}
		if !m.Has("service:evalworker", "version:1.2.3") {
			t.Errorf("%s does not say who sent it: %v", m.Name, m.Tags)
		}
	}
	// Metrics that need a setting, a reload, a loss or a field that no scene has.
	silent := []string{
		"llm.requests", "llm.errors", "llm.timeouts", "llm.retries", "llm.cost_microusd", "llm.latency_ms", "llm.first_token_latency_ms", "llm.input_tokens", "llm.output_tokens",
		"llm.estimated_cost_usd", "llm.tasks", "evalworker.reloads", "evalworker.dropped",
		"evalworker.tags_overflowed", "evalworker.series_overflowed",
	}
	for name := range table {
		if sent[name] == slices.Contains(silent, name) {
			t.Errorf("%s: sent: %v", name, sent[name])
		}
	}
}

// dims are the dimensions of the cast's requests, except the feature.
var dims = []string{"env:prod", "prompt_name:support_triage", "prompt_version:2026-06-01.3", "model:large-2", "provider:acme", "tenant_tier:enterprise"}

// testVerdictMetrics compares counts, weights and scores with the cast.
func (p *performance) testVerdictMetrics(t *testing.T) {
	for _, o := range eval.Outcomes() {
		want, weights := p.outcomes(o.String()), map[string]float64{}
		for _, s := range p.scenesWanted() {
			for _, v := range p.seen.report(t, s.id).Verdicts {
				if v.Outcome == o {
					weights[v.Eval] += 1 / v.Probability // 1 or 4: nothing to round
				}
			}
		}
		for name, n := range want {
			tags := []string{"eval:" + name, "outcome:" + o.String()}
			if name != eval.FeedbackEvaluator {
				tags = append(tags, dims...)
			}
			if got := p.statsd.Sum("llm.eval.count", tags...); got != float64(n) {
				t.Errorf("llm.eval.count%v = %v, want %d", tags, got, n)
			}
			if got := p.statsd.Sum("llm.eval.weighted", tags...); got != weights[name] {
				t.Errorf("llm.eval.weighted%v = %v, want %v", tags, got, weights[name])
			}
		}
		if got, all := p.statsd.Sum("llm.eval.count", "outcome:"+o.String()), sum(want); got != float64(all) || all == 0 {
			t.Errorf("llm.eval.count{outcome:%s} = %v, want %d", o, got, all)
		}
	}
	if plain, weighted := p.statsd.Sum("llm.eval.count", "eval:safety"), p.statsd.Sum("llm.eval.weighted", "eval:safety"); weighted <= plain {
		t.Errorf("safety: %v verdicts stand for %v, want more: it is sampled", plain, weighted)
	}
	for name := range p.outcomes("pass") {
		var want []float64
		for _, s := range p.scenesWanted() {
			for _, v := range p.seen.report(t, s.id).Verdicts {
				if v.Eval == name && v.Outcome.Decided() {
					want = append(want, v.Score)
				}
			}
		}
		got := p.statsd.Values("llm.eval." + name)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("llm.eval.%s = %v, want %v", name, got, want)
		}
	}
}

// testRequestMetrics: the metrics about JSON, tools and retrieval.
func (p *performance) testRequestMetrics(t *testing.T) {
	var tracks, hits []float64
	for _, s := range p.scenesWanted() {
		e := p.seen.report(t, s.id).Event
		if len(e.ToolCalls) > 0 {
			tracks = append(tracks, 1)
		}
		if e.Retrieval != nil {
			hits = append(hits, float64(*e.Retrieval.HitCount))
		}
	}
	prose := p.outcomes("fail")["reply_format"] - 1 // one of them was JSON of another schema
	checked := p.outcomes("fail")["reply_format"] + p.outcomes("pass")["reply_format"]
	for _, c := range []struct {
		name string
		tags []string
		want int
	}{
		{"llm.json_checked", []string{"schema:support_reply", "feature:support_agent"}, checked},
		{"llm.json_invalid", []string{"schema:support_reply", "feature:support_agent"}, prose},
		{"llm.tool_calls", []string{"tool:track_parcel"}, len(tracks)},
		{"llm.tool_calls", []string{"tool:other"}, 1}, // nothing offered it, and no call of it succeeded
		{"llm.tool_failures", nil, 1},
		{"llm.tool_failures", []string{"tool:other"}, 1},
	} {
		if got := p.statsd.Sum(c.name, append(c.tags, dims...)...); got != float64(c.want) {
			t.Errorf("%s%v = %v, want %d", c.name, c.tags, got, c.want)
		}
	}
	got := p.statsd.Values("llm.retrieval.hit_count", append(dims, "index:help_center")...)
	slices.Sort(got)
	slices.Sort(hits)
	if !slices.Equal(got, hits) || hits[0] != 0 {
		t.Errorf("llm.retrieval.hit_count = %v, want %v", got, hits)
	}
	scores := p.statsd.Values("llm.retrieval.top_score", append(dims, "index:help_center")...)
	if len(scores) != len(hits)-1 || slices.ContainsFunc(scores, func(v float64) bool { return v != 0.75 }) {
		t.Errorf("llm.retrieval.top_score = %v, want 0.75 for each search with a hit", scores)
	}
}

// testWorkerMetrics: events, judges, cases, links and load.
func (p *performance) testWorkerMetrics(t *testing.T) {
	reasons := map[eval.Reason]int{}
	modes := map[string]int{}
	for _, s := range p.scenes {
		if s.dead != "" {
			reasons[s.dead]++
		}
		if s.want != nil {
			modes[s.mode]++
		}
	}
	for reason, n := range reasons {
		if got := p.statsd.Sum("evalworker.events", "outcome:dead_lettered", "reason:"+string(reason)); got != float64(n) {
			t.Errorf("dead letters with reason %s: %v, want %d", reason, got, n)
		}
	}
	for mode, n := range modes {
		if got := p.statsd.Sum("evalworker.links", "mode:"+mode); got != float64(n) {
			t.Errorf("evalworker.links{mode:%s} = %v, want %d", mode, got, n)
		}
	}
	if got := p.statsd.Sum("evalworker.links", "source:fields"); got != 1 {
		t.Errorf("evalworker.links{source:fields} = %v, want 1", got)
	}
	for name, n := range p.failures() {
		if got := p.statsd.Sum("evalworker.cases", "eval:"+name); got != float64(n) {
			t.Errorf("evalworker.cases{eval:%s} = %v, want %d", name, got, n)
		}
	}
	if got := p.statsd.Values("evalworker.event_age_seconds"); len(got) != len(p.scenesWanted()) || slices.Max(got) < 660 {
		t.Errorf("evalworker.event_age_seconds = %v, want one an event, the oldest above 11 minutes", got)
	}
	for partition := range partitions {
		got := p.statsd.Values("evalworker.lag", fmt.Sprintf("partition:%d", partition))
		if len(got) == 0 || got[len(got)-1] != 0 {
			t.Errorf("evalworker.lag{partition:%d} = %v, want 0 at the end", partition, got)
		}
	}
	if got := p.statsd.Values("evalworker.inflight"); len(got) == 0 || got[len(got)-1] != 0 {
		t.Errorf("evalworker.inflight = %v, want 0 at the end", got)
	}
	p.testJudgeMetrics(t)
}

// testJudgeMetrics: each call of a model is counted, even a failed one.
func (p *performance) testJudgeMetrics(t *testing.T) {
	correct := p.outcomes("pass")["correctness"] + p.outcomes("fail")["correctness"] + p.outcomes("cannot_judge")["correctness"]
	small := []string{"eval:correctness", "model:judge-small"}
	if got := p.statsd.Values("evalworker.judge.latency_ms", small...); len(got) != correct || slices.Min(got) <= 0 {
		t.Errorf("evalworker.judge.latency_ms = %v, want %d values above zero", got, correct)
	}
	for kind, tokens := range map[string]int{"input": 1000, "output": 100} {
		if got := p.statsd.Sum("evalworker.judge.tokens", append(small, "kind:"+kind)...); got != float64(tokens*correct) {
			t.Errorf("evalworker.judge.tokens{kind:%s} = %v, want %d", kind, got, tokens*correct)
		}
	}
	costs := p.statsd.Values("evalworker.judge.cost_usd", small...)
	if len(costs) != correct || slices.ContainsFunc(costs, func(v float64) bool { return v != 0.0012 }) {
		t.Errorf("evalworker.judge.cost_usd = %v, want %d times 1000 tokens at 1 and 100 at 2 dollars a million", costs, correct)
	}
	// The model's price is unknown, but a rejected call costs nothing.
	refused := p.statsd.Values("evalworker.judge.cost_usd", "model:judge-trouble")
	if slices.ContainsFunc(refused, func(v float64) bool { return v != 0 }) {
		t.Errorf("a model of unknown price has cost %v", refused)
	}
	// An answer that cannot be parsed is a call that succeeded. A temporary failure
	// is tried twice.
	want := map[string]float64{"unavailable": 4, "rate_limited": 2, "auth": 1, "content_filter": 1, "refused": 1, "truncated": 1}
	got := map[string]float64{}
	for _, m := range p.statsd.Metrics() {
		if m.Name == "evalworker.judge.errors" {
			got[m.Tag("reason")] += m.Values[0]
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("evalworker.judge.errors by reason (-want +got):\n%s", d)
	}
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
