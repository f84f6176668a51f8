package config_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/config"
)

const rich = `
kafka: {brokers: ["a:1", "b:2"], topic: t.x, dead_letter_topic: "", start: last}
rubrics: ours
models:
  default: {temperature: null, seed: 7, requests_per_minute: 0.5, price: {input: 1.5, output: 2}}
  gpt-4.1: {model: gpt-4.1, api: azure, base_url: "https://x.openai.azure.com", api_version: "2024-10-21"}
evaluators:
  - {name: words, type: contains, none: ["as an AI", "yes: no", "# x", "'q'"], case_sensitive: true, rate: 0, when: 'feature in ["a", "b"]'}
  - {name: judge, type: llm_judge, rubric: own, model: gpt-4.1, timeout: 90s, guideline: "line one\nline two: x\n"}
  - {name: form, type: regex, pattern: '^\d+$', negate: true}
sampling:
  salt: "0123"
  rules:
    - name: 'on: "fire"'
      when: |
        status == "error"
          || user_rating == "down"
      rate: 1
      evaluators: [judge]
redaction: {patterns: [{name: CASE, pattern: 'C-[0-9]{4}'}]}
shutdown: {grace: 1m0s}
log: {level: debug, format: text}
`

const ownRubric = "needs: [output]\ncriteria: [{id: one, question: Is it?}]\n"

// TestPrintLoadsAgain: the printed configuration equals the loaded one.
func TestPrintLoadsAgain(t *testing.T) {
	t.Parallel()
	path := folder(t, map[string]string{config.FileName: rich, "ours/own.yaml": ownRubric})
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := printed(t, c)
	again := filepath.Join(filepath.Dir(path), "again.yaml")
	if err := os.WriteFile(again, []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	back, err := config.Load(again, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, first)
	}
	if d := cmp.Diff(c, back, cmp.AllowUnexported(config.Config{})); d != "" {
		t.Errorf("(-loaded +printed and loaded):\n%s\n%s", d, first)
	}
	if d := cmp.Diff(first, printed(t, back)); d != "" {
		t.Errorf("printed twice (-first +second):\n%s", d)
	}
}

// TestPrintShowsOnlyTheOptionsOfAType: thirty empty ones would hide them.
func TestPrintShowsOnlyTheOptionsOfAType(t *testing.T) {
	t.Parallel()
	path := folder(t, map[string]string{config.FileName: "evaluators: [{name: j, type: llm_judge, rubric: correctness}]\n"})
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "evaluators:\n  - name: j\n    type: llm_judge\n    rubric: correctness\n    model: default\n"
	if got := printed(t, c); !strings.Contains(got, want) {
		t.Errorf("no\n%s\nin\n%s", want, got)
	}
}

// TestSecretsStayIn: no way of printing a configuration or its faults shows a key
// or a password in a URL.
func TestSecretsStayIn(t *testing.T) {
	t.Parallel()
	canary := strings.Repeat("sk-canary", 3)
	path := folder(t, map[string]string{
		config.FileName: "models:\n  default: {}\n  file: {key_file: key}\n  own: {api_key: " + canary + "-own}\n" +
			"store: {url: 'postgres://user:" + canary + "-url@host/cases'}\n",
		"key": canary + "-file\n",
	})
	c, err := config.Load(path, []string{"OPENAI_API_KEY=" + canary + "-env"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"default", "file", "own"} {
		if !strings.HasPrefix(c.Models[name].APIKey.Reveal(), canary) {
			t.Errorf("model %s has no key: the test shows nothing", name)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", slog.Any("config", *c), slog.Any("models", c.Models))
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", slog.Any("config", *c), slog.Any("models", c.Models))
	text := printed(t, c)
	for name, out := range map[string]string{
		"Print": text, "%v": fmt.Sprintf("%v", c), "%+v": fmt.Sprintf("%+v", *c), "%#v": fmt.Sprintf("%#v", *c), "slog": log.String(),
	} {
		if strings.Contains(out, "canary") {
			t.Errorf("%s shows a key:\n%s", name, out)
		}
	}
	if !strings.HasPrefix(c.Store.Password.Reveal(), canary) {
		t.Error("the store has no password: the test shows nothing")
	}
	if strings.Count(text, "REDACTED") != 4 {
		t.Errorf("Print does not say that there are keys:\n%s", text)
	}

	bad := folder(t, map[string]string{config.FileName: "models:\n  default: {api_key: [" + canary + "], timeout: " + canary[:3] + ", on: " + canary + "}\n"})
	for _, line := range faultsOf(t, bad, []string{"OPENAI_API_KEY=" + canary, "EVALWORKER_NOTHING=" + canary, "EVALWORKER_HEALTH_PPROF=" + canary}) {
		if strings.Contains(line, "canary") {
			t.Errorf("a fault shows a key: %s", line)
		}
	}
}

// TestPrintedKeyIsNoKey: [REDACTED] must not be sent as a key.
func TestPrintedKeyIsNoKey(t *testing.T) {
	t.Parallel()
	path := folder(t, map[string]string{config.FileName: "models: {default: {api_key: '[REDACTED]'}}\nstore: {password: '[REDACTED]'}\n"})
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Models["default"].APIKey.Reveal(); got != "" {
		t.Errorf("the key is %q", got)
	}
	if got := c.Store.Password.Reveal(); got != "" {
		t.Errorf("the password is %q", got)
	}
}

func TestPasswordInURL(t *testing.T) {
	t.Parallel()
	c := config.Default()
	password := strings.Repeat("canary", 2)
	c.Datadog.AgentURL = "http://user:" + password + "@agent:8126"
	c.Store.URL = "postgres://user:" + password + "@host"
	if got := c.Validate().Error(); strings.Contains(got, password) || !strings.Contains(got, "store.url") {
		t.Errorf("password in a fault: %s", got)
	}
	if got := printed(t, &c); strings.Contains(got, password) || !strings.Contains(got, "http://user:") {
		t.Errorf("password in a URL:\n%s", got)
	}
}

// TestStorePassword: the environment takes precedence over the configuration, and
// in either the key over the URL, from which passwords are removed.
func TestStorePassword(t *testing.T) {
	t.Parallel()
	inURL, written, inFile := "canary1", "canary2", "canary3"
	bare := "postgres://user@host/cases"
	url := "postgres://user:" + inURL + "@host/cases"
	const (
		envURL      = "EVALWORKER_STORE_URL="
		envPassword = "EVALWORKER_STORE_PASSWORD="
		envFile     = "EVALWORKER_STORE_PASSWORD_FILE="
	)
	for name, tt := range map[string]struct {
		yaml    string // of the section, besides a URL without a password
		environ []string
		want    string
		fault   string
	}{
		"nowhere":                       {"", nil, "", ""},
		"URL":                           {"url: '" + url + "'", nil, inURL, ""},
		"written":                       {"url: '" + url + "', password: " + written, nil, written, ""},
		"file":                          {"password_file: key", nil, inFile, ""},
		"file and written":              {"password: " + written + ", password_file: key", nil, "", "store.password_file: store.password is set too; want one of the two"},
		"file and URL":                  {"url: '" + url + "', password_file: key", nil, "", "store.password_file: store.url holds a password too; want one of the two"},
		"environment over URL":          {"url: '" + url + "'", []string{envPassword + written}, written, ""},
		"environment over file":         {"password_file: none", []string{envPassword + written}, written, ""},
		"URL of environment, over file": {"password: x, password_file: none", []string{envURL + url}, inURL, ""},
		"file of environment":           {"url: '" + url + "', password: x", []string{envFile + "key"}, inFile, ""},
		"URL without one":               {"password_file: key", []string{envURL + bare}, inFile, ""},
		"both in environment":           {"", []string{envPassword + written, envFile + "key"}, "", "EVALWORKER_STORE_PASSWORD_FILE: store.password is set too; want one of the two"},
		"no such file":                  {"password_file: none", nil, "", "store.password_file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(tt.yaml, "url:") {
				tt.yaml = strings.TrimSuffix("url: '"+bare+"', "+tt.yaml, ", ")
			}
			path := folder(t, map[string]string{config.FileName: "store: {" + tt.yaml + "}\n", "key": inFile + "\n"})
			if lines := faultsOf(t, path, tt.environ); tt.fault != "" {
				if len(lines) != 1 || !strings.Contains(lines[0], tt.fault) {
					t.Errorf("faults %q, want %q", lines, tt.fault)
				}
				return
			}
			c, err := config.Load(path, tt.environ)
			if err != nil {
				t.Fatal(err)
			}
			if c.Store.URL != bare || c.Store.Password.Reveal() != tt.want {
				t.Errorf("%s with %q, want %q", c.Store.URL, c.Store.Password.Reveal(), tt.want)
			}
		})
	}
}
