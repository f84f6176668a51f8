package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/telemetry"
)

// worker starts the telemetry of a worker that sends its spans to the peer. There is one
// tracer a process, so tests that start one do not run in parallel.
func worker(t *testing.T, p *peer, change func(*telemetry.Config)) *telemetry.Telemetry {
	t.Helper()
	for _, name := range []string{
		"DD_ENV", "DD_SERVICE", "DD_VERSION", "DD_AGENT_HOST", "DD_TRACE_AGENT_URL", "DD_TRACE_AGENT_PORT", "DD_DOGSTATSD_URL",
		"DD_DOGSTATSD_PORT", "DD_TRACE_AGENT_TIMEOUT", "DD_SPAN_SAMPLING_RULES", "DD_TAGS", "DD_ENTITY_ID",
	} {
		t.Setenv(name, "")
	}
	statsd, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = statsd.Close() })
	cfg := telemetry.DefaultConfig()
	cfg.AgentURL, cfg.DogStatsDURL = p.URL, statsd.LocalAddr().String()
	cfg.CloseTimeout = time.Minute
	if change != nil {
		change(&cfg)
	}
	tel, err := telemetry.New(cfg, telemetry.Deps{
		Log: slog.New(slog.DiscardHandler), Version: "test", Seed: 1,
		Redact: func(text string) string { return strings.ReplaceAll(text, "hidden", "[REDACTED]") },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Close(context.Background()) })
	return tel
}

// request returns an event that ended so long ago, with these propagation headers.
func request(t *testing.T, age time.Duration, headers map[string]string) *event.Event {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"event": "llm_request_completed", "request_id": "request-1", "occurred_at": time.Now().Add(-age).UTC().Format(time.RFC3339Nano),
		"feature": "returns", "trace_context": headers, "output": "Yes.",
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := event.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// report returns a report with two verdicts, of which the second has this outcome.
func report(e *event.Event, second eval.Outcome) *eval.Report {
	now := time.Now()
	verdict := func(name string, o eval.Outcome) eval.Verdict {
		return eval.Verdict{Eval: name, Type: eval.TypeLLMJudge, Version: "1", Outcome: o, Score: 0.5, Probability: 1, Rule: "default", Started: now}
	}
	return &eval.Report{
		Event: e, Plan: eval.Plan{Revision: "revision"}, Started: now, Duration: time.Millisecond,
		Verdicts: []eval.Verdict{verdict("first", eval.OutcomePass), verdict("second", second)},
	}
}
