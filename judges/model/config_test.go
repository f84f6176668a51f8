package model

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/config/fault"
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
		BaseURL: "localhost:8080", API: "azur", Temperature: new(float32(3)), Format: "xml", RequestsPerMinute: -1,
		RetryBudget: 2, Price: &Price{Input: -1},
	}
	want := []string{
		"model", "base_url", "api", "temperature", "max_tokens", "format", "concurrency", "requests_per_minute",
		"timeout", "max_attempts", "retry_budget", "max_input_chars", "price.input",
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
