package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// composeProject is a project of Docker Compose that a test runs.
type composeProject struct {
	t    *testing.T
	line []string // the command and its first arguments
}

const (
	projectName  = "evalworker-compose-test"
	projectImage = "evalworker-test:compose"
	projectWait  = 4 * time.Minute // for anything to come about
	traffic      = 1500            // events
)

// needCompose returns the command of Docker Compose: Docker's own plugin, or the one that
// make builds. It skips the test where there is none, and has it built where the test has
// to run.
func needCompose(t *testing.T) []string {
	t.Helper()
	needDocker(t)
	if exec.CommandContext(t.Context(), "docker", "compose", "version").Run() == nil {
		return []string{"docker", "compose"}
	}
	const built = "bin/docker-compose"
	if _, err := os.Stat(root + "/" + built); err != nil && os.Getenv("EVALWORKER_TEST_REAL") != "required" {
		t.Skip("Docker has no plugin compose: compose.yaml is not run. Build one with: make " + built)
	}
	command(t, root, "make", built)
	return []string{root + "/" + built}
}

// compose runs Docker Compose and returns what it prints on standard output.
func (p composeProject) compose(args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.t.Context()), projectWait)
	defer cancel()
	var out, failed bytes.Buffer
	line := append(p.line, args...)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Env = append(os.Environ(), "EVALWORKER_IMAGE="+projectImage, "EMITTER_PORT=", fmt.Sprint("TRAFFIC_EVENTS=", traffic), "TRAFFIC_RATE=0")
	cmd.Stdout, cmd.Stderr = &out, &failed
	if err := cmd.Run(); err != nil {
		p.t.Errorf("compose %s: %v\n%s", strings.Join(args, " "), err, &failed)
	}
	return strings.TrimSpace(out.String())
}

// accounting is the accounting of all workers together.
type accounting struct {
	Consumed     int `json:"consumed"`
	Unwanted     int `json:"unwanted"`
	SampledOut   int `json:"sampled_out"`
	Evaluated    int `json:"evaluated"`
	DeadLettered int `json:"dead_lettered"`
}

func (a accounting) plus(b accounting) accounting {
	return accounting{a.Consumed + b.Consumed, a.Unwanted + b.Unwanted, a.SampledOut + b.SampledOut, a.Evaluated + b.Evaluated, a.DeadLettered + b.DeadLettered}
}

func (a accounting) settled() bool {
	return a.Consumed == a.Unwanted+a.SampledOut+a.Evaluated+a.DeadLettered
}

// ask sends a request with a token and returns its answer's status; the answer is decoded
// into out.
func ask(t *testing.T, method, url, token, body string, out any) (int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode, json.NewDecoder(resp.Body).Decode(out)
}

// account returns the accounting of both workers, from their health servers.
func (p composeProject) account(token string) (sum accounting, err error) {
	for index := range 2 {
		var status struct {
			Events accounting `json:"events"`
		}
		address := p.compose("port", "--index", strconv.Itoa(index+1), "worker", "8787")
		if _, err := ask(p.t, http.MethodGet, "http://"+address+"/statusz", token, "", &status); err != nil {
			return accounting{}, err
		}
		sum = sum.plus(status.Events)
	}
	return sum, nil
}

// await waits until the workers have consumed so many events and all of them have ended.
func (p composeProject) await(token string, events int) accounting {
	p.t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(projectWait); ; {
		now, err := p.account(token)
		if err == nil && now.Consumed >= events && now.settled() {
			return now
		}
		select {
		case <-tick.C:
		case <-end:
			p.t.Fatalf("%+v (%v), want %d events\n%s", now, err, events, p.compose("logs", "--tail", "30"))
		}
	}
}

// TestComposeRuns: one command brings everything up; every simulated event and one of the
// sidecar's are evaluated, the store has cases, and a stop loses nothing.
func TestComposeRuns(t *testing.T) {
	line := needCompose(t)
	p := composeProject{t, append(line, "--project-name", projectName, "--file", composeFolder+"/compose.yaml", "--file", composeFolder+"/compose.test.yaml")}
	command(t, root, "make", "image", "IMAGE="+projectImage)
	p.compose("down", "--volumes", "--remove-orphans") // of a run that was killed
	t.Cleanup(func() {
		p.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
		_ = exec.Command("docker", "rmi", "--force", projectImage).Run()
	})
	began := time.Now()
	p.compose("up", "--detach", "--no-build")
	if t.Failed() {
		t.Fatal(p.compose("logs", "--tail", "30"))
	}
	up := time.Since(began)
	key := func(name string) string {
		return p.compose("run", "--rm", "--no-deps", "--entrypoint", "cat", "keys", "/keys/"+name)
	}
	token := key("health-token")
	p.await(token, traffic)
	var answer struct{ Accepted int }
	if status, err := ask(t, http.MethodPost, "http://"+p.compose("port", "emitter", "8788")+"/v1/events", key("emitter-token"),
		`{"event":"llm_request_completed","request_id":"req_compose","output":"Your parcel is on its way."}`, &answer); status != http.StatusAccepted || answer.Accepted != 1 {
		t.Errorf("the sidecar answers %d, %+v, %v", status, answer, err)
	}
	before := p.await(token, traffic+1)
	evaluated := time.Since(began)
	if before.Consumed != traffic+1 || before.Evaluated < 1000 {
		t.Errorf("accounting: %+v", before)
	}
	var cases []struct{ Evaluator string }
	if text := p.compose("exec", "-T", "worker", "evalworker", "datasets", "list", "--json"); json.Unmarshal([]byte(text), &cases) != nil || len(cases) == 0 {
		t.Errorf("the store has no cases: %s", text)
	}
	for _, service := range []string{"worker", "emitter"} {
		for id := range strings.FieldsSeq(p.compose("ps", "--quiet", service)) {
			until(t, id, "healthy", healthy)
		}
	}
	p.compose("stop")
	for _, service := range []string{"worker", "emitter", "traffic", "keys", "topics", "postgres"} {
		for id := range strings.FieldsSeq(p.compose("ps", "--all", "--quiet", service)) {
			if state := inspect(t, id).State; state.Status != "exited" || state.ExitCode != 0 {
				t.Errorf("%s is %s with exit code %d", service, state.Status, state.ExitCode)
			}
		}
	}
	after := ends(t, p.compose("logs", "--no-log-prefix", "worker"))
	if after != before {
		t.Errorf("after the stop: %+v, before: %+v", after, before)
	}
	t.Logf("up in %v; %d events consumed = %d unwanted + %d sampled out + %d evaluated + %d dead-lettered after %v, lost %d; %d cases; all over after %v",
		up.Round(time.Second), after.Consumed, after.Unwanted, after.SampledOut, after.Evaluated, after.DeadLettered, evaluated.Round(time.Second),
		traffic+1-after.Consumed, len(cases), time.Since(began).Round(time.Second))
}

var stopped = regexp.MustCompile(`(?m)^.*"msg":"worker stopped".*$`)

// ends returns the accounting that workers log when they have stopped.
func ends(t *testing.T, logs string) (sum accounting) {
	t.Helper()
	lines := stopped.FindAllString(logs, -1)
	if len(lines) != 2 {
		t.Errorf("%d workers stopped, want 2", len(lines))
	}
	for _, line := range lines {
		var one accounting
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Error(err)
		}
		sum = sum.plus(one)
	}
	return sum
}
