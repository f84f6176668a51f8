package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
)

// twoVersions writes a file in which version v2 of a prompt refuses so many of 100 requests,
// and v1 none, and returns its name.
func twoVersions(t *testing.T, refused int) string {
	t.Helper()
	var b strings.Builder
	for i := range 200 {
		version, output := "v1", "We open at nine."
		if i >= 100 {
			version = "v2"
			if i-100 < refused {
				output = "I'm sorry, but I can't help with that."
			}
		}
		fmt.Fprintf(&b, `{"event":"llm_request_completed","request_id":"r%d","prompt_name":"hours","prompt_version":%q,"output":%q}`+"\n", i, version, output)
	}
	file := filepath.Join(t.TempDir(), "requests.ndjson")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// lastLine returns the summary in the last line of eval --json.
func lastLine(t *testing.T, stdout string) (s evalSummary) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var out map[string]evalSummary
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &out); err != nil {
		t.Fatalf("%v in %.200s", err, lines[len(lines)-1])
	}
	return out["summary"]
}

// TestFailOnRegression: a worse version changes the exit code when that is asked for, and
// only then; standard error says which it is.
func TestFailOnRegression(t *testing.T) {
	t.Parallel()
	bad, good := twoVersions(t, 30), twoVersions(t, 0)
	const told = "evalworker: hours: v2 is worse than v1 by refusal: 100.0 -> 70.0 % (-30.0 points, adjusted p < 0.0001)\n"
	for name, tt := range map[string]struct {
		file string
		args []string
		code int
		told string
	}{
		"worse":                 {bad, []string{"--fail-on", "regression"}, cli.ExitFailure, told},
		"worse, as JSON":        {bad, []string{"--fail-on", "regression", "--json"}, cli.ExitFailure, told},
		"worse, and not asked":  {bad, nil, cli.ExitOK, ""},
		"as good":               {good, []string{"--fail-on", "regression"}, cli.ExitOK, ""},
		"worse than a baseline": {bad, []string{"--fail-on", "regression", "--baseline", "v1"}, cli.ExitFailure, told},
		"no such baseline":      {bad, []string{"--fail-on", "regression", "--baseline", "v3", "--json"}, cli.ExitUsage, `no prompt has a version "v3"`},
		"unknown finding":       {bad, []string{"--fail-on", "regresion"}, cli.ExitUsage, `--fail-on: unknown value "regresion"; did you mean "regression"?`},
		"with labels":           {bad, []string{"--fail-on", "regression", "--labels", "label"}, cli.ExitUsage, "--fail-on: --labels compares verdicts with labels, and not versions with each other; leave out one of the two"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := call(t, append([]string{"eval", tt.file, "--store", inMemory}, tt.args...)...)
			if code != tt.code || !strings.Contains(stderr, tt.told) || tt.told == "" && stderr != "" {
				t.Errorf("exit code %d, told:\n%s", code, stderr)
			}
		})
	}
}

// TestFailOnRegressionComparesNothing: a gate that has nothing to compare says so.
func TestFailOnRegressionComparesNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "one.ndjson")
	if err := os.WriteFile(file, []byte(`{"event":"llm_request_completed","request_id":"r1","prompt_version":"v1","output":"Yes."}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := call(t, "eval", file, "--store", inMemory, "--fail-on", "regression")
	if code != cli.ExitOK || stderr != "note: --fail-on regression: no version was compared: a comparison needs two versions of a prompt with enough decided verdicts\n" {
		t.Errorf("exit code %d, told:\n%s", code, stderr)
	}
}

// TestProblems: all reasons for the exit code are told, and stand in the summary.
func TestProblems(t *testing.T) {
	t.Parallel()
	file := twoVersions(t, 30)
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("level=info\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t, "eval", file, "--store", inMemory, "--fail-on", "regression", "--json")
	problems := lastLine(t, stdout).Problems
	if code != cli.ExitFailure || len(problems) != 2 || !strings.HasPrefix(problems[0], "hours: v2 is worse than v1 by refusal: ") || problems[1] != "1 of 201 lines is no event" {
		t.Errorf("exit code %d, problems %q", code, problems)
	}
	for _, p := range problems {
		if !strings.Contains(stderr, "evalworker: "+p+"\n") {
			t.Errorf("%q is not told:\n%s", p, stderr)
		}
	}
}

// TestEvalInterruptedSummary: what was found before an interrupt is the last line, and
// says that it is not all.
func TestEvalInterruptedSummary(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	lines, in := io.Pipe()
	out, reports := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, []string{"eval", "--json", "-", "--store", inMemory}, lines, reports, io.Discard, nil)
		_ = reports.Close()
		ended <- code
	}()
	if _, err := io.WriteString(in, `{"event":"llm_request_completed","request_id":"r1","output":"yes"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(out)
	if report, err := from.ReadString('\n'); err != nil || !strings.Contains(report, `"r1"`) {
		t.Fatalf("report %q, err = %v", report, err)
	}
	interrupt()
	rest, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	s := lastLine(t, string(rest))
	if code := <-ended; code != cli.ExitFailure || !s.Interrupted || s.Events.Consumed != 1 || !s.Events.Settled() || len(s.Problems) != 1 || !strings.HasPrefix(s.Problems[0], "stopped after line 1: ") {
		t.Errorf("exit code %d, %+v", code, s)
	}
	_ = in.Close()
}
