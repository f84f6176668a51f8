package datadog

import (
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/datadog"
)

// TestRendered: what the program sends is what the API takes, with its own values and with
// all that a team can set.
func TestRendered(t *testing.T) {
	t.Parallel()
	full := datadog.DefaultConfig()
	full.Notify = []string{"@slack-llm", "@pagerduty"}
	full.Team = "search"
	full.Evaluators = []string{"correctness", "safety"}
	full.Thresholds = map[string]float64{"lag": 900}
	full.Warnings = map[string]float64{"lag": 600}
	for name, config := range map[string]datadog.Config{"default": datadog.DefaultConfig(), "full": full} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, _, err := datadog.Render(datadog.Values{Config: config, Env: "prod", Known: []string{"correctness"}})
			if err != nil {
				t.Fatal(err)
			}
			if len(objects) < len(datadog.Names(datadog.Monitor))+len(datadog.Names(datadog.Dashboard)) {
				t.Errorf("%d monitors and dashboards are rendered", len(objects))
			}
			for _, o := range objects {
				document := o.JSON()
				if err := decode(document, kinds[string(o.Kind)+"s"]); err != nil {
					t.Errorf("%s %s: %v", o.Kind, o.Name, err)
				}
				if strings.Contains(string(document), "${") || strings.Contains(string(document), "%{") {
					t.Errorf("%s %s holds a placeholder", o.Kind, o.Name)
				}
			}
		})
	}
}
