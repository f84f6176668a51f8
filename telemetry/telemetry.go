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
	"golang.org/x/time/rate"

	"github.com/evalworker/evalworker/eval"
)

// Deps are what a Telemetry works with.
type Deps struct {
	Log     *slog.Logger // required
	Version string       // of the program; used when neither DD_VERSION nor the file says one
	// Seed of the random rounding of weights; 0 takes a random one. With the same
	// seed the same reports in the same order give the same counts.
	Seed uint64
}

// Telemetry sends spans and metrics. A nil Telemetry, a zero one and one that is
// not enabled discard everything; the last still counts drops. All methods are safe for concurrent use and
// none blocks, but for Close.
type Telemetry struct {
	log     *slog.Logger
	timeout time.Duration // bound of Close

	queue   chan *eval.Report // nil: discard
	running sync.WaitGroup    // the goroutine that owns spans and recorder
	spans   *spans            // queue goroutine only
	record  *recorder         // queue goroutine only

	meter      *meter
	agent      *agentTransport
	stopTracer func() <-chan struct{} // stops the tracer; the channel closes when that is done
	drops      *drops
	events     tally
	closing    chan struct{} // closed by Close
	intake     sync.RWMutex  // guards closed against a Report at work
	closed     bool          // guarded by intake
	inflight   atomic.Int64
}

// flushEvery is how often counts that are kept here go to the client. The
// client itself sends every two seconds.
const flushEvery = time.Second

// started guards the process-wide tracer: two at a time would replace each
// other in silence.
var started atomic.Bool

// ErrStarted is returned by [New] while another Telemetry of the process is open.
var ErrStarted = errors.New("telemetry: already started in this process: the tracer is a process-wide singleton")

// New starts the tracer and the DogStatsD client. An agent that cannot be
// reached is no error: what it misses is dropped and counted, until it is there.
func New(cfg Config, deps Deps) (*Telemetry, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	if deps.Log == nil {
		return nil, errors.New("telemetry: no log")
	}
	if !cfg.Enabled {
		return &Telemetry{drops: &drops{}}, nil
	}
	if !started.CompareAndSwap(false, true) {
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
	to := resolve(cfg, deps.Version, machine{os.Getenv, fileExists})
	t := &Telemetry{
		log:     deps.Log,
		timeout: cfg.CloseTimeout,
		queue:   make(chan *eval.Report, cfg.Queue),
		closing: make(chan struct{}),
		drops:   &drops{},
	}
	client, err := statsd.New(to.statsd, statsdOptions(to, t.drops)...)
	if err != nil {
		return nil, fmt.Errorf("telemetry: dogstatsd at %s: %w", to.statsd, err)
	}
	t.meter = newMeter(client, to, cfg.MaxTagValues, t.drops, deps.Log)
	t.agent = newAgentTransport(to)
	if t.stopTracer, err = startTracer(cfg, to, t.agent, t.drops, deps.Log); err != nil {
		return nil, errors.Join(fmt.Errorf("telemetry: start tracer: %w", err), client.Close())
	}
	t.spans = &spans{
		propagator: newPropagator(), maxChildAge: cfg.MaxChildAge, meter: t.meter, log: deps.Log,
		keep:     rate.NewLimiter(rate.Limit(cfg.KeepFailures), burst(cfg.KeepFailures)),
		resource: t.meter.tagSets["feature"].value,
	}
	seed := deps.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	//nolint:gosec // rounding needs no strong randomness
	t.record = &recorder{meter: t.meter, drops: t.drops, random: rand.New(rand.NewPCG(seed, seed)), requests: cfg.RequestMetrics}
	t.running.Go(t.run)
	return t, nil
}

// statsdOptions make the client aggregate distributions too: it sends every
// value, many in a line. Its option to keep only a sample of them stays unused:
// in datadog-go 5.9.1 a value may replace one that is being written at that
// moment (a data race), and sums of money would be estimates. What waits between
// two flushes is bounded by what the one goroutine that makes it can do: some
// 20,000 events a second.
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
		statsd.WithoutTelemetry(), // its drops are counted by the error handler
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

// burst lets a whole second's worth through at once, and at least one.
func burst(perSecond float64) int {
	if perSecond <= 0 {
		return 0
	}
	return max(1, int(min(perSecond, 1e6)))
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// run owns spans and recorder until the queue is closed and empty.
func (t *Telemetry) run() {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case r := <-t.queue:
			t.handle(r)
		case <-tick.C:
			t.flush()
		case <-t.closing:
			t.drain()
			t.flush()
			return
		}
	}
}

func (t *Telemetry) drain() {
	for {
		select {
		case r := <-t.queue:
			t.handle(r)
		default:
			return
		}
	}
}

// handle sends one report. A panic costs that report and not the worker.
func (t *Telemetry) handle(r *eval.Report) {
	defer func() {
		if p := recover(); p != nil {
			t.drops.add(SinkReports, string(eval.ReasonPanic), 1)
			// The value of a panic may hold content; its type and the stack do not.
			t.log.Error("report dropped", slog.String("panic", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
		}
	}()
	t.record.report(r)
	t.spans.report(r)
}

// flush hands the counts that are kept here to the client.
func (t *Telemetry) flush() {
	for disposition, n := range t.events.unsent() {
		t.meter.count(countEvents, n, nil, string(disposition))
	}
	for _, d := range t.drops.unsent() {
		t.meter.count(countDropped, d.Count, nil, d.Sink, d.Reason)
	}
	t.meter.gauge(gaugeInflight, float64(t.inflight.Load()))
	t.meter.gauge(gaugeQueue, float64(len(t.queue)))
}
