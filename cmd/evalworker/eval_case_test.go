package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
)

// failing returns the failing verdicts in the reports of eval --json, each as request,
// prompt version, evaluator, label and reason, without repetitions.
func failing(t *testing.T, stdout string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(stdout) {
		var r struct {
			RequestID     string `json:"request_id"`
			PromptVersion string `json:"prompt_version"`
			TraceID       string `json:"trace_id"`
			Verdicts      []struct{ Eval, Outcome, Label, Reason string }
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		for _, v := range r.Verdicts {
			if v.Outcome == "fail" {
				out = append(out, fmt.Sprint(r.RequestID, " ", r.TraceID, " ", r.PromptVersion, " ", v.Eval, " ", v.Label, " ", v.Reason))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestCasesAreEvaluatedAgain: what an export of cases holds fails again as its events
// did, also beside events, so that a dataset is a regression test.
func TestCasesAreEvaluatedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, exported, mixed := "sqlite:"+filepath.Join(dir, "cases.db"), filepath.Join(dir, "cases.jsonl"), filepath.Join(dir, "mixed.jsonl")
	events := strings.Join([]string{
		`{"event":"llm_request_completed","request_id":"refused","trace_id":"0123456789abcdef0123456789abcdef","prompt_name":"hours","prompt_version":"v1","status":"success","input":"When do you open?","output":"I'm sorry, but I can't help with that."}`,
		`{"event":"llm_request_completed","request_id":"uncited","prompt_version":"v2","output":"We open at nine [7].","retrieval":{"query":"hours","chunks":[{"id":"1","text":"We open at nine."}]}}`,
		`{"event":"llm_request_completed","request_id":"miscalled","prompt_version":"v2","tool_calls":[{"name":"look","arguments":"{\"day\":"}],"tools":[{"name":"look","parameters":{"type":"object"}}]}`,
		`{"event":"llm_user_feedback","request_id":"rated","user_rating":"down","comment":"useless"}`,
		`{"event":"llm_request_completed","request_id":"fine","output":"We open at nine."}`,
	}, "\n") + "\n"
	file := filepath.Join(dir, "requests.ndjson")
	if err := os.WriteFile(file, []byte(events), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t, "eval", file, "--json", "--store", db)
	if code != cli.ExitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	want := failing(t, stdout)
	if len(want) < 4 {
		t.Fatalf("failing verdicts: %q", want)
	}
	if code, _, stderr = call(t, "datasets", "export", "--store", db, "--format", "jsonl", "--out", exported); code != cli.ExitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, strict := range []bool{false, true} {
		args := []string{"eval", exported, "--json", "--store", inMemory}
		if strict {
			args = append(args, "--strict")
		}
		code, stdout, stderr = call(t, args...)
		if got := failing(t, stdout); code != cli.ExitOK || !slices.Equal(got, want) {
			t.Errorf("strict %v: exit code %d, failing verdicts of the cases:\n%s\nof the events:\n%s\n%s", strict, code, strings.Join(got, "\n"), strings.Join(want, "\n"), stderr)
		}
	}
	cases, err := os.ReadFile(exported)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mixed, append([]byte(events), cases...), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = call(t, "eval", mixed, "--json", "--store", inMemory)
	if got := failing(t, stdout); code != cli.ExitOK || !slices.Equal(got, want) {
		t.Errorf("exit code %d, failing verdicts of both:\n%s\n%s", code, strings.Join(got, "\n"), stderr)
	}
}
