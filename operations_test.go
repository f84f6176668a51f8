package evalworker_test

import (
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/telemetry"
)

const (
	operationsPage = "docs/operations.md"
	upgradingPage  = "docs/upgrading.md"
)

// TestOperationsNamesMetrics: docs/operations.md names every metric, in its table or among
// those that ask for nothing, and no metric that does not exist.
func TestOperationsNamesMetrics(t *testing.T) {
	t.Parallel()
	metrics := map[string]bool{}
	for _, m := range telemetry.Metrics() {
		metrics[m.Name] = true
	}
	named := map[string]bool{}
	for _, name := range quoted(t, operationsPage, `(?:evalworker|llm)\.[a-z_.]+(?:<name>|\*)?`) {
		if family, ok := strings.CutSuffix(name, "*"); ok { // a family: one of it is enough
			if !slices.ContainsFunc(slices.Collect(maps.Keys(metrics)), func(m string) bool { return strings.HasPrefix(m, family) }) {
				t.Errorf("%s: no metric begins with %q", operationsPage, family)
			}
			continue
		}
		named[name] = true
		if !metrics[name] && !slices.Contains([]string{"evalworker.db", "evalworker.yaml", "llm.requests.completed"}, name) {
			t.Errorf("%s names the metric %q, which telemetry.Metrics() lacks", operationsPage, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		if !named[name] {
			t.Errorf("%s does not name the metric %q: give it a row (symptom, cause, action, runbook), or add it to those that ask for nothing", operationsPage, name)
		}
	}
}

// TestOperationsNamesSettings: each key of the configuration and each field of /statusz that a
// page for operators names exists.
func TestOperationsNamesSettings(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, k := range config.Keys() {
		known[k.Path] = true
	}
	statusFields(reflect.TypeFor[app.Status](), "", known)
	for _, page := range []string{operationsPage, logsPage, upgradingPage} {
		for _, name := range quoted(t, page, `(?:kafka|store|datadog|health|shutdown|sampling|log|redaction|feedback|models|events|policy|consumer|telemetry)(?:\[\])?\.[A-Za-z_.\[\]]+`) {
			if !known[strings.TrimSuffix(name, "[]")] {
				t.Errorf("%s names %q, which is neither a key of the configuration nor a field of /statusz", page, name)
			}
		}
	}
	if !known["consumer.partitions[].unfinished"] || !known["models[].breaker"] || !known["kafka.max_in_flight"] {
		t.Error("this test no longer sees the fields of /statusz, or the keys of the configuration")
	}
}

// quoted returns what stands in backticks on a page and matches, whole or before a
// brace of tags, each once.
func quoted(t *testing.T, page, pattern string) []string {
	t.Helper()
	found := map[string]bool{}
	for _, m := range regexp.MustCompile("`("+pattern+")(?:\\{[^`]*\\}|: [^`]*)?`").FindAllStringSubmatch(read(t, page), -1) {
		found[m[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// statusFields adds the paths of a type's JSON fields, with [] behind a list.
func statusFields(typ reflect.Type, under string, known map[string]bool) {
	switch {
	case typ == reflect.TypeFor[time.Time]():
		return
	case typ.Kind() == reflect.Pointer:
		statusFields(typ.Elem(), under, known)
		return
	case typ.Kind() == reflect.Slice:
		statusFields(typ.Elem(), strings.TrimSuffix(under, ".")+"[].", known)
		return
	case typ.Kind() != reflect.Struct:
		return
	}
	for _, f := range reflect.VisibleFields(typ) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			known[under+name] = true
			statusFields(f.Type, under+name+".", known)
		}
	}
}

// firstMigration makes the tables: there is nothing to go back to.
const firstMigration = "0001"

// TestUpgradingNamesMigrations: docs/upgrading.md names each change of the store's tables, and has
// the statements that take it back.
func TestUpgradingNamesMigrations(t *testing.T) {
	t.Parallel()
	page := read(t, upgradingPage)
	files, err := filepath.Glob("store/migrations/*/*.sql")
	if err != nil || len(files) < 4 {
		t.Fatalf("migrations: %v, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".sql")
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("%s does not name the change of tables `%s`: say what it changed, what older workers do, and how to go back", upgradingPage, name)
		}
		if strings.HasPrefix(name, firstMigration) {
			continue
		}
		_, down, found := strings.Cut(read(t, file), "-- +goose Down\n")
		if !found {
			t.Errorf("%s cannot be taken back: it has no part Down", file)
		}
		version, _, _ := strings.Cut(name, "_")
		undo := append(strings.Split(strings.TrimSpace(down), "\n"), "DELETE FROM goose_db_version WHERE version_id = "+strings.TrimLeft(version, "0")+";")
		for _, statement := range undo {
			if !strings.Contains(page, "\n"+statement+"\n") {
				t.Errorf("%s lacks a statement that takes %s back: %s", upgradingPage, file, statement)
			}
		}
	}
}

// TestPrometheusNames: the queries and rules of docs/running-workers.md ask for metrics as
// /metrics names them, the rules are YAML, and each has its runbook.
func TestPrometheusNames(t *testing.T) {
	t.Parallel()
	served := map[string]bool{}
	for _, m := range telemetry.Metrics() {
		switch name := strings.ReplaceAll(m.Name, ".", "_"); m.Type {
		case telemetry.TypeCount:
			served[name+"_total"] = true
		case telemetry.TypeDistribution:
			served[name+"_bucket"], served[name+"_sum"], served[name+"_count"] = true, true, true
		default:
			served[name] = true
		}
	}
	const page = "docs/running-workers.md"
	_, section, _ := strings.Cut(read(t, page), "\n## Prometheus\n")
	section, _, _ = strings.Cut(section, "\n## ")
	names := regexp.MustCompile(`\b(?:evalworker|llm)_[a-z_]+`).FindAllString(section, -1)
	for _, name := range names {
		if !served[name] {
			t.Errorf("%s asks for %s, which /metrics does not have", page, name)
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For string
				Labels           map[string]string
			}
		}
	}
	_, block, _ := strings.Cut(section, "groups:")
	block, _, _ = strings.Cut("groups:"+block, "```")
	if err := yaml.Unmarshal([]byte(block), &rules); err != nil || len(rules.Groups) != 1 || len(rules.Groups[0].Rules) < 5 || len(names) < 15 {
		t.Fatalf("%s: %v, %d names; this test no longer sees the rules", page, err, len(names))
	}
	for _, rule := range rules.Groups[0].Rules {
		if rule.Alert == "" || rule.Expr == "" {
			t.Errorf("%s: a rule without a name or an expression: %+v", page, rule)
		}
		read(t, "docs/runbooks/"+rule.Labels["runbook"]+".md")
	}
}
