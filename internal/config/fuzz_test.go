package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/policy"
)

// FuzzPrint: whatever text a configuration holds, its printed form reads as that
// text again.
func FuzzPrint(f *testing.F) {
	for _, s := range []string{
		"", "plain", "0x10", "1e3", "007", "null", "~", "true", "yes", "- a", "a: b", "a #b", "#", "{a}", "[a]", "'", `"`, `\`, "a\nb", "a\n\n  b\n", " lead", "trail ",
		"\ttab", "\x00", "\u2028", "é日", "%", "@x", "`x", "!tag", "&a", "*a", "---", "...", "? a", "|", ">", "<<", "=", ".inf", "2024-01-01", "a\r\nb", "1_000", "\n", "\n ",
		"a\n b\nc\n", "x\n\n", "[REDACTED]", "0", "-", "a:", ":a", "http://x/y", "\u0085", "\u00a0",
	} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || strings.Contains(s, "\uFEFF") || strings.Contains(s, "\uFFFD") {
			t.Skip("YAML is text")
		}
		c := config.Default()
		c.Sampling.Salt = s
		c.Evaluators = []policy.EvaluatorConfig{{Name: "a", Type: "contains"}}
		c.Evaluators[0].Any = []string{s + "x"}
		path := filepath.Join(dir, "printed.yaml")
		text := printed(t, &c)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		back, err := config.Load(path, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if d := cmp.Diff([]string{s, s + "x"}, []string{back.Sampling.Salt, back.Evaluators[0].Any[0]}); d != "" {
			t.Errorf("(-held +read):\n%s\n%s", d, text)
		}
	})
}

// FuzzLoad: a file with anything in it is a configuration that holds what its
// own Validate asks for, or faults that each say what is wrong.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		"", "kafka: {brokers: [a:1]}", "kafka: {brokers: [a]}\nstore: {url: x}", "evaluators:\n  - {name: a, type: regex, pattern: '('}",
		"evaluators: [{name: a, type: llm_judge, rubric: nope, when: 'x ==', rate: 2}]", "sampling: {rules: [{name: a, when: 'feature == 1', rate: .5}]}",
		"models: {default: {timeout: -1s, concurrency: 0}}", "a: &x [*x]", "kafka: {<<: {topic: a}}", "shutdown: {grace: 1e99h}", "log: {level: loud}",
		strings.Repeat("[", 300), strings.Repeat("a: {", 200), "redaction: {patterns: [{name: x, pattern: '(?P<'}]}", "\xff\xfe", "---\n---\n",
	} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "loaded.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(path, nil)
		if err == nil {
			if again := cfg.Validate(); len(again) > 0 {
				t.Fatalf("loaded, and not valid: %v", again)
			}
			return
		}
		faults, ok := errors.AsType[fault.List](err)
		if !ok || len(faults) == 0 {
			t.Fatalf("not faults but %T: %v", err, err)
		}
		for _, fault := range faults {
			if fault.File == "" || fault.Problem == "" {
				t.Errorf("a fault without a place or a problem: %+v", fault)
			}
		}
	})
}
