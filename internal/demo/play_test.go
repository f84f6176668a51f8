package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/demo/scenario"
	"github.com/evalworker/evalworker/internal/summary"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	write := func(content string) summary.Dataset {
		path := filepath.Join(t.TempDir(), "cases.jsonl")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return summary.Dataset{Path: path}
	}
	// The result of a good run of the scenario "regressed".
	good := func() Result {
		return Result{Result: summary.Result{
			Events:      app.Accounting{Consumed: 1000, SampledOut: 100, Evaluated: 897, DeadLettered: 3},
			DeadLetters: []summary.DeadLetters{{Count: 1}, {Count: 2}},
			Tables:      summary.Tables{Regressions: []summary.Comparison{{PromptVersion: "2026-06-01.3"}, {PromptVersion: "2026-06-01.3"}}},
			Dataset:     write("{\"a\":1}\n{\"b\":2}\n"),
		}}
	}
	for name, c := range map[string]struct {
		spoil func(*Result)
		want  string // part of the problem; empty: there is none
	}{
		"good":                         {func(*Result) {}, ""},
		"empty dataset":                {func(r *Result) { r.Dataset = write("") }, ""},
		"one event is gone":            {func(r *Result) { r.Events.Evaluated-- }, "does not add up"},
		"one event is missing":         {func(r *Result) { r.Events.Consumed--; r.Events.Evaluated-- }, "does not add up"},
		"a dead letter too many":       {func(r *Result) { r.Events.DeadLettered++; r.Events.Evaluated-- }, "dead letters: 4"},
		"a dead letter was evaluated":  {func(r *Result) { r.Events.DeadLettered--; r.Events.Evaluated++ }, "dead letters: 2"},
		"nothing found":                {func(r *Result) { r.Regressions = nil }, "missed: prompt version 2026-06-01.3"},
		"another version beside it":    {func(r *Result) { r.Regressions[1].PromptVersion = "2026-06-01.1" }, "false alarm: prompt version 2026-06-01.1"},
		"no dataset":                   {func(r *Result) { r.Dataset.Path += ".gone" }, "dataset: "},
		"dataset with a broken line":   {func(r *Result) { r.Dataset = write("{}\n{\n") }, "dataset: line 2"},
		"dataset with a line too many": {func(r *Result) { r.Dataset = write("{}\n\n") }, "dataset: line 2"},
		"dataset that is no object":    {func(r *Result) { r.Dataset = write("[1]\n") }, "dataset: line 1"},
		"dataset cut off":              {func(r *Result) { r.Dataset = write("{}\n{\"a\"") }, "dataset: line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := scenario.Load("regressed")
			if err != nil {
				t.Fatal(err)
			}
			d := &Demo{cfg: Config{Events: 1000}, scenario: s, judge: judge{url: "scripted"}}
			r := good()
			c.spoil(&r)
			d.verify(&r)
			switch {
			case c.want == "" && len(r.Problems) > 0:
				t.Errorf("problems: %q", r.Problems)
			case c.want != "" && (len(r.Problems) != 1 || !strings.Contains(r.Problems[0], c.want)):
				t.Errorf("problems: %q, want one with %q", r.Problems, c.want)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	found := func(versions ...string) []summary.Comparison {
		var out []summary.Comparison
		for _, v := range versions {
			out = append(out, summary.Comparison{PromptVersion: v})
		}
		return out
	}
	for name, c := range map[string]struct {
		found  []summary.Comparison
		broken []string
		events int
		want   []string
	}{
		"healthy, nothing found":     {nil, nil, MinEvents, nil},
		"found":                      {found("b"), []string{"b"}, MinEvents, nil},
		"missed":                     {nil, []string{"b"}, MinEvents, []string{"missed: prompt version b is worse in this scenario"}},
		"missed, but too few events": {nil, []string{"b"}, MinEvents - 1, nil},
		"false alarm, told once": {
			found("a", "a"), nil, 10,
			[]string{"false alarm: prompt version a is not worse in this scenario"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			compare(c.found, c.broken, c.events, func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
