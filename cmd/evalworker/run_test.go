package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// TestRun: the worker starts, becomes ready, consumes what is published, puts aside
// what cannot be read, and stops with exit code 0.
func TestRun(t *testing.T) {
	t.Parallel()
	const topic = "llm.requests.completed"
	broker, err := broker.Start(broker.Config{Topics: map[string]int32{topic: 2, topic + ".dead": 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	dir := t.TempDir()
	config := filepath.Join(dir, "evalworker.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, `kafka: {group: smoke}
evaluators:
  - {name: refusal, type: refusal}
store: {url: %q}
datadog: {enabled: false}
health: {listen: 127.0.0.1:0}
`, "sqlite:"+filepath.Join(dir, "cases.db")), 0o600); err != nil {
		t.Fatal(err)
	}

	ctx, terminate := context.WithCancel(t.Context())
	defer terminate()
	out, log, ended := newScreen(), newScreen(), make(chan int, 1)
	var program sync.WaitGroup
	defer program.Wait()
	defer terminate()
	program.Go(func() {
		ended <- run(ctx, []string{"run", "--config", config}, nil, out, log, []string{"KAFKA_BROKERS=" + broker.Addr()})
	})
	health := "http://" + log.await(t, regexp.MustCompile(`"msg":"worker starts".*"health":"([^"]+)"`), ended)[1]

	publish(t, broker.Addr(), 20)
	if e := consumed(t, health, 20); e.Consumed != 20 || e.Evaluated != 20 {
		t.Errorf("accounting: %+v", e)
	}
	if code := status(t, health+"/readyz"); code != http.StatusOK {
		t.Errorf("not ready after 20 events: %d", code)
	}
	if code, stdout, stderr := call(t, "ready", "--url", health); code != cli.ExitOK || stdout+stderr != "" {
		t.Errorf("evalworker ready: exit code %d, %q, %q", code, stdout, stderr)
	}
	terminate()
	if code := <-ended; code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
	log.await(t, regexp.MustCompile(`"msg":"worker stopped".*"consumed":20,.*"evaluated":20`), ended)
	if code, _, stderr := call(t, "ready", "--url", health); code != cli.ExitFailure || !strings.HasPrefix(stderr, "evalworker: not ready: ") {
		t.Errorf("evalworker ready after the end: exit code %d, %q", code, stderr)
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.text.Len() > 0 {
		t.Errorf("standard output: %s", out.text.String())
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestRunWithFaults: a worker whose configuration has a fault does not start, and
// says all of them in its log.
func TestRunWithFaults(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "evalworker.yaml")
	if err := os.WriteFile(config, []byte("evaluators:\n  - {name: a, type: refusl}\n  - {name: b, type: llm_judge, rubric: corectness}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t, "run", "--config", config)
	if code != cli.ExitUsage || stdout != "" || strings.Count(stderr, `"level":"ERROR","msg":"worker does not start","error":"`+config+":") != 2 ||
		!strings.Contains(stderr, `did you mean \"refusal\"?`) || !strings.Contains(stderr, `did you mean \"correctness\"?`) {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}

// TestRunCannotOpen: a fault of the environment ends in one line of the log and exit code 1.
func TestRunCannotOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "evalworker.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "evaluators: [{name: refusal, type: refusal}]\nstore: {url: %q}\ndatadog: {enabled: false}\nhealth: {listen: 127.0.0.1:0}\n",
		"sqlite:"+filepath.Join(dir, "no", "such", "folder", "cases.db")), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t, "run", "--config", config)
	if code != cli.ExitFailure || stdout != "" || strings.Count(stderr, "\n") != 1 ||
		!strings.Contains(stderr, `"level":"ERROR","msg":"worker does not start","error":"start worker: store sqlite:`) {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}

func TestLogDurationsHaveAUnit(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cfg := config.Default()
	newLog(&globals{stderr: &out}, cfg.Log).Info("drained", "duration", 5*time.Second)
	if !strings.Contains(out.String(), `"duration":"5s"`) {
		t.Errorf("log: %s", out.String())
	}
}
