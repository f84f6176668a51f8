package main

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/internal/demo/scenario"
	"github.com/evalworker/evalworker/internal/summary"
)

// Fields that readers of the JSON of commands rely on. They stay, and more may stand
// beside them. The name of an evaluator is *.
const (
	demoFields = `comparisons[].against comparisons[].baseline comparisons[].baseline_decided comparisons[].baseline_version
		comparisons[].decided comparisons[].difference comparisons[].eval comparisons[].high comparisons[].low
		comparisons[].not_compared comparisons[].p_value comparisons[].prompt_name comparisons[].prompt_version
		comparisons[].rate comparisons[].smallest_drop comparisons[].worse
		dataset.cases dataset.occurrences dataset.path dead_letters[].count dead_letters[].error dead_letters[].reason
		errors events.consumed events.dead_lettered events.evaluated events.sampled_out events.unwanted judge problems
		prompt_versions[].evals.*.cannot_judge prompt_versions[].evals.*.effective_size prompt_versions[].evals.*.error
		prompt_versions[].evals.*.fail prompt_versions[].evals.*.high prompt_versions[].evals.*.low
		prompt_versions[].evals.*.not_applicable prompt_versions[].evals.*.pass prompt_versions[].evals.*.pass_rate
		prompt_versions[].evals.*.units prompt_versions[].json_checked prompt_versions[].json_invalid
		prompt_versions[].prompt_name prompt_versions[].prompt_version regressions scenario seed`
	reportFields = `disposition reason request_id verdicts[].eval verdicts[].label verdicts[].outcome verdicts[].probability
		verdicts[].reason verdicts[].score verdicts[].type verdicts[].version ignored`
	badFields = `line disposition reason verdicts`
)

// fieldsOf adds the paths of all members of a JSON value, and of the values themselves.
func fieldsOf(value any, path string, into map[string]any) {
	into[path] = value
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if strings.HasSuffix(path, ".evals") {
				name = "*"
			}
			fieldsOf(member, strings.TrimPrefix(path+"."+name, "."), into)
		}
	case []any:
		for _, item := range v {
			fieldsOf(item, path+"[]", into)
		}
	}
}

// parsed returns the fields of a line of JSON.
func parsed(t *testing.T, line string) map[string]any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(line), &value); err != nil {
		t.Fatalf("%v in %.300q", err, line)
	}
	out := map[string]any{}
	fieldsOf(value, "", out)
	return out
}

func wantFields(t *testing.T, what, want string, got map[string]any) {
	t.Helper()
	for field := range strings.FieldsSeq(want) {
		if _, ok := got[field]; !ok {
			t.Errorf("%s: the field %s is gone", what, field)
		}
	}
}

// traffic writes events of the scenario with a broken version, and one line that is none,
// and returns the file's name.
func traffic(t *testing.T, events int) string {
	t.Helper()
	s, err := scenario.Load("regressed")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for e := range s.Events(7, scenario.Options{}) {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
		if events--; events == 0 {
			break
		}
	}
	b.WriteString("level=info\n" + `{"event":"llm_request_completed","request_id":"odd","output_tokens":"many"}` + "\n")
	file := filepath.Join(t.TempDir(), "requests.ndjson")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestJSONKeepsItsFields: what readers of demo --json and eval --json rely on is there,
// and the summary of eval is of demo's shape.
func TestJSONKeepsItsFields(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := call(t, "demo", "--json", "--events", "400", "--dir", t.TempDir())
	if code != cli.ExitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	demo := parsed(t, stdout)
	wantFields(t, "demo --json", demoFields, demo)

	code, stdout, stderr = call(t, "eval", traffic(t, 300), "--json", "--store", inMemory)
	if code != cli.ExitFailure {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 303 {
		t.Fatalf("%d lines", len(lines))
	}
	wantFields(t, "a bad line", badFields, parsed(t, lines[300]))
	wantFields(t, "a report", reportFields, parsed(t, lines[301]))
	found := map[string]any{}
	for path, value := range parsed(t, lines[302]) {
		found[strings.TrimPrefix(path, "summary.")] = value
	}
	onlyDemo := regexp.MustCompile(`^(judge|scenario|seed|dataset\.path|comparisons\[\]\.baseline_version)$`)
	for _, field := range slices.Sorted(maps.Keys(demo)) {
		if _, ok := found[field]; !ok && !onlyDemo.MatchString(field) && !strings.HasPrefix(field, "usage[]") {
			t.Errorf("the summary of eval lacks %s of demo --json", field)
		}
	}
	for field, want := range map[string]any{
		"events.consumed": 302.0, "events.dead_lettered": 1.0, "events.evaluated": 301.0, "dead_letters[].line": 301.0, "dead_letters[].reason": "malformed",
		"interrupted": false, "ignored.output_tokens": 1.0, "dataset.store": inMemory, "compared.unit": "trace", "compared.max_errors": 0.01,
	} {
		if found[field] != want {
			t.Errorf("%s is %v, want %v", field, found[field], want)
		}
	}
}

// TestJSONOfAJudge: a report says how a judge came to its verdict, what it cost and
// where the request is found, in ids that JSON readers do not round, without what the
// judge repeats of a secret. The summary adds up the usage.
func TestJSONOfAJudge(t *testing.T) {
	t.Parallel()
	secret := "anna" + "@" + "shop.example.org"
	judge := modelserver.New(func(r modelserver.Request) modelserver.Reply {
		var out []modelserver.Verdict
		for _, id := range r.Criteria {
			out = append(out, modelserver.Verdict{ID: id, Evidence: "We open at nine. " + secret, Reason: "no answer for " + secret, Verdict: "fail"})
		}
		reply := modelserver.Answer(out)
		reply.PromptTokens, reply.CompletionTokens = 1000, 100
		return reply
	})
	srv := httptest.NewServer(judge)
	defer srv.Close()
	args := judged(t, srv.URL+"/v1", 0, "--json")
	line := `{"event":"llm_request_completed","request_id":"r1","trace_id":"12345678901234567890","span_id":"9007199254740993","session_id":"s1","feature":"opening",` +
		`"prompt_name":"hours","prompt_version":"v1","prompt_variant":"b","provider":"openai","model":"gpt-x","tenant_tier":"free","input":"When do you open?","output":"We open at nine."}` + "\n"
	if err := os.WriteFile(args[1], []byte(line+line), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(args[3])
	if err != nil {
		t.Fatal(err)
	}
	priced := strings.Replace(string(config), "max_attempts: 1", "max_attempts: 1, price: {input: 2, output: 10}", 1)
	if err := os.WriteFile(args[3], []byte(priced), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := evaluated(t, args)
	if code != cli.ExitOK || strings.Contains(stdout+stderr, secret) {
		t.Fatalf("exit code %d, printed %s%s", code, stdout, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var report struct {
		Verdicts []json.RawMessage `json:"verdicts"`
	}
	if err := json.Unmarshal([]byte(lines[0]), &report); err != nil || len(report.Verdicts) != 2 {
		t.Fatalf("%v in %s", err, lines[0])
	}
	got := parsed(t, lines[0])
	verdict := parsed(t, string(report.Verdicts[1]))
	for field, want := range map[string]any{
		"line": 1.0, "request_id": "r1", "trace_id": "0000000000000000ab54a98ceb1f0ad2", "span_id": "0020000000000001", "session_id": "s1", "feature": "opening",
		"prompt_name": "hours", "prompt_version": "v1", "prompt_variant": "b", "provider": "openai", "model": "gpt-x", "tenant_tier": "free",
	} {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	for field, want := range map[string]any{
		"eval": "helpfulness", "type": "llm_judge", "outcome": "fail", "probability": 1.0,
		"usage.model": "small", "usage.calls": 1.0, "usage.input_tokens": 1000.0, "usage.cached_tokens": 0.0, "usage.output_tokens": 100.0, "usage.cost_usd": 0.003,
		"criteria[].outcome": "fail",
	} {
		if verdict[field] != want {
			t.Errorf("verdict: %s is %v, want %v", field, verdict[field], want)
		}
	}
	for _, field := range []string{"version", "criteria[].id", "criteria[].evidence", "criteria[].reason", "explanation", "latency_ms"} {
		if verdict[field] == nil || verdict[field] == "" {
			t.Errorf("verdict: no %s in %s", field, report.Verdicts[1])
		}
	}
	sum := parsed(t, lines[2])
	for field, want := range map[string]any{
		"model": "small", "verdicts": 2.0, "calls": 2.0, "input_tokens": 2000.0, "output_tokens": 200.0, "cost_usd": 0.006, "cost_unknown": 0.0,
	} {
		if got := sum["summary.usage[]."+field]; got != want {
			t.Errorf("summary: %s is %v, want %v", field, got, want)
		}
	}
}

// TestDocumentedQueries: what docs/evaluate-logs.md asks of the JSON is there. jq runs
// the queries where it is installed.
func TestDocumentedQueries(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "evaluate-logs.md"))
	if err != nil {
		t.Fatal(err)
	}
	queries := regexp.MustCompile(`jq (?:-\w+ )*'([^']+)'`).FindAllStringSubmatch(string(page), -1)
	if len(queries) < 3 {
		t.Fatalf("%d queries", len(queries))
	}
	_, stdout, _ := call(t, "eval", traffic(t, 300), "--json", "--store", inMemory)
	all := map[string]any{}
	for line := range strings.Lines(stdout) {
		maps.Copy(all, parsed(t, line))
	}
	usage, err := json.Marshal(summary.Usage{}) // of a judge, of which there is none here
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(all, parsed(t, string(usage)))
	names := map[string]bool{}
	for path := range all {
		for name := range strings.SplitSeq(strings.ReplaceAll(path, "[]", ""), ".") {
			names[name] = true
		}
	}
	jq, err := exec.LookPath("jq")
	for _, q := range queries {
		for _, m := range regexp.MustCompile(`\.([a-z_]+)`).FindAllStringSubmatch(q[1], -1) {
			if !names[m[1]] {
				t.Errorf("%s: nothing is named %s", q[1], m[1])
			}
		}
		if err != nil || q[1] == ".[]" {
			continue
		}
		cmd := exec.CommandContext(t.Context(), jq, q[1])
		cmd.Stdin = strings.NewReader(stdout)
		if out, err := cmd.CombinedOutput(); err != nil || len(strings.TrimSpace(string(out))) == 0 {
			t.Errorf("jq '%s': %v: %.300s", q[1], err, out)
		}
	}
}
