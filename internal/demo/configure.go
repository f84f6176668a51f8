package demo

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/evalworker/evalworker/internal/config"
)

//go:embed demo.yaml.tmpl
var configTemplate string

const topic = "llm.requests.completed"

// configure writes the worker's configuration and schemas, as a person would,
// and loads them.
func (d *Demo) configure() (*config.Config, error) {
	dir := d.addresses.Dir
	schemas := filepath.Join(dir, "schemas")
	if err := os.MkdirAll(schemas, 0o750); err != nil {
		return nil, fmt.Errorf("demo folder: %w", err)
	}
	var schema string
	for name, body := range d.scenario.Schemas() {
		schema = name
		if err := os.WriteFile(filepath.Join(schemas, name+".json"), body, 0o600); err != nil {
			return nil, fmt.Errorf("demo folder: %w", err)
		}
	}
	t, err := template.New("demo").Parse(configTemplate)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	err = t.Execute(&text, map[string]any{
		"Broker": d.broker.Addr(), "Model": d.judge.model, "BaseURL": d.judge.url, "Schema": schema,
		// The store is this run's: the same seed then gives the same counts.
		"Store":   filepath.Join(dir, fmt.Sprintf("demo-%d.db", os.Getpid())),
		"Datadog": d.deps.Getenv("DD_AGENT_HOST") != "" || d.deps.Getenv("DD_TRACE_AGENT_URL") != "",
	})
	if err != nil {
		return nil, err
	}
	d.addresses.Config = filepath.Join(dir, "evalworker.yaml")
	if err := os.WriteFile(d.addresses.Config, []byte(text.String()), 0o600); err != nil {
		return nil, fmt.Errorf("demo folder: %w", err)
	}
	// The demo's file is complete: of the environment only the model's key counts.
	var environ []string
	for _, name := range []string{"OPENAI_API_KEY", "OPENAI_BASE_URL"} {
		if v := d.deps.Getenv(name); v != "" {
			environ = append(environ, name+"="+v)
		}
	}
	return config.Load(d.addresses.Config, environ)
}
