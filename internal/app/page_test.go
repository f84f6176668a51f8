package app_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestPrometheusWithoutDatadog: a worker that sends nothing to Datadog serves its metrics,
// under the rule of /statusz, and starts no tracer.
func TestPrometheusWithoutDatadog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	k := w.start(w.load(w.configure(rulePolicy)))
	k.ready(http.StatusOK, "ok")
	w.emit(t.Context(), numbered("event", 3, "this is wrong")...)
	k.consumed(3)
	eventually(t, "metrics of three events", func() bool {
		status, page := k.get("/metrics")
		return status == http.StatusOK && strings.Contains(page, "\nllm_eval_count_total{") &&
			strings.Contains(page, `evalworker_events_total{outcome="evaluated",reason=""} 3`) &&
			strings.Contains(page, `evalworker_lag{partition="0"}`) && strings.Contains(page, "\nevalworker_config_refused 0\n") &&
			strings.Contains(page, `target_info{env="",service="evalworker",version="1.2.3"} 1`)
	})
	_, page := k.get("/metrics")
	if strings.Contains(page, "this is wrong") {
		t.Error("content is on the page")
	}
	if s := k.Status().Telemetry; s.Enabled || s.Prometheus == nil || s.Prometheus.Series == 0 {
		t.Errorf("telemetry: %+v", s)
	}
}

// TestMetricsAreOff: with health.metrics: false /metrics is not found, and no series are kept.
func TestMetricsAreOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	cfg := w.load(w.configure(rulePolicy))
	cfg.Health.Metrics = false
	k := w.start(cfg)
	k.ready(http.StatusOK, "ok")
	if status, _ := k.get("/metrics"); status != http.StatusNotFound || k.Status().Telemetry.Prometheus != nil {
		t.Errorf("/metrics = %d, telemetry %+v", status, k.Status().Telemetry)
	}
}
