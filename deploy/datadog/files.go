// Package files holds the monitors and dashboards of this folder, as the program carries
// them. Each is the JSON that Datadog's API takes, with placeholders in its strings:
// docs/datadog.md says which. Terraform, in the folder terraform, reads the same files.
package files

import "embed"

// FS holds monitors/NAME.json and dashboards/NAME.json.
//
//go:embed monitors/*.json dashboards/*.json
var FS embed.FS
