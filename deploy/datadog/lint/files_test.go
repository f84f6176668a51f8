package lint

import (
	"os"
	"path/filepath"
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

// TestEveryLetterCounts: without any one bracket, colon, dot or letter, the query of a
// monitor or widget has a fault. Numbers and what turns a filter round are left out:
// without them it is another query, and a right one.
func TestEveryLetterCounts(t *testing.T) {
	t.Parallel()
	all, tried := newTable(), 0
	broken := func(file, query string, end int, faulty func(string) bool) {
		for i := range end {
			if isDigit(query[i]) || strings.IndexByte(" -*!", query[i]) >= 0 {
				continue
			}
			tried++
			if without := query[:i] + query[i+1:]; !faulty(without) {
				t.Errorf("%s: nothing is found in %s", file, without)
			}
		}
	}
	for file, b := range read(t, "../monitors/*.json") {
		m, faults := all.monitor(strings.TrimSuffix(filepath.Base(file), ".json"), b)
		if m == nil {
			t.Fatal(faults)
		}
		broken(file, m.Query, strings.LastIndexAny(m.Query, "<>"), func(query string) bool {
			a, err := parseMonitor(query)
			return err != nil || len(all.alert(a)) > 0
		})
	}
	for file, b := range read(t, "../dashboards/*.json") {
		d, faults := all.dashboard(strings.TrimSuffix(filepath.Base(file), ".json"), b)
		if d == nil {
			t.Fatal(faults)
		}
		prefixes, _ := d.variables(b)
		for _, group := range d.Widgets {
			for _, w := range group.Definition.Widgets {
				for _, r := range w.Definition.Requests {
					for _, q := range r.Queries {
						broken(file, q.Query, len(q.Query), func(query string) bool {
							q.Query = query
							return len(all.source(&q, "", prefixes)) > 0
						})
					}
				}
			}
		}
	}
	if tried < 5000 {
		t.Errorf("only %d queries were broken", tried)
	}
	t.Logf("%d broken queries", tried)
}

// read returns the files that match a pattern.
func read(t *testing.T, pattern string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v, %v", pattern, names, err)
	}
	all := map[string][]byte{}
	for _, name := range names {
		if all[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
