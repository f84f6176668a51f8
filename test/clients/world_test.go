package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

const (
	topic      = "llm.requests.completed"
	partitions = 4

	// patience ends a wait for something that does not come.
	patience = 2 * time.Minute
	// look is how often other processes are polled.
	look = 100 * time.Millisecond
)

// world is everything between the programs and Datadog, and the model.
type world struct {
	dir      string
	provider *provider
	agent    *datadog.AgentSink
	brokers  string
	client   *kafka.Client
	sidecar  string // its URL
	token    string // that the sidecar wants
	worker   string // URL of its health server

	next    [partitions]int64 // of the topic, where reading goes on
	arrived int64             // messages read
}

// newWorld starts all of it. What is missing of it fails the test.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), provider: newProvider(t), agent: datadog.Agent(t)}
	bin := filepath.Join(w.dir, "bin")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/", "../../cmd/evalworker", "../../cmd/emitter")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	w.startKafka(t)
	w.token = strings.Repeat("t", 32)
	tokenFile := filepath.Join(w.dir, "token")
	if err := os.WriteFile(tokenFile, []byte(w.token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sink := datadog.StatsDUnix(t)
	config := fmt.Sprintf(`kafka: {brokers: [%q], group: clients}
models: {default: {base_url: %q, api_key: none, model: judge, requests_per_minute: 0, concurrency: 100}}
evaluators:
  - {name: refusal, type: refusal}
  - {name: helpfulness, type: llm_judge, rubric: helpfulness, rate: 1}
store: {url: %q}
datadog: {agent_url: %q, dogstatsd_url: %q}
health: {listen: "127.0.0.1:0"}
`, w.brokers, w.provider.url+"/judge/v1", "sqlite:"+filepath.Join(w.dir, "cases.db"), w.agent.URL, sink.Address)
	file := filepath.Join(w.dir, "evalworker.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	worker := w.start(t, "worker", bin+"/evalworker", "run", "-c", file)
	sidecar := w.start(t, "sidecar", bin+"/emitter", "serve", "--brokers", w.brokers, "--listen", "127.0.0.1:0", "--token-file", tokenFile, "--spool-dir", filepath.Join(w.dir, "spool"))
	w.worker = "http://" + worker.logged(t, "worker starts", "health")
	w.sidecar = "http://" + sidecar.logged(t, "sidecar starts", "addr")
	// New groups begin at the end of the topic: what is published before they have joined is not theirs.
	eventually(t, "the worker is ready", func() bool { return w.get(t, w.worker+"/readyz", nil) })
	return w
}

// startKafka starts the embedded broker, or Apache Kafka where it is required.
func (w *world) startKafka(t *testing.T) {
	t.Helper()
	if os.Getenv(containers.EnvRequired) == "required" {
		k, err := containers.StartKafka(t.Context(), containers.KafkaConfig{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := k.Close(); err != nil {
				t.Error(err)
			}
		})
		w.brokers = k.Addr()
	} else {
		b, err := broker.Start(broker.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		w.brokers = b.Addr()
	}
	cfg := conn.DefaultConfig()
	cfg.Brokers, cfg.ClientID = []string{w.brokers}, "clients"
	transport := conn.NewTransport(cfg)
	t.Cleanup(transport.CloseIdleConnections)
	w.client = conn.NewClient(cfg, transport)
	for name, n := range map[string]int{topic: partitions, topic + ".dead": 1} {
		eventually(t, "topic "+name+" is made", func() bool {
			res, err := w.client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: n, ReplicationFactor: 1}}})
			return err == nil && res.Errors[name] == nil
		})
	}
}

// ends returns where the partitions of a topic end.
func (w *world) ends(t *testing.T, topic string, partitions int) map[int]int64 {
	t.Helper()
	var asked []kafka.OffsetRequest
	for id := range partitions {
		asked = append(asked, kafka.LastOffsetOf(id))
	}
	out := map[int]int64{}
	eventually(t, "ends of "+topic, func() bool {
		res, err := w.client.ListOffsets(t.Context(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: asked}})
		if err != nil {
			return false
		}
		for _, p := range res.Topics[topic] {
			if p.Error != nil {
				return false
			}
			out[p.Partition] = p.LastOffset
		}
		return len(out) == partitions
	})
	return out
}

// read returns the messages that have come since it was last called.
func (w *world) read(t *testing.T) []kafka.Message {
	t.Helper()
	var out []kafka.Message
	for id, end := range w.ends(t, topic, partitions) {
		if end == w.next[id] {
			continue
		}
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{w.brokers}, Topic: topic, Partition: id, MaxBytes: 10 << 20, MaxWait: look})
		err := r.SetOffset(w.next[id])
		for err == nil && w.next[id] < end {
			var m kafka.Message
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			if m, err = r.ReadMessage(ctx); err == nil {
				out = append(out, m)
				w.next[id] = m.Offset + 1
			}
			cancel()
		}
		if err != nil {
			t.Fatalf("read %s: %v", topic, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	w.arrived += int64(len(out))
	return out
}

// settle waits until the sidecar holds nothing more and the worker is done with everything
// in the topic, and returns the worker's account.
func (w *world) settle(t *testing.T) app.Accounting {
	t.Helper()
	eventually(t, "the sidecar has sent everything", func() bool {
		var s struct{ Spool struct{ Events int } }
		return w.get(t, w.sidecar+"/statusz", &s) && s.Spool.Events == 0
	})
	var total int64
	for _, end := range w.ends(t, topic, partitions) {
		total += end
	}
	var s app.Status
	eventually(t, "the worker has consumed everything", func() bool {
		return w.get(t, w.worker+"/statusz", &s) && s.Events.Settled() && s.Events.Consumed >= total
	})
	return s.Events
}

// process is a program that runs.
type process struct {
	cmd   *exec.Cmd
	log   string // file with its output
	ended chan struct{}
	err   error // set when ended is closed
}

// start starts a program with nothing of the test's environment but what it needs. It is
// killed at the end of the test, and its output is part of that of a test that fails.
func (w *world) start(t *testing.T, name string, command ...string) *process {
	t.Helper()
	return w.startWith(t, name, nil, command...)
}

func (w *world) startWith(t *testing.T, name string, env []string, command ...string) *process {
	t.Helper()
	dir := filepath.Join(w.dir, "run-"+name)
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	said, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	p := &process{log: said.Name(), ended: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), command[0], command[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = said, said
	p.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + dir, "DD_INSTRUMENTATION_TELEMETRY_ENABLED=false", "NO_PROXY=127.0.0.1",
	}, env...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-p.ended:
		case <-time.After(patience):
			_ = p.cmd.Process.Kill()
			<-p.ended
		}
		_ = said.Close()
		if text, err := os.ReadFile(p.log); err == nil && t.Failed() {
			t.Logf("%s said:\n%s", name, text[max(0, len(text)-10_000):])
		}
	})
	return p
}

// logged waits for a line of a process's log and returns one of its fields.
func (p *process) logged(t *testing.T, msg, field string) (value string) {
	t.Helper()
	eventually(t, msg, func() bool {
		select {
		case <-p.ended:
			t.Fatalf("the process ended before %q: %v", msg, p.err)
		default:
		}
		text, err := os.ReadFile(p.log)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			var line map[string]any
			if json.Unmarshal(lines.Bytes(), &line) == nil && line["msg"] == msg {
				value, _ = line[field].(string)
			}
		}
		return value != ""
	})
	return value
}

// wait waits for the end of a process that ends by itself.
func (p *process) wait(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(4 * patience):
		t.Fatal("the program does not end")
	}
	if p.err != nil {
		t.Fatalf("the program ended with %v", p.err)
	}
}

// eventually waits until ok returns true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}

// get reads JSON, and reports whether the answer was 200.
func (w *world) get(t *testing.T, url string, into any) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token) // the worker wants none
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	if into == nil {
		return resp.StatusCode == http.StatusOK
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil && !strings.HasSuffix(url, "/readyz") {
		t.Fatalf("%s: %v", url, err)
	}
	return resp.StatusCode == http.StatusOK
}
