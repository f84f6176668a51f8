package demo

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/demo/scenario"
)

// TestConfigure: the file has no faults, and a model that costs money is called less
// than a scripted one.
func TestConfigure(t *testing.T) {
	t.Parallel()
	s, err := scenario.Load("healthy")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		settings settings
		rate     float64
		baseURL  string
	}{
		"scripted":   {settings{Broker: "127.0.0.1:1", Model: "m", BaseURL: "http://127.0.0.1:2/v1", Store: "a b.db"}, 0.5, "http://127.0.0.1:2/v1"},
		"real model": {settings{Broker: "127.0.0.1:1", Model: "org/model:1 #x", Store: "x.db", Datadog: true}, 0.1, "http://127.0.0.1:3/v1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file, cfg, err := configure(dir, s.Schemas(), c.settings, []string{"OPENAI_BASE_URL=http://127.0.0.1:3/v1"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(file); err != nil || filepath.Dir(file) != dir {
				t.Errorf("file %s: %v", file, err)
			}
			rates := map[string]float64{}
			for _, e := range cfg.Evaluators {
				if e.Rate != nil {
					rates[e.Name] = *e.Rate
				}
			}
			if diff := cmp.Diff(map[string]float64{"correctness": c.rate, "faithfulness": c.rate}, rates); diff != "" {
				t.Errorf("rates (-want +got):\n%s", diff)
			}
			m := cfg.Models["default"]
			if m.Model != c.settings.Model || m.BaseURL != c.baseURL || cfg.Datadog.Enabled != c.settings.Datadog {
				t.Errorf("model %q at %q, Datadog %t", m.Model, m.BaseURL, cfg.Datadog.Enabled)
			}
		})
	}
}

func TestModelEnvironment(t *testing.T) {
	t.Parallel()
	env := map[string]string{"OPENAI_BASE_URL": "http://127.0.0.1:3/v1", "KAFKA_BROKERS": "elsewhere:9092"}
	got := modelEnvironment(func(name string) string { return env[name] })
	if diff := cmp.Diff([]string{"OPENAI_BASE_URL=http://127.0.0.1:3/v1"}, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}
