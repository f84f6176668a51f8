package demo

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/internal/demo/scenario"
	"github.com/evalworker/evalworker/internal/summary"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// few events are enough for every part to work, and too few to detect a regression.
const few = 400

func config400(t *testing.T, name string) Config {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Events, cfg.Scenario, cfg.Dir = few, name, t.TempDir()
	return cfg
}

func deps() Deps {
	return Deps{Log: slog.New(slog.DiscardHandler), Version: "test", Getenv: func(string) string { return "" }}
}

// begin starts a demo that is closed with the test.
func begin(t *testing.T, cfg Config, deps Deps) *Demo {
	t.Helper()
	d, err := Start(t.Context(), cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

func TestPlay(t *testing.T) {
	t.Parallel()
	for _, name := range scenario.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, deps := config400(t, name), deps()
			last := -1
			deps.Progress = func(done int) { last = max(done, last) }
			d := begin(t, cfg, deps)
			r, err := d.Play(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Problems) > 0 || r.Problems == nil {
				t.Errorf("problems: %q", r.Problems)
			}
			if e := r.Events; e.Consumed != few || !e.Settled() || e.Unwanted == 0 || e.Evaluated == 0 || e.DeadLettered == 0 {
				t.Errorf("accounting: %+v", e)
			}
			if want := []summary.DeadLetters{{Reason: eval.ReasonMalformed, Error: "malformed: missing request_id", Count: 1}}; !cmp.Equal(want, r.DeadLetters) {
				t.Errorf("dead letters: %+v", r.DeadLetters)
			}
			if r.Judge != "scripted" || r.Scenario != name || r.Seed != cfg.Seed || r.Took <= 0 || last != few {
				t.Errorf("judge %s, scenario %s, seed %d, took %s, progress up to %d", r.Judge, r.Scenario, r.Seed, r.Took, last)
			}
			var versions []string
			for _, v := range r.PromptVersions {
				versions = append(versions, v.PromptVersion)
				if v.JSONChecked == 0 || len(v.Evals) != 7 {
					t.Errorf("%s: %d outputs checked, evaluators %v", v.PromptVersion, v.JSONChecked, v.Evals)
				}
			}
			if diff := cmp.Diff(d.scenario.Versions(), versions); diff != "" {
				t.Errorf("versions (-want +got):\n%s", diff)
			}
			if name == "healthy" && len(r.Regressions) > 0 {
				t.Errorf("regressions: %+v", r.Regressions)
			}
			if info, err := os.Stat(r.Dataset.Path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the dataset is for everybody to read: %v, %v", info.Mode(), err)
			}
			lines := datasetLines(t, r.Dataset.Path)
			if r.Dataset.Causes == 0 || r.Dataset.Cases < r.Dataset.Causes || r.Dataset.Occurrences < r.Dataset.Cases || lines < r.Dataset.Cases {
				t.Errorf("dataset: %+v with %d lines", r.Dataset, lines)
			}
		})
	}
}

func datasetLines(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}

// TestPlayAgain: the same seed yields the same result, byte for byte, except paths.
func TestPlayAgain(t *testing.T) {
	t.Parallel()
	var got [2]string
	for i := range got {
		r, err := begin(t, config400(t, "regressed"), deps()).Play(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.Dataset.Path = filepath.Base(r.Dataset.Path)
		b, err := json.MarshalIndent(r, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		got[i] = string(b)
	}
	if diff := cmp.Diff(got[0], got[1]); diff != "" {
		t.Errorf("the second run differs (-first +second):\n%s", diff)
	}
}

// TestStatusz: the demo reports the same numbers as the worker's /statusz.
func TestStatusz(t *testing.T) {
	t.Parallel()
	d := begin(t, config400(t, "healthy"), deps())
	r, err := d.Play(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.Addresses().Health+"/statusz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var status app.Status
	if err := json.Unmarshal(body, &status); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if diff := cmp.Diff(r.Events, status.Events); diff != "" {
		t.Errorf("events (-result +statusz):\n%s", diff)
	}
}

// TestModelOfTheEnvironment: if the environment names a model, no script answers.
func TestModelOfTheEnvironment(t *testing.T) {
	t.Parallel()
	s, err := scenario.Load("healthy")
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(modelserver.New(s.Judge()))
	t.Cleanup(srv.Close)
	env := map[string]string{"OPENAI_BASE_URL": srv.URL + "/v1", "OPENAI_API_KEY": "none", "OPENAI_MODEL": "house-model"}
	deps := deps()
	deps.Getenv = func(name string) string { return env[name] }
	cfg := config400(t, "healthy")
	cfg.Events = 40 // a real model is asked no more than 500 times a minute
	d := begin(t, cfg, deps)
	r, err := d.Play(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Judge != "house-model" || d.Addresses().Judge != "" || len(r.Problems) > 0 {
		t.Errorf("judge %q at %q, problems %q", r.Judge, d.Addresses().Judge, r.Problems)
	}
	asked := false
	for _, v := range r.PromptVersions {
		asked = asked || v.Evals["correctness"].Pass > 0
		if v.Evals["correctness"].Error > 0 {
			t.Errorf("%s: the model was asked in vain: %+v", v.PromptVersion, v.Evals["correctness"])
		}
	}
	if !asked {
		t.Errorf("the model was not asked: %+v", r.PromptVersions)
	}
}

func TestCloseWithoutPlay(t *testing.T) {
	t.Parallel()
	d, err := Start(t.Context(), config400(t, "healthy"), deps())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := d.Close(); err != nil {
			t.Errorf("close %d: %v", i+1, err)
		}
	}
	if err := d.Stay(t.Context()); err == nil {
		t.Error("a closed demo stays")
	}
	if _, err := d.Play(t.Context()); err == nil {
		t.Error("a closed demo plays")
	}
}

func TestStay(t *testing.T) {
	t.Parallel()
	d := begin(t, config400(t, "healthy"), deps())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Stay(ctx); err != nil {
		t.Errorf("an interrupted stay: %v", err)
	}
}

// TestCancel: a demo that is cancelled ends early.
func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg, deps := config400(t, "regressed"), deps()
	cfg.Events, cfg.Duration = 100_000, 24*time.Hour/100
	deps.Progress = func(done int) {
		if done > 0 {
			cancel()
		}
	}
	d := begin(t, cfg, deps)
	if r, err := d.Play(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("play gives %v, %v; want the context's error", r, err)
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// A file in place of the schema folder makes Start fail: everything started
	// before has to end.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "schemas"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]Config{
		"folder is a file":  {Events: few, Scenario: "healthy", Dir: file},
		"schemas is a file": {Events: few, Scenario: "healthy", Dir: dir},
	} {
		if d, err := Start(t.Context(), cfg, deps()); err == nil || d != nil {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
	if _, err := Start(t.Context(), config400(t, "healthy"), Deps{}); err == nil {
		t.Error("a demo without a log starts")
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	if fs := DefaultConfig().Validate(); len(fs) > 0 {
		t.Errorf("the default: %v", fs)
	}
	var paths []string
	for _, f := range (Config{Events: -1, Duration: -1, Scenario: "regresed"}).Validate() {
		if f.Problem == "" || f.Expected == "" {
			t.Errorf("%+v says too little", f)
		}
		paths = append(paths, f.Path)
	}
	if want := []string{"events", "duration", "scenario"}; !slices.Equal(paths, want) {
		t.Errorf("faults at %q, want %q", paths, want)
	}
	if _, err := Start(t.Context(), Config{}, deps()); !errors.As(err, new(fault.List)) {
		t.Errorf("the error %v is no list of faults", err)
	}
}
