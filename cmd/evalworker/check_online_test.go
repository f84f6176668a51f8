package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// passes answers every criterion with a pass.
func passes(r modelserver.Request) modelserver.Reply {
	var out []modelserver.Verdict
	for _, id := range r.Criteria {
		out = append(out, modelserver.Verdict{ID: id, Verdict: "pass"})
	}
	reply := modelserver.Answer(out)
	reply.PromptTokens, reply.CompletionTokens = 800, 50
	return reply
}

// TestCheckOnline: what the servers of models say, and what to mend when no judge can
// work with one.
func TestCheckOnline(t *testing.T) {
	t.Parallel()
	const listed = `{"object":"list","data":[{"id":"gpt-6-luna","created":1.5,"shutdown_date":"2027-06-30"},{"id":"house-judge"}]}`
	respond := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	tests := map[string]struct {
		model   string
		script  modelserver.Script
		models  http.HandlerFunc // GET /v1/models; nil: none
		one     http.HandlerFunc // GET /v1/models/NAME; nil: none
		address string           // of the server, when not the test's
		args    []string
		code    int
		out     []string
		errors  []string
	}{
		"served until a day": {
			model: "gpt-6-luna", script: passes, models: respond(200, listed), code: 0,
			out: []string{
				"models.default: gpt-6-luna at 127.0.0.1:", "  the server has it until 2027-06-30\n", "  answers as json_schema: 1 call, 800 tokens in, 50 tokens out\n",
				"  a verdict of right: about 0.000", "Costs are estimates",
			},
			errors: []string{"warning: models.default: gpt-6-luna is served until 2027-06-30: name another model before\n"},
		},
		"on a looser rung, without a price": {
			model: "house-judge", models: respond(200, listed), code: 0,
			script: func(r modelserver.Request) modelserver.Reply {
				if r.Format == "json_schema" {
					return modelserver.Reply{Status: 400, Content: "response_format is not supported"}
				}
				return passes(r)
			},
			out: []string{"  the server has it\n", "  answers as json_object: 2 calls, ", "  a verdict of right: costs an unknown amount: set models.default.price ("},
		},
		"no list":                 {model: "house-judge", script: passes, code: 0, out: []string{"  the server does not list its models\n"}},
		"not in the list":         {model: "tuned", script: passes, models: respond(200, listed), code: 0, out: []string{"  not among the models that the server lists, but it answers\n"}},
		"known by its name":       {model: "org/tuned", script: passes, models: respond(200, listed), one: respond(200, `{"id":"org/tuned-3","deprecation":1814313600}`), code: 0, out: []string{"  the server has it until 2027-06-30\n"}, errors: []string{"org/tuned is served until 2027-06-30"}},
		"quiet":                   {model: "house-judge", script: passes, models: respond(200, listed), args: []string{"--quiet"}, code: 0, out: []string{""}},
		"a key that may not list": {model: "house-judge", script: passes, models: respond(403, `{"error":{"code":"insufficient_permissions"}}`), code: 0, out: []string{"  the server does not list its models\n"}},
		"a refused key":           {model: "house-judge", script: func(modelserver.Request) modelserver.Reply { return modelserver.Reply{Status: 403} }, code: 1, errors: []string{"evalworker.yaml: models.default.api_key: the key is refused: status 403", "; set key_file, api_key or OPENAI_API_KEY", "\nevalworker: 1 model cannot judge\n"}},
		"no such model": {
			model: "hause-judge", script: func(modelserver.Request) modelserver.Reply {
				return modelserver.Reply{Status: 404, Content: "no such model"}
			},
			models: respond(200, listed), code: 1, errors: []string{"models.default.model: status 404", `; did you mean "house-judge"?`},
		},
		"no such path": {
			model: "house-judge", script: func(modelserver.Request) modelserver.Reply { return modelserver.Reply{Status: 404} },
			code: 1, errors: []string{"models.default.model: status 404", "; want a model that the server has, and base_url with its /v1"},
		},
		"no server":     {model: "house-judge", script: passes, address: "http://127.0.0.1:1/v1", code: 1, errors: []string{"models.default.base_url: no answer: connection refused; want the address of a server that runs"}},
		"only prose":    {model: "house-judge", script: func(modelserver.Request) modelserver.Reply { return modelserver.Reply{Content: "It is blue."} }, code: 1, errors: []string{"models.default.model: answers, but not in the form that judges read; want a model that follows the answer format"}},
		"no credit":     {model: "house-judge", script: func(modelserver.Request) modelserver.Reply { return modelserver.Reply{Status: 402} }, code: 1, errors: []string{"models.default.api_key: the quota is used up: status 402, type invalid_request_error; the account behind the key has no credit left: add some, or name another key"}},
		"with --json":   {model: "house-judge", script: passes, args: []string{"--json"}, code: 2, errors: []string{"json"}},
		"without judge": {script: passes, code: 0, out: []string{"There are no judges, so no model was asked.\n"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.Handle("/v1/chat/completions", modelserver.New(tt.script))
			if tt.models != nil {
				mux.HandleFunc("GET /v1/models", tt.models)
			}
			if tt.one != nil {
				mux.HandleFunc("GET /v1/models/org/tuned", tt.one)
			}
			srv := httptest.NewServer(mux)
			defer srv.Close()
			address := srv.URL + "/v1"
			if tt.address != "" {
				address = tt.address
			}
			dir := t.TempDir()
			file := filepath.Join(dir, "evalworker.yaml")
			text := "models: {default: {model: " + tt.model + ", base_url: " + address + ", api_key: none}}\nevaluators:\n  - {name: right, type: llm_judge, rubric: correctness}\n"
			if tt.model == "" {
				text = "evaluators:\n  - {name: says, type: substance}\n"
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			args := append([]string{"check", "--online", "--config", file}, tt.args...)
			code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr, nil)
			if code != tt.code {
				t.Errorf("exit code %d; want %d", code, tt.code)
			}
			for _, want := range tt.out {
				if !strings.Contains(stdout.String(), want) || want == "" && stdout.Len() > 0 {
					t.Errorf("printed:\n%swant %q", &stdout, want)
				}
			}
			for _, want := range tt.errors {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("on stderr:\n%swant %q", &stderr, want)
				}
			}
			if tt.errors == nil && stderr.Len() > 0 {
				t.Errorf("on stderr:\n%s", &stderr)
			}
		})
	}
}
