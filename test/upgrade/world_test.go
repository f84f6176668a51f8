package upgrade

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/internal/testkit/containers"
)

const (
	partitions = 6
	// rate is how many events a second are published, and most how many at most: for longer
	// than a scenario takes, on a busy machine too.
	rate, most = 150, 12000
	// sessionTimeout is how long a killed worker keeps its share of the topic.
	sessionTimeout = 10 * time.Second
)

// startKafka starts the embedded broker, or Apache Kafka where it is required.
func startKafka(t *testing.T) string {
	t.Helper()
	if os.Getenv(containers.EnvRequired) != "required" {
		b, err := broker.Start(broker.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		return b.Addr()
	}
	k, err := containers.StartKafka(t.Context(), containers.KafkaConfig{})
	containers.Need(t, err)
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k.Addr()
}

// world is one topic, one model and what was published to and asked of them.
type world struct {
	t      *testing.T
	dir    string
	addr   string // of the broker
	topic  string
	client *kafka.Client
	model  string // its URL

	started []*process

	mu    sync.Mutex
	calls []call // guarded by mu
}

// call is a question about an event that was answered.
type call struct{ id, worker string }

func newWorld(t *testing.T, addr, topic string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), addr: addr, topic: topic}
	cfg := conn.DefaultConfig()
	cfg.Brokers, cfg.ClientID = []string{addr}, "upgrade"
	transport := conn.NewTransport(cfg)
	t.Cleanup(transport.CloseIdleConnections)
	w.client = conn.NewClient(cfg, transport)
	eventually(t, "topic "+topic+" is made", func() bool {
		res, err := w.client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}}})
		return err == nil && res.Errors[topic] == nil
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/{worker}/v1/", w.answer)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.model = server.URL
	return w
}

// eventID is how the id of an event looks in its input.
var eventID = regexp.MustCompile(`ev-[0-9]+`)

func idOf(n int) string { return fmt.Sprintf("ev-%06d", n) }

// The nth event fails by the judge, and by the rule, if its id is in the sample.
func failsJudge(n int) bool { return n%5 == 0 }
func failsRule(n int) bool  { return n%3 == 0 }

const (
	refusal = "I'm sorry, but I can't help with that request."
	help    = "It left our warehouse this morning and will be with you tomorrow."
)

func outputOf(n int) string {
	if failsRule(n) {
		return refusal
	}
	return help
}

func newEvent(n int) event.Event {
	return event.Event{
		RequestID: event.RequestID(idOf(n)), Feature: "support_agent", PromptName: "support_triage", PromptVersion: "v3", Model: "gpt-6-luna",
		Status: "success", Input: event.Text("In the matter of " + idOf(n) + ": where is my order?"), Output: event.Text(outputOf(n)),
	}
}

// answer is the model: it takes 5 to 30 ms and answers as is scripted for the event.
func (w *world) answer(out http.ResponseWriter, r *http.Request) {
	worker, id := r.PathValue("worker"), ""
	handler := modelserver.New(func(q modelserver.Request) modelserver.Reply {
		input, _ := q.Data["input"].(string)
		id = eventID.FindString(input)
		var n int
		_, _ = fmt.Sscanf(id, "ev-%d", &n)
		verdict := modelserver.Verdict{Reason: "scripted", Verdict: "pass"}
		if failsJudge(n) {
			verdict.Verdict, verdict.Evidence = "fail", outputOf(n)
		}
		var all []modelserver.Verdict
		for _, criterion := range q.Criteria {
			verdict.ID = criterion
			all = append(all, verdict)
		}
		reply := modelserver.Answer(all)
		reply.Delay = time.Duration(5+n%26) * time.Millisecond
		return reply
	})
	answered := &answerWriter{ResponseWriter: out}
	http.StripPrefix("/"+worker, handler).ServeHTTP(answered, r)
	if answered.failed || r.Context().Err() != nil {
		return // nobody has it
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call{id, worker})
}

// answerWriter notes whether an answer could not be written.
type answerWriter struct {
	http.ResponseWriter
	failed bool
}

// Write notes an error.
func (w *answerWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.failed = w.failed || err != nil
	return n, err
}

// answered returns all answers so far.
func (w *world) answered() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]call(nil), w.calls...)
}

// evaluates waits until a worker has got n answers more.
func (w *world) evaluates(worker string, n int) {
	w.t.Helper()
	count := func() (n int) {
		for _, c := range w.answered() {
			if c.worker == worker {
				n++
			}
		}
		return n
	}
	n += count()
	eventually(w.t, fmt.Sprintf("%s evaluates: %d", worker, n), func() bool { return count() >= n })
}

// publish publishes events until the returned function is called, which returns their
// number.
func (w *world) publish() (stop func() int) {
	w.t.Helper()
	em := w.emitter()
	ctx, cancel := context.WithCancel(w.t.Context())
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	go func() {
		tick := time.NewTicker(time.Second / rate)
		defer tick.Stop()
		n := 0
		for ; n < most; n++ {
			if err := em.Emit(w.t.Context(), newEvent(n)); err != nil {
				done <- result{n, err}
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				done <- result{n + 1, nil}
				return
			}
		}
		done <- result{n, nil}
	}()
	return func() int {
		w.t.Helper()
		cancel()
		r := <-done
		w.close(em)
		if r.err != nil {
			w.t.Fatal(r.err)
		}
		return r.n
	}
}

// publishAll publishes n events.
func (w *world) publishAll(n int) {
	w.t.Helper()
	em := w.emitter()
	for i := range n {
		if err := em.Emit(w.t.Context(), newEvent(i)); err != nil {
			w.t.Fatal(err)
		}
	}
	w.close(em)
}

func (w *world) emitter() *emitter.Emitter {
	w.t.Helper()
	em, err := emitter.New(emitter.Config{Brokers: []string{w.addr}, Topic: w.topic, Block: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return em
}

func (w *world) close(em *emitter.Emitter) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := em.Close(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// config is what a worker is configured with. All versions understand it. A share of the
// topic moves when its events in flight have ended; the time for that is more than the
// default, because machines are busy.
const config = `kafka: {brokers: [%q], topic: %q, group: %q, start: first, session_timeout: %s, revoke_drain: 5s, max_in_flight: 32}
models: {default: {base_url: %q, api_key: none, model: judge, requests_per_minute: 0, concurrency: 1000, max_attempts: 1}}
evaluators:
  - {name: refusal, type: refusal, rate: 0.5}
%sstore: {url: %q}
datadog: {enabled: false}
health: {listen: "127.0.0.1:0"}
`

// judge is the evaluator of worlds that count evaluations.
const judge = "  - {name: helpfulness, type: llm_judge, rubric: helpfulness, rate: 1}\n"

// worker starts a worker of a program under a name, which the model learns.
func (w *world) worker(p program, name, group, store, judge string) *process {
	w.t.Helper()
	name = p.name + "-" + name
	file := filepath.Join(w.dir, name+".yaml")
	text := fmt.Sprintf(config, w.addr, w.topic, group, sessionTimeout, w.model+"/"+name+"/v1", judge, store)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return w.start(name, p.evalworker, "run", "-c", file)
}
