package field_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/policy"
	"github.com/evalworker/evalworker/validators"
)

const evaluatorsPage = "../../docs/evaluators.md"

// TestEvaluatorsPage: the page has a section for each type of evaluator, which names
// its options and labels, and whose examples give the verdicts that it shows.
func TestEvaluatorsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(evaluatorsPage)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, part := range strings.Split(string(page), "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		sections[title] = body
	}
	for _, kind := range policy.Types() {
		body, ok := sections[kind]
		if !ok {
			t.Errorf("%s has no section %q", evaluatorsPage, kind)
			continue
		}
		for _, word := range slices.Concat(policy.Options(kind), validators.Labels(kind)) {
			if !strings.Contains(body, "`"+word+"`") {
				t.Errorf("the section %s does not name `%s`", kind, word)
			}
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			runExamples(t, body)
		})
	}
}

// runExamples runs the examples of a section: files (a fence "json NAME"), a
// configuration (yaml), events (json, one a line) and their verdicts (no language).
// A configuration without events is loaded only.
func runExamples(t *testing.T, section string) {
	t.Helper()
	dir := t.TempDir()
	configured := false
	var got []string
	for i, fence := range strings.Split(section, "\n```") {
		if i%2 == 0 {
			continue
		}
		info, body, _ := strings.Cut(fence, "\n")
		switch language, name, _ := strings.Cut(info, " "); {
		case name != "":
			write(t, filepath.Join(dir, name), body)
		case language == "yaml":
			configured = true
			write(t, filepath.Join(dir, "evalworker.yaml"), body)
			if _, err := config.Load(filepath.Join(dir, "evalworker.yaml"), nil); err != nil {
				t.Errorf("%v in\n%s", err, body)
			}
		case language == "json":
			got = append(got, verdictLines(t, dir, body)...)
		case language == "" && len(got) > 0:
			if diff := cmp.Diff(strings.Split(body, "\n"), got); diff != "" {
				t.Errorf("verdicts (-page +got):\n%s", diff)
			}
			got = nil
		}
	}
	if !configured || len(got) > 0 {
		t.Error("want an example of a configuration, and the verdicts behind its events")
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// verdictLines returns the verdicts on events as the page shows them, one a line.
func verdictLines(t *testing.T, dir, events string) (lines []string) {
	t.Helper()
	cfg, err := config.Load(filepath.Join(dir, "evalworker.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Store.URL = "sqlite:" + filepath.Join(t.TempDir(), "cases.db")
	off, err := app.NewOffline(t.Context(), cfg, app.Deps{Log: slog.New(slog.DiscardHandler), Version: "test", Recorder: ignore{}})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(events, "\n") {
		report, err := off.Pipeline().Evaluate(t.Context(), []byte(line))
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, v := range report.Verdicts {
			text := strings.TrimSpace(fmt.Sprintf("%s: %s %s", v.Eval, v.Outcome, v.Label))
			if v.Reason != "" {
				text += " (" + v.Reason + ")"
			}
			lines = append(lines, text)
		}
	}
	if err := off.Close(); err != nil {
		t.Error(err)
	}
	return lines
}
