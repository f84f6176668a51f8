package telemetry

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
)

// agentTimeout bounds one request to the trace agent. It also bounds memory: a
// hung agent makes payloads pile up for that long.
const agentTimeout = 2 * time.Second

// startTracer starts the process's tracer. The function that it gives stops the
// tracer again, and gives a channel that closes once it has stopped.
func startTracer(cfg Config, to target, agent *agentTransport, d *drops, log *slog.Logger) (func() <-chan struct{}, error) {
	lines := newTracerLog(log)
	opts := []tracer.StartOption{
		tracer.WithService(to.service),
		tracer.WithAgentURL(to.agent.String()),
		tracer.WithStatsdClient(&tracerHealth{drops: d}),
		tracer.WithLogger(tracer.AdaptLogger(lines.log)),
		tracer.WithPropagator(newPropagator()),
		tracer.WithAgentTimeout(int(to.timeout / time.Second)),
		tracer.WithHTTPClient(&http.Client{Transport: agent, Timeout: to.timeout}),
	}
	if to.env != "" {
		opts = append(opts, tracer.WithEnv(to.env))
	}
	if to.version != "" {
		opts = append(opts, tracer.WithServiceVersion(to.version))
	}
	if !to.ownStartupLogs {
		opts = append(opts, tracer.WithLogStartup(false))
	}
	if !to.ownSpanRules && cfg.KeepFailures > 0 {
		opts = append(opts, tracer.WithSamplingRules(failureRules(to.service, cfg.KeepFailures)))
	}
	if err := tracer.Start(opts...); err != nil {
		return nil, err
	}
	return func() <-chan struct{} {
		return inBackground(func() {
			tracer.Stop()
			lines.silence()
			agent.CloseIdleConnections()
			started.Store(false) // only now may another one start
		})
	}, nil
}

// failureRules keep failing eval.score spans of traces that are dropped, so many
// a second.
func failureRules(service string, perSecond float64) []tracer.SamplingRule {
	return tracer.SpanSamplingRules(tracer.Rule{
		ServiceGlob: service, NameGlob: spanScore, Tags: map[string]string{tagPass: "false"},
		Rate: 1, MaxPerSecond: perSecond,
	})
}

// tracerHealth takes the tracer's own metrics. It keeps the drops, which become
// evalworker.dropped, and discards the others: they are not in the table.
type tracerHealth struct {
	statsd.NoOpClientDirect
	drops *drops
}

const tracesDropped = "datadog.tracer.traces_dropped"

// Count takes a count.
func (h *tracerHealth) Count(name string, value int64, tags []string, _ float64) error {
	if name == tracesDropped {
		h.drops.add(SinkTraces, reasonOf(tags), value)
	}
	return nil
}

// Incr takes a count of one.
func (h *tracerHealth) Incr(name string, tags []string, rate float64) error {
	return h.Count(name, 1, tags, rate)
}

func reasonOf(tags []string) string {
	const prefix = "reason:"
	for _, tag := range tags {
		if len(tag) > len(prefix) && tag[:len(prefix)] == prefix {
			return tag[len(prefix):]
		}
	}
	return "unknown"
}
