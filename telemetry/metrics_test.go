package telemetry_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
	"github.com/evalworker/evalworker/telemetry"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// everything makes telemetry send every metric.
func everything(s *telemetry.Telemetry, text func(string) string) {
	r := report(func(r *eval.Report) {
		finished := r.Event.OccurredAt
		e, err := event.Decode([]byte(`{"event":"llm_request_completed","request_id":"r","comment":NaN}`)) // which is ignored
		if err != nil {
			panic(err)
		}
		r.Event, e.OccurredAt = e, finished
		e.RequestID = event.RequestID(text("request"))
		e.Environment, e.Feature, e.PromptName, e.PromptVersion = text("env"), text("feature"), text("prompt"), text("version")
		e.Model, e.Provider, e.TenantTier, e.OutputSchema = text("model"), text("provider"), text("tier"), text("schema")
		e.Status, e.ErrorType = "error", "timeout"
		e.RetryCount, e.TaskCompleted = new(int64(3)), new(true)
		e.InputTokens, e.OutputTokens = new(int64(10)), new(int64(20))
		e.LatencyMS, e.FirstTokenLatencyMS, e.EstimatedCostUSD = new(1430.5), new(200.0), new(0.0098)
		e.ToolCalls = []event.ToolCall{{Name: text("tool"), Status: "success"}, {Name: text("tool"), Status: "error"}, {Name: text("tool")}}
		e.Retrieval = &event.Retrieval{Index: text("index"), TopScore: new(0.8), HitCount: new(int64(4))}
		fill(reflect.ValueOf(e))
		schema := verdict(text("reply_format"), eval.TypeJSONSchema, eval.OutcomeFail, 0)
		schema.Label = text("label")
		r.Verdicts = append(r.Verdicts, schema)
	})
	s.Report(r)
	s.Skipped(eval.DispositionSampledOut, 4)
	s.DeadLettered(eval.ReasonTooLarge)
	s.Cases(r, 1)
	s.Lag(3, 17, 17)
	s.OldestAge(3, 4.5)
	s.Unaccounted(2)
	s.StoreDown(true)
	s.KafkaDown(true)
	s.PartitionsDown(2)
	s.SamplerSkewed(3)
	s.JudgesHeld(4)
	s.Inflight(5)
	s.Reload(true)
	s.Reload(false)
	s.Dropped(text("sink"), text("reason"), 2)
	s.JudgeCall(telemetry.JudgeCall{
		Eval: text("eval"), Model: text("model"), Latency: 250 * time.Millisecond, InputTokens: 100, OutputTokens: 7,
		CostNanoUSD: 1_500_000, CostKnown: true, Reason: eval.ReasonRateLimited,
	})
}

// fill sets every measure of an event that is not set, so that a metric of another
// one is sent without a change here.
func fill(v reflect.Value) {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil() && v.CanSet():
		v.Set(reflect.New(v.Type().Elem()))
		if v.Elem().CanInt() {
			v.Elem().SetInt(1)
		}
	case v.Kind() == reflect.Pointer:
		fill(v.Elem())
	case v.Kind() == reflect.Struct:
		for _, field := range v.Fields() {
			fill(field)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	}
}

// TestTableIsComplete: every metric that is sent is in the table with its type and
// tags, and every metric in the table is sent.
func TestTableIsComplete(t *testing.T) {
	s := start(t, func(c *telemetry.Config) { c.RequestMetrics, c.MaxSeries = true, 100 })
	everything(s.Telemetry, func(v string) string { return v })
	s.Report(report(func(r *eval.Report) { // too many evaluators for a tag, and for a metric
		for i := range 300 {
			r.Verdicts = append(r.Verdicts, verdict(fmt.Sprint("judge", i), eval.TypeLLMJudge, eval.OutcomePass, 1))
		}
	}))
	s.end(t)

	table := map[string]telemetry.Metric{}
	for _, m := range telemetry.Metrics() {
		table[m.Name] = m
	}
	if _, missing := table[""]; missing {
		t.Fatal("a constant has no row in its table")
	}
	wire := map[telemetry.MetricType]string{telemetry.TypeCount: "c", telemetry.TypeGauge: "g", telemetry.TypeDistribution: "d"}
	doc := telemetry.MetricsDoc()
	sent := map[string]bool{}
	for _, got := range s.statsd.Metrics() {
		name := got.Name
		if _, ok := table[name]; !ok && strings.HasPrefix(name, "llm.eval.") {
			name = telemetry.ScoreMetric
		}
		m, ok := table[name]
		if !ok || wire[m.Type] != got.Type {
			t.Errorf("%s of type %s is sent and is not so in the table", got.Name, got.Type)
			continue
		}
		sent[name] = true
		if !bytes.Contains(doc, []byte("| `"+name+"` | ")) {
			t.Errorf("%s is not in the reference", name)
		}
		keys := append([]string{"service", "version"}, m.Tags...)
		last := -1
		for _, tag := range got.Tags {
			key, _, _ := strings.Cut(tag, ":")
			i := slices.Index(keys, key)
			if i < 0 {
				t.Errorf("%s carries the tag %s, which the table does not know", got.Name, key)
			}
			if i <= last {
				t.Errorf("%s: tags %v are not in the order of the table %v", got.Name, got.Tags, keys)
			}
			last = i
		}
	}
	for name := range table {
		if !sent[name] {
			t.Errorf("%s is in the table and is never sent", name)
		}
	}
}

// TestValues: each metric has the value that was put in.
func TestValues(t *testing.T) {
	s := start(t, func(c *telemetry.Config) { c.RequestMetrics = true })
	everything(s.Telemetry, func(v string) string { return v })
	s.end(t)
	dims := []string{"env:env", "feature:feature", "prompt_name:prompt", "prompt_version:version", "model:model", "provider:provider", "tenant_tier:tier"}
	for _, tt := range []struct {
		name string
		tags []string
		want float64
	}{
		{"llm.eval.correctness", dims, 0.75},
		{"llm.eval.reply_format", dims, 0},
		{"llm.eval.count", append([]string{"eval:reply_format", "outcome:fail"}, dims...), 1},
		{"llm.eval.weighted", append([]string{"eval:correctness", "outcome:pass"}, dims...), 1},
		{"llm.json_checked", append([]string{"schema:schema"}, dims...), 1},
		{"llm.json_invalid", append([]string{"schema:schema"}, dims...), 1},
		{"llm.tool_calls", append([]string{"tool:tool"}, dims...), 3},
		{"llm.tool_failures", append([]string{"tool:tool"}, dims...), 1},
		{"llm.retrieval.top_score", append([]string{"index:index"}, dims...), 0.8},
		{"llm.retrieval.hit_count", append([]string{"index:index"}, dims...), 4},
		{"llm.requests", dims, 1},
		{"llm.errors", dims, 1},
		{"llm.timeouts", dims, 1},
		{"llm.retries", dims, 3},
		{"llm.cost_microusd", dims, 9800},
		{"llm.tasks", append([]string{"completed:true"}, dims...), 1},
		{"llm.latency_ms", dims, 1430.5},
		{"llm.first_token_latency_ms", dims, 200},
		{"llm.input_tokens", dims, 10},
		{"llm.output_tokens", dims, 20},
		{"llm.estimated_cost_usd", dims, 0.0098},
		{"evalworker.events", []string{"outcome:evaluated"}, 1},
		{"evalworker.events", []string{"outcome:sampled_out"}, 4},
		{"evalworker.events", []string{"outcome:dead_lettered", "reason:too_large"}, 1},
		{"evalworker.lag", []string{"partition:3"}, 17},
		{"evalworker.oldest_age_seconds", []string{"partition:3"}, 4.5},
		{"evalworker.store_down", nil, 1},
		{"evalworker.kafka_down", nil, 1},
		{"evalworker.partitions_down", nil, 2},
		{"evalworker.sampler_skewed", nil, 3},
		{"evalworker.event_age_seconds", nil, 2.9},
		{"evalworker.judge.latency_ms", []string{"eval:eval", "model:model"}, 250},
		{"evalworker.judge.tokens", []string{"eval:eval", "model:model", "kind:input"}, 100},
		{"evalworker.judge.tokens", []string{"eval:eval", "model:model", "kind:output"}, 7},
		{"evalworker.judge.cost_usd", []string{"eval:eval", "model:model"}, 0.0015},
		{"evalworker.judge.errors", []string{"eval:eval", "model:model", "reason:rate_limited"}, 1},
		{"evalworker.dropped", []string{"sink:sink", "reason:reason"}, 2},
		{"evalworker.cases", []string{"eval:reply_format"}, 1},
		{"evalworker.reloads", []string{"outcome:applied"}, 1},
		{"evalworker.reloads", []string{"outcome:refused"}, 1},
	} {
		if got := s.statsd.Sum(tt.name, tt.tags...); got != tt.want {
			t.Errorf("%s%v = %v, want %v", tt.name, tt.tags, got, tt.want)
		}
	}
	if got := s.statsd.Values("evalworker.config_refused"); len(got) == 0 || got[len(got)-1] != 1 {
		t.Errorf("evalworker.config_refused = %v, want 1 at last", got)
	}
	if got := s.statsd.Values("evalworker.inflight"); len(got) == 0 || got[len(got)-1] != 5 {
		t.Errorf("evalworker.inflight = %v, want 5 at last", got)
	}
}

// TestRequestMetricsAreOff unless asked for: applications often send their own.
func TestRequestMetricsAreOff(t *testing.T) {
	s := start(t, nil)
	everything(s.Telemetry, func(v string) string { return v })
	s.end(t)
	for _, name := range []string{"llm.requests", "llm.errors", "llm.timeouts", "llm.retries", "llm.cost_microusd", "llm.latency_ms", "llm.estimated_cost_usd"} {
		if got := s.statsd.Values(name); len(got) != 0 {
			t.Errorf("%s = %v", name, got)
		}
	}
}

// TestHostileTags: whatever an application writes, the sink's strict parser reads each
// line as intended, and no span is rejected.
func TestHostileTags(t *testing.T) {
	s := start(t, func(c *telemetry.Config) {
		c.RequestMetrics = true
		c.Service, c.Version = "My Service,evil:tag", "1.0|#x"
	})
	hostile := []string{
		"reason:bad,tag|x\ny#z", "a|c\nforged.metric:1|c|#env:prod", ",", "|", "#", "@0.1", "\x00\x01", "\xff\xfe", "ÄÖÜ 価格", "  ", ":",
		strings.Repeat("long", 100), strings.Repeat("価", 5000), "NaN", "_dd.internal",
	}
	for _, text := range hostile {
		everything(s.Telemetry, func(string) string { return text })
	}
	s.end(t)
	if got := s.statsd.Sum("evalworker.events", "outcome:evaluated"); got != float64(len(hostile)) {
		t.Errorf("%v events, want %d", got, len(hostile))
	}
	for _, m := range s.statsd.Metrics() {
		if strings.HasPrefix(m.Name, "forged") {
			t.Errorf("a value became a metric: %+v", m)
		}
	}
	if got := len(s.agent.Named("eval.run")); got != len(hostile) {
		t.Errorf("%d runs, want %d", got, len(hostile))
	}
	for _, span := range s.agent.Spans() {
		for key, value := range span.Meta {
			if len(value) > 2048 {
				t.Errorf("%s: %s has %d bytes", span.Name, key, len(value))
			}
		}
	}
}

// TestCardinality: distinct values of a key stay bounded on the wire, the page
// shows how many were folded, and the log says so once a key.
func TestCardinality(t *testing.T) {
	clearEnv(t)
	var log bytes.Buffer
	s := startWith(t, slog.New(slog.NewTextHandler(&log, nil)), func(c *telemetry.Config) { c.MaxTagValues = 5 })
	for i := range 50 {
		s.Report(report(func(r *eval.Report) {
			r.Event.PromptVersion = fmt.Sprintf("v%d", i)
			r.Verdicts[0].Eval = fmt.Sprintf("judge%d", i)
		}))
	}
	s.end(t)
	versions, names := map[string]bool{}, map[string]bool{}
	for _, m := range s.statsd.Metrics() {
		if v := m.Tag("prompt_version"); v != "" {
			versions[v] = true
		}
		if m.Type == "d" && strings.HasPrefix(m.Name, "llm.eval.") {
			names[m.Name] = true
		}
	}
	if len(versions) != 6 || !versions["other"] {
		t.Errorf("prompt_version takes %v, want five and other", versions)
	}
	if len(names) != 6 || !names["llm.eval.other"] {
		t.Errorf("score metrics are %v, want five and other", names)
	}
	if got := s.statsd.Sum("llm.eval.count"); got != 50 {
		t.Errorf("llm.eval.count = %v, want 50: folding loses nothing", got)
	}
	if got := strings.Count(log.String(), "tag=prompt_version"); got != 1 {
		t.Errorf("logged %d times:\n%s", got, log.String())
	}
	if s.Stats().TagOverflow["prompt_version"] == 0 {
		t.Errorf("stats = %+v", s.Stats())
	}
}

// TestCases attributes new failures when it can.
func TestCases(t *testing.T) {
	s := start(t, nil)
	r := report(func(r *eval.Report) {
		r.Verdicts = []eval.Verdict{verdict("a", eval.TypeRule, eval.OutcomeFail, 0), verdict("b", eval.TypeRule, eval.OutcomeFail, 0), verdict("c", eval.TypeRule, eval.OutcomePass, 1)}
	})
	s.Cases(r, 2)
	s.Cases(r, 1)
	s.Cases(r, 0)
	s.end(t)
	for name, want := range map[string]float64{"a": 1, "b": 1, "c": 0, "several": 1} {
		if got := s.statsd.Sum("evalworker.cases", "eval:"+name); got != want {
			t.Errorf("evalworker.cases{eval:%s} = %v, want %v", name, got, want)
		}
	}
}

// TestContentStaysIn: no prompt, answer, explanation or personal data leaves
// through spans, metrics or the log.
func TestContentStaysIn(t *testing.T) {
	clearEnv(t)
	canary := "canary" + strings.Repeat("7", 6)
	var log bytes.Buffer
	s := startWith(t, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), func(c *telemetry.Config) { c.RequestMetrics = true })
	content := event.Text(canary)
	s.Report(report(func(r *eval.Report) {
		e := r.Event
		e.SessionID, e.TenantID, e.UserIDHash, e.Comment, e.ErrorType = canary, canary, canary, canary, canary
		e.Input, e.Output, e.Expected, e.Tools = content, content, content, content
		e.ToolCalls = []event.ToolCall{
			{Name: "lookup", Arguments: content, Result: content, Status: "error"},
			{Name: canary, Status: canary}, // a name that the model made up
			{Name: canary},
			{Name: canary, Status: "error"},
		}
		e.Retrieval = &event.Retrieval{Index: "docs", Query: canary, Chunks: []event.Chunk{{ID: event.ID(canary), Text: canary}}}
		e.TraceContext = headers("1")
		for _, name := range []string{"baggage", "ot-baggage-x", "x-datadog-origin", "tracestate", "authorization"} {
			e.TraceContext[name] = "user.id=" + canary
		}
		e.TraceContext["x-datadog-tags"] += ",_dd.p.usr.id=" + canary
		for _, o := range eval.Outcomes() {
			for _, typ := range []eval.Type{eval.TypeJSONSchema, eval.TypeRule, eval.TypeLLMJudge} {
				v := verdict("correctness", typ, o, 0.5)
				v.Explanation = canary
				v.Reason = canary // an evaluator may be careless
				v.Criteria = []eval.Criterion{{ID: "one", Evidence: canary, Reason: canary}}
				r.Verdicts = append(r.Verdicts, v)
			}
		}
		s.Cases(r, 1)
	}))
	s.end(t)
	if len(s.agent.Spans()) < 16 || s.statsd.Sum("llm.tool_failures") != 2 || !strings.Contains(log.String(), "event evaluated") {
		t.Fatal("nothing came out at all")
	}
	for out, text := range map[string]string{"spans": fmt.Sprintf("%+v", s.agent.Spans()), "metrics": fmt.Sprintf("%+v", s.statsd.Metrics()), "log": log.String()} {
		if strings.Contains(text, canary) {
			t.Errorf("content left in %s", out)
		}
	}
}

// TestMetricsDoc: the reference has one line per metric, and nothing that breaks
// its table.
func TestMetricsDoc(t *testing.T) {
	t.Parallel()
	rows := 0
	for line := range strings.Lines(string(telemetry.MetricsDoc())) {
		if strings.HasPrefix(line, "| `") {
			rows++
			if strings.Count(line, " | ") != 4 {
				t.Errorf("row %s", line)
			}
		}
	}
	if rows != len(telemetry.Metrics()) {
		t.Errorf("%d rows, %d metrics", rows, len(telemetry.Metrics()))
	}
}

// TestWire: the same metrics over a socket.
func TestWire(t *testing.T) {
	sink := datadog.StatsDUnix(t)
	s := start(t, func(c *telemetry.Config) { c.DogStatsDURL = sink.Address })
	s.statsd = sink
	s.Report(report(nil))
	s.end(t)
	if got := sink.Sum("llm.eval.count"); got != 1 {
		t.Errorf("llm.eval.count = %v", got)
	}
}
