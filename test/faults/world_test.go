package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

const (
	// patience ends a wait for something that does not come.
	patience = 2 * time.Minute
	// look is how often other processes are polled.
	look = 20 * time.Millisecond
	// rssLimit bounds the resident memory of a worker with events of usual size, in
	// bytes.
	rssLimit = 200 << 20
	// grace is how long a worker has after SIGTERM: the default of shutdown.grace.
	grace = 25 * time.Second
)

// world is the surroundings of one row.
type world struct {
	t       *testing.T
	suite   *suite
	kafka   *containers.Kafka // nil for a world with a cluster of its own
	brokers []string
	entry   []string // the brokers' addresses for workers, when they are others
	client  *kafka.Client
	topic   string
	group   string
	dir     string
	model   *model
	row     row
	told    []told

	// config are the sections of the workers' configuration, by key. NAME, DIR
	// and MODEL in them stand for the worker, its folder and its model's URL.
	config map[string]string

	replicas    int // of the topic
	topicConfig []kafka.ConfigEntry

	// allSound: no broken event is published, because its dead letter would be the first
	// thing that a worker says.
	allSound bool

	// memory bounds the resident memory of a worker, in bytes.
	memory int64

	// agent takes the workers' spans, in worlds that look at verdicts; else nil.
	agent *datadog.AgentSink
	// env is added to the environment of workers, and wrap is put before their
	// command.
	env, wrap []string

	workers map[string]*worker
	ledger  ledger
}

// newWorld makes the world of a row on the broker that all rows share.
func newWorld(t *testing.T, s *suite, sc scenario) *world {
	t.Helper()
	w := &world{
		t: t, suite: s, topic: "faults." + sc.name, group: "faults-" + sc.name, dir: t.TempDir(),
		replicas: 1, memory: rssLimit, workers: map[string]*worker{},
		row:    row{title: sc.title, date: time.Now().UTC().Format(time.DateOnly), recover: none, exit: none},
		ledger: newLedger(),
	}
	w.model = newModel(t)
	w.config = map[string]string{
		"models":     `{default: {base_url: "MODEL", api_key: none, requests_per_minute: 0, concurrency: 1000, max_attempts: 1}}`,
		"evaluators": `[{name: helpfulness, type: llm_judge, rubric: helpfulness, rate: 1}]`,
		"store":      `{url: "sqlite:DIR/cases.db"}`,
		"datadog":    `{enabled: false}`,
		"health":     `{listen: "127.0.0.1:0"}`,
	}
	w.kafkaConfig(32)
	return w
}

// kafkaConfig sets the section kafka of the configuration: the defaults, with a
// shorter session, the given number of events in flight, and more settings.
func (w *world) kafkaConfig(inFlight int, more ...string) {
	settings := append([]string{
		"brokers: [BROKERS]", "topic: " + w.topic, "group: " + w.group,
		"session_timeout: " + sessionTimeout.String(), fmt.Sprintf("max_in_flight: %d", inFlight),
	}, more...)
	w.config["kafka"] = "{" + strings.Join(settings, ", ") + "}"
}

// sessionTimeout is how long a worker may be silent in these rows; the default
// is 10 s.
const sessionTimeout = 6 * time.Second

// begin creates the topic and starts workers, and returns when each has joined the
// group and all partitions are assigned. So their joining repeats nothing that is
// published from then on.
func (w *world) begin(partitions int, names ...string) {
	w.t.Helper()
	w.open(partitions)
	for _, name := range names {
		w.start(name)
	}
	w.joined(partitions, names...)
}

// open creates the topic.
func (w *world) open(partitions int) {
	w.t.Helper()
	if w.brokers == nil {
		broker, err := w.suite.broker(w.t.Context())
		w.must(err)
		w.kafka = broker
		w.connect(w.kafka.Addr())
	}
	w.createTopic(partitions)
}

// connect makes the test's own client to the brokers.
func (w *world) connect(brokers ...string) {
	w.brokers = brokers
	cfg := conn.DefaultConfig()
	cfg.Brokers, cfg.ClientID = brokers, "faults"
	transport := conn.NewTransport(cfg)
	transport.MetadataTTL = time.Second
	w.t.Cleanup(transport.CloseIdleConnections)
	w.client = conn.NewClient(cfg, transport)
}

// joined waits until the named workers hold all partitions between them, and
// each of them at least one.
func (w *world) joined(partitions int, names ...string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%s share %d partitions", strings.Join(names, ", "), partitions), func() bool {
		held := map[int]bool{}
		for _, name := range names {
			s, ok := w.workers[name].status()
			if !ok || !s.Consumer.Joined || len(s.Consumer.Partitions) == 0 && partitions >= len(names) {
				return false
			}
			for _, p := range s.Consumer.Partitions {
				held[p.Partition] = true
			}
		}
		return len(held) == partitions
	})
}

// answered waits until n questions have been answered.
func (w *world) answered(n int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d questions answered", n), func() bool { return w.model.answers() >= n })
}

// must ends the row on an error.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.row.broken = append(w.row.broken, err.Error())
		w.t.Fatal(err)
	}
}

// eventually polls until a condition holds.
func (w *world) eventually(what string, cond func() bool) {
	w.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			w.row.broken = append(w.row.broken, "not within "+patience.String()+": "+what)
			w.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// lasting lets a fault last for a while. The duration is the subject of the row, not
// a wait for something to happen.
func (w *world) lasting(d time.Duration) { <-time.After(d) }

// bound asserts one bound of the row. A broken one is named in the table and fails
// the test.
func (w *world) bound(holds bool, format string, args ...any) {
	w.t.Helper()
	if !holds {
		what := fmt.Sprintf(format, args...)
		w.row.broken = append(w.row.broken, what)
		w.t.Error(what)
	}
}

// sharedMachine is the factor on bounds in time where continuous integration runs:
// its machine is shared, and the rows are there for what is lost and repeated.
const sharedMachine = 3

// within asserts a bound in time.
func (w *world) within(took, limit time.Duration, format string) {
	w.t.Helper()
	if *rowsFlag == rowsCI {
		limit *= sharedMachine
	}
	w.bound(took <= limit, format, took.Seconds())
}

// note adds a remark to the row.
func (w *world) note(format string, args ...any) {
	w.row.notes = append(w.row.notes, fmt.Sprintf(format, args...))
}

// finish waits until every event has ended, stops all workers cleanly, counts, and
// asserts what holds in every row: nothing lost, everything committed, every worker's
// accounting settled, and memory and exits in bounds.
func (w *world) finish() {
	w.t.Helper()
	w.settled()
	names := slices.Sorted(maps.Keys(w.workers))
	// An emitter that gets no answer sends again, so there may be more messages than
	// events, and some of them may not have begun yet.
	w.eventually("all is committed", func() bool { return w.uncommitted() == 0 })
	for _, name := range names {
		k := w.workers[name]
		if k.killed {
			continue
		}
		exit := k.stop()
		w.row.exit = max(w.row.exit, exit)
		w.within(exit, grace, "worker "+name+" took %.1f s to exit")
	}
	w.count()
	w.bound(w.row.lost == 0, "%d events lost", w.row.lost)
	left := w.uncommitted()
	w.bound(left == 0, "%d messages finished and not committed", left)
	for _, name := range names {
		k := w.workers[name]
		w.row.rss = max(w.row.rss, k.rss.Load())
		if k.killed {
			continue
		}
		w.bound(k.err == nil || k.hung, "worker %s: %v", name, k.err)
		end, ok := k.accounting()
		w.bound(ok && end.Settled(), "accounting of worker %s: %+v", name, end)
	}
	w.bound(w.row.rss <= w.memory, "%s of memory", megabytes(w.row.rss))
}

// nothingRepeated is the bound of the rows in which no worker dies.
func (w *world) nothingRepeated() {
	w.t.Helper()
	w.bound(w.row.repeated == 0, "%d repeated, want none", w.row.repeated)
}

// result returns the row as far as it got.
func (w *world) result() row {
	if w.t.Failed() && len(w.row.broken) == 0 {
		w.row.broken = []string{"ended early: see the log"}
	}
	return w.row
}
