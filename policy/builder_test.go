package policy

import (
	"log/slog"
	"testing"

	"github.com/evalworker/evalworker/judges/model"
)

// TestModelsLiveOn: a model whose settings did not change is the same one in the
// next revision, with its limits and its breaker; two judges share one; a changed
// model is a new one.
func TestModelsLiveOn(t *testing.T) {
	t.Parallel()
	revision := func(large string) *Config {
		cfg := DefaultConfig()
		for name, deployment := range map[string]string{"small": "judge-small", "large": large} {
			mc := model.DefaultConfig()
			mc.Model, mc.APIKey = deployment, "none"
			cfg.Models[name] = mc
		}
		for _, e := range [][2]string{{"safety", "small"}, {"helpfulness", "small"}, {"completeness", "large"}} {
			cfg.Evaluators = append(cfg.Evaluators, EvaluatorConfig{
				Name: e[0], Type: "llm_judge", JudgeOptions: JudgeOptions{Rubric: e[0], Model: e[1]},
			})
		}
		return &cfg
	}
	b := NewBuilder(Deps{Log: slog.New(slog.DiscardHandler)})
	defer b.Close()
	build := func(cfg *Config) map[string]*model.Endpoint {
		t.Helper()
		p, err := b.Build(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Evaluators) != 3 {
			t.Fatalf("%d evaluators, want 3", len(p.Evaluators))
		}
		out := map[string]*model.Endpoint{}
		for name, m := range b.models {
			out[name] = m.endpoint
		}
		return out
	}
	if p, err := NewBuilder(Deps{Patience: &model.Patience{}}).Build(revision("judge-large")); err != nil || p.Evaluators[0].Again != nil {
		t.Errorf("a batch waits twice: %v", err)
	}
	first := build(revision("judge-large"))
	if len(first) != 2 {
		t.Errorf("%d models for three judges on two, want 2", len(first))
	}
	second := build(revision("judge-large"))
	if second["small"] != first["small"] || second["large"] != first["large"] {
		t.Error("models with the same settings were made anew")
	}
	third := build(revision("judge-larger"))
	if third["small"] != first["small"] || third["large"] == first["large"] {
		t.Error("want the changed model alone to be another")
	}

	bad := revision("judge-largest")
	bad.Evaluators[2].Rubric = "no such rubric"
	if _, err := b.Build(bad); err == nil {
		t.Error("a judge without a rubric was built")
	}
	if b.models["large"].endpoint != third["large"] {
		t.Error("a revision that was refused has taken the models away")
	}
}
