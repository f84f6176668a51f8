package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/judges/model"
	"github.com/evalworker/evalworker/policy"
)

// TestHealth: the endpoints over a worker's life, before it is in the group, at
// work, and without a broker.
func TestHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	cfg := w.load(w.configure(rulePolicy))
	cfg.Kafka.MaxCommitOutage = 100 * time.Millisecond
	cfg.Kafka.SessionTimeout = 2 * time.Second // after which it gives up its membership
	k := w.start(cfg)
	k.ready(http.StatusOK, "ok")
	if status, body := k.get("/livez"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("/livez = %d %q", status, body)
	}
	w.emit(t.Context(), numbered("event", 3, "this is wrong")...)
	k.consumed(3)
	status, body := k.get("/statusz")
	if status != http.StatusOK {
		t.Fatalf("/statusz = %d", status)
	}
	var got app.Status
	dec := json.NewDecoder(bytes.NewReader([]byte(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil {
		t.Fatalf("/statusz: %v in %s", err, body)
	}
	if got.Version != "1.2.3" || got.Started.IsZero() || got.Events.Evaluated != 3 || !got.Events.Settled() ||
		len(got.Policy.Revision) != 12 || len(got.Policy.Evaluators) != 1 || len(got.Consumer.Partitions) != partitions ||
		!got.Consumer.Joined || got.Store.URL != cfg.Store.URL || got.Store.Version < 2 || got.Telemetry.Enabled {
		t.Errorf("/statusz = %s", body)
	}
	effective := policy.Effective{
		DefaultRate: 0.05, Upstream: "none", Rules: []policy.EffectiveRule{},
		Evaluators: []policy.EffectiveEvaluator{{Name: "no_wrong", Type: "contains", Version: got.Policy.Effective.Evaluators[0].Version, Rate: 1, RateFrom: "default"}},
	}
	if d := cmp.Diff(effective, got.Policy.Effective); d != "" || len(got.Policy.Effective.Evaluators[0].Version) < 8 {
		t.Errorf("effective policy (-want +got):\n%s", d)
	}
	if strings.Contains(body, "wrong is") || strings.Contains(body, "this is wrong") {
		t.Errorf("/statusz shows content: %s", body)
	}
	if status, _ := k.get("/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("/debug/pprof/ = %d without being configured", status)
	}

	w.broker.Close()
	k.ready(http.StatusServiceUnavailable, "kafka: not a member of the consumer group since 20")
	k.ready(http.StatusServiceUnavailable, "broker "+w.broker.Addr()+" cannot be reached: ")
	if status, _ := k.get("/livez"); status != http.StatusOK {
		t.Errorf("/livez = %d without a broker: a restart would mend nothing", status)
	}
	_ = k.end() // what was finished is committed; whether the leave was heard is the broker's
}

// TestNotReadyBeforeJoin: a worker whose broker cannot be reached says why.
func TestNotReadyBeforeJoin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	cfg := w.load(w.configure(rulePolicy))
	cfg.Kafka.Brokers = []string{"127.0.0.1:1"} // on a port that was closed another test may listen
	k := w.start(cfg)
	k.ready(http.StatusServiceUnavailable, "broker "+cfg.Kafka.Brokers[0]+" cannot be reached: ")
	k.ready(http.StatusServiceUnavailable, "kafka: not a member of the consumer group since 20")
	k.halt()
}

// TestKafkaDownIsAMetric: an alert can see the state that /readyz reports. The last
// value is the final state.
func TestKafkaDownIsAMetric(t *testing.T) {
	w := newWorld(t, passing).withTelemetry()
	cfg := w.load(w.configure(rulePolicy))
	there := cfg.Kafka.Brokers
	for want, brokers := range [][]string{there, {"127.0.0.1:1"}} {
		cfg.Kafka.Brokers = brokers
		k := w.start(cfg)
		eventually(t, "it is joined, or down", func() bool { s := k.Status().Consumer; return s.Joined || s.Down() })
		k.halt()
		eventually(t, fmt.Sprintf("evalworker.kafka_down is %d at %v", want, brokers), func() bool { // it comes by UDP
			got := w.statsd.Values("evalworker.kafka_down")
			return len(got) > 0 && got[len(got)-1] == float64(want)
		})
	}
}

// TestModelsOnStatusPage: the state of a judge's model is on the status page.
func TestModelsOnStatusPage(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	w := newWorld(t, func(r modelserver.Request) modelserver.Reply {
		if down.Load() {
			return modelserver.Reply{Status: http.StatusServiceUnavailable}
		}
		return passing(r)
	})
	k := w.start(w.load(w.configure(judgePolicy)))
	want := []policy.ModelStatus{{Name: "default", Model: "judge-small", Condition: model.Condition{Breaker: "closed", Format: "json_schema"}}}
	if d := cmp.Diff(want, k.Status().Models); d != "" {
		t.Errorf("before the first call (-want +got):\n%s", d)
	}
	down.Store(true)
	w.emit(t.Context(), numbered("down", 20, "an answer")...)
	k.consumed(20)
	got := k.Status().Models[0]
	if got.Breaker != "open" || got.Reason != eval.ReasonUnavailable || got.FailingSince.IsZero() {
		t.Errorf("while the model is down: %+v", got)
	}
	if _, body := k.get("/statusz"); !strings.Contains(body, `"breaker": "open"`) || !strings.Contains(body, `"reason": "unavailable"`) {
		t.Errorf("/statusz = %s", body)
	}
	k.halt()
}

// TestNoHealthServer: the server can be switched off.
func TestNoHealthServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	cfg := w.load(w.configure(rulePolicy))
	cfg.Health.Listen = ""
	k := w.start(cfg)
	if addr := k.HealthAddr(); addr != "" {
		t.Errorf("health server at %s, want none", addr)
	}
	w.emit(t.Context(), numbered("event", 1, "fine")...)
	k.consumed(1)
	k.halt()
}

// TestSettled: the equation of accounting.
func TestSettled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a    app.Accounting
		want bool
	}{
		{app.Accounting{}, true},
		{app.Accounting{Consumed: 6, SampledOut: 1, Evaluated: 2, DeadLettered: 3}, true},
		{app.Accounting{Consumed: 6, Unwanted: 2, Evaluated: 1, DeadLettered: 3}, true},
		{app.Accounting{Consumed: 7, SampledOut: 1, Evaluated: 2, DeadLettered: 3}, false},
		{app.Accounting{Consumed: 5, SampledOut: 1, Evaluated: 2, DeadLettered: 3}, false},
	} {
		if got := tt.a.Settled(); got != tt.want {
			t.Errorf("%+v settled: %v, want %v", tt.a, got, tt.want)
		}
	}
}

// TestOffline: the worker's pipeline without Kafka, on the same store.
func TestOffline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	cfg := w.load(w.configure(rulePolicy))
	if _, err := app.NewOffline(t.Context(), cfg, app.Deps{Log: discard()}); err == nil || !strings.Contains(err.Error(), "recorder") {
		t.Errorf("without a recorder: %v", err)
	}
	o, err := app.NewOffline(t.Context(), cfg, app.Deps{Log: discard(), Recorder: w.seen})
	if err != nil {
		t.Fatal(err)
	}
	for _, output := range []string{"wrong", "right"} {
		e := event.Event{Kind: event.KindRequestCompleted, RequestID: event.RequestID(output), Output: event.Text(output)}
		value, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		r, err := o.Pipeline().Evaluate(t.Context(), value)
		if err != nil || r.Failed() != (output == "wrong") {
			t.Errorf("%s: failed %v, error %v", output, r.Failed(), err)
		}
	}
	if err := o.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := o.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	if cases := w.cases(t); len(cases) != 1 {
		t.Errorf("%d cases, want 1", len(cases))
	}
}
