package emitter_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	if faults := emitter.DefaultConfig().Validate(); len(faults) > 0 {
		t.Errorf("the default configuration has faults: %v", faults)
	}
	if faults := (emitter.Config{Brokers: []string{"kafka:9092"}}).Validate(); len(faults) > 0 {
		t.Errorf("brokers alone are not enough: %v", faults)
	}
	for _, name := range []string{"a,b", ".", "..", "a b", "a/b", "é", "a:b", strings.Repeat("a", 250)} {
		if _, err := emitter.New(emitter.Config{Brokers: []string{"kafka:9092"}, Topic: name}); err == nil || !strings.Contains(err.Error(), "topic") {
			t.Errorf("topic %q: %v", name, err)
		}
	}
	for _, name := range []string{"a", "A.b_c-9", "...", strings.Repeat("a", 249)} {
		if faults := (emitter.Config{Brokers: []string{"kafka:9092"}, Topic: name}).Validate(); len(faults) > 0 {
			t.Errorf("topic %q: %v", name, faults)
		}
	}
	for path, spoil := range map[string]func(*emitter.Config){
		"brokers":         func(c *emitter.Config) { c.Brokers = nil },
		"brokers[0]":      func(c *emitter.Config) { c.Brokers = []string{"kafka"} },
		"topic":           func(c *emitter.Config) { c.Topic = "two words" },
		"buffer_events":   func(c *emitter.Config) { c.BufferEvents = -1 },
		"buffer_bytes":    func(c *emitter.Config) { c.BufferBytes = 10 },
		"max_event_bytes": func(c *emitter.Config) { c.MaxEventBytes = -1 },
		"batch_events":    func(c *emitter.Config) { c.BatchEvents = -1 },
		"batch_bytes":     func(c *emitter.Config) { c.BatchBytes = -1 },
		"in_flight":       func(c *emitter.Config) { c.InFlight = -1 },
		"max_attempts":    func(c *emitter.Config) { c.MaxAttempts = -1 },
		"retry_for":       func(c *emitter.Config) { c.RetryFor = -time.Second },
		"linger":          func(c *emitter.Config) { c.Linger = -time.Second },
		"write_timeout":   func(c *emitter.Config) { c.WriteTimeout = -time.Second },
		"backoff_min":     func(c *emitter.Config) { c.BackoffMin = -time.Second },
		"backoff_max":     func(c *emitter.Config) { c.BackoffMin, c.BackoffMax = time.Minute, time.Second },
		"close_timeout":   func(c *emitter.Config) { c.CloseTimeout = -time.Second },
		"dial_timeout":    func(c *emitter.Config) { c.DialTimeout = -time.Second },
		"compression":     func(c *emitter.Config) { c.Compression = "zip" },
	} {
		cfg := emitter.DefaultConfig()
		spoil(&cfg)
		if faults := cfg.Validate(); !slices.ContainsFunc(faults, func(f fault.Fault) bool { return f.Path == path && f.Expected != "" }) {
			t.Errorf("%s: faults %v, want one at this path", path, faults)
		}
		if _, err := emitter.New(cfg); err == nil {
			t.Errorf("%s: New accepted it", path)
		}
	}
}

func TestTraceparent(t *testing.T) {
	t.Parallel()
	trace, span := [16]byte{0: 0xab, 15: 1}, [8]byte{0: 0xcd, 7: 2}
	for name, c := range map[string]struct {
		got, want map[string]string
	}{
		"sampled":     {emitter.Traceparent(trace, span, true, "dd=s:1"), map[string]string{"traceparent": "00-ab000000000000000000000000000001-cd00000000000002-01", "tracestate": "dd=s:1"}},
		"not sampled": {emitter.Traceparent(trace, span, false, ""), map[string]string{"traceparent": "00-ab000000000000000000000000000001-cd00000000000002-00"}},
		"no trace":    {emitter.Traceparent([16]byte{}, span, true, ""), nil},
		"no span":     {emitter.Traceparent(trace, [8]byte{}, true, ""), nil},
		"headers": {
			emitter.FromHeader(http.Header{"Traceparent": {"a"}, "X-Datadog-Trace-Id": {"5"}, "B3": {"d"}, "X-B3-Traceid": {"e"}, "Baggage": {"b"}, "Accept": {"c"}}),
			map[string]string{"traceparent": "a", "x-datadog-trace-id": "5", "b3": "d", "x-b3-traceid": "e"},
		},
		"no headers": {emitter.FromHeader(http.Header{"Accept": {"c"}}), nil},
	} {
		if diff := testdiff.Of(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	e := event.Event{TraceContext: emitter.Traceparent(trace, span, true, "")}
	if gotTrace, gotSpan := e.Origin(); gotTrace.Lo != 1 || gotSpan != 0xcd00000000000002 {
		t.Errorf("Origin = %s, %s", gotTrace, gotSpan)
	}
}
