package model

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/judges"
)

func TestModelConfigFaults(t *testing.T) {
	t.Parallel()
	paths := func(fs fault.List) []string {
		var out []string
		for _, f := range fs {
			out = append(out, f.Path)
			if f.Problem == "" || f.Expected == "" {
				t.Errorf("%v does not say how to mend it", f)
			}
		}
		return out
	}
	if err := DefaultConfig().Validate().Err(); err != nil {
		t.Error(err)
	}
	bad := Config{
		BaseURL: "localhost:8080", API: "azur", Temperature: new(float32(3)), Effort: "hard", Format: "xml", RequestsPerMinute: -1,
		RetryBudget: 2, Price: &Price{Input: -1},
	}
	want := []string{
		"model", "base_url", "api", "temperature", "reasoning_effort", "max_tokens", "format", "concurrency", "requests_per_minute",
		"timeout", "connect_timeout", "max_attempts", "retry_budget", "max_input_chars", "price.input",
	}
	if diff := cmp.Diff(want, paths(bad.Validate())); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	azure := DefaultConfig()
	azure.API, azure.APIVersion = apiAzure, ""
	if diff := cmp.Diff([]string{"base_url", "api_version"}, paths(azure.Validate())); diff != "" {
		t.Errorf("faults of Azure (-want +got):\n%s", diff)
	}
}

// TestFingerprint: a judge's version changes with what an answer depends on, and with
// nothing else.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	base := DefaultConfig().fingerprint()
	for name, tt := range map[string]struct {
		change func(*Config)
		same   bool
	}{
		"another server":                 {func(c *Config) { c.BaseURL, c.API, c.KeyFile = "https://gateway.test", apiAzure, "k" }, true},
		"limits":                         {func(c *Config) { c.Concurrency, c.Timeout, c.MaxAttempts = 1, 1, 1 }, true},
		"a price":                        {func(c *Config) { c.Price = &Price{Input: 1} }, true},
		"a temperature that is not sent": {func(c *Config) { c.Temperature = new(float32(1)) }, true},
		"reasoning that is known":        {func(c *Config) { c.Reasoning = new(true) }, true},
		"no reasoning":                   {func(c *Config) { c.Reasoning = new(false) }, false},
		"an effort":                      {func(c *Config) { c.Effort = "low" }, false},
		"another model":                  {func(c *Config) { c.Model = "gpt-6-sol" }, false},
		"another bound":                  {func(c *Config) { c.MaxTokens = 100 }, false},
		"a seed":                         {func(c *Config) { c.Seed = new(1) }, false},
		"another form":                   {func(c *Config) { c.Format = judges.FormatObject }, false},
	} {
		cfg := DefaultConfig()
		tt.change(&cfg)
		if got := cfg.fingerprint(); (got == base) != tt.same {
			t.Errorf("%s: %s", name, got)
		}
	}
}
