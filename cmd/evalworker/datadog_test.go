package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/datadog"
	testkit "github.com/evalworker/evalworker/internal/testkit/datadog"
)

// organisation is an organisation of Datadog on loopback, and how commands reach it.
type organisation struct {
	t       *testing.T
	api     *testkit.API
	environ []string
}

func newOrganisation(t *testing.T) *organisation {
	t.Helper()
	o := &organisation{t: t, api: &testkit.API{APIKey: canary() + "api", AppKey: canary() + "app"}}
	server := httptest.NewServer(o.api)
	t.Cleanup(server.Close)
	config := filepath.Join(t.TempDir(), "evalworker.yaml")
	text := "evaluators: [{name: no_secrets, type: secrets}, {name: house_style, type: llm_judge, rubric: correctness}]\n" +
		"datadog: {env: prod, monitors: {notify: ['@slack-llm'], evaluators: [house_style]}}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o.environ = []string{
		"EVALWORKER_CONFIG=" + config, datadog.EnvAPIKey + "=" + o.api.APIKey, datadog.EnvAppKey + "=" + o.api.AppKey, datadog.EnvHost + "=" + server.URL,
	}
	return o
}

// run runs a command line below datadog and checks its exit code and what it prints.
func (o *organisation) run(code int, args string, want ...string) (stdout string) {
	o.t.Helper()
	var out, problems bytes.Buffer
	got := run(o.t.Context(), append([]string{"datadog"}, strings.Fields(args)...), strings.NewReader(""), &out, &problems, o.environ)
	all := out.String() + problems.String()
	if got != code {
		o.t.Errorf("%s: exit code %d, want %d\n%s", args, got, code, all)
	}
	for _, text := range want {
		if !strings.Contains(all, text) {
			o.t.Errorf("%s: %q is missing in\n%s", args, text, all)
		}
	}
	if strings.Contains(all, canary()) {
		o.t.Errorf("%s: prints a key", args)
	}
	return out.String()
}

// TestDatadogApply is the way of a team: it sees the plan, applies it, changes a threshold,
// and finds what somebody changed by hand.
func TestDatadogApply(t *testing.T) {
	t.Parallel()
	o := newOrganisation(t)
	o.run(cli.ExitFailure, "diff", "+ monitor provider-errors: [evalworker] Requests to an LLM provider fail (prod)", "+ monitor quality-drop-house_style", "Datadog is not as the configuration says")
	o.run(cli.ExitOK, "apply", "nothing is changed yet: the same command with --yes does it")
	if writes := o.api.Writes(); len(writes) > 0 {
		t.Fatalf("without --yes wrote %q", writes)
	}
	o.run(cli.ExitOK, "apply --yes", "made monitor provider-errors (10", "made dashboard quality (abc-")
	made := o.api.Writes()
	if want := len(datadog.Names(datadog.Monitor)) + len(datadog.Names(datadog.Dashboard)); len(made) != want {
		t.Errorf("%d writes, want %d", len(made), want)
	}
	o.run(cli.ExitOK, "diff", "0 to make, 0 to change, 0 to delete", "percentiles are off in Datadog for evalworker.event_age_seconds, ", "llm.retrieval.top_score: what asks")
	o.run(cli.ExitOK, "apply --yes --prune")
	if writes := o.api.Writes(); len(writes) > 0 {
		t.Errorf("a second run wrote %q", writes)
	}
	o.run(cli.ExitFailure, "diff --threshold provider-errors=5 --only monitors", "~ monitor provider-errors (10", "    options.thresholds.critical\n      - 3\n      + 5\n", "1 to change")
	o.run(cli.ExitOK, "apply --threshold provider-errors=5 --yes", "changed monitor provider-errors")
	if writes := o.api.Writes(); len(writes) != 1 {
		t.Errorf("writes %q, want one", writes)
	}
	o.run(cli.ExitOK, "diff --threshold provider-errors=5 --without lag", "? monitor lag (10", "--prune deletes it", "1 orphan", "left out: monitor lag")
	o.run(cli.ExitFailure, "diff --threshold provider-errors=5 --without lag --prune", "- monitor lag (10", "1 to delete")
	o.run(cli.ExitOK, "apply --threshold provider-errors=5 --without lag --prune --yes", "deleted monitor lag")

	// Another environment may want the dashboard that this one leaves out.
	o.run(cli.ExitOK, "diff --threshold provider-errors=5 --without lag,cost --prune", "? dashboard cost (abc-", "another may want it", "0 to delete")
	o.run(cli.ExitOK, "apply --threshold provider-errors=5 --without lag,cost --prune --yes")
	if writes := o.api.Writes(); slices.ContainsFunc(writes, func(w string) bool { return strings.HasPrefix(w, "DELETE /api/v1/dashboard") }) {
		t.Errorf("wrote %q", writes)
	}
}

// TestDatadogJSON: what programs read.
func TestDatadogJSON(t *testing.T) {
	t.Parallel()
	o := newOrganisation(t)
	type plan struct {
		Env, Site string
		Differs   bool
		Changes   []struct {
			Kind, Name, Action, ID string
			Done                   bool
			Fields                 []struct{ Path string }
		}
		Omitted []struct{ Name, Reason string }
	}
	read := func(text string) (p plan) {
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		return p
	}
	p := read(o.run(cli.ExitFailure, "diff --json --without lag"))
	if !p.Differs || p.Env != "prod" || len(p.Omitted) != 1 || p.Changes[0].Action != "create" || p.Changes[0].Done {
		t.Errorf("diff: %+v", p)
	}
	p = read(o.run(cli.ExitOK, "apply --json --yes --only dashboards"))
	for _, c := range p.Changes {
		if c.Kind != "dashboard" || !c.Done || c.ID == "" {
			t.Errorf("apply: %+v", c)
		}
	}
	// One that is refused: no write, exit code 1, and the reason.
	o.api.Writes()
	o.api.Refuse = func(m map[string]any) string {
		if strings.Contains(m["name"].(string), "provider") {
			return "The value provided for parameter 'query' is invalid"
		}
		return ""
	}
	o.run(cli.ExitFailure, "apply --yes", "Datadog refuses what would be sent", "monitor provider-errors: The value provided for parameter 'query' is invalid")
	o.run(cli.ExitFailure, "apply", "monitor provider-errors: ")
	if writes := o.api.Writes(); len(writes) > 0 {
		t.Errorf("writes %q", writes)
	}
}

// TestDatadogUsage: wrong use ends with 2 and says what mends it, before anything is asked.
func TestDatadogUsage(t *testing.T) {
	t.Parallel()
	o := newOrganisation(t)
	for args, want := range map[string]string{
		"render --threshold provider-erors=5":    `--threshold provider-erors: no monitor has this name; did you mean "provider-errors"?`,
		"render --threshold provider-errors=":    `--threshold: "provider-errors=" is no threshold`,
		"render --without dashbord":              `--without: no monitor or dashboard is named "dashbord"`,
		"render --evaluator hause_style":         `--evaluator: unknown evaluator "hause_style"; did you mean "house_style"?`,
		"render --notify slack":                  `--notify: "slack" is no recipient`,
		"render --env Prod":                      `--env: "Prod" is no value of a tag`,
		"render --warning provider-errors=4":     "--warning provider-errors: the monitor would warn at 4",
		"render --team x:y":                      "--team",
		"render --threshold quality-drop=8":      "--threshold quality-drop: 8 is on the other side of 0",
		"diff --docs example.com/":               "--docs",
		"apply --only metrics":                   "monitors or dashboards",
		"apply --threshold quality-drop-none=-9": "--threshold quality-drop-none",
	} {
		o.run(cli.ExitUsage, args, want)
	}
	config := filepath.Join(t.TempDir(), "evalworker.yaml")
	text := "evaluators: [{name: no_secrets, type: secrets}]\n" +
		"datadog: {monitors: {thresholds: {provider-erors: 5}, evaluators: [secrets], notify: [slack]}}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o.run(cli.ExitUsage, "render --config "+config, config+`:2:`, `datadog.monitors.thresholds.provider-erors: no monitor has this name; did you mean "provider-errors"?`,
		`datadog.monitors.evaluators[0]: unknown evaluator "secrets"`, `datadog.monitors.notify[0]: "slack" is no recipient`)
	o.environ = o.environ[:1]
	o.run(cli.ExitUsage, "diff", "DD_API_KEY: not set", "DD_APP_KEY: not set")
	o.environ = nil
	o.run(cli.ExitUsage, "render", "--env: no environment is named")
	o.run(cli.ExitOK, "render --env prod", "left out: monitor quality-drop: the configuration has no evaluator correctness", "no configuration is read", "nobody is notified")
	o.environ = []string{"DD_ENV=Prod"}
	o.run(cli.ExitUsage, "render", `DD_ENV: "Prod" is no value of a tag`)
	o.environ = nil
	for from, want := range map[string]string{
		"datadog: {env: Prod}": `datadog.env: "Prod" is no value of a tag`,
		"datadog: {env: prod, monitors: {thresholds: {quality-drop: 8}, evaluators: [no_secrets, pii]}}": "datadog.monitors.thresholds.quality-drop: 8 is on the other side of 0",
	} {
		if err := os.WriteFile(config, []byte("evaluators: [{name: no_secrets, type: secrets}, {name: pii, type: pii}]\n"+from), 0o600); err != nil {
			t.Fatal(err)
		}
		o.run(cli.ExitUsage, "render --config "+config, want)
	}
}

// TestCheckMonitors: check finds a threshold that only a monitor's file shows to be wrong,
// and a worker reads the file all the same.
func TestCheckMonitors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "evalworker.yaml")
	text := "evaluators: [{name: no_secrets, type: secrets}]\ndatadog: {monitors: {thresholds: {lag: 900}, warnings: {lag: 1000}}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	want := "datadog.monitors.thresholds.lag: the monitor would warn at 1000"
	if code := run(t.Context(), []string{"check", "--config", file}, strings.NewReader(""), &out, &problems, nil); code != cli.ExitUsage || !strings.Contains(problems.String(), want) {
		t.Errorf("exit code %d, %s, want %q", code, &problems, want)
	}
	if _, err := config.LoadComplete(file, nil); err != nil {
		t.Errorf("a worker does not start: %v", err)
	}
}

// TestDatadogRender: files of their own, and one object on standard output.
func TestDatadogRender(t *testing.T) {
	t.Parallel()
	o := newOrganisation(t)
	dir := filepath.Join(t.TempDir(), "rendered")
	o.run(cli.ExitOK, "render --out "+dir, "wrote "+cli.Plural(len(datadog.Names(datadog.Monitor)), "monitor"), dir,
		"dashboard quality: graphs of answer_relevance, correctness, faithfulness, refusal, safety stay empty")
	text, err := os.ReadFile(filepath.Join(dir, "monitors", "quality-drop-house_style.json"))
	if err != nil || !strings.Contains(string(text), "eval:house_style") || !strings.Contains(string(text), "@slack-llm") || strings.Contains(string(text), "${") {
		t.Errorf("%v: %s", err, text)
	}
	o.run(cli.ExitOK, "render --without lag --out "+dir, "from an earlier run, and left as they are: "+filepath.Join(dir, "monitors", "lag.json"))
	var all map[string]map[string]json.RawMessage
	if err := json.Unmarshal([]byte(o.run(cli.ExitOK, "render")), &all); err != nil || len(all["monitors"]) == 0 || len(all["dashboards"]) == 0 {
		t.Errorf("%v: %d kinds", err, len(all))
	}
	if string(all["monitors"]["quality-drop-house_style"]) == "" {
		t.Error("no monitor of the configured evaluator")
	}
}

// TestCheckAgentless: a worker would not start without the key, and check says so.
func TestCheckAgentless(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "evalworker.yaml")
	text := "evaluators: [{name: no_secrets, type: secrets}]\ndatadog: {llm_observability: {enabled: true, ml_app: support, agentless: true}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"": true, canary(): false} {
		var out, problems bytes.Buffer
		code := run(t.Context(), []string{"check", "--config", file}, strings.NewReader(""), &out, &problems, []string{datadog.EnvAPIKey + "=" + key})
		if warned := strings.Contains(problems.String(), "agentless has no key here"); code != cli.ExitOK || warned != want {
			t.Errorf("exit code %d, warned %t, want %t: %s", code, warned, want, &problems)
		}
	}
}
