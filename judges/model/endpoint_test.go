package model

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/judges"
)

// TestJudgeOverHTTP runs a judge over HTTP in every answer format.
func TestJudgeOverHTTP(t *testing.T) {
	t.Parallel()
	for _, format := range rungs() {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			m := endpoint(t, modelserver.New(func(r modelserver.Request) modelserver.Reply {
				if r.Format != format || len(r.Criteria) != 2 || r.Data["output"] == nil {
					t.Errorf("format %s, criteria %v, data %v", r.Format, r.Criteria, r.Data)
				}
				var out []modelserver.Verdict
				for _, id := range r.Criteria {
					out = append(out, modelserver.Verdict{ID: id, Evidence: "two to four days", Reason: "too late", Verdict: "fail"})
				}
				reply := modelserver.Answer(out)
				reply.PromptTokens, reply.CompletionTokens = 1000, 100
				switch {
				case r.Correction == "":
					reply.Content = `{"criteria":[]}` // not accepted: asked again
				case format == judges.FormatFenced:
					reply.Content = "Here you are:\n```json\n" + reply.Content + "\n```"
				}
				return reply
			}), func(c *Config, _ *Deps) { c.Format = format })
			j := supportJudge(t, m)
			v, err := j.Evaluate(t.Context(), supportEvent(inDays))
			if err != nil {
				t.Fatal(err)
			}
			if v.Outcome != eval.OutcomeFail || v.Reason != "not met: accurate, complete" {
				t.Errorf("verdict = %+v", v)
			}
			want := &eval.Usage{Model: "gpt-6-luna", Calls: 2, InputTokens: 2000, OutputTokens: 200, CostNanoUSD: 300_000, CostKnown: true, Format: format}
			if diff := cmp.Diff(want, v.Usage); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}

// TestJudgeFindsTheRung: a judge descends to the format that the server supports, and
// later calls begin there.
func TestJudgeFindsTheRung(t *testing.T) {
	t.Parallel()
	calls := 0
	m := endpoint(t, modelserver.New(func(r modelserver.Request) modelserver.Reply {
		calls++
		if r.Format != judges.FormatFenced {
			return modelserver.Reply{Status: 400, Content: "response_format is not supported"}
		}
		return modelserver.Reply{Content: "```json\n" + bothPassed + "\n```"}
	}), nil)
	j := supportJudge(t, m)
	for i, want := range []int{3, 4, 5} {
		v, err := j.Evaluate(t.Context(), supportEvent(inDays))
		if err != nil || v.Outcome != eval.OutcomePass || v.Usage.Format != judges.FormatFenced {
			t.Fatalf("verdict = %+v, err = %v", v, err)
		}
		if calls != want {
			t.Errorf("after evaluation %d: %d calls; want %d", i, calls, want)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	local := func(c *Config) { c.BaseURL = "http://localhost:1/v1" }
	tests := map[string]struct {
		change func(*Config)
		env    map[string]string
		want   string
		fails  bool
	}{
		"file wins":                {func(c *Config) { c.KeyFile, c.APIKey = file, "from-config" }, map[string]string{envAPIKey: "from-env"}, "from-file", false},
		"configuration":            {func(c *Config) { c.APIKey = "from-config" }, map[string]string{envAPIKey: "from-env"}, "from-config", false},
		"environment":              {func(*Config) {}, map[string]string{envAPIKey: " from-env "}, "from-env", false},
		"none for OpenAI":          {func(*Config) {}, nil, "", true},
		"none for a local server":  {local, nil, "", false},
		"none for Azure":           {func(c *Config) { local(c); c.API = apiAzure }, nil, "", true},
		"file that does not exist": {func(c *Config) { c.KeyFile = file + "x" }, nil, "", true},
		"key of two lines":         {func(c *Config) { c.APIKey = "a\nb" }, nil, "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := DefaultConfig()
			tt.change(&cfg)
			got, _, err := apiKey(cfg, func(k string) string { return tt.env[k] })
			if (err != nil) != tt.fails || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestBaseURLFromTheEnvironment(t *testing.T) {
	t.Parallel()
	var c capture
	m := endpoint(t, &c, func(cfg *Config, deps *Deps) {
		url := cfg.BaseURL
		cfg.BaseURL = ""
		deps.Getenv = func(k string) string { return map[string]string{envBaseURL: url}[k] }
	})
	if _, err := m.Complete(t.Context(), ask()); err != nil || c.path != "/v1/chat/completions" {
		t.Errorf("path = %q, err = %v", c.path, err)
	}
}

// TestKeyDoesNotLeak: nothing that is printed, logged or returned contains the key.
func TestKeyDoesNotLeak(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := DefaultConfig()
	cfg.APIKey = secret.String(testKey())
	m := endpoint(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest) // a server that repeats what it was sent
		_, _ = fmt.Fprintf(w, `{"error":{"message":%q,"code":%q,"type":%[1]q,"param":"response_format"}}`, r.Header.Get("Authorization"), "sk- "+testKey())
	}), func(_ *Config, d *Deps) { d.Log = logger })
	j := supportJudge(t, m)
	_, err := j.Evaluate(t.Context(), supportEvent(inDays))
	if err == nil {
		t.Fatal("no error")
	}
	logger.Error("all of it", "config", cfg, "endpoint", m, "judge", j, "error", err)
	said := strings.Join([]string{
		log.String(), err.Error(), fmt.Sprintf("%v %+v %#v", err, err, err),
		fmt.Sprintf("%v %+v %#v %s", m, m, m, m), fmt.Sprintf("%v %+v %#v", *m, *m, *m),
		fmt.Sprintf("%v %+v %#v", j, j, j), fmt.Sprintf("%v %+v %#v", *j, *j, *j),
		fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg),
		m.Describe().Fingerprint, j.Version(),
	}, "\n")
	if strings.Contains(said, testKey()) {
		t.Errorf("the key came out:\n%s", said)
	}
	if !strings.Contains(log.String(), "answer format is not supported") {
		t.Error("nothing was logged: the test shows nothing")
	}
}

func TestPrices(t *testing.T) {
	t.Parallel()
	p, err := BuiltInPrices()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Models) < 12 || p.Source == "" {
		t.Errorf("%d models, source %q", len(p.Models), p.Source)
	}
	for name, price := range p.Models {
		if price.Input <= 0 || price.Output < price.Input || price.Cached <= 0 || price.Cached >= price.Input || price.Write != 0 && price.Write <= price.Input {
			t.Errorf("%s: %+v is no price", name, price)
		}
	}
	for model, known := range map[string]bool{
		"gpt-6-luna": true, "gpt-6-luna-2026-09-22": true, "gpt-6-luna-latest": true, "gpt-4o-mini-2024-07-18": true,
		"openai/gpt-6-luna": true, "azure/gpt-6-luna": true, "models/gpt-6-luna": true, "openrouter/openai/gpt-6-luna": true,
		"anthropic/claude-haiku-5-5": true, "claude-haiku-4-5-20251001": true, "claude-haiku-4-5@20251001": true,
		"us.anthropic.claude-haiku-4-5-20251001-v1:0": true, "anthropic.claude-haiku-4-5-20251001-v1:0": true, "bedrock/eu.anthropic.claude-haiku-5-5-v1": true,
		"gpt-6-luna-pro": false, "gpt-6-luna-v2": false, "gpt-5.4-mini-v2": false, "gpt-6": false, "gpt-6-luna:free": false, "my.gpt-6-luna": false, "gpt-4o-audio": false, "": false, "/": false, "house-judge": false,
	} {
		if _, ok := p.Of(model); ok != known {
			t.Errorf("price of %q known: %v; want %v", model, ok, known)
		}
	}
	if mini, _ := p.Of("openai/gpt-4o-mini-2024-07-18"); mini != p.Models["gpt-4o-mini"] {
		t.Errorf("a dated release costs %+v", mini)
	}
	if p.Stale(p.AsOf.Add(90*24*time.Hour)) || !p.Stale(p.AsOf.Add(91*24*time.Hour)) {
		t.Error("stale from another day than the 91st")
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		price Price
		usage tokens
		want  int64 // -1: unknown
	}{
		"all kinds":        {Price{Input: 2.5, Cached: 1.25, Output: 10}, tokens{input: 1000, cached: 300, output: 50}, 700*2500 + 300*1250 + 50*10000},
		"no cached price":  {Price{Input: 1, Output: 1}, tokens{input: 10, cached: 10}, 10_000},
		"fractions":        {Price{Input: 0.1, Cached: 0.025, Output: 0.4}, tokens{input: 3, cached: 1, output: 1}, 200 + 25 + 400},
		"a million tokens": {Price{Input: 0.15, Cached: 0.075, Output: 0.6}, tokens{input: 1_000_000}, 150_000_000},
		"written":          {Price{Input: 1, Cached: 0.1, Write: 1.25, Output: 5}, tokens{input: 100, cached: 20, written: 30, output: 1}, 50*1000 + 20*100 + 30*1250 + 5000},
		"up to the bound":  {Price{Input: 1, Output: 1, UpTo: 10}, tokens{input: 10}, 10_000},
		"above the bound":  {Price{Input: 1, Output: 1, UpTo: 10}, tokens{input: 11}, -1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, known := tt.price.cost(tt.usage); known != (tt.want >= 0) || known && got != tt.want {
				t.Errorf("got %d, %v; want %d", got, known, tt.want)
			}
		})
	}
}

func TestParsePricesFaults(t *testing.T) {
	t.Parallel()
	_, err := ParsePrices("p.yaml", []byte("as_of: lately\nmodels: {m: {input: -1, outpt: 2}}\n"))
	for _, want := range []string{"as_of", "source", "models.m.input", "output"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v; want one about %s", err, want)
		}
	}
}

// TestOldPricesAreWarnedAbout: one warning when a cost comes from an old table.
func TestOldPricesAreWarnedAbout(t *testing.T) {
	t.Parallel()
	old := Prices{AsOf: time.Now().AddDate(-1, 0, 0), Models: map[string]Price{"gpt-6-luna": {Input: 1, Output: 1}}}
	fresh := old
	fresh.AsOf = time.Now()
	tests := map[string]struct {
		prices Prices
		change func(*Config)
		warned bool
	}{
		"old":                       {old, func(*Config) {}, true},
		"fresh":                     {fresh, func(*Config) {}, false},
		"old, model is not in it":   {old, func(c *Config) { c.Model = "house-judge" }, false},
		"old, price is configured":  {old, func(c *Config) { c.Price = &Price{Input: 1, Output: 2} }, false},
		"built-in, model is not in": {Prices{}, func(c *Config) { c.Model = "house-judge" }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			cfg := DefaultConfig()
			tt.change(&cfg)
			if _, err := priceLookup(cfg, Deps{Log: slog.New(slog.NewTextHandler(&log, nil)), Prices: tt.prices}); err != nil {
				t.Fatal(err)
			}
			if warned := strings.Contains(log.String(), "price table is old"); warned != tt.warned {
				t.Errorf("warned = %v; want %v: %s", warned, tt.warned, log.String())
			}
		})
	}
}
