// Gen writes the documents that are generated from code: the event's JSON Schema,
// the pages on metrics and configuration, the keys of the configuration in the schema of
// the chart's values, the metrics of the Terraform module, and the pictures of the
// dashboards. CI runs it and fails when anything changes.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/evalworker/evalworker/deploy/datadog/lint"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/gen/boards"
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
func documents(root string) (map[string][]byte, error) {
	docs := map[string][]byte{
		"event/event.schema.json": event.Schema(),
		"docs/metrics.md":         telemetry.MetricsDoc(),
		"docs/configuration.md":   config.Doc(),
	}
	metrics, err := terraformMetrics()
	if err != nil {
		return nil, err
	}
	docs["deploy/datadog/terraform/metrics.json"] = metrics
	if docs[chartFile], err = chartSchema(root); err != nil {
		return nil, err
	}
	folder := filepath.Join(root, "deploy/datadog")
	if err := lint.Files(os.DirFS(folder), os.DirFS(filepath.Join(root, "docs/runbooks"))).Err(); err != nil {
		return nil, err
	}
	pictures, err := boards.Pictures(folder)
	if err != nil {
		return nil, err
	}
	for name, svg := range pictures {
		docs["docs/images/dashboard-"+name+".svg"] = svg
	}
	return docs, nil
}

func run(root string) error {
	docs, err := documents(root)
	if err != nil {
		return err
	}
	for name, body := range docs {
		if err := os.WriteFile(filepath.Join(root, name), body, 0o644); err != nil { //nolint:gosec // published documents
			return err
		}
	}
	return nil
}
