package recipes

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// shown fails the test unless each text stands both in the table of docs/publish.md and in
// what was really printed.
func shown(t *testing.T, printed string, texts ...string) {
	t.Helper()
	page := read(t, "docs/publish.md")
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("docs/publish.md does not say %q", text)
		}
		if !strings.Contains(printed, text) {
			t.Errorf("%q is not in what was printed:\n%s", text, printed)
		}
	}
}

// TestClientTrouble brings about what a client says of its sidecar.
func TestClientTrouble(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		missing(t, err)
	}
	w := newWorld(t)
	const publish = `
import evalworker, logging
logging.basicConfig()
evalworker.publisher().publish(EVENT)
print(evalworker.flush(WITHIN), evalworker.publisher().stats)
`
	client := func(t *testing.T, url, event, within string) string {
		t.Helper()
		command, args, env := script(t, "python3", strings.NewReplacer("EVENT", event, "WITHIN", within).Replace(publish),
			append(w.environment(), "EVALWORKER_URL="+url))
		return run(t, "", env, command, args...)
	}
	const good, bad = `{"event": "llm_request_completed", "request_id": "it"}`, `{"event": "llm_request_completed"}`

	t.Run("no token", func(t *testing.T) {
		t.Parallel()
		token := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(token, []byte(strings.Repeat("t", 32)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, url := startSidecar(t, w.broker.Addr(), filepath.Join(t.TempDir(), "spool"), "--token-file", token)
		out := client(t, url, good, "60")
		shown(t, out, "answers 401 and refuses", "want the header Authorization: Bearer")
		if !strings.HasPrefix(out[strings.LastIndex(out, "True"):], "True") || !strings.Contains(out, "'rejected': 1") {
			t.Errorf("flush is not true, or rejected is not 1: %s", out)
		}
	})
	t.Run("no sidecar", func(t *testing.T) {
		t.Parallel()
		shown(t, client(t, "http://127.0.0.1:1", good, "0.1"), "does not answer", "events wait")
	})
	t.Run("no request id", func(t *testing.T) {
		t.Parallel()
		shown(t, client(t, w.url, bad, "60"), "answers 400", "missing request_id")
	})
	const misspelt = `{"event": "llm_request_completed", "request_id": "it", "promt_name": "x"}`
	t.Run("unknown field", func(t *testing.T) {
		t.Parallel()
		shown(t, ask(t, http.MethodPost, w.url+"/v1/events", misspelt), `"warnings"`, "promt_name", "did you mean")
		shown(t, client(t, w.url, misspelt, "60"), "warns", "promt_name")
	})
	t.Run("unknown field, strict", func(t *testing.T) {
		t.Parallel()
		_, url := startSidecar(t, w.broker.Addr(), filepath.Join(t.TempDir(), "spool"), "--strict")
		shown(t, client(t, url, misspelt, "60"), "refuse", "promt_name", "did you mean")
	})
}

// TestSidecarTrouble brings about what a sidecar says of Kafka.
func TestSidecarTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	empty, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(empty.Close)
	for name, tt := range map[string]struct{ brokers, says string }{
		"Kafka is away": {"127.0.0.1:1", "connection refused"},
		"no topic":      {empty.Addr(), "Unknown Topic Or Partition"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url := startSidecar(t, tt.brokers, filepath.Join(t.TempDir(), "spool"), "--grace", "100ms")
			ask(t, http.MethodPost, url+"/v1/events", `{"event":"llm_request_completed","request_id":"it"}`)
			shown(t, until(t, url+"/statusz", nil, `"state": "kafka_down"`), tt.says)
		})
	}
	t.Run("well", func(t *testing.T) {
		t.Parallel()
		shown(t, until(t, w.url+"/statusz", nil, `"state"`), `"state": "ok"`)
	})
}

// TestWorkerTrouble: events without a score are counted where docs/publish.md says.
func TestWorkerTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.broker.CreateTopic(emitter.DefaultTopic+".dead", 1); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string]string{
		"evalworker.yaml": `kafka: {brokers: ["` + w.broker.Addr() + `"]}
models: {default: {model: stub, base_url: "` + w.model.URL + `/v1"}}
evaluators:
  - {name: judge, type: llm_judge, rubric: safety, rate: 1, when: 'feature == "judged"'}
  - {name: answer, type: substance, when: 'status == "success"'}
  - {name: rare, type: substance, rate: 0.000000001, when: 'feature == "rare"'}
store: {url: "sqlite:cases.db"}
datadog: {enabled: false}
health: {listen: "127.0.0.1:0"}
`,
		"unwanted": `{"event":"llm_request_completed","request_id":"unwanted","output":"an answer"}`,
		"empty":    `{"event":"llm_request_completed","request_id":"empty","status":"success","prompt_name":"mine"}`,
		"sampled":  `{"event":"llm_request_completed","request_id":"sampled","feature":"rare","output":"an answer"}`,
		"good":     `{"event":"llm_request_completed","request_id":"good","status":"success","prompt_name":"mine","output":"An answer of several words."}`,
		"judged":   `{"event":"llm_request_completed","request_id":"judged","feature":"judged","input":"A question.","output":"An answer."}`,
		"dead":     `{"event":`,
	}
	writer := &kafka.Writer{Addr: kafka.TCP(w.broker.Addr()), Topic: emitter.DefaultTopic, BatchTimeout: time.Millisecond}
	var messages []kafka.Message
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if name != "evalworker.yaml" {
			messages = append(messages, kafka.Message{Value: []byte(text)})
		}
	}
	if err := writer.WriteMessages(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	worker, line := start(t, dir, nil, "worker starts", program("evalworker"), "run")
	addr := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line)
	status := until(t, "http://"+addr+"/statusz", worker, `"consumed": 6`)
	var got struct{ Events map[string]int }
	if err := json.Unmarshal([]byte(status), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"consumed": 6, "unwanted": 1, "sampled_out": 1, "evaluated": 3, "dead_lettered": 1} {
		if got.Events[name] != want {
			t.Errorf("%s is %d, want %d", name, got.Events[name], want)
		}
		shown(t, status, name)
	}
	shown(t, until(t, "http://"+addr+"/metrics", worker, `outcome="pass"`), `outcome="not_applicable"`, `outcome="error"`, "llm_eval_count_total")
	shown(t, worker.output(), "ids of events link to no span")
	evalworker := func(args ...string) string { return run(t, dir, nil, program("evalworker"), args...) }
	shown(t, evalworker("eval", "unwanted"), "1 unwanted")
	shown(t, evalworker("eval", "empty", "--json"), "missing output")
	if out := evalworker("eval", "sampled", "--all"); !strings.Contains(out, "1 evaluated") {
		t.Errorf("with --all: %s", out)
	}
	if out := evalworker("dlq", "list"); !strings.Contains(out, "malformed") {
		t.Errorf("dlq list: %s", out)
	}
	shown(t, evalworker("check"), "topic:")
	worker.stop(t)
}

// until asks an address until its answer holds the text.
func until(t *testing.T, url string, p *process, text string) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		last = ask(t, http.MethodGet, url, "")
		if strings.Contains(last, text) {
			return last
		}
	}
	if p != nil {
		last += "\n" + p.output()
	}
	t.Fatalf("%s never has %q:\n%s", url, text, last)
	return ""
}

// ask sends a request and returns the body of its answer.
func ask(t *testing.T, method, url, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
