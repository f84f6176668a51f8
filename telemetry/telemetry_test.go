package telemetry_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/evaltest"
	"github.com/evalworker/evalworker/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// started is a Telemetry with its two sinks. The tracer is one a process, so
// tests that start one do not run in parallel.
type started struct {
	*telemetry.Telemetry
	agent  *evaltest.AgentSink
	statsd *evaltest.StatsDSink
}

func start(t *testing.T, change func(*telemetry.Config)) started {
	t.Helper()
	clearEnv(t)
	s := started{agent: evaltest.Agent(t), statsd: evaltest.StatsD(t)}
	cfg := telemetry.DefaultConfig()
	cfg.AgentURL, cfg.DogStatsDURL = s.agent.URL, s.statsd.Address
	cfg.CloseTimeout = 20 * time.Second
	if change != nil {
		change(&cfg)
	}
	var err error
	s.Telemetry, err = telemetry.New(cfg, telemetry.Deps{Log: slog.New(slog.DiscardHandler), Version: "1.2.3", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// end closes and waits for the metrics: UDP arrives when it likes. Counts are
// sent last, with evalworker.inflight among them.
func (s started) end(t *testing.T) {
	t.Helper()
	if err := s.Close(t.Context()); err != nil {
		t.Fatalf("close: %v", err)
	}
	s.await(t, func(d *evaltest.StatsDSink) bool { return len(d.Values("evalworker.queue")) > 0 })
}

func (s started) await(t *testing.T, ok func(*evaltest.StatsDSink) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if !s.statsd.Wait(ctx, ok) {
		t.Fatalf("metrics that were waited for did not come; there are %v", s.statsd.Metrics())
	}
}

// clearEnv removes what the surroundings of a test may have set.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"DD_ENV", "DD_SERVICE", "DD_VERSION", "DD_AGENT_HOST", "DD_TRACE_AGENT_URL", "DD_TRACE_AGENT_PORT",
		"DD_DOGSTATSD_URL", "DD_DOGSTATSD_PORT", "DD_TRACE_AGENT_TIMEOUT", "DD_SPAN_SAMPLING_RULES", "DD_TAGS", "DD_ENTITY_ID",
	} {
		t.Setenv(name, "")
	}
}

var finished = time.Now().Add(-time.Minute).Truncate(time.Millisecond)

// report is a report of one passing judge and what the caller changes.
func report(change func(*eval.Report)) *eval.Report {
	r := &eval.Report{
		Event: &eval.Event{
			Kind: eval.KindRequestCompleted, RequestID: "req-1", OccurredAt: finished,
			Environment: "staging", Feature: "returns_desk", PromptName: "returns", PromptVersion: "7",
			Model: "small-1", Provider: "acme", TenantTier: "free",
		},
		Plan:     eval.Plan{Revision: "rev-3"},
		Verdicts: []eval.Verdict{verdict("correctness", eval.TypeLLMJudge, eval.OutcomePass, 0.75)},
		Started:  finished.Add(2 * time.Second), Duration: 900 * time.Millisecond,
	}
	if change != nil {
		change(r)
	}
	return r
}

func verdict(name string, typ eval.Type, o eval.Outcome, score float64) eval.Verdict {
	return eval.Verdict{
		Eval: name, Type: typ, Version: "v-" + name, Outcome: o, Score: score, Probability: 1, Rule: "default",
		Started: finished.Add(2100 * time.Millisecond), Duration: 500 * time.Millisecond,
	}
}

func TestReportReachesBothSinks(t *testing.T) {
	s := start(t, nil)
	s.Report(report(nil))
	s.SampledOut(3)
	s.DeadLettered(eval.ReasonMalformed)
	s.end(t)
	if n := len(s.agent.Spans()); n != 2 {
		t.Errorf("%d spans, want eval.run and eval.score", n)
	}
	for outcome, want := range map[string]float64{"evaluated": 1, "sampled_out": 3, "dead_lettered": 1} {
		if got := s.statsd.Sum("evalworker.events", "outcome:"+outcome); got != want {
			t.Errorf("evalworker.events{outcome:%s} = %v, want %v", outcome, got, want)
		}
	}
	if got := s.statsd.Values("llm.eval.correctness"); len(got) != 1 || got[0] != 0.75 {
		t.Errorf("llm.eval.correctness = %v, want 0.75 once", got)
	}
	for _, m := range s.statsd.Metrics() {
		t.Log(m)
	}
	for _, m := range s.agent.Spans() {
		t.Logf("%+v", m)
	}
	t.Log(s.agent.Unserved())
}
