package telemetry_test

import (
	"math"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/telemetry"
)

func TestDefaultConfigIsValid(t *testing.T) {
	t.Parallel()
	if err := telemetry.DefaultConfig().Validate().Err(); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*telemetry.Config)
		path   string // of the one fault; empty: none
	}{
		{"socket", func(c *telemetry.Config) { c.AgentURL, c.DogStatsDURL = "unix:///a", "unix:///d" }, ""},
		{"host", func(c *telemetry.Config) { c.AgentURL, c.DogStatsDURL = "https://agent", "agent" }, ""},
		{"no child, no keeping", func(c *telemetry.Config) { c.MaxChildAge, c.KeepFailures = 0, 0 }, ""},
		{"agent without a scheme", func(c *telemetry.Config) { c.AgentURL = "agent:8126" }, "agent_url"},
		{"agent that is no URL", func(c *telemetry.Config) { c.AgentURL = "http://a b" }, "agent_url"},
		{"agent without a host", func(c *telemetry.Config) { c.AgentURL = "http://:8126" }, "agent_url"},
		{"socket without a path", func(c *telemetry.Config) { c.AgentURL = "unix://" }, "agent_url"},
		{"DogStatsD over HTTP", func(c *telemetry.Config) { c.DogStatsDURL = "http://agent:8125" }, "dogstatsd_url"},
		{"negative age", func(c *telemetry.Config) { c.MaxChildAge = -1 }, "max_child_age"},
		{"rate that is none", func(c *telemetry.Config) { c.KeepFailures = math.NaN() }, "keep_failures"},
		{"no tag values", func(c *telemetry.Config) { c.MaxTagValues = 0 }, "max_tag_values"},
		{"too few series", func(c *telemetry.Config) { c.MaxSeries = 99 }, "max_series"},
		{"no queue", func(c *telemetry.Config) { c.Queue = 0 }, "queue"},
		{"evaluations without an application", func(c *telemetry.Config) { c.LLMObservability.Enabled = true }, "llm_observability.ml_app"},
		{"a tag with a value", func(c *telemetry.Config) { c.LLMObservability.Tag = "request_id:7" }, "llm_observability.tag"},
		{"a negative age of evaluations", func(c *telemetry.Config) { c.LLMObservability.MaxAge = -1 }, "llm_observability.max_age"},
		{"no queue of evaluations", func(c *telemetry.Config) { c.LLMObservability.Queue = 0 }, "llm_observability.queue"},
		{"evaluations", func(c *telemetry.Config) {
			c.LLMObservability.Enabled, c.LLMObservability.MLApp, c.LLMObservability.Tag = true, "returns-desk", "request_id"
		}, ""},
		{"no time to close", func(c *telemetry.Config) { c.CloseTimeout = 0 }, "close_timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := telemetry.DefaultConfig()
			tt.change(&c)
			faults := c.Validate()
			switch {
			case tt.path == "" && len(faults) > 0:
				t.Errorf("faults: %v", faults)
			case tt.path != "" && (len(faults) != 1 || faults[0].Path != tt.path || faults[0].Expected == ""):
				t.Errorf("faults = %v, want one at %s with advice", faults, tt.path)
			}
		})
	}
}

// TestValidateFindsAll: one run shows every fault.
func TestValidateFindsAll(t *testing.T) {
	t.Parallel()
	err := telemetry.Config{AgentURL: "x", DogStatsDURL: "x:y:z", MaxChildAge: -1, KeepFailures: -1}.Validate().Err()
	if got := strings.Count(err.Error(), "\n") + 1; got != 9 {
		t.Errorf("%d faults, want 9:\n%v", got, err)
	}
}
