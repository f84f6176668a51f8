package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"slices"

	files "github.com/evalworker/evalworker/deploy/datadog"
	"github.com/evalworker/evalworker/internal/datadog"
	"github.com/evalworker/evalworker/telemetry"
)

// terraformMetric is a metric as the Terraform module reads it.
type terraformMetric struct {
	Name        string               `json:"name"`
	Type        telemetry.MetricType `json:"type"`
	Unit        string               `json:"unit"`
	Description string               `json:"description"`
	Tags        []string             `json:"tags"`
	Percentiles bool                 `json:"percentiles"` // a monitor or dashboard asks for one
}

// terraformMetrics returns the table of metrics for the Terraform module.
func terraformMetrics() ([]byte, error) {
	asked, err := percentiles(files.FS)
	if err != nil {
		return nil, err
	}
	var out []terraformMetric
	for _, m := range telemetry.Metrics() {
		out = append(out, terraformMetric{
			m.Name, m.Type, m.Unit, m.Help, append([]string{}, m.Tags...),
			m.Type == telemetry.TypeDistribution && slices.Contains(asked, m.Name),
		})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(out)
	return b.Bytes(), err
}

// percentiles returns the metrics of which a file asks for a percentile.
func percentiles(from fs.FS) ([]string, error) {
	var out []string
	err := fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(from, name)
		out = append(out, datadog.Percentiles(text)...)
		return err
	})
	return out, err
}
