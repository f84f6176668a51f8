package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
)

// TestEvalOfTwoPrompts: two prompts whose versions have the same names are told apart
// from the file to the last line: each has its rows, and that one got better is no
// finding.
func TestEvalOfTwoPrompts(t *testing.T) {
	t.Parallel()
	const n = 400
	var b strings.Builder
	for _, of := range []struct {
		prompt, version string
		refused         int // of 100
	}{{"triage", "v1", 2}, {"triage", "v2", 30}, {"summarise", "v1", 30}, {"summarise", "v2", 2}} {
		for i := range n {
			output := "We open at nine."
			if i%100 < of.refused {
				output = "I'm sorry, but I can't help with that."
			}
			fmt.Fprintf(&b, `{"event":"llm_request_completed","request_id":"%s-%s-%d","prompt_name":%q,"prompt_version":%q,"output":%q}`+"\n", of.prompt, of.version, i, of.prompt, of.version, output)
		}
	}
	file := filepath.Join(t.TempDir(), "requests.ndjson")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t, "eval", file, "--store", inMemory, "--evaluator", "refusal")
	if code != cli.ExitOK || stderr != "" {
		t.Errorf("exit code %d, told:\n%s", code, stderr)
	}
	if strings.Count(stdout, " is worse than ") != 1 || !strings.HasPrefix(stdout, "triage: v2 is worse than v1\n  refusal   98.0 ->  70.0 %") {
		t.Errorf("want one finding, in front:\n%s", stdout)
	}
	code, stdout, _ = call(t, "eval", file, "--store", inMemory, "--evaluator", "refusal", "--json")
	s := lastLine(t, stdout)
	rows := map[string]int64{}
	for _, row := range s.PromptVersions {
		rows[row.PromptName+" "+row.PromptVersion] = row.Evals["refusal"].Fail
	}
	if want := "map[summarise v1:120 summarise v2:8 triage v1:8 triage v2:120]"; code != cli.ExitOK || fmt.Sprint(rows) != want || len(s.PromptVersions) != 4 {
		t.Errorf("exit code %d, fails %v, want %s", code, rows, want)
	}
	if len(s.Regressions) != 1 || s.Regressions[0].PromptName != "triage" || s.Regressions[0].PromptVersion != "v2" {
		t.Errorf("regressions %+v", s.Regressions)
	}
}

// TestSmallDemoSaysWhatItCouldNotSee: on too few requests the broken version is not
// found; the demo says how large a drop would have been, and which evaluators have too
// few verdicts, and nowhere that all is well.
func TestSmallDemoSaysWhatItCouldNotSee(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := call(t, "demo", "--events", "500", "--seed", "7", "--dir", t.TempDir())
	if code != cli.ExitOK || stderr != "" {
		t.Errorf("exit code %d, told:\n%s", code, stderr)
	}
	text := strings.Join(strings.Fields(stdout), " ")
	for _, want := range []string{
		"2026-06-01.3 against 2026-06-01.2: no drop seen. Smaller drops than these may be hidden: secrets ", "correctness ", " points",
		"2026-06-01.3: not compared by answer_relevance, safety: fewer than 30 decided verdicts on both sides",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	if strings.Contains(text, "not worse") || strings.Contains(text, "is worse than") {
		t.Errorf("a finding or an all-clear on 500 requests:\n%s", stdout)
	}
}
