package app_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/emitter/ddtrace"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

const (
	topic       = "llm.requests.completed"
	deadLetters = topic + ".dead"
	group       = "evalworker"
	partitions  = 4

	// patience bounds the wait for a condition on a busy machine. No test asserts a
	// time.
	patience = 2 * time.Minute
)

// world is the surroundings of a worker: broker, model, agent, and a folder with
// its configuration and its store.
type world struct {
	t      *testing.T
	broker *broker.Broker
	model  *scriptedModel
	agent  *datadog.AgentSink  // nil: telemetry is off
	statsd *datadog.StatsDSink // nil: telemetry is off
	dir    string
	log    *book
	seen   *ledger

	database     string // URL of the store; empty: a file in the folder
	storeTimeout string // of one write
}

// newWorld makes a world whose model answers by a script.
func newWorld(t *testing.T, script modelserver.Script) *world {
	t.Helper()
	broker, err := broker.Start(broker.Config{Topics: map[string]int32{topic: partitions, deadLetters: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	w := &world{t: t, broker: broker, model: newModel(t, script), dir: t.TempDir(), log: &book{}, seen: &ledger{}, storeTimeout: "10s"}
	w.file("schemas/support_reply.json", supportReply)
	return w
}

// withTelemetry adds two new Datadog sinks. A process has one tracer, so tests with
// telemetry do not run in parallel.
func (w *world) withTelemetry() *world {
	w.t.Helper()
	for _, name := range []string{
		"DD_ENV", "DD_SERVICE", "DD_VERSION", "DD_AGENT_HOST", "DD_TRACE_AGENT_URL", "DD_TRACE_AGENT_PORT", "DD_DOGSTATSD_URL",
		"DD_DOGSTATSD_PORT", "DD_TRACE_AGENT_TIMEOUT", "DD_SPAN_SAMPLING_RULES", "DD_TRACE_SAMPLE_RATE", "DD_TAGS", "DD_ENTITY_ID",
	} {
		w.t.Setenv(name, "")
	}
	w.agent, w.statsd = datadog.Agent(w.t), datadog.StatsD(w.t)
	return w
}

// file writes a file of the world's folder as a deployment does: under another
// name, then in one step.
func (w *world) file(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// store is the path of the store.
func (w *world) store() string { return filepath.Join(w.dir, "cases.db") }

// storeURL names the store.
func (w *world) storeURL() string { return cmp.Or(w.database, "sqlite:"+w.store()) }

// configure writes the configuration: the given policy and the addresses of the
// world. Lines of more precede everything else.
func (w *world) configure(policy string, more ...string) string {
	w.t.Helper()
	datadog := "datadog: {enabled: false}"
	if w.agent != nil {
		datadog = fmt.Sprintf("datadog: {agent_url: %q, dogstatsd_url: %q, env: staging, keep_failures: 1000, close_timeout: 20s}",
			w.agent.URL, w.statsd.Address)
	}
	return w.file("evalworker.yaml", strings.Join(append(more,
		fmt.Sprintf("kafka: {brokers: [%q], topic: %s, group: %s, session_timeout: 60s, heartbeat_interval: 100ms, commit_interval: 20ms, "+
			"fetch_max_wait: 50ms, partition_watch: 200ms, retry_min: 1ms, retry_max: 10ms}", w.broker.Addr(), topic, group),
		"schemas: schemas/",
		fmt.Sprintf("store: {url: %q, timeout: %s}", w.storeURL(), w.storeTimeout),
		datadog,
		"health: {listen: 127.0.0.1:0}",
		strings.ReplaceAll(policy, "MODEL_URL", w.model.url),
	), "\n"))
}

func (w *world) load(path string) *config.Config {
	w.t.Helper()
	cfg, err := config.Load(path, nil)
	if err != nil {
		w.t.Fatalf("configuration: %v", err)
	}
	return cfg
}

// logger writes JSON lines of every level into the book.
func (w *world) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// worker is a running worker.
type worker struct {
	*app.App
	t    *testing.T
	stop context.CancelFunc // as SIGTERM does

	ended chan struct{} // closed when Run has returned
	err   error         // of Run; read after ended
}

// start runs a worker until the test ends.
func (w *world) start(cfg *config.Config, change ...func(*app.Deps)) *worker {
	w.t.Helper()
	deps := app.Deps{Log: w.logger(), Version: "1.2.3", Recorder: w.seen}
	for _, c := range change {
		c(&deps)
	}
	a, err := app.New(w.t.Context(), cfg, deps)
	if err != nil {
		w.t.Fatalf("start worker: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	out := &worker{App: a, t: w.t, stop: cancel, ended: make(chan struct{})}
	go func() {
		defer close(out.ended)
		out.err = a.Run(ctx)
	}()
	w.t.Cleanup(func() { _ = out.end() })
	return out
}

// end stops the worker and returns what Run returned.
func (k *worker) end() error {
	k.t.Helper()
	k.stop()
	select {
	case <-k.ended:
		return k.err
	case <-time.After(patience):
		k.t.Error("Run does not return")
		return nil
	}
}

// halt stops the worker, which has to be a clean stop.
func (k *worker) halt() {
	k.t.Helper()
	if err := k.end(); err != nil {
		k.t.Fatalf("stop worker: %v", err)
	}
}

// consumed waits until so many events have ended.
func (k *worker) consumed(n int) {
	k.t.Helper()
	eventually(k.t, fmt.Sprintf("%d events consumed", n), func() bool { return k.Status().Events.Consumed >= int64(n) })
}

// holds waits until so many events are in flight.
func (k *worker) holds(n int) {
	k.t.Helper()
	eventually(k.t, fmt.Sprintf("%d events in flight", n), func() bool { return k.Status().Consumer.InFlight == n })
}

// eventually polls a condition that nothing announces.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// emit publishes events as an application does, each under the context's span.
func (w *world) emit(ctx context.Context, events ...event.Event) {
	w.t.Helper()
	em, err := emitter.New(emitter.Config{Brokers: []string{w.broker.Addr()}, Topic: topic, Linger: time.Millisecond, Block: true, TraceContext: ddtrace.FromContext})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		if err := em.Emit(ctx, e); err != nil {
			w.t.Fatalf("emit %s: %v", e.RequestID, err)
		}
	}
	if err := em.Close(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// produce publishes messages unchanged, as a log shipper does.
func (w *world) produce(messages ...kafka.Message) {
	w.t.Helper()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	out := &kafka.Writer{
		Addr: kafka.TCP(w.broker.Addr()), Topic: topic, Transport: transport,
		RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Balancer: &kafka.Hash{},
	}
	defer out.Close()
	if err := out.WriteMessages(w.t.Context(), messages...); err != nil {
		w.t.Fatalf("produce: %v", err)
	}
}

// supportReply is the schema that the answers of these tests have to satisfy.
const supportReply = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object", "required": ["reply"], "additionalProperties": false,
  "properties": {"reply": {"type": "string"}, "next_step": {"enum": ["none", "ticket"]}}
}`
