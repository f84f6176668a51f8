// Gen writes the documents that are generated from code: the event's JSON Schema,
// the pages on metrics and configuration, and the metrics of the Terraform module. CI runs it and fails when anything
// changes.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/telemetry"
)

//go:generate go run . -root ../..

func main() {
	root := flag.String("root", ".", "root of the repository")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// documents returns the generated documents by their path in the repository.
func documents() (map[string][]byte, error) {
	metrics, err := terraformMetrics()
	return map[string][]byte{
		"event/event.schema.json":               event.Schema(),
		"docs/metrics.md":                       telemetry.MetricsDoc(),
		"docs/configuration.md":                 config.Doc(),
		"deploy/datadog/terraform/metrics.json": metrics,
	}, err
}

func run(root string) error {
	all, err := documents()
	if err != nil {
		return err
	}
	for name, body := range all {
		if err := os.WriteFile(filepath.Join(root, name), body, 0o644); err != nil { //nolint:gosec // published documents
			return err
		}
	}
	return nil
}
