package policy_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/judges/model"
	"github.com/evalworker/evalworker/policy"
	"github.com/evalworker/evalworker/sampler"
)

// revision returns a configuration in dir with a schema, a rubric, a model, three
// evaluators and two rules.
func revision(dir string) *policy.Config {
	cfg := policy.DefaultConfig()
	cfg.Folder = dir
	mc := model.DefaultConfig()
	mc.Model, mc.BaseURL, mc.APIKey = "judge-small", "https://models.internal/v1", secret.String("first")
	cfg.Models[policy.DefaultModel] = mc
	cfg.Evaluators = []policy.EvaluatorConfig{
		{Name: "reply_format", Type: "json_schema", ValidatorOptions: policy.ValidatorOptions{Schema: "reply"}},
		{Name: "short", Type: "length", Rate: new(0.5), When: `feature == "chat"`, ValidatorOptions: policy.ValidatorOptions{MaxChars: new(100)}},
		{Name: "tone", Type: "llm_judge", JudgeOptions: policy.JudgeOptions{Rubric: "manners"}},
	}
	cfg.Sampling.Rules = []sampler.Rule{
		{Name: "unhappy users", When: `user_rating == "down"`, Rate: 1},
		{Name: "search", When: `feature == "search"`, Rate: 0.2, Evaluators: []string{"tone"}},
	}
	return &cfg
}

const (
	replySchema   = `{"type": "object"}`
	mannersRubric = "name: manners\nneeds: [input, output]\ncriteria:\n  - {id: polite, question: Is the answer polite?}\n"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// build builds a policy of a folder.
func build(t *testing.T, dir string, change func(*policy.Config)) *policy.Policy {
	t.Helper()
	cfg := revision(dir)
	change(cfg)
	b := policy.NewBuilder(policy.Deps{Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(b.Close)
	p, err := b.Build(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestChanges: what changed between two revisions, old and new.
func TestChanges(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(c *policy.Config)
		want   []string // without versions
	}{
		{"nothing", func(*policy.Config) {}, nil},
		{"spaces", func(c *policy.Config) { c.Evaluators[1].When = " feature == \"chat\"\n" }, nil},
		{"default rate", func(c *policy.Config) { c.Sampling.DefaultRate = 0.01 }, []string{"sampling.default_rate 0.05 -> 0.01"}},
		{"upstream", func(c *policy.Config) { c.Sampling.Upstream = sampler.UpstreamTraces }, []string{"sampling.upstream none -> traces"}},
		{"salt", func(c *policy.Config) { c.Sampling.Salt = "other" }, []string{"sampling.salt changed: another sample of the same size is drawn"}},
		{"scale of ratings", func(c *policy.Config) { c.Feedback.RatingMax = new(5.0) }, []string{"feedback: rating_max unset -> 5"}},
		{"models that are down", func(c *policy.Config) {
			c.Judges.WhenDown, c.Judges.MaxWait = policy.WhenDownWait, time.Hour
		}, []string{"judges: when_down error -> wait, max_wait 10m0s -> 1h0m0s"}},
		{"own rate", func(c *policy.Config) { c.Evaluators[1].Rate = new(0.25) }, []string{"evaluator short: rate 0.5 -> 0.25"}},
		{"own rate for the default", func(c *policy.Config) { c.Evaluators[2].Rate = new(0.05) }, []string{"evaluator tone: rate 0.05 (default) -> 0.05"}},
		{"no own rate", func(c *policy.Config) { c.Evaluators[1].Rate = nil }, []string{"evaluator short: rate 0.5 -> 1 (default)"}},
		{"condition", func(c *policy.Config) { c.Evaluators[1].When = "" }, []string{`evaluator short: when feature == "chat" -> always`}},
		{"options and timeout", func(c *policy.Config) {
			c.Evaluators[1].MaxChars, c.Evaluators[1].MinWords, c.Evaluators[1].Timeout = new(200), new(2), time.Minute
		}, []string{"evaluator short: timeout 0s -> 1m0s, max_chars 100 -> 200, min_words unset -> 2, version A -> B"}},
		{"added", func(c *policy.Config) {
			c.Evaluators = append(c.Evaluators, policy.EvaluatorConfig{Name: "safety", Type: "llm_judge", When: `status == "ok"`, JudgeOptions: policy.JudgeOptions{Rubric: "safety"}})
		}, []string{`evaluator safety added: llm_judge, rate 0.05 (default) when status == "ok"`}},
		{"removed", func(c *policy.Config) { c.Evaluators = c.Evaluators[1:] }, []string{"evaluator reply_format removed: json_schema, rate 1 (default)"}},
		{"another type", func(c *policy.Config) {
			c.Evaluators[1].Type, c.Evaluators[1].ValidatorOptions = "contains", policy.ValidatorOptions{None: []string{"project nightfall"}}
		}, []string{"evaluator short: type length -> contains, none changed, max_chars 100 -> unset, version A -> B"}},
		{"rule's rate and condition", func(c *policy.Config) {
			c.Sampling.Rules[1].Rate, c.Sampling.Rules[1].When, c.Sampling.Rules[1].Evaluators = 0.1, "feature ==\n  \"find\"", nil
		}, []string{`rule "search": rate 0.2 -> 0.1, when feature == "search" -> feature == "find", evaluators tone -> all evaluators`}},
		{"rule added and removed", func(c *policy.Config) {
			c.Sampling.Rules[1] = sampler.Rule{Name: "errors", When: `status == "error"`, Rate: 0.5, Evaluators: []string{"tone", "short"}}
		}, []string{
			`rule "errors" added: rate 0.5 when status == "error", for short and tone`,
			`rule "search" removed: rate 0.2 when feature == "search", for tone`,
		}},
		{"order of rules", func(c *policy.Config) {
			c.Sampling.Rules[0], c.Sampling.Rules[1] = c.Sampling.Rules[1], c.Sampling.Rules[0]
		}, []string{"rules are in another order: of equal rates, the first names the score"}},
		{"order of evaluators", func(c *policy.Config) {
			c.Evaluators[0], c.Evaluators[1] = c.Evaluators[1], c.Evaluators[0]
		}, []string{"evaluators are in another order, which changes no decision"}},
		{"model", func(c *policy.Config) {
			m := c.Models[policy.DefaultModel]
			m.Model, m.BaseURL, m.APIKey, m.Temperature, m.Timeout = "judge-large", "https://other.internal/v1", secret.String("second"), new(float32(0.1)), 5*time.Second
			c.Models[policy.DefaultModel] = m
		}, []string{
			"evaluator tone: version A -> B",
			"model default: model judge-small -> judge-large, base_url changed, api_key changed, temperature 0 -> 0.1, timeout 30s -> 5s",
		}},
		{"model added", func(c *policy.Config) { c.Models["large"] = c.Models[policy.DefaultModel] }, []string{"model large added: judge-small"}},
		{"schema", func(c *policy.Config) { write(t, c.Folder, "schemas/reply.json", `{"type": "array"}`) }, []string{
			"evaluator reply_format: version A -> B", "schema reply changed",
		}},
		{"schemas added and removed", func(c *policy.Config) {
			write(t, c.Folder, "schemas/other.json", replySchema)
			c.Evaluators[0].Schema = "other"
			if err := os.Remove(filepath.Join(c.Folder, "schemas/reply.json")); err != nil {
				t.Fatal(err)
			}
		}, []string{"evaluator reply_format: schema reply -> other, version A -> B", "schema other added", "schema reply removed"}},
		{"rubric", func(c *policy.Config) {
			write(t, c.Folder, "rubrics/manners.yaml", strings.Replace(mannersRubric, "polite?", "kind?", 1))
		}, []string{"evaluator tone: version A -> B", "rubric manners changed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "schemas/reply.json", replySchema)
			write(t, dir, "rubrics/manners.yaml", mannersRubric)
			before := build(t, dir, func(*policy.Config) {})
			after := build(t, dir, tt.change)
			versions := strings.NewReplacer()
			for i := range before.Evaluators {
				for j := range after.Evaluators {
					if a, b := before.Evaluators[i], after.Evaluators[j]; a.Name() == b.Name() && a.Version() != b.Version() {
						versions = strings.NewReplacer(a.Version(), "A", b.Version(), "B")
					}
				}
			}
			got := after.Changes(before)
			for i := range got {
				got[i] = versions.Replace(got[i])
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
			if back := before.Changes(after); len(back) != len(tt.want) {
				t.Errorf("changes back: %q, want %d", back, len(tt.want))
			}
		})
	}
}

// TestChangesAreBounded: a description of many and of long changes stays short.
func TestChangesAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "schemas/reply.json", replySchema)
	write(t, dir, "rubrics/manners.yaml", mannersRubric)
	long := `feature == "` + strings.Repeat("ü", 1000) + `"`
	var names []string
	after := build(t, dir, func(c *policy.Config) {
		for i := range 60 {
			names = append(names, fmt.Sprintf("evaluator_with_a_name_that_is_long_%d", i))
			c.Evaluators = append(c.Evaluators, policy.EvaluatorConfig{Name: names[i], Type: "length", When: long, ValidatorOptions: policy.ValidatorOptions{MaxChars: new(1)}})
		}
		c.Sampling.Rules = []sampler.Rule{{Name: "all", When: long, Rate: 1, Evaluators: names}}
	})
	got := after.Changes(build(t, dir, func(*policy.Config) {}))
	if len(got) != 21 || got[20] != "and 43 more" {
		t.Errorf("%d lines, the last %q; want 21 for 63 changes", len(got), got[len(got)-1])
	}
	for _, line := range got {
		if len(line) > 400 || strings.ContainsRune(line, '\uFFFD') || strings.Contains(line, strings.Repeat("ü", 60)) {
			t.Errorf("%d bytes: %s", len(line), line)
		}
	}
	back := build(t, dir, func(*policy.Config) {}).Changes(after)
	for _, line := range back {
		if len(line) > 400 {
			t.Errorf("%d bytes: %s", len(line), line)
		}
	}
}

// TestEffective: what an operator reads on the status page.
func TestEffective(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "schemas/reply.json", replySchema)
	write(t, dir, "rubrics/manners.yaml", mannersRubric)
	p := build(t, dir, func(c *policy.Config) { c.Sampling.DefaultRate = 0.02 })
	want := policy.Effective{
		DefaultRate: 0.02, Upstream: "none",
		Evaluators: []policy.EffectiveEvaluator{
			{Name: "reply_format", Type: "json_schema", Rate: 1, RateFrom: "default"},
			{Name: "short", Type: "length", Rate: 0.5, RateFrom: "evaluator", When: `feature == "chat"`},
			{Name: "tone", Type: "llm_judge", Rate: 0.02, RateFrom: "default"},
		},
		Rules: []policy.EffectiveRule{
			{Name: "unhappy users", When: `user_rating == "down"`, Rate: 1},
			{Name: "search", When: `feature == "search"`, Rate: 0.2, Evaluators: []string{"tone"}},
		},
	}
	for i := range want.Evaluators {
		want.Evaluators[i].Version = p.Evaluators[i].Version()
	}
	got := p.Effective()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	// It agrees with what the sampler does.
	for _, share := range p.Sampler.Shares() {
		var rate float64
		for _, e := range got.Evaluators {
			if e.Name == share.Evaluator && e.RateFrom == share.Rule {
				rate = e.Rate
			}
		}
		for _, r := range got.Rules {
			if r.Name == share.Rule {
				rate = r.Rate
			}
		}
		if rate != share.Rate {
			t.Errorf("%s by %s: rate %v, the sampler has %v", share.Evaluator, share.Rule, rate, share.Rate)
		}
	}
	text, err := json.Marshal(build(t, dir, func(c *policy.Config) { c.Sampling.Rules = nil }).Effective())
	if err != nil || !strings.Contains(string(text), `"rules":[]`) {
		t.Errorf("without rules: %s, %v; want an empty list", text, err)
	}
}
