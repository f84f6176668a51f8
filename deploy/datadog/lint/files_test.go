package lint

import (
	"os"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/datadog"
)

// TestFiles: the monitors and dashboards of this repository, and their runbooks.
func TestFiles(t *testing.T) {
	t.Parallel()
	for _, f := range Files(os.DirFS(".."), os.DirFS("../../../docs/runbooks")) {
		t.Error(f)
	}
}

// TestRendered: monitors are right, too, when a team watches other evaluators and sets
// other thresholds. Placeholders are filled in with themselves, so that the checks find
// them where they have to be.
func TestRendered(t *testing.T) {
	t.Parallel()
	config := datadog.DefaultConfig()
	config.Notify, config.Docs, config.Team = []string{"${notify}"}, "${docs}", "${team}"
	config.Evaluators = []string{"correctness", "safety"}
	config.Thresholds = map[string]float64{"lag": 900, "quality-drop-safety": -7.5, "judge-spend": 0.25}
	config.Warnings = map[string]float64{"lag": 600, "judge-spend": 0.2}
	objects, omitted, err := datadog.Render(datadog.Values{Config: config, Env: "${env}", Only: datadog.Monitor})
	if err != nil || len(omitted) > 0 {
		t.Fatalf("%v, left out: %v", err, omitted)
	}
	seen := map[string]string{}
	for _, o := range objects {
		m, faults := newTable().monitor(o.Name, o.JSON())
		if m == nil {
			t.Fatalf("%s: %v", o.Name, faults)
		}
		seen[o.Name] = m.query.threshold
		for _, f := range faults {
			if evaluator := strings.HasSuffix(o.Name, "-safety"); !evaluator || f.Path != "message" { // its runbook is the one of the file
				t.Errorf("%s: %s", o.Name, f)
			}
		}
	}
	for name, want := range map[string]string{"lag": "900", "quality-drop": "-5", "quality-drop-safety": "-7.5", "judge-spend": "0.25"} {
		if seen[name] != want {
			t.Errorf("the threshold of %s is %q, want %s", name, seen[name], want)
		}
	}
}
