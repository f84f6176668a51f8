package telemetry

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
	slogtrace "github.com/DataDog/dd-trace-go/contrib/log/slog/v2"
	"golang.org/x/time/rate"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/outage"
)

// Deps are the dependencies of a Telemetry.
type Deps struct {
	Log     *slog.Logger // required
	Version string       // of the program; used if neither DD_VERSION nor the file sets one
	// Seed of the random rounding of weights; 0: a random seed. With the same seed
	// the same reports in the same order lead to the same counts.
	Seed uint64
	// Redact returns a name of a tool, or a judge's explanation, without secrets and
	// personal data; nil: names are sent as they are, and explanations cannot be. The
	// names of an event are redacted before it gets here.
	Redact func(name string) string
	// Prometheus keeps all metrics for ServeMetrics, also when the configuration is not
	// enabled and nothing is sent.
	Prometheus bool
}

// Telemetry records spans and metrics. A nil or zero Telemetry discards everything, and so
// does one that neither sends nor serves metrics, except that it counts drops. All methods
// are safe for concurrent use. Only Close blocks.
type Telemetry struct {
	log     *slog.Logger
	timeout time.Duration // bounds Close
	llmobs  *submitter    // nil: no evaluations are sent
	streams bool          // Data Streams are on

	queue   chan *eval.Report // nil: discard; closed by Close
	running sync.WaitGroup    // the goroutine that owns spans and recorder
	spans   *spans            // queue goroutine only; nil without Datadog
	record  *recorder         // queue goroutine only

	meter     *meter
	tracing   *tracing // nil without Datadog
	drops     *drops
	losses    losses // of run alone
	panics    outage.Limiter
	events    tally
	intake    sync.RWMutex // held for reading while a report is queued
	closed    bool         // guarded by intake
	inflight  atomic.Int64
	refused   atomic.Bool // the configuration on disk
	abandoned atomic.Bool // what is still queued is dropped
}

// flushEvery is the interval at which counts kept here are passed to the meter. The
// DogStatsD client sends every two seconds.
const flushEvery = time.Second

// started says that the process-wide tracer is in use, because a second one would
// silently replace the first.
var started atomic.Bool

// ErrStarted is returned by [New] while another Telemetry of the process is open.
var ErrStarted = errors.New("telemetry: already started in this process: the tracer is a process-wide singleton")

// New starts the tracer and the DogStatsD client if the configuration is enabled. An
// unreachable agent is not an error: data for it is dropped and counted.
func New(cfg Config, deps Deps) (*Telemetry, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	if deps.Log == nil {
		return nil, errors.New("telemetry: no log")
	}
	if !cfg.Enabled && !deps.Prometheus {
		return &Telemetry{drops: &drops{}}, nil
	}
	if cfg.Enabled && !started.CompareAndSwap(false, true) {
		return nil, ErrStarted
	}
	t, err := start(cfg, deps)
	if err != nil {
		started.Store(false)
		return nil, err
	}
	return t, nil
}

func start(cfg Config, deps Deps) (*Telemetry, error) {
	here := machine{os.Getenv, func(path string) bool { _, err := os.Stat(path); return err == nil }}
	to := resolve(cfg, deps.Version, here)
	evaluations, err := evaluationSenderOf(cfg, to, here, deps)
	if err != nil {
		return nil, err
	}
	t := &Telemetry{
		log:     deps.Log,
		timeout: cfg.CloseTimeout,
		queue:   make(chan *eval.Report, cfg.Queue),
		drops:   &drops{},
		losses:  losses{log: deps.Log},
	}
	t.meter = newMeter(to, limits{values: cfg.MaxTagValues, series: cfg.MaxSeries}, t.drops, deps.Log)
	if deps.Prometheus {
		newExposition(t.meter, to)
		t.begin()
	}
	if cfg.Enabled {
		if err := t.startDatadog(cfg, to); err != nil {
			return nil, err
		}
	}
	seed := deps.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	//nolint:gosec // rounding needs no strong randomness
	t.record = &recorder{
		meter: t.meter, drops: t.drops, random: rand.New(rand.NewPCG(seed, seed)), requests: cfg.RequestMetrics,
		toolNames: newToolNames(deps.Redact), releases: newReleases(),
	}
	t.startEvaluations(cfg, evaluations, deps)
	t.streams = cfg.Enabled && to.dataStreams
	t.running.Go(t.run)
	return t, nil
}

// begin shows the counts whose tags are known before anything happens.
func (t *Telemetry) begin() {
	for _, d := range []eval.Disposition{eval.DispositionEvaluated, eval.DispositionUnwanted, eval.DispositionSampledOut} {
		t.meter.begin(countEvents, string(d))
	}
	for _, outcome := range []string{reloadApplied, reloadRefused} {
		t.meter.begin(countReloads, outcome)
	}
	for _, set := range t.meter.sortedSets {
		if !set.closed {
			t.meter.begin(countTagsOverflowed, set.key)
		}
	}
	for f := range t.meter.families() {
		if f.open {
			t.meter.begin(countSeriesOverflowed, f.metric)
		}
	}
}

// startDatadog starts what sends to Datadog: the tracer and the DogStatsD client.
func (t *Telemetry) startDatadog(cfg Config, to target) error {
	client, err := statsd.New(to.statsd, statsdOptions(to, t.drops)...)
	if err != nil {
		return fmt.Errorf("telemetry: dogstatsd at %s: %w", to.statsd, err)
	}
	if t.tracing, err = startTracer(cfg, to, t.drops, t.log); err != nil {
		return errors.Join(fmt.Errorf("telemetry: start tracer: %w", err), client.Close())
	}
	t.meter.statsd = client
	t.spans = &spans{
		propagator: newPropagator(), maxChildAge: cfg.MaxChildAge, meter: t.meter, log: t.log,
		keep:     rate.NewLimiter(rate.Limit(cfg.KeepFailures), burst(cfg.KeepFailures)),
		resource: t.meter.tagSets["feature"].value,
	}
	return nil
}

// statsdOptions returns options that make the client aggregate distributions too: it
// sends every value, many in a line. Its option to keep only a sample of them is not
// used: in datadog-go 5.9.1 a value may replace one that is being written (a data
// race), and sums of money would be estimates. The values between two flushes are
// bounded by the speed of the only goroutine that records: some 20,000 events a
// second.
func statsdOptions(to target, d *drops) []statsd.Option {
	var tags []string
	if !to.serviceTag {
		tags = append(tags, "service:"+sanitizeValue(to.service))
	}
	if !to.versionTag && to.version != "" {
		tags = append(tags, "version:"+sanitizeValue(to.version))
	}
	return []statsd.Option{
		statsd.WithExtendedClientSideAggregation(),
		statsd.WithWriteTimeout(100 * time.Millisecond),
		statsd.WithoutTelemetry(), // the error handler counts its drops
		statsd.WithTags(tags),
		statsd.WithErrorHandler(func(err error) {
			if full, ok := errors.AsType[*statsd.ErrorSenderChannelFull](err); ok {
				d.add(SinkDogStatsD, "queue_full", int64(full.LostElements))
				return
			}
			d.add(SinkDogStatsD, "write_failed", 1)
		}),
	}
}

// burst returns the number that may pass at once: one second's worth, at least one.
func burst(perSecond float64) int {
	if perSecond <= 0 {
		return 0
	}
	return max(1, int(min(perSecond, 1e6)))
}

// LogHandler returns a handler that adds dd.trace_id and dd.span_id to a record whose
// context carries a span, at the top level even inside groups. On a nil Telemetry no
// context carries a span.
func (t *Telemetry) LogHandler(h slog.Handler) slog.Handler { return slogtrace.WrapHandler(h) }

// run owns spans and recorder until the queue is closed and empty.
func (t *Telemetry) run() {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case r, open := <-t.queue:
			if !open {
				t.flush()
				t.losses.end()
				return
			}
			// The tracer is the process's: it may be another Telemetry's by now.
			if !t.abandoned.Load() {
				t.handle(r)
			}
		case <-tick.C:
			t.flush()
		}
	}
}

// handle sends one report. A panic drops that report and does not stop the worker.
func (t *Telemetry) handle(r *eval.Report) {
	defer func() {
		if p := recover(); p != nil {
			t.drops.add(SinkReports, string(eval.ReasonPanic), 1)
			// The value of a panic may hold content; its type and the stack do not.
			if seen, ok := t.panics.Allow(); ok {
				t.log.Error("a panic, which is a fault of this program: spans and metrics of a report are dropped",
					slog.String("panic", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())), seen.Attr())
			}
		}
	}()
	defer t.llmobs.report(r) // last, and also when the others panic
	t.record.report(r)
	if t.spans != nil {
		t.spans.report(r)
	}
}

// flush moves the meter's clock on, and passes the counts that are kept here to it. Dead letters are rare
// and are sent at once, with their reason.
func (t *Telemetry) flush() {
	t.meter.tick()
	t.meter.count(countEvents, t.events.evaluated.unsent(), nil, string(eval.DispositionEvaluated))
	t.meter.count(countEvents, t.events.unwanted.unsent(), nil, string(eval.DispositionUnwanted))
	t.meter.count(countEvents, t.events.sampledOut.unsent(), nil, string(eval.DispositionSampledOut))
	lost := t.drops.unsent()
	for _, d := range lost {
		t.meter.count(countDropped, d.Count, nil, d.Sink, d.Reason)
	}
	t.losses.note(lost)
	t.meter.gauge(gaugeInflight, float64(t.inflight.Load()))
	t.meter.gauge(gaugeQueue, float64(len(t.queue)))
	t.meter.gauge(gaugeConfigRefused, zeroOrOne(t.refused.Load()))
}
