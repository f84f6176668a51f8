package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// judged writes a folder with events of two prompt versions and a judge whose model is
// at url, and returns the arguments that evaluate them.
func judged(t *testing.T, url string, events int, args ...string) []string {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf("models:\n  default: {model: small, base_url: %q, api_key: none, max_attempts: 1}\n"+
		"evaluators:\n  - {name: refusal, type: refusal}\n  - {name: helpfulness, type: llm_judge, rubric: helpfulness, rate: 1}\nstore: {url: 'sqlite::memory:'}\n", url)
	var lines strings.Builder
	for i := range events {
		fmt.Fprintf(&lines, `{"event":"llm_request_completed","request_id":"r%d","prompt_version":"v%d","input":"When do you open?","output":"We open at nine."}`+"\n", i, i%2)
	}
	for name, text := range map[string]string{"judge.yaml": config, "events.ndjson": lines.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return append([]string{"eval", filepath.Join(dir, "events.ndjson"), "--config", filepath.Join(dir, "judge.yaml")}, args...)
}

// evaluated runs one command line and returns its exit code and what it printed.
func evaluated(t *testing.T, args []string) (code int, stdout, stderr string) {
	t.Helper()
	var out, told bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &told, nil)
	return code, out.String(), told.String()
}

// TestEveryReasonHasAMend: whatever a judge's verdicts fail with, the run says what to do,
// and names settings of the model that it is about.
func TestEveryReasonHasAMend(t *testing.T) {
	t.Parallel()
	ofMessages := []eval.Reason{eval.ReasonMalformed, eval.ReasonUnknownEvent, eval.ReasonTooLarge}
	for _, reason := range eval.Reasons() {
		mend := mendOf(reason, "models.house")
		if slices.Contains(ofMessages, reason) != (mend == "") {
			t.Errorf("%s: mend %q", reason, mend)
		}
		if mendOf(reason, "") != "" {
			t.Errorf("%s: a validator is told to mend a model", reason)
		}
	}
	if mend := mendOf(eval.ReasonLocal, "models.house"); !strings.Contains(mend, "ulimit -n") || !strings.Contains(mend, "models.house.concurrency") {
		t.Errorf("a fault of this machine: %q", mend)
	}
}

// TestEvalWithADeadJudge: no all-clear, an exit code, and what to mend; and a server that
// turns every call away is not asked for every event.
func TestEvalWithADeadJudge(t *testing.T) {
	t.Parallel()
	answer := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"error":{"message":"no","type":"error","code":%q}}`, code)
		}
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		reason  string
		mend    string
		most    int64 // calls; the ones in flight at once among them
	}{
		"a refused key":    {answer(http.StatusUnauthorized, "invalid_api_key"), "auth", "check models.default.api_key", 16},
		"no such model":    {answer(http.StatusNotFound, "model_not_found"), "bad_request", "check models.default.model", 16},
		"a quota used up":  {answer(http.StatusTooManyRequests, "insufficient_quota"), "quota", "add credit", 16},
		"a server is down": {answer(http.StatusServiceUnavailable, ""), "unavailable", "check that it runs", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls.Add(1); tt.handler(w, r) }))
			defer srv.Close()
			code, out, told := evaluated(t, judged(t, srv.URL+"/v1", 80, "--patience", "0", "--concurrency", "8"))
			if code != cli.ExitFailure || !strings.Contains(told, "helpfulness: 80 of 80 verdicts are errors (") || !strings.Contains(told, tt.reason) || !strings.Contains(told, tt.mend) {
				t.Errorf("exit code %d, told:\n%s", code, told)
			}
			if !strings.Contains(out, "helpfulness gave errors on 80 of 80 events: ") || !strings.Contains(strings.Join(strings.Fields(out), " "), "; versions are not compared by it") {
				t.Errorf("printed:\n%s", out)
			}
			if calls.Load() > tt.most {
				t.Errorf("%d calls", calls.Load())
			}
		})
	}
}

// nineOClock is a judge's model that passes every criterion.
func nineOClock() http.Handler {
	return modelserver.New(func(r modelserver.Request) modelserver.Reply {
		var out []modelserver.Verdict
		for _, id := range r.Criteria {
			out = append(out, modelserver.Verdict{ID: id, Evidence: "We open at nine.", Reason: "scripted", Verdict: "pass"})
		}
		return modelserver.Answer(out)
	})
}

// TestEvalWaits: a server that comes up in time, or limits calls for a while, costs no
// verdict, and what the run waits for is told.
func TestEvalWaits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		header string // how long to wait, in milliseconds
		reason string
	}{
		"comes up":     {http.StatusServiceUnavailable, "", "unavailable"},
		"limits calls": {http.StatusTooManyRequests, "20", "rate_limited"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			judge := nineOClock()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) <= 5 {
					if tt.header != "" {
						w.Header().Set("Retry-After-Ms", tt.header)
					}
					w.WriteHeader(tt.status)
					return
				}
				judge.ServeHTTP(w, r)
			}))
			defer srv.Close()
			waiting := regexp.MustCompile(`(?m)^waiting for model small \(` + tt.reason + `\) since \d+s; gives up after 1m0s$`)
			code, out, told := evaluated(t, judged(t, srv.URL+"/v1", 4))
			if code != cli.ExitOK || !waiting.MatchString(told) || !strings.Contains(told, "model small answers\n") {
				t.Errorf("exit code %d, told:\n%s\nprinted:\n%s", code, told, out)
			}
		})
	}
}

// TestEvalGivesUp: no call has succeeded for the patience. The command says which model,
// where it was looked for, the last error and what to mend, and nothing secret.
func TestEvalGivesUp(t *testing.T) {
	t.Parallel()
	const gone = "http://127.0.0.1:1" // on a port that was closed another test may listen
	limiting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "90")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(limiting.Close)
	for name, tt := range map[string]struct{ url, last, mend string }{
		"nobody listens": {gone, "unavailable: no answer: connection refused", "check that it runs and models.default.base_url, or wait longer with --patience"},
		"limits calls":   {limiting.URL, "rate_limited: status 429", "lower models.default.requests_per_minute, or wait longer with --patience"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secret := canary()
			url := strings.Replace(tt.url, "http://", "http://user:"+secret+"@", 1) + "/v1?key=" + secret
			code, stdout, told := evaluated(t, judged(t, url, 30, "--patience", "300ms", "--json"))
			gaveUp := "gave up on model small at " + tt.url + "/v1: no call has succeeded for "
			if code != cli.ExitFailure || !strings.Contains(told, gaveUp) || !strings.Contains(told, "; the last error: "+tt.last) || !strings.Contains(told, tt.mend) || strings.Contains(told+stdout, secret) {
				t.Errorf("exit code %d, told:\n%s", code, told)
			}
			problems := lastLine(t, stdout).Problems
			if len(problems) != 2 || !strings.HasPrefix(problems[0], gaveUp) || !strings.HasPrefix(problems[1], "helpfulness: 30 of 30 verdicts are errors (") {
				t.Errorf("problems %q", problems)
			}
		})
	}
}

// TestMaxErrors: the bound is a share of one evaluator's verdicts.
func TestMaxErrors(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	if code, _, told := evaluated(t, judged(t, srv.URL+"/v1", 4, "--max-errors", "100%")); code != cli.ExitOK {
		t.Errorf("exit code %d, told:\n%s", code, told)
	}
	for value, want := range map[string]string{"x": "want a percentage from 0 to 100", "101": "want a percentage", "-1": "want a percentage"} {
		if code, _, told := evaluated(t, judged(t, srv.URL+"/v1", 1, "--max-errors", value)); code != cli.ExitUsage || !strings.Contains(told, want) {
			t.Errorf("%s: exit code %d, told:\n%s", value, code, told)
		}
	}
	if code, _, told := evaluated(t, judged(t, srv.URL+"/v1", 1, "--patience", "-1s")); code != cli.ExitUsage || !strings.Contains(told, "--patience: -1s is out of range; want a duration from 0 to 24h") {
		t.Errorf("exit code %d, told:\n%s", code, told)
	}
}
