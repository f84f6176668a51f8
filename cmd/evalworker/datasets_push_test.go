package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/datadog"
)

// datasetServer is Datadog's API with one project and one dataset, which keeps records.
type datasetServer struct {
	mu      sync.Mutex
	records []string // guarded by mu; each as its JSON
	calls   int      // guarded by mu
}

func (s *datasetServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if r.Method == http.MethodGet {
		fmt.Fprint(w, `{"data":[{"id":"d","attributes":{"name":"failures"}}]}`)
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/records") {
		fmt.Fprint(w, `{"data":{"id":"p"}}`)
		return
	}
	var body struct {
		Data struct {
			Attributes struct{ Records []json.RawMessage }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var made []string
	for _, record := range body.Data.Attributes.Records {
		if strings.Contains(string(record), "refuse me") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	for _, record := range body.Data.Attributes.Records {
		if !strings.Contains(strings.Join(s.records, "\n"), string(record)) {
			s.records, made = append(s.records, string(record)), append(made, `{}`)
		}
	}
	fmt.Fprintf(w, `{"data":[{"records":[%s]}]}`, strings.Join(made, ","))
}

// TestPushDatadog: nothing is sent without --yes, keys and names of operations; then each
// case is sent once, also when it has occurred again, and no key is printed.
func TestPushDatadog(t *testing.T) {
	t.Parallel()
	server := &datasetServer{}
	srv := httptest.NewServer(server)
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	db := "sqlite:" + filepath.Join(dir, "cases.db")
	fail := func(requests ...string) {
		t.Helper()
		var events strings.Builder
		for _, r := range requests {
			id, question, _ := strings.Cut(r, " ")
			if question != "" {
				question = fmt.Sprintf(`"input":%q,`, question)
			}
			fmt.Fprintf(&events, `{"event":"llm_request_completed","request_id":%q,"prompt_name":"hours","prompt_version":%q,%s"output":"I'm sorry, but I can't help with that.","expected":"At nine."}`+"\n", id, "v"+id, question)
		}
		file := filepath.Join(dir, "events.ndjson")
		if err := os.WriteFile(file, []byte(events.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := call(t, "eval", file, "--store", db); code != cli.ExitOK {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
	}
	keys := []string{"DD_API_KEY=" + canary(), "DD_APP_KEY=" + canary(), "DD_HOST=" + srv.URL}
	enable := "--enable-unstable=" + strings.Join(datadog.DatasetOperations(), ",")
	push := func(environ []string, args ...string) (int, string, string) {
		t.Helper()
		var out, errs bytes.Buffer
		args = append([]string{"datasets", "push", "datadog", "--store", db}, args...)
		code := run(t.Context(), args, strings.NewReader(""), &out, &errs, environ)
		if strings.Contains(out.String()+errs.String(), canary()) {
			t.Error("a key is printed")
		}
		return code, out.String(), errs.String()
	}
	to := func(more ...string) []string {
		return append([]string{"--project", "support", "--dataset", "failures"}, more...)
	}
	fail("1 When do you open?", "2 Where are you?", "3")
	for _, step := range []struct {
		name    string
		before  func()
		environ []string
		args    []string
		code    int
		stdout  string
		stderr  string
		records int
	}{
		{"no names", nil, keys, []string{"--yes", enable}, cli.ExitUsage, "", "evalworker: --project: missing; want a name in Datadog LLM Observability\nevalworker: --dataset: missing", 0},
		{"dry", nil, nil, to(), cli.ExitOK, "2 records would go to dataset \"failures\" of project \"support\"\nnothing is sent yet: the same command with --yes does it\n", "1 case without an input left out", 0},
		{"not enabled", nil, keys, to("--yes"), cli.ExitUsage, "", "enable them by name: --enable-unstable v2.CreateLLMObsProject,v2.ListLLMObsDatasets,v2.CreateLLMObsDataset,v2.CreateLLMObsDatasetRecords", 0},
		{"no keys", nil, keys[2:], to("--yes", enable), cli.ExitUsage, "", "DD_APP_KEY: not set", 0},
		{"first", nil, keys, to("--yes", enable), cli.ExitOK, "2 records sent to dataset \"failures\" of project \"support\": 2 stored, 0 there already, as Datadog answers\n", "", 2},
		{"second", nil, keys, to("--yes", enable), cli.ExitOK, "2 records sent to dataset \"failures\" of project \"support\": 0 stored, 2 there already, as Datadog answers\n", "", 2},
		{"again and one more", func() { fail("4 When do you open?", "5 Why?") }, keys, to("--yes", enable), cli.ExitOK, "3 records sent to dataset \"failures\" of project \"support\": 1 stored, 2 there already, as Datadog answers\n", "", 3},
		{"one is refused", func() { fail("6 refuse me", "7 Who?") }, keys, to("--yes", enable), cli.ExitFailure, "4 records sent to dataset \"failures\" of project \"support\": 1 stored, 3 there already, as Datadog answers\n", "evalworker: 1 of 5 records refused by Datadog for the reasons above; the others are stored", 4},
		{"filter", nil, keys, to("--yes", enable, "--status", "confirmed"), cli.ExitOK, "no cases: nothing is sent\n", "", 4},
		{"a prompt that is not there", nil, keys, to("--prompt", "hour"), cli.ExitUsage, "", `did you mean "hours"?`, 4},
	} {
		if step.before != nil {
			step.before()
		}
		code, stdout, stderr := push(step.environ, step.args...)
		if code != step.code || stdout != step.stdout || !strings.Contains(stderr, step.stderr) || len(server.records) != step.records {
			t.Errorf("%s: exit code %d, %d records\n%s%s", step.name, code, len(server.records), stdout, stderr)
		}
	}
	var record map[string]any
	at := slices.IndexFunc(server.records, func(r string) bool { return strings.Contains(r, `"request_id":"2"`) })
	if err := json.Unmarshal([]byte(server.records[at]), &record); err != nil {
		t.Fatal(err)
	}
	metadata := record["metadata"].(map[string]any)
	for _, key := range []string{"case_id", "cause"} {
		if id, ok := metadata[key].(string); !ok || len(id) != 16 {
			t.Errorf("%s is %v", key, metadata[key])
		}
		delete(metadata, key)
	}
	want := map[string]any{
		"input": map[string]any{"input": "Where are you?"}, "expected_output": "At nine.",
		"metadata": map[string]any{
			"evaluator": "refusal", "reason": metadata["reason"], "request_id": "2", "prompt_name": "hours", "prompt_version": "v2",
			"failing_output": "I'm sorry, but I can't help with that.",
		},
	}
	if diff := cmp.Diff(want, record); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}
