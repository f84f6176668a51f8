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

// settings are what differs from one demo's configuration to the next.
type settings struct {
	Broker  string
	Model   string
	BaseURL string // of the scripted judge; empty for a real model
	Store   string // file
	Datadog bool   // there is an agent
}

// configure writes the worker's configuration and schemas into a folder, as a
// person would, and loads them. It gives the configuration's file beside it.
func configure(dir string, schemas map[string][]byte, s settings, environ []string) (string, *config.Config, error) {
	if err := os.MkdirAll(filepath.Join(dir, "schemas"), 0o750); err != nil {
		return "", nil, fmt.Errorf("demo folder: %w", err)
	}
	for name, body := range schemas {
		if err := os.WriteFile(filepath.Join(dir, "schemas", name+".json"), body, 0o600); err != nil {
			return "", nil, fmt.Errorf("demo folder: %w", err)
		}
	}
	t, err := template.New("demo").Parse(configTemplate)
	if err != nil {
		return "", nil, fmt.Errorf("demo configuration: %w", err)
	}
	var text strings.Builder
	if err := t.Execute(&text, s); err != nil {
		return "", nil, fmt.Errorf("demo configuration: %w", err)
	}
	file := filepath.Join(dir, config.FileName)
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return "", nil, fmt.Errorf("demo folder: %w", err)
	}
	cfg, err := config.Load(file, environ)
	return file, cfg, err
}

// modelEnvironment gives what of the environment counts. The demo's file is
// complete: only the model's key and address may come from outside.
func modelEnvironment(getenv func(string) string) []string {
	var environ []string
	for _, name := range []string{"OPENAI_API_KEY", "OPENAI_BASE_URL"} {
		if v := getenv(name); v != "" {
			environ = append(environ, name+"="+v)
		}
	}
	return environ
}
