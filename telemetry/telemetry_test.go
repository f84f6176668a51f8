package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
	"github.com/evalworker/evalworker/telemetry"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// harness is a Telemetry with its two sinks. There is one tracer per process, so
// tests that start one do not run in parallel.
type harness struct {
	*telemetry.Telemetry
	agent  *datadog.AgentSink
	statsd *datadog.StatsDSink
}

func start(t *testing.T, change func(*telemetry.Config)) harness {
	t.Helper()
	clearEnv(t)
	return startWith(t, slog.New(slog.DiscardHandler), change)
}

// startWith leaves the environment to the test.
func startWith(t *testing.T, log *slog.Logger, change func(*telemetry.Config)) harness {
	t.Helper()
	s := harness{agent: datadog.Agent(t), statsd: datadog.StatsD(t)}
	cfg := telemetry.DefaultConfig()
	cfg.AgentURL, cfg.DogStatsDURL = s.agent.URL, s.statsd.Address
	cfg.CloseTimeout = 20 * time.Second
	if change != nil {
		change(&cfg)
	}
	var err error
	s.Telemetry, err = telemetry.New(cfg, telemetry.Deps{Log: log, Version: "1.2.3", Seed: 1, Prometheus: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// end closes, and waits for the metrics to have arrived.
func (s harness) end(t *testing.T) {
	t.Helper()
	if err := s.Close(t.Context()); err != nil {
		t.Fatalf("close: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if !s.statsd.Drain(ctx) {
		t.Fatal("metrics did not arrive")
	}
}

// clearEnv unsets variables that the environment of a test may have set.
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

// report returns a report of one passing judge, changed by the caller.
func report(change func(*eval.Report)) *eval.Report {
	r := &eval.Report{
		Event: &event.Event{
			Kind: event.KindRequestCompleted, RequestID: "req-1", OccurredAt: finished,
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
	s.Skipped(eval.DispositionSampledOut, 3)
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
}

// TestSingleton: there is one tracer per process, so a second Telemetry cannot
// start until the first has ended.
func TestSingleton(t *testing.T) {
	s := start(t, nil)
	deps := telemetry.Deps{Log: slog.New(slog.DiscardHandler)}
	if _, err := telemetry.New(telemetry.DefaultConfig(), deps); !errors.Is(err, telemetry.ErrStarted) {
		t.Errorf("a second one: %v, want ErrStarted", err)
	}
	off := telemetry.DefaultConfig()
	off.Enabled = false
	if _, err := telemetry.New(off, deps); err != nil {
		t.Errorf("one that is off needs no tracer: %v", err)
	}
	s.end(t)
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("a second close: %v", err)
	}
	start(t, nil).end(t)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	cfg := telemetry.DefaultConfig()
	if _, err := telemetry.New(cfg, telemetry.Deps{}); err == nil {
		t.Error("no log is accepted")
	}
	cfg.Queue = 0
	var faults fault.List
	if _, err := telemetry.New(cfg, telemetry.Deps{Log: slog.New(slog.DiscardHandler)}); !errors.As(err, &faults) {
		t.Errorf("a bad configuration: %v, want its faults", err)
	}
}

// TestDiscards: a nil, zero or disabled Telemetry is quiet. Only a disabled one counts
// drops.
func TestDiscards(t *testing.T) {
	t.Parallel()
	cfg := telemetry.DefaultConfig()
	cfg.Enabled = false
	off, err := telemetry.New(cfg, telemetry.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	dropped := telemetry.Stats{Drops: []telemetry.Drop{{Sink: "s", Reason: "r", Count: 1}}}
	for name, c := range map[string]struct {
		tel  *telemetry.Telemetry
		want telemetry.Stats
	}{
		"nil": {}, "zero": {tel: &telemetry.Telemetry{}},
		"off": {tel: off, want: dropped}, // what was lost shows on the status page without Datadog too
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel, r := c.tel, report(nil)
			tel.Report(r)
			tel.Skipped(eval.DispositionSampledOut, 1)
			tel.DeadLettered(eval.ReasonMalformed)
			tel.Cases(r, 1)
			tel.Lag(0, 1, 1)
			tel.Inflight(1)
			tel.Reload(true)
			tel.Dropped("s", "r", 1)
			tel.JudgeCall(telemetry.JudgeCall{})
			if d := cmp.Diff(c.want, tel.Stats()); d != "" {
				t.Errorf("stats (-want +got):\n%s", d)
			}
			if err := tel.Close(t.Context()); err != nil {
				t.Errorf("close: %v", err)
			}
			var out bytes.Buffer
			slog.New(tel.LogHandler(slog.NewTextHandler(&out, nil))).Info("hello")
			if !strings.Contains(out.String(), "msg=hello") {
				t.Errorf("log = %q", out.String())
			}
		})
	}
}

// TestEnvironmentRules: DD_* variables override the file.
func TestEnvironmentRules(t *testing.T) {
	clearEnv(t)
	agent, sink := datadog.Agent(t), datadog.StatsD(t)
	t.Setenv("DD_TRACE_AGENT_URL", agent.URL)
	t.Setenv("DD_DOGSTATSD_URL", "udp://"+sink.Address)
	t.Setenv("DD_SERVICE", "from-env")
	t.Setenv("DD_ENV", "prod")
	t.Setenv("DD_VERSION", "9")
	s := startWith(t, slog.New(slog.DiscardHandler), func(c *telemetry.Config) {
		c.Service, c.Env, c.Version = "from-file", "file", "8"
	})
	s.statsd, s.agent = sink, agent
	s.Report(report(nil))
	s.end(t)
	for _, m := range sink.Metrics() {
		if !m.Has("service:from-env", "env:prod", "version:9") {
			t.Errorf("metric %+v", m)
		}
	}
	if sink.Sum("llm.eval.count") != 1 {
		t.Error("metrics did not go where the environment says")
	}
	spans := agent.Spans()
	if len(spans) == 0 {
		t.Error("spans did not go where the environment says")
	}
	for _, span := range spans {
		if span.Service != "from-env" || span.Meta["env"] != "prod" || span.Meta["version"] != "9" {
			t.Errorf("span %+v", span)
		}
	}
}

// TestLogHandler: a line names its span, at the top level.
func TestLogHandler(t *testing.T) {
	s := start(t, nil)
	var out bytes.Buffer
	log := slog.New(s.LogHandler(slog.NewJSONHandler(&out, nil)))
	span := tracer.StartSpan("test")
	log.WithGroup("g").InfoContext(tracer.ContextWithSpan(t.Context(), span), "inside", slog.Int("n", 1))
	span.Finish()
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line["dd.trace_id"] != span.Context().TraceID() || line["dd.span_id"] != strconv.FormatUint(span.Context().SpanID(), 10) {
		t.Errorf("line = %v", line)
	}
	out.Reset()
	log.InfoContext(t.Context(), "outside")
	if strings.Contains(out.String(), "dd.") {
		t.Errorf("a line without a span: %s", out.String())
	}
	s.end(t)
}

// TestDropsWithoutDatadog: losses are on the status page of a worker that sends
// nothing.
func TestDropsWithoutDatadog(t *testing.T) {
	t.Parallel()
	cfg := telemetry.DefaultConfig()
	cfg.Enabled = false
	tel, err := telemetry.New(cfg, telemetry.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	tel.Dropped("consumer", "lost_to_retention", 3)
	if got := tel.Stats(); got.Enabled || got.Dropped("consumer") != 3 {
		t.Errorf("stats %+v, want 3 dropped by stream", got)
	}
}
