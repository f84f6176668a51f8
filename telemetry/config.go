package telemetry

import "time"

// Config says where telemetry goes. The DD_* environment variables rule over
// it, as everywhere else in Datadog's libraries.
type Config struct {
	Enabled        bool          `yaml:"enabled"`         // false discards spans and metrics
	AgentURL       string        `yaml:"agent_url"`       // trace agent: http://host:8126 or unix:///path
	DogStatsDURL   string        `yaml:"dogstatsd_url"`   // host:8125, or unix:///path
	Service        string        `yaml:"service"`         // defaults to evalworker
	Env            string        `yaml:"env"`             // defaults to DD_ENV
	Version        string        `yaml:"version"`         // defaults to the program's version
	MaxChildAge    time.Duration `yaml:"max_child_age"`   // an older event's span is linked, not a child
	KeepFailures   float64       `yaml:"keep_failures"`   // failing traces kept a second, at most
	RequestMetrics bool          `yaml:"request_metrics"` // also llm.requests, llm.latency_ms and so on
	MaxTagValues   int           `yaml:"max_tag_values"`  // distinct values of one tag key; more become "other"
	Queue          int           `yaml:"queue"`           // reports that wait; more are dropped and counted
	CloseTimeout   time.Duration `yaml:"close_timeout"`   // bound of Stop
}
