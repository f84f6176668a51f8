package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/DataDog/dd-trace-go/v2/llmobs/export"

	"github.com/evalworker/evalworker/internal/datadog/site"
)

// exporter sends evaluations with Datadog's client, which needs no tracer.
type exporter struct {
	client    *export.Client
	transport *agentTransport
}

var errNoAPIKey = errors.New("telemetry: datadog.llm_observability.agentless needs the environment variable DD_API_KEY with an API key of Datadog: 32 hexadecimal digits")

// newExporter returns an exporter to the agent, or to Datadog's site. The client's
// errors hold no key.
func newExporter(cfg LLMObservability, to target, s machine) (*exporter, error) {
	route := export.WithAgentURL(to.agent.String())
	if cfg.Agentless {
		key := s.getenv("DD_API_KEY")
		if key == "" {
			return nil, errNoAPIKey
		}
		at, ok := site.Of(s.getenv(site.Variable))
		if !ok {
			return nil, fmt.Errorf("telemetry: datadog.llm_observability.agentless: the environment variable %s with %q names no site of Datadog: %s", site.Variable, at, site.Want)
		}
		route = export.WithDatadogIntake(at, key)
		to.agent = &url.URL{Scheme: "https", Host: at}
	}
	e := &exporter{transport: newAgentTransport(to)}
	client, err := export.NewClient(
		cfg.MLApp, route, export.WithService(to.service), export.WithEnv(to.env), export.WithVersion(to.version),
		export.WithHTTPClient(&http.Client{
			Transport: e.transport,
			// The key is a header that Go would send on to whatever host a redirect names.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}),
	)
	switch {
	case err != nil && cfg.Agentless:
		return nil, errNoAPIKey
	case err != nil:
		return nil, fmt.Errorf("telemetry: LLM Observability: %w", err)
	}
	e.client = client
	return e, nil
}

// evaluationSenderOf returns where evaluations are sent; nil when they are not.
func evaluationSenderOf(cfg Config, to target, s machine, deps Deps) (evaluationSender, error) {
	switch {
	case !cfg.Enabled || !cfg.LLMObservability.Enabled:
		return nil, nil //nolint:nilnil // nothing is sent
	case cfg.LLMObservability.Reasoning && deps.Redact == nil:
		return nil, errors.New("telemetry: explanations cannot be sent without a function that redacts them")
	}
	e, err := newExporter(cfg.LLMObservability, to, s)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (e *exporter) send(ctx context.Context, rows []evaluation) map[string]int {
	metrics := make([]export.EvaluationMetric, len(rows))
	for i := range rows {
		metrics[i] = metricOf(&rows[i])
	}
	result, err := e.client.SubmitEvaluations(ctx, metrics)
	lost := map[string]int{}
	if n := len(result.ValidationErrors); n > 0 {
		lost[lostInvalid] += n
	}
	if err != nil {
		for i := range result.Requests {
			if r := &result.Requests[i]; r.Err != nil {
				lost[lostFor(r.StatusCode)] += len(r.InputIndices)
			}
		}
	}
	return lost
}

func (e *exporter) close() { e.transport.CloseIdleConnections() }

func metricOf(row *evaluation) export.EvaluationMetric {
	m := export.EvaluationMetric{
		TraceID: row.join.trace, SpanID: row.join.span, TagKey: row.join.key, TagValue: row.join.value,
		Label: row.label, Assessment: row.assessment, Reasoning: row.reasoning,
		MLApp: row.mlApp, TimestampMS: row.at.UnixMilli(), Tags: row.tags, Metadata: row.metadata,
	}
	switch v := row.value.(type) {
	case float64:
		m.ScoreValue = &v
	case bool:
		m.BooleanValue = &v
	case string:
		m.CategoricalValue = &v
	case map[string]any:
		m.JSONValue = v
	}
	return m
}

// lostFor returns the reason for a request with a status; 0 is one without an answer.
func lostFor(status int) string {
	switch {
	case status == 0:
		return lostUnreachable
	case status == http.StatusTooManyRequests:
		return lostRateLimited
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return lostUnavailable
	}
	return lostRefused
}
